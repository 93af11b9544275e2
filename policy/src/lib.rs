//! May this person do this, here, now, and why. One engine for directory, host and CLI. Does no
//! I/O, reads no clock, draws no random numbers: all are parameters.
#![forbid(unsafe_code)]

mod question;
mod rule;
mod schedule;
mod selector;

pub use question::{Decision, Host, HostState, Person, Question, ReasonCode, TraceStep, UserState};
pub use rule::{AccessRule, Effect, Subject};
pub use schedule::Schedule;
pub use selector::{BadSelector, Selector};
