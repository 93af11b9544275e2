//! Tests of the module: through glibc's own programs, and of what glibc calls, each in a mount
//! namespace with its own `/run` and `/etc`. The machine itself is never touched. Needs root.

mod ffi;
mod glibc;
mod host;
mod people;
