//! Throw-away hosts for system tests: real glibc, sshd, sudo, su, login and cron, each host in
//! namespaces of its own. Never touches the network, the accounts or the files of the machine.
//!
//! A test reads as a story:
//!
//! ```no_run
//! use system_tests::Lab;
//!
//! let lab = Lab::new();
//! let web = lab.host("web-1");
//! let laptop = lab.client();
//! web.cut_network();
//! assert!(!laptop.reaches(&web));
//! web.restore_network();
//! laptop.ssh(&web).user("local").password("local-password").run("id -un").succeeds();
//! ```
//!
//! What cannot be prepared ends the test at once with a sentence that says why: a story has no
//! error handling.
#![forbid(unsafe_code)]

mod authenticator;
mod axe;
mod base_root;
mod browser;
mod builder;
mod c_programs;
mod cgroup;
mod client;
mod command;
mod directory;
mod early_unit;
mod edition;
mod faults;
mod guarded;
mod host;
mod init;
mod installation;
mod kick_start;
mod lab;
mod layer;
mod leftovers;
mod network;
mod packages;
mod paramiko;
mod people;
mod phone;
mod programs;
mod release;
mod reproduce;
mod rpm;
mod services;
mod site;
mod sums;
mod terminal;
mod wait;

pub use authenticator::{Authenticator, Enrolled};
pub use axe::Axe;
pub use base_root::say;
pub use browser::{Browser, BrowserHost, Window};
pub use builder::Builder;
pub use cgroup::booting_is_impossible;
pub use client::{Client, Login, Ssh};
pub use command::{Outcome, fail};
pub use directory::{ADMINISTRATOR, DIRECTORY_PORT, Directory, Door};
pub use edition::Edition;
pub use faults::Disk;
pub use guarded::{CODE_PROMPT, Guarded, PASSWORD_PROMPT};
pub use host::Host;
pub use installation::{HOST_PACKAGES, Installation};
pub use lab::{LOCAL_PASSWORD, LOCAL_USER, Lab, ROOT_PASSWORD};
pub use layer::{
    BROWSER, DOORS, EXAMPLES, FETCHING, Layer, NAME_SERVICES, NFS_NAMES, OLD_RELEASE, PACKAGING,
    PARAMIKO, SYSTEMD, WORKSHOP, a_browser_is_impossible, prepare_roots,
};
pub use network::Address;
pub use packages::{Packages, Recipe};
pub use paramiko::{ScriptHost, ScriptKey};
pub use people::{FIRST_PERSON, FIRST_TEAM, crowd};
pub use phone::Phone;
pub use release::Release;
pub use reproduce::{build_copy, copy_sources, differences};
pub use rpm::{gather_programs, rpm_packages};
pub use services::Service;
pub use site::{PASSWORD, Site};
pub use sums::{sign, write_sums};
pub use terminal::Terminal;
pub use wait::{Stopwatch, eventually};
