//! The header of the file that this process read last: a lookup that opens the same file again need
//! not read it. There is no lock and nobody waits. Who reads while others write, in a thread, a
//! signal handler or a child that was forked in between, finds words that do not belong together,
//! sees it by their seal, and reads the file.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::hash::checksum;
use crate::layout::HEADER_BYTES;

/// A header, and whose it is.
#[derive(Debug)]
pub struct LastHeader {
    state: [AtomicU64; FileState::WORDS],
    header: [AtomicU64; HEADER_BYTES / 8],
    seal: AtomicU64,
}

/// Device, number, length and last change: what a file never has in common with another, nor with
/// itself after a change, unless both happen in one tick of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileState {
    words: [u64; Self::WORDS],
    changed_at_s: i64,
}

impl FileState {
    const WORDS: usize = 5;

    pub(crate) fn of(file: &Metadata) -> Self {
        let [seconds, nanoseconds] = [file.ctime(), file.ctime_nsec()].map(i64::cast_unsigned);
        Self {
            words: [file.dev(), file.ino(), file.len(), seconds, nanoseconds],
            changed_at_s: file.ctime(),
        }
    }

    /// Whether the tick of the last change is over, whatever the file system calls a tick.
    fn is_settled(&self, now_s: i64) -> bool {
        now_s.saturating_sub(self.changed_at_s) > 1
    }
}

impl LastHeader {
    /// Of no file yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: [const { AtomicU64::new(0) }; FileState::WORDS],
            header: [const { AtomicU64::new(0) }; HEADER_BYTES / 8],
            seal: AtomicU64::new(0),
        }
    }

    /// The header of a file, if it was the last and has not changed since.
    pub(crate) fn of(&self, file: &FileState) -> Option<[u8; HEADER_BYTES]> {
        let mut words = self.state.iter().zip(file.words);
        if !words.all(|(word, own)| word.load(Relaxed) == own) {
            return None;
        }
        let mut header = [0; HEADER_BYTES];
        let (places, _) = header.as_chunks_mut::<8>();
        for (place, word) in places.iter_mut().zip(&self.header) {
            *place = word.load(Relaxed).to_le_bytes();
        }
        (self.seal.load(Relaxed) == seal(file, &header)).then_some(header)
    }

    /// Remembers a header, unless its file has only just changed.
    pub(crate) fn keep(&self, file: &FileState, header: &[u8; HEADER_BYTES], now_s: i64) {
        if !file.is_settled(now_s) {
            return;
        }
        for (word, own) in self.state.iter().zip(file.words) {
            word.store(own, Relaxed);
        }
        let (words, _) = header.as_chunks::<8>();
        for (word, own) in self.header.iter().zip(words) {
            word.store(u64::from_le_bytes(*own), Relaxed);
        }
        self.seal.store(seal(file, header), Relaxed);
    }
}

impl Default for LastHeader {
    fn default() -> Self {
        Self::new()
    }
}

/// Sum of a header and of whose it is.
fn seal(file: &FileState, header: &[u8; HEADER_BYTES]) -> u64 {
    let mut bytes = [0; FileState::WORDS * 8];
    let (places, _) = bytes.as_chunks_mut::<8>();
    for (place, word) in places.iter_mut().zip(file.words) {
        *place = word.to_le_bytes();
    }
    checksum(header, checksum(&bytes, 0))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use super::*;
    use crate::layout::Header;

    const LATER: i64 = 1_000;

    fn file(number: u64) -> FileState {
        FileState {
            words: [8 + number, number, 4096 + number, 500, number],
            changed_at_s: 500,
        }
    }

    fn header(version: u64) -> [u8; HEADER_BYTES] {
        Header {
            version,
            ..Header::default()
        }
        .to_bytes()
    }

    #[test]
    fn a_header_is_told_for_its_own_file_in_its_own_state_alone() {
        let last = LastHeader::new();
        assert_eq!(last.of(&file(1)), None);
        last.keep(&file(1), &header(1), LATER);
        assert_eq!(last.of(&file(1)), Some(header(1)));
        for word in 0..FileState::WORDS {
            let mut other = file(1);
            other.words[word] += 1;
            assert_eq!(last.of(&other), None, "word {word}");
        }
        last.keep(&file(2), &header(2), LATER);
        assert_eq!(last.of(&file(1)), None);
        assert_eq!(last.of(&file(2)), Some(header(2)));
    }

    #[test]
    fn a_file_that_could_change_in_the_same_tick_is_not_remembered() {
        let last = LastHeader::new();
        for now in [0, 499, 500, 501] {
            last.keep(&file(1), &header(1), now);
            assert_eq!(last.of(&file(1)), None, "{now}");
        }
        last.keep(&file(1), &header(1), 502);
        assert_eq!(last.of(&file(1)), Some(header(1)));
    }

    #[test]
    fn nss_09_whoever_was_stopped_in_the_middle_leaves_nothing_that_is_believed() {
        let (whole, other) = (LastHeader::new(), LastHeader::new());
        whole.keep(&file(1), &header(1), LATER);
        other.keep(&file(2), &header(2), LATER);
        for (word, new) in whole.state.iter().zip(&other.state) {
            word.store(new.load(Relaxed), Relaxed);
            assert_eq!(whole.of(&file(1)).or(whole.of(&file(2))), None);
        }
        for (word, new) in whole.header.iter().zip(&other.header) {
            word.store(new.load(Relaxed), Relaxed);
            assert_eq!(whole.of(&file(1)).or(whole.of(&file(2))), None);
        }
    }

    #[test]
    fn nss_03_a_header_that_is_told_is_whole_while_others_keep_theirs() {
        let last = LastHeader::new();
        let both = [1, 2].map(|number| (file(number), header(number)));
        let (begun, is_over) = (Barrier::new(2), AtomicBool::new(false));
        let told = thread::scope(|scope| {
            scope.spawn(|| {
                begun.wait();
                while !is_over.load(Relaxed) {
                    both.iter()
                        .for_each(|(file, header)| last.keep(file, header, LATER));
                }
            });
            begun.wait();
            let mut told = 0;
            for _ in 0..200_000 {
                for (file, header) in &both {
                    let found = last.of(file);
                    told += u32::from(found.is_some());
                    if found.is_some_and(|found| found != *header) {
                        is_over.store(true, Relaxed);
                        panic!("one header with words of another");
                    }
                }
            }
            is_over.store(true, Relaxed);
            told
        });
        assert!(told > 0, "nothing was ever told");
    }
}
