//! `cloudid-cacher` mirrors a host's bundle, decides by it and answers the local sockets; it runs
//! without root and without capabilities. `cloudid-helper` does the few things that need root and
//! talks to nobody but the cacher. Names are never resolved through NSS here.

pub mod access;
pub mod account;
pub mod apply;
mod at_once;
pub mod cacher;
pub mod config;
pub mod connection;
pub mod conversation;
pub mod daemon;
pub mod disk;
mod ending;
pub mod enroll;
pub mod events;
pub mod factors;
mod ffi;
pub mod health;
pub mod heap;
pub mod helper;
mod helper_client;
pub mod identity;
pub mod keys;
pub mod listen;
pub mod local;
pub mod logging;
pub mod lookups;
pub mod map_content;
pub mod memory_files;
pub mod mirror;
pub mod nscd;
pub mod owners;
pub mod paths;
pub mod peer;
pub mod people;
pub mod publish;
pub mod pulse;
mod questions;
pub mod run;
mod serve;
pub mod session;
mod status;
pub mod sync;
pub mod tables;
pub mod time;
pub mod userdb;
