//! What the benchmark and its load generator tell each other, and both do.
#![forbid(unsafe_code)]

mod outcome;
mod processors;

pub use outcome::{Outcome, median};
pub use processors::{keep_to, release};
