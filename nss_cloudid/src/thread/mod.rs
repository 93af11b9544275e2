//! What a lookup owes to the thread of the program that it runs in.

mod ffi;

pub(crate) use ffi::{keeping_errno, milliseconds, seconds, set_errno, uncancelled};
