//! Tests of the module: through glibc's own programs, and of what glibc calls, each in a mount
//! namespace with its own `/run` and `/etc`. The machine itself is never touched. Needs root.

#[cfg(test)]
mod buffers;
#[cfg(test)]
mod cacher;
#[cfg(test)]
mod early;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod ffi;
#[cfg(test)]
mod glibc;
#[cfg(test)]
mod glibc_calls;
#[cfg(test)]
mod group_lists;
#[cfg(test)]
mod host;
#[cfg(test)]
mod inside;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod long_lived;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod module;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod people;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod replaced;
#[cfg(test)]
mod untrusted;
