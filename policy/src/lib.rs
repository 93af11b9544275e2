//! May this person do this, here, now, and why. One engine for directory, host and CLI. Does no
//! I/O, reads no clock, draws no random numbers: all are parameters. The time zones are those built
//! into the program, so that directory and host give the same answer.
#![forbid(unsafe_code)]

mod decide;
mod factors;
mod fit;
mod host_pattern;
mod locked;
mod question;
mod rule;
mod schedule;
mod second_factor;
mod selector;
mod selector_text;
mod sentence;
mod trace;
mod typed_code;
mod unreadable;
mod until;

pub use decide::{decide, decide_with_unreadable};
pub use factors::{
    AuthMethod, BadUnenrolled, FactorFields, FactorKind, FactorPolicy, Factors,
    OFFLINE_HORIZON_SECONDS_MAX, OfflineCodes, Unenrolled,
};
pub use locked::{Locked, password_allowed};
pub use question::{Decision, Host, HostState, Person, Question, ReasonCode, TraceStep, UserState};
pub use rule::{AccessRule, Effect, Subject, could_ever_reach};
pub use schedule::{BadSchedule, Schedule, ScheduleText};
pub use second_factor::{Demand, Enrolment, FirstFactor, Standing};
pub use selector::{OWN_TAG_PREFIX, Selector};
pub use selector_text::{BadSelector, SELECTOR_BYTES_MAX, SELECTOR_TERMS_MAX};
pub use typed_code::{BACKUP_CODE_ALPHABET, TypedCode};
pub use unreadable::UnreadableRule;
