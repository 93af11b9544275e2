//! The sealed memory file of the map, in a process that looks up enough for it to pay: asked of the
//! cacher once, mapped, its descriptor closed. It answers without a system call until the cacher
//! says that it is superseded. Whatever goes wrong on the way to it, lookups that read the published
//! file go on.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use identity_map::{Map, MemoryFile, Standing};
use local_protocol::{Client, NSS_SOCKET};

use crate::exchange::{Exchange, Reader};
use crate::pause::Pause;
use crate::source::published;
use crate::thread::{milliseconds, uncancelled};

/// So many lookups that read the file cost a young process as much as asking for the memory file.
/// One that makes fewer never asks; one that makes more pays at most twice what would have been
/// best, also when the map is replaced again and again. docs/decisions/0003 has the measurements.
pub(crate) const LOOKUPS_WORTH_A_FILE: u32 = 64;
/// From connecting to the whole answer.
const DEADLINE: Duration = Duration::from_millis(50);
/// Once the cacher has ended, nobody says *superseded*: so often the published file is looked at.
const LOOK_AGAIN_AFTER_MS: u64 = 1000;

static HELD: Exchange<Held> = Exchange::new();
static READ_FROM_FILE: AtomicU32 = AtomicU32::new(0);
static PAUSE: Pause = Pause::new(1_000, 64_000);

/// Makes this process one that has not looked up anything yet; for tests, which share a process.
pub(crate) fn forget() {
    READ_FROM_FILE.store(0, Relaxed);
    PAUSE.end();
}

/// A mapped map.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) map: Map<MemoryFile>,
    look_again_at: AtomicU64,
}

/// The map in memory, if this process holds it or may have it now. Inlined: what it tells would be
/// moved.
#[inline(always)]
pub(crate) fn map() -> Option<Reader<'static, Held>> {
    let Some(held) = HELD.read() else {
        return asked_for();
    };
    if held.is_in_force() {
        return Some(held);
    }
    leave(held);
    None
}

#[cold]
fn leave(held: Reader<'static, Held>) {
    let number = held.number();
    drop(held);
    if let Some(turn) = HELD.turn() {
        turn.retire(number);
    }
}

#[cold]
fn asked_for() -> Option<Reader<'static, Held>> {
    if READ_FROM_FILE.fetch_add(1, Relaxed) < LOOKUPS_WORTH_A_FILE {
        return None;
    }
    READ_FROM_FILE.store(0, Relaxed);
    let now = milliseconds();
    if !PAUSE.is_over(now) {
        return None;
    }
    let turn = HELD.turn()?;
    match uncancelled(memory_file) {
        Some(map) => {
            PAUSE.end();
            let look_again_at = AtomicU64::new(0);
            turn.put(Held { map, look_again_at });
        }
        None => PAUSE.begin(now),
    }
    drop(turn);
    HELD.read()
}

fn memory_file() -> Option<Map<MemoryFile>> {
    let mut cacher = Client::connect(Path::new(NSS_SOCKET), DEADLINE).ok()?;
    let [map, mark] = cacher.ask_for_identity_map().ok()??;
    let map = Map::open_memory(map.as_fd(), mark.as_fd()).ok()?;
    (map.standing() != Standing::Superseded).then_some(map)
}

impl Held {
    #[inline]
    fn is_in_force(&self) -> bool {
        match self.map.standing() {
            Standing::InForce => true,
            Standing::Superseded => false,
            Standing::Orphaned => self.is_still_published(),
        }
    }

    /// Compares with the published file, now and then. One that is missing or cannot be read says
    /// nothing: what is held keeps answering.
    #[cold]
    fn is_still_published(&self) -> bool {
        let (now, due) = (milliseconds(), self.look_again_at.load(Relaxed));
        let next = now + LOOK_AGAIN_AFTER_MS;
        let is_due = now >= due
            && self
                .look_again_at
                .compare_exchange(due, next, Relaxed, Relaxed)
                .is_ok();
        if !is_due {
            return true;
        }
        // The file is closed in here as well: to close is a point of cancellation.
        uncancelled(|| published().map_or(true, |published| published.is_same_as(&self.map)))
    }
}
