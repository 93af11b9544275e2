//! Makes, signs, seals, verifies and applies a host's bundle. No network, no disk: callers hand in
//! bytes, keys, the time and randomness.
#![forbid(unsafe_code)]

mod record;

pub use record::{
    CredentialRecord, EffectivePolicy, GroupRecord, HostRecord, PersonRecord, Slice, SshKeyRecord,
};
