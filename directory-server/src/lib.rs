//! `cloudid-directory`: the organisation's people, hosts and rules over REST; one signed bundle for
//! every host; an audit chain. Runs nothing on hosts: there is no verb for a command, a script, a
//! file or an update.
#![forbid(unsafe_code)]

pub mod access;
pub mod act;
pub mod ageing;
pub mod agent;
pub mod api;
pub mod assign;
pub mod audit;
pub mod clock;
pub mod commands;
pub mod config;
pub mod dirty;
pub mod factors;
pub mod http;
pub mod id;
pub mod invitations;
pub mod keys;
pub mod kick_start;
pub mod limiter;
pub mod mail;
mod notices;
mod pages;
pub mod password;
pub mod presence;
pub mod publish;
pub mod reach;
pub mod ssh_key;
pub mod state;
pub mod store;
pub mod tls;
pub mod turns;
pub mod upkeep;
