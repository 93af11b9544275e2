//! The program through its boundary: what it prints, what it asks of a directory, how it exits.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of these tests stand outside of #[test] functions"
)]

mod administrators;
mod answers;
mod directory;
mod factors;
mod help;
mod person;
mod policies;
mod removals;
