//! What the benchmark and its load generator tell each other.
#![forbid(unsafe_code)]

mod outcome;

pub use outcome::{Outcome, median};
