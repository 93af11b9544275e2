//! `libnss_cloudid.so.2`: answers glibc's questions about users and groups from the identity map.
//! It opens no network connection, starts no thread, keeps no descriptor, reads no environment and
//! no configuration, and never lets a panic into the program that loaded it.
//!
//! `ffi.rs` is what glibc calls; everything else is safe code that takes paths and buffers.

pub mod answer;
pub mod enumeration;
pub mod exchange;
pub mod ffi;
mod growing;
mod held;
pub mod lookup;
mod owner;
mod pack;
mod pause;
mod source;
mod thread;
mod unwind;

/// Makes this process one that has not looked up anything yet; for tests, which share a process.
#[doc(hidden)]
pub fn forget() {
    growing::GROWING.forget();
    held::forget();
    owner::forget();
}

pub use pack::{GroupPlaces, UserPlaces};
