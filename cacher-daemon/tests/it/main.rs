//! The cacher with a directory of its own in one process: real sockets, real TLS, real files in a
//! folder that goes away; the clock and the disk are the test's.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests, too"
)]

mod bytes;
mod changes;
mod cloned;
mod crash;
mod directory;
mod disks;
mod enrolment;
mod events;
mod factor_settings;
mod factors;
mod factors_by_key;
#[cfg(test)]
mod factors_online;
mod homes;
mod logins;
mod lookups;
mod measure;
mod memory;
mod names;
mod nscd;
mod owners;
mod promise;
mod pulse;
mod questions;
mod renewal;
mod sessions;
mod sockets;
mod syncing;
mod table;
mod timing;
mod userdb;
mod userdb_hostile;
mod world;
