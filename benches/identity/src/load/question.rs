//! What is asked: an operation of glibc's, the names or ids it is asked for, and whether they are
//! expected to be there.

use std::ffi::CString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::Failure;
use crate::ffi::{self, Room};

/// An operation of glibc's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Operation {
    UserByName,
    UserById,
    GroupByName,
    GroupById,
    GroupsOfUser,
    AllUsers,
}

/// The questions of one measurement.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// What is called.
    #[arg(long, value_enum)]
    pub(crate) operation: Operation,
    /// Names or ids, one a line, in an order without meaning.
    #[arg(long)]
    pub(crate) keys: PathBuf,
    /// Only so many of them.
    #[arg(long, default_value_t = usize::MAX)]
    pub(crate) limit: usize,
    /// Nobody has these names or ids.
    #[arg(long)]
    pub(crate) nobody: bool,
    /// Answers an `AllUsers` has to give.
    #[arg(long, default_value_t = 0)]
    pub(crate) users: usize,
    /// Only this service is asked, and glibc no longer looks at `/etc/nsswitch.conf`.
    #[arg(long)]
    pub(crate) service: Option<String>,
}

/// The questions, ready to be asked.
pub(crate) struct Questions {
    operation: Operation,
    names: Vec<CString>,
    ids: Vec<u32>,
    nobody: bool,
    users: usize,
}

impl Asked {
    /// Reads the names or ids, and settles which service is asked.
    pub(crate) fn read(&self) -> Result<Questions, Failure> {
        let text = std::fs::read_to_string(&self.keys)?;
        let lines: Vec<&str> = text.lines().take(self.limit).collect();
        if lines.is_empty() {
            return Err(format!("{}: nothing to ask", self.keys.display()).into());
        }
        if let Some(service) = &self.service
            && !ffi::configure_lookup(&CString::new(service.as_str())?)
        {
            return Err(format!("glibc does not take the service {service}").into());
        }
        let names: Result<_, _> = lines.iter().map(|line| CString::new(*line)).collect();
        Ok(Questions {
            operation: self.operation,
            names: names?,
            ids: lines.iter().filter_map(|line| line.parse().ok()).collect(),
            nobody: self.nobody,
            users: self.users,
        })
    }
}

impl Questions {
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Asks once; whether the answer is the expected one.
    pub(crate) fn ask(&self, number: usize, room: &mut Room) -> bool {
        let name = || self.names.get(number);
        let id = || self.ids.get(number).copied();
        let found = match self.operation {
            Operation::UserByName => name().map(|name| ffi::user_by_name(name, room)),
            Operation::UserById => id().map(|id| ffi::user_by_id(id, room)),
            Operation::GroupByName => name().map(|name| ffi::group_by_name(name, room)),
            Operation::GroupById => id().map(|id| ffi::group_by_id(id, room)),
            Operation::GroupsOfUser => name().map(|name| ffi::groups_of_user(name, room) > 1),
            Operation::AllUsers => Some(ffi::all_users(room) == self.users),
        };
        found == Some(!self.nobody)
    }
}
