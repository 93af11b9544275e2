//! Which start of this daemon it is: a random number in all its calls, by which the directory notices
//! that two machines use one identity. Of these the later is refused, and stays so: it goes on as that
//! run however often it is started, with the mirror it has, until it is enrolled anew.

use std::sync::Arc;

use directory_api::agent::HOST_CLONED;

use crate::cacher::Cacher;
use crate::disk::read_bounded;
use crate::paths::Paths;
use crate::sync::client::CallError;

const LENGTH: usize = 32;

/// One start of the daemon of one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run(String);

impl Run {
    /// A new one, of random bytes.
    #[must_use]
    pub fn of(random: [u8; 16]) -> Self {
        Self(random.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The one that was refused before, if one was; else this new one.
    pub(crate) fn or_the_refused(self, paths: &Paths) -> Self {
        let kept = read_bounded(&paths.refused_run(), LENGTH as u64)
            .ok()
            .flatten();
        let kept = kept.and_then(|bytes| String::from_utf8(bytes).ok());
        let proper = |text: &String| {
            let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            text.len() == LENGTH && text.bytes().all(digit)
        };
        kept.filter(proper).map_or(self, Self)
    }

    /// As it travels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Cacher {
    /// The directory gave this run what it asked for.
    pub(crate) fn is_accepted(&self) {
        self.health.change(|health| health.cloned = false);
    }

    /// Keeps in mind, also for later starts, that the directory refuses this run. True when it does.
    pub(crate) async fn is_refused_by(&self, error: &CallError) -> bool {
        let refused = matches!(error, CallError::Status { code, .. } if code == HOST_CLONED);
        if refused
            && !self
                .health
                .change(|health| std::mem::replace(&mut health.cloned, true))
        {
            tracing::error!(
                "another machine uses the identity of this host and was there first; logins go on \
                 from the mirror until it is too old: cloudid unenroll, then cloudid enroll under \
                 a name of its own"
            );
            let (disk, path) = (Arc::clone(&self.disk), self.paths.refused_run());
            let run = self.run.as_str().to_owned();
            let kept =
                tokio::task::spawn_blocking(move || disk.replace(&path, run.as_bytes(), 0o600));
            if let Ok(Err(error)) = kept.await {
                tracing::warn!(%error, "that this host is refused could not be kept");
            }
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_refused_stays_the_run_and_nonsense_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        std::fs::create_dir_all(&paths.state).unwrap();
        let new = Run::of([0xab; 16]);
        assert_eq!(new.as_str(), "ab".repeat(16));
        assert_eq!(new.clone().or_the_refused(&paths), new);
        for nonsense in ["", "ab", &"x".repeat(32), &"a".repeat(33)] {
            std::fs::write(paths.refused_run(), nonsense).unwrap();
            assert_eq!(new.clone().or_the_refused(&paths), new, "{nonsense}");
        }
        std::fs::write(paths.refused_run(), "01".repeat(16)).unwrap();
        assert_eq!(new.or_the_refused(&paths), Run::of([1; 16]));
    }
}
