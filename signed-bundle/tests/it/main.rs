//! What a host accepts and what it refuses, through the public functions only.

mod acceptance;
mod damage;
mod host_secrets;
mod keys;
mod messages;
mod records;
mod roots;
mod sealed;
mod shrinking;
mod world;
