//! Searches the memory of this process for a password that stands in no program text.

use std::fs::File;
use std::os::unix::fs::FileExt;

use zeroize::{Zeroize, Zeroizing};

/// As long as an answer may be: memory of that size is seldom used again at once.
const LENGTH: usize = 700;
/// The part that is searched for: malloc writes over the beginning of what is freed.
const PART: std::ops::Range<usize> = 300..360;
const PAGE: usize = 4096;
const WINDOW: usize = PAGE + LENGTH;
const EMPTY: [u8; WINDOW] = [0; WINDOW];

/// A password made at run time; what is searched for is kept inverted, so that it is not found
/// itself.
pub(crate) struct Canary {
    inverted: Vec<u8>,
    text: Zeroizing<Vec<u8>>,
}

impl Canary {
    pub(crate) fn new() -> Self {
        let mut text = Zeroizing::new(Vec::with_capacity(LENGTH));
        text.extend((0..LENGTH).map(|at| b'a' + u8::try_from(at * 7 % 26).unwrap()));
        Self {
            inverted: text[PART].iter().map(|byte| !byte).collect(),
            text,
        }
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// What is left to search for when this copy is gone.
    pub(crate) fn wiped(mut self) -> Self {
        self.text.zeroize();
        self
    }

    fn is_in(&self, memory: &[u8]) -> bool {
        memory != &EMPTY[..memory.len()]
            && memory.windows(PART.len()).any(|place| {
                let pairs = place.iter().zip(&self.inverted);
                pairs.into_iter().all(|(here, byte)| *here == !byte)
            })
    }
}

/// Whether the password stands anywhere in writable memory.
pub(crate) fn holds(canary: &Canary) -> bool {
    let memory = File::open("/proc/self/mem").unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut window = vec![0; WINDOW];
    let found = maps.lines().filter_map(writable).any(|(start, end)| {
        (start..end).step_by(PAGE).any(|at| {
            // A mapping may have gone since the list was read; what is left is searched.
            let read = memory.read_at(&mut window, at).unwrap_or(0);
            canary.is_in(&window[..read])
        })
    });
    window.zeroize();
    found
}

fn writable(line: &str) -> Option<(u64, u64)> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let private = rest.starts_with("rw");
    private.then_some((number(start)?, number(end)?))
}
