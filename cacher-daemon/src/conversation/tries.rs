//! Wrong passwords are counted on disk before the comparison, so that neither a crash nor a cut of
//! the power gives a guess for free. Names that do not exist are counted the same way.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::disk::{Disk, make_folder, read_bounded};
use crate::mirror::store::hex;

/// Names counted at once; beyond that the one that was quiet longest is forgotten.
const NAMES_MAX: usize = 4096;
const FILE_BYTES_MAX: u64 = 1024;

/// Whether a password may be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// The try is counted; compare.
    Counted,
    /// Too many before this one; nothing is compared.
    Locked,
}

/// How many, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strictness {
    /// Wrong answers before a lock.
    pub tries: u32,
    /// How long the lock lasts.
    pub lock: SignedDuration,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Count {
    wrong: u32,
    last_ms: i64,
    locked_until_ms: i64,
}

/// The counters of all names.
#[derive(Debug)]
pub struct Tries {
    folder: PathBuf,
    counts: Mutex<HashMap<String, Count>>,
}

impl Tries {
    /// Reads what was counted before.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        make_folder(&folder, 0o700)?;
        let mut counts = HashMap::new();
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if let Some(count) = stored(&path) {
                counts.insert(name.to_owned(), count);
            }
        }
        Ok(Self {
            folder,
            counts: Mutex::new(counts),
        })
    }

    /// Counts one try, durably, before it is made.
    ///
    /// # Errors
    /// The disk refuses; then nothing may be compared.
    pub fn begin(
        &self,
        disk: &dyn Disk,
        name: &str,
        strictness: Strictness,
        now: Timestamp,
    ) -> io::Result<Permit> {
        let key = key(name);
        let now_ms = now.as_millisecond();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = counts.get(&key).copied().unwrap_or_default();
        let lock_ms = i64::try_from(strictness.lock.as_millis()).unwrap_or(i64::MAX);
        let latest = now_ms.saturating_add(lock_ms);
        if count.locked_until_ms > latest {
            // Made while the clock was ahead: nobody stays locked for years because of that.
            count.locked_until_ms = latest;
            self.keep(disk, &mut counts, &key, count)?;
        }
        if count.locked_until_ms > now_ms {
            return Ok(Permit::Locked);
        }
        // Served its lock, or was quiet for as long as one lasts: begins anew.
        if count.locked_until_ms > 0 || now_ms.saturating_sub(count.last_ms) > lock_ms {
            count = Count::default();
        }
        count.wrong += 1;
        count.last_ms = now_ms;
        if count.wrong >= strictness.tries {
            // The last try allowed: compared once more, and locked unless it is right.
            count.locked_until_ms = latest;
        }
        self.keep(disk, &mut counts, &key, count)?;
        self.make_room(disk, &mut counts);
        Ok(Permit::Counted)
    }

    fn keep(
        &self,
        disk: &dyn Disk,
        counts: &mut HashMap<String, Count>,
        key: &str,
        count: Count,
    ) -> io::Result<()> {
        let body = serde_json::to_vec(&count)?;
        disk.replace(&self.folder.join(key), &body, 0o600)?;
        counts.insert(key.to_owned(), count);
        Ok(())
    }

    /// Nobody could tell whether the password of a counted try was right: it was no wrong one, and
    /// an outage locks nobody out.
    ///
    /// # Errors
    /// The disk refuses; the try stays counted.
    pub fn take_back(&self, disk: &dyn Disk, name: &str) -> io::Result<()> {
        let key = key(name);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut count) = counts.get(&key).copied() else {
            return Ok(());
        };
        count.wrong = count.wrong.saturating_sub(1);
        // A lock only ever comes with the last try allowed, and that one is taken back.
        count.locked_until_ms = 0;
        self.keep(disk, &mut counts, &key, count)
    }

    /// The password was right: the count begins anew.
    ///
    /// # Errors
    /// The disk refuses; the count then stands until the lock time has passed.
    pub fn forget(&self, disk: &dyn Disk, name: &str) -> io::Result<()> {
        let key = key(name);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(&key);
        disk.remove(&self.folder.join(key))
    }

    /// Until when passwords of this name are not compared.
    #[must_use]
    pub fn locked_until(&self, name: &str, now: Timestamp) -> Option<Timestamp> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let until = counts.get(&key(name))?.locked_until_ms;
        let until = Timestamp::from_millisecond(until).ok()?;
        (until > now).then_some(until)
    }

    fn make_room(&self, disk: &dyn Disk, counts: &mut HashMap<String, Count>) {
        while counts.len() > NAMES_MAX {
            let quietest = counts
                .iter()
                .min_by_key(|(_, count)| count.last_ms.max(count.locked_until_ms))
                .map(|(key, _)| key.clone());
            let Some(quietest) = quietest else { return };
            counts.remove(&quietest);
            if let Err(error) = disk.remove(&self.folder.join(&quietest)) {
                tracing::warn!(%error, "an old counter stays on disk");
            }
        }
    }
}

/// Names never become paths: their hash does.
fn key(name: &str) -> String {
    hex(&Sha256::digest(name.as_bytes()))
}

fn stored(path: &Path) -> Option<Count> {
    let bytes = read_bounded(path, FILE_BYTES_MAX).ok()??;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::HostDisk;

    const STRICT: Strictness = Strictness {
        tries: 3,
        lock: SignedDuration::from_secs(900),
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_lock_follows_the_last_try_and_ends_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let tries = Tries::open(folder.path().join("tries")).unwrap();
        let begin = |second| tries.begin(&HostDisk, "alice", STRICT, at(second)).unwrap();
        assert_eq!([begin(0), begin(1), begin(2)], [Permit::Counted; 3]);
        assert_eq!(begin(3), Permit::Locked);
        assert_eq!(tries.locked_until("alice", at(3)), Some(at(902)));
        assert_eq!(begin(903), Permit::Counted);
    }

    #[test]
    fn a_try_that_nobody_could_judge_neither_counts_nor_clears_what_was_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tries");
        let tries = Tries::open(path.clone()).unwrap();
        let begin =
            |tries: &Tries, second| tries.begin(&HostDisk, "alice", STRICT, at(second)).unwrap();
        begin(&tries, 0);
        for second in 1..20 {
            assert_eq!(begin(&tries, second), Permit::Counted);
            tries.take_back(&HostDisk, "alice").unwrap();
        }
        let tries = Tries::open(path).unwrap();
        assert_eq!([begin(&tries, 20), begin(&tries, 21)], [Permit::Counted; 2]);
        assert_eq!(
            begin(&tries, 22),
            Permit::Locked,
            "the first one still counts"
        );
    }

    #[test]
    fn syn_20_a_lock_made_while_the_clock_was_ahead_ends_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let tries = Tries::open(folder.path().join("tries")).unwrap();
        let begin = |second| tries.begin(&HostDisk, "alice", STRICT, at(second)).unwrap();
        let years_ahead = 80 * 365 * 86_400;
        for _ in 0..3 {
            begin(years_ahead);
        }
        assert_eq!(begin(10), Permit::Locked);
        assert_eq!(begin(911), Permit::Counted);
    }

    #[test]
    fn counts_survive_a_restart_and_a_right_password_clears_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tries");
        let open = || Tries::open(path.clone()).unwrap();
        for second in 0..3 {
            open().begin(&HostDisk, "bob", STRICT, at(second)).unwrap();
        }
        assert_eq!(
            open().begin(&HostDisk, "bob", STRICT, at(4)).unwrap(),
            Permit::Locked
        );
        open().forget(&HostDisk, "bob").unwrap();
        assert_eq!(
            open().begin(&HostDisk, "bob", STRICT, at(5)).unwrap(),
            Permit::Counted
        );
    }

    #[test]
    fn id_09_names_do_not_become_paths() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tries");
        let tries = Tries::open(path.clone()).unwrap();
        for name in ["../../etc/passwd", "a/b", "\0", ".."] {
            tries.begin(&HostDisk, name, STRICT, at(0)).unwrap();
        }
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 4);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
