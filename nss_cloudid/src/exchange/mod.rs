//! One value that many threads read without a lock, while now and then one of them puts another in
//! its place. Nobody ever waits: who finds the place taken goes without.
//!
//! There are two slots, each with counters of its readers, spread over cache lines so that threads
//! do not disturb each other. A reader counts itself in, and then looks again whether the slot is
//! still the current one; a slot is emptied only when it is not current and all its counters are 0.
//!
//! The counters, and the mark of whoever is changing something, lie in memory that a forked child
//! finds full of zeros: the threads that were counted are not in the child, and whatever they were
//! doing will never be finished there.

mod ffi;

pub use ffi::{Exchange, Reader, Turn};
