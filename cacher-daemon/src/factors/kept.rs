//! What must not be forgotten about a person's second factors: the last step taken from each device,
//! backup codes spent here, wrong codes, and logins without a factor that were excused. A try is on
//! disk before anything is compared, a step before success. What cannot be read or written refuses.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::disk::{Disk, make_folder, read_bounded};
use crate::mirror::store::hex;

const FILE_BYTES_MAX: u64 = 64 * 1024;
/// More devices or backup codes nobody has; the oldest are forgotten.
const ENTRIES_MAX: usize = 256;
const DAY_MS: i64 = 86_400_000;
/// Wrong codes count together until so long after the last one: who guesses patiently, below the
/// limit, has few tries a day as well.
const REMEMBERED_MS: i64 = DAY_MS / 3;

/// How many wrong codes, and for how long the first lock lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeStrictness {
    /// Wrong codes before the first lock, one before each further one; 0 means that no code is ever
    /// compared.
    pub tries: u32,
    /// How long the first lock lasts; each further one lasts twice as long, up to a day.
    pub lock_ms: i64,
}

/// Whether a code may be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePermit {
    /// The try is counted.
    Counted {
        /// Locks that came before; `Some` when this try is the last one before the next.
        locks_before: Option<u32>,
    },
    /// Too many before this one.
    Locked,
}

/// Everything kept about one person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The last step taken, by device.
    #[serde(default)]
    pub last_steps: BTreeMap<String, u64>,
    /// Backup codes spent.
    #[serde(default)]
    pub spent: BTreeSet<String>,
    /// Logins that were excused because there was no factor.
    #[serde(default)]
    pub excused: u32,
    /// A factor of this person was used here.
    #[serde(default)]
    pub ever: bool,
    #[serde(default)]
    wrong: u32,
    #[serde(default)]
    last_ms: i64,
    #[serde(default)]
    locked_until_ms: i64,
    /// Locks served, less one for each quiet day.
    #[serde(default)]
    locks: u32,
}

impl Kept {
    fn begin(&mut self, strictness: CodeStrictness, now_ms: i64) -> CodePermit {
        if strictness.tries == 0 {
            return CodePermit::Locked;
        }
        // Made while the clock was ahead: nobody stays locked for years because of that.
        let latest = now_ms.saturating_add(self.next_lock_ms(strictness));
        self.locked_until_ms = self.locked_until_ms.min(latest);
        if self.locked_until_ms > now_ms {
            return CodePermit::Locked;
        }
        let quiet_since = self.last_ms.max(self.locked_until_ms);
        let quiet_ms = now_ms.saturating_sub(quiet_since).max(0);
        if self.locked_until_ms > 0 {
            self.locks = self.locks.saturating_add(1);
            self.locked_until_ms = 0;
            self.wrong = 0;
        } else if quiet_ms > REMEMBERED_MS.max(strictness.lock_ms) {
            self.wrong = 0;
        }
        let quiet_days = u32::try_from(quiet_ms / DAY_MS).unwrap_or(u32::MAX);
        self.locks = self.locks.saturating_sub(quiet_days);
        self.wrong = self.wrong.saturating_add(1);
        self.last_ms = now_ms;
        // After a lock there is one try, not a round of them.
        let allowed = if self.locks > 0 { 1 } else { strictness.tries };
        let last = self.wrong >= allowed;
        if last {
            self.locked_until_ms = now_ms.saturating_add(self.next_lock_ms(strictness));
        }
        CodePermit::Counted {
            locks_before: last.then_some(self.locks),
        }
    }

    fn next_lock_ms(&self, strictness: CodeStrictness) -> i64 {
        let factor = 1_i64.checked_shl(self.locks.min(32)).unwrap_or(i64::MAX);
        let longest = DAY_MS.max(strictness.lock_ms);
        strictness.lock_ms.saturating_mul(factor).min(longest)
    }

    /// No when the step, or a later one, was taken before.
    fn take_step(&mut self, device: &str, step: u64) -> bool {
        let fresh = self.last_steps.get(device).is_none_or(|last| step > *last);
        if fresh {
            self.last_steps.insert(device.to_owned(), step);
            while self.last_steps.len() > ENTRIES_MAX {
                self.last_steps.pop_first();
            }
        }
        fresh
    }

    /// No when the backup code was spent before. Ids sort by when they were made: those that are
    /// forgotten belong to sets that were replaced long ago, and do not come back.
    fn spend(&mut self, code: &str) -> bool {
        let fresh = self.spent.insert(code.to_owned());
        while self.spent.len() > ENTRIES_MAX {
            self.spent.pop_first();
        }
        fresh && self.spent.contains(code)
    }

    /// The code was right: what was counted was no guessing. How long the next lock lasts stays.
    fn right(&mut self) {
        self.wrong = 0;
        self.locked_until_ms = 0;
        self.ever = true;
    }
}

/// A code that the directory has burnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Burnt {
    /// A device and its step.
    Step(String, u64),
    /// A backup code.
    BackupCode(String),
    /// The password of a YubiKey: no host ever takes one alone.
    OneTouch,
}

/// What is kept about everybody.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    people: Mutex<HashMap<String, Kept>>,
}

impl Ledger {
    /// Opens the folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        make_folder(&folder, 0o700)?;
        Ok(Self {
            folder,
            people: Mutex::default(),
        })
    }

    /// What is kept about a person.
    ///
    /// # Errors
    /// The disk refuses, or what it holds is damaged: then nothing may be taken from it.
    pub fn of(&self, user: &str) -> io::Result<Kept> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        self.loaded(&mut people, user)
    }

    /// Counts a try of a code, durably, before it is made.
    ///
    /// # Errors
    /// The disk refuses; then nothing may be compared.
    pub fn begin(
        &self,
        disk: &dyn Disk,
        user: &str,
        strictness: CodeStrictness,
        now: Timestamp,
    ) -> io::Result<CodePermit> {
        let now_ms = now.as_millisecond();
        self.change(disk, user, |kept| kept.begin(strictness, now_ms))
    }

    /// Takes a step: durable when this says yes. No when it, or a later one, was taken before.
    ///
    /// # Errors
    /// The disk refuses; the code must not count.
    pub fn take_step(
        &self,
        disk: &dyn Disk,
        user: &str,
        device: &str,
        step: u64,
    ) -> io::Result<bool> {
        self.change(disk, user, |kept| {
            let fresh = kept.take_step(device, step);
            if fresh {
                kept.right();
            }
            fresh
        })
    }

    /// Spends a backup code: durable when this says yes. No when it was spent before.
    ///
    /// # Errors
    /// The disk refuses; the code must not count.
    pub fn spend(&self, disk: &dyn Disk, user: &str, code: &str) -> io::Result<bool> {
        self.change(disk, user, |kept| {
            let fresh = kept.spend(code);
            if fresh {
                kept.right();
            }
            fresh
        })
    }

    /// The directory has taken a code and burnt it for every host. No when this host took it alone
    /// and the directory has not heard of that yet.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn taken_elsewhere(&self, disk: &dyn Disk, user: &str, burnt: &Burnt) -> io::Result<bool> {
        self.change(disk, user, |kept| {
            let fresh = match burnt {
                Burnt::Step(device, step) => kept.take_step(device, *step),
                Burnt::BackupCode(code) => kept.spend(code),
                Burnt::OneTouch => true,
            };
            if fresh {
                kept.right();
            }
            fresh
        })
    }

    /// Nobody could tell whether the code of a counted try was right.
    ///
    /// # Errors
    /// The disk refuses; the try stays counted.
    pub fn take_back(&self, disk: &dyn Disk, user: &str) -> io::Result<()> {
        self.change(disk, user, |kept| {
            kept.wrong = kept.wrong.saturating_sub(1);
            // A lock only ever comes with the last try allowed, and that one is taken back.
            kept.locked_until_ms = 0;
        })
    }

    /// Counts a login that is excused although there is no factor.
    ///
    /// # Errors
    /// The disk refuses; then it is not excused.
    pub fn excuse(&self, disk: &dyn Disk, user: &str) -> io::Result<()> {
        self.change(disk, user, |kept| {
            kept.excused = kept.excused.saturating_add(1);
        })
    }

    fn change<T>(
        &self,
        disk: &dyn Disk,
        user: &str,
        change: impl FnOnce(&mut Kept) -> T,
    ) -> io::Result<T> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.loaded(&mut people, user)?;
        let mut kept = before.clone();
        let result = change(&mut kept);
        if kept != before {
            let body = serde_json::to_vec(&kept)?;
            disk.replace(&self.file(user), &body, 0o600)?;
            people.insert(user.to_owned(), kept);
        }
        Ok(result)
    }

    fn loaded(&self, people: &mut HashMap<String, Kept>, user: &str) -> io::Result<Kept> {
        if let Some(kept) = people.get(user) {
            return Ok(kept.clone());
        }
        let kept = stored(&self.file(user))?;
        people.insert(user.to_owned(), kept.clone());
        Ok(kept)
    }

    /// Ids never become paths: their hash does.
    fn file(&self, user: &str) -> PathBuf {
        self.folder.join(hex(&Sha256::digest(user.as_bytes())))
    }
}

fn stored(path: &Path) -> io::Result<Kept> {
    match read_bounded(path, FILE_BYTES_MAX)? {
        None => Ok(Kept::default()),
        Some(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
