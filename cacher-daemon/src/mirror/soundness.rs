//! Which chunks on disk are sound. Every chunk is hashed at every start. At a change those are
//! hashed whose file is not known or was touched since, and of the others a part in turn, so that a
//! bit that rots without a trace is found within [`TURNS`] changes, long before it is needed.

use std::collections::HashMap;

use rustix::fs::Stat;
use signed_bundle::ChunkReference;

/// Within so many changes every chunk has been hashed.
const TURNS: usize = 16;

/// By what the kernel tells that a file is still the same: its number, and when anything about it
/// was changed last, which nobody can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    inode: u64,
    changed: (i64, u64),
}

impl Trace {
    pub(super) fn of(facts: &Stat) -> Self {
        Self {
            inode: facts.st_ino,
            changed: (facts.st_ctime, facts.st_ctime_nsec),
        }
    }
}

/// What was sound when it was hashed last.
#[derive(Debug, Default)]
pub(super) struct Soundness {
    sound: HashMap<[u8; 32], Trace>,
    turn: usize,
}

/// What a check of all chunks has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// Not there, or not what they were.
    pub(super) damaged: Vec<ChunkReference>,
    /// So many were hashed.
    pub(super) hashed: usize,
}

impl Soundness {
    /// Looks at all chunks of a manifest; those of no other one are remembered.
    pub(super) fn check(
        &mut self,
        chunks: &[ChunkReference],
        trace: impl Fn(&ChunkReference) -> Option<Trace>,
        is_sound: impl Fn(&ChunkReference) -> bool,
    ) -> Checked {
        self.turn = (self.turn + 1) % TURNS;
        let before = std::mem::take(&mut self.sound);
        let (mut damaged, mut hashed) = (Vec::new(), 0);
        for chunk in chunks {
            // Taken before the hash: what is written meanwhile leaves another one.
            let Some(found) = trace(chunk) else {
                damaged.push(*chunk);
                continue;
            };
            let is_known = before.get(&chunk.sha256) == Some(&found);
            if !is_known || self.is_due(chunk) {
                hashed += 1;
                if !is_sound(chunk) {
                    damaged.push(*chunk);
                    continue;
                }
            }
            self.sound.insert(chunk.sha256, found);
        }
        Checked { damaged, hashed }
    }

    /// Hashes are spread evenly, and a chunk keeps its turn whatever comes and goes beside it.
    fn is_due(&self, chunk: &ChunkReference) -> bool {
        let [first, ..] = chunk.sha256;
        usize::from(first) % TURNS == self.turn
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use signed_bundle::ChunkKind;

    use super::*;

    fn chunks() -> Vec<ChunkReference> {
        let chunk = |number: u32| ChunkReference::of(ChunkKind::People, &number.to_le_bytes());
        (0..1000).map(|number| chunk(number).unwrap()).collect()
    }

    fn at(second: i64) -> Trace {
        Trace {
            inode: 1,
            changed: (second, 0),
        }
    }

    #[test]
    fn syn_03_all_are_hashed_once_and_then_a_part_at_each_change() {
        let (chunks, mut soundness) = (chunks(), Soundness::default());
        let mut change = || soundness.check(&chunks, |_| Some(at(1)), |_| true).hashed;
        assert_eq!(change(), chunks.len());
        let parts: Vec<usize> = (0..TURNS).map(|_| change()).collect();
        assert!(
            parts.iter().all(|part| (30..100).contains(part)),
            "{parts:?}"
        );
        assert_eq!(parts.iter().sum::<usize>(), chunks.len());
    }

    #[test]
    fn syn_03_what_was_touched_is_hashed_at_once() {
        let (chunks, mut soundness) = (chunks(), Soundness::default());
        soundness.check(&chunks, |_| Some(at(1)), |_| true);
        for touched in [chunks[3], chunks[500], chunks[999]] {
            let trace = |chunk: &ChunkReference| Some(at(1 + i64::from(*chunk == touched)));
            let checked = soundness.check(&chunks, trace, |chunk| *chunk != touched);
            assert_eq!(checked.damaged, [touched]);
            assert!(checked.hashed < 100);
        }
        let checked = soundness.check(&chunks, |_| None, |_| true);
        assert_eq!(checked.damaged, chunks);
    }

    #[test]
    fn syn_03_what_rots_without_a_trace_is_found_within_the_turns() {
        let (chunks, mut soundness) = (chunks(), Soundness::default());
        soundness.check(&chunks, |_| Some(at(1)), |_| true);
        for rotten in &chunks[..50] {
            let changes = Cell::new(0);
            let found = |_| {
                changes.set(changes.get() + 1);
                let checked = soundness.check(&chunks, |_| Some(at(1)), |one| one != rotten);
                checked.damaged == [*rotten]
            };
            assert!((0..TURNS).any(found), "not in {} changes", changes.get());
        }
    }
}
