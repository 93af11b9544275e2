//! What the module leaves behind in a process: no descriptor, no secret.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test knows the few requests that it causes"
)]

#[cfg(test)]
#[path = "../it/cacher.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod cacher;
#[cfg(test)]
mod memory;
#[cfg(test)]
#[path = "../it/program/ffi.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod program;

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::cacher::Cacher;
    use super::memory::{Canary, holds};
    use super::program::{AUTH_ERR, AUTHINFO_UNAVAIL, SUCCESS, start};

    /// Both tests look at the whole process.
    static ALONE: Mutex<()> = Mutex::new(());

    /// Open descriptors, by what they are.
    fn open() -> Vec<String> {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap();
        let targets = entries.map(|entry| std::fs::read_link(entry.unwrap().path()));
        let mut names: Vec<_> = targets
            .filter_map(Result::ok)
            .map(|target| target.display().to_string())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn pam_08_no_descriptor_is_left_behind() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let log_in = |options: &str, code| {
            let mut login = start("alice", options);
            assert_eq!(login.types(&[b"x"]).authenticate(), code);
            login.account();
            login.open_session();
        };
        let many_times = || {
            let cacher = Cacher::with_password(b"x");
            for _ in 0..20 {
                log_in(&cacher.option(), SUCCESS);
                log_in("socket=/nonexistent/pam.sock", AUTHINFO_UNAVAIL);
            }
        };
        many_times(); // libc keeps what it opens for the system log and for its own lookups
        let before = open();
        many_times();
        assert_eq!(open(), before);
    }

    #[test]
    fn pam_13_no_password_is_left_behind() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        for (known, code) in [(true, SUCCESS), (false, AUTH_ERR)] {
            let canary = Canary::new();
            assert!(holds(&canary), "the search finds nothing");
            let cacher = Cacher::with_password(if known { canary.text() } else { b"other" });
            let mut login = start("alice", &cacher.option());
            assert_eq!(login.types(&[canary.text()]).authenticate(), code);
            drop((login, cacher));
            let wiped = canary.wiped();
            assert!(!holds(&wiped), "a password is left behind (known: {known})");
        }
    }
}
