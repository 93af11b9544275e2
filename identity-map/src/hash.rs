//! Checksums and index hashes: xxh3 with a seed that says what is summed, so that bytes which are
//! right in one place are wrong in every other.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::layout::{
    BUCKET_BYTES, OF_USER, PLACE_BITS, RECORD_ALIGN, SPILL_BUCKETS, Section, SectionKind,
};

/// Sum of some bytes under a seed. A fuzzer cannot guess sums: builds for it have none, so that it
/// gets behind them.
#[inline]
pub(crate) fn checksum(bytes: &[u8], seed: u64) -> u64 {
    if cfg!(fuzzing) {
        return 0;
    }
    xxh3(bytes, seed)
}

/// Of everything behind a map's header.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    checksum(bytes, DIGEST_SEED)
}

/// Apart from the seeds of all parts and buckets.
const DIGEST_SEED: u64 = 0xff << 32;

/// In one place only: it is long, and the module that is loaded into every process is small.
#[inline(never)]
fn xxh3(bytes: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}

/// Seed of the checksum of a record's part: what it is, and whose.
#[inline]
pub(crate) fn part_seed(part: Part, id: u32) -> u64 {
    (part as u64) << 32 | u64::from(id)
}

/// Seed of the checksum of a bucket: which index, and where in it.
#[inline]
pub(crate) fn bucket_seed(kind: SectionKind, bucket: u64) -> u64 {
    (0x80 | kind as u64) << 32 | bucket
}

/// What a checksum covers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    User = 1,
    GroupList = 2,
    Group = 3,
    Members = 4,
}

/// How slots of a map say what they hold: a tag above a place, which is never 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slots {
    place_bits: u32,
}

impl Slots {
    /// Of a map whose header says so many bits, of which [`PLACE_BITS`] holds.
    #[inline]
    pub(crate) fn with_places_of(place_bits: u32) -> Self {
        Self { place_bits }
    }

    /// So that the largest place of a section of so many bytes fits, and the mark of a user.
    pub(crate) fn for_sections_of(bytes: usize) -> Self {
        let largest = bytes / RECORD_ALIGN + 1;
        let place_bits = usize::BITS - largest.leading_zeros() + 1;
        Self {
            place_bits: place_bits.max(*PLACE_BITS.start()),
        }
    }

    pub(crate) fn place_bits(self) -> u32 {
        self.place_bits
    }

    /// A tag gives as much of itself as there is room for.
    #[inline]
    pub(crate) fn slot(self, tag: u32, place: u32) -> u32 {
        let user = if place & OF_USER == 0 {
            0
        } else {
            self.user_mark()
        };
        tag & self.tag_mask() | user | place & !OF_USER
    }

    /// Which bits of a slot are its tag.
    #[inline]
    pub(crate) fn tag_mask(self) -> u32 {
        u32::MAX << self.place_bits
    }

    #[inline]
    pub(crate) fn place(self, slot: u32) -> u32 {
        let place = slot & (self.user_mark() - 1);
        if slot & self.user_mark() == 0 {
            place
        } else {
            place | OF_USER
        }
    }

    #[inline]
    fn user_mark(self) -> u32 {
        1 << (self.place_bits - 1)
    }
}

/// Where to look for a name or an id: the first bucket, and the tag in its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) bucket: u64,
    pub(crate) tag: u32,
}

impl Probe {
    /// The probe of a key in an index of so many first-choice buckets.
    #[inline]
    pub(crate) fn new(key: &[u8], seed: u64, buckets: u64) -> Self {
        let hash = xxh3(key, seed);
        let (low, high) = (hash & 0xffff_ffff, hash >> 32);
        Self {
            bucket: (low * buckets) >> 32,
            tag: u32::try_from(high).unwrap_or(0),
        }
    }
}

/// How many buckets of an index can be a first choice.
#[inline]
pub(crate) fn first_choice_buckets(index: Section) -> u64 {
    (index.bytes / BUCKET_BYTES as u64).saturating_sub(SPILL_BUCKETS)
}
