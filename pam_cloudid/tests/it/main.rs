//! The module as libpam loads it: a program that calls PAM, a line in a service file, and a
//! cacher that follows a script.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test knows the few requests that it causes"
)]

#[cfg(test)]
mod cacher;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod identity;
#[cfg(test)]
#[path = "program/ffi.rs"]
mod program;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod steps;
