//! What sshd runs to learn a person's keys: checks what sshd passes on from the network, asks the
//! cacher once, prints what it says. Without an answer there is no key.
#![forbid(unsafe_code)]

mod authorized_keys;
mod offer;

pub use authorized_keys::{Failure, authorized_keys};
pub use offer::{BadOffer, Offer};
