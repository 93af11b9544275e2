//! `cloudid-authorized-keys` against cachers that answer, refuse, hang or are not there.

#[cfg(test)]
mod authorized_keys;
#[cfg(test)]
mod command;
