//! Builds the hash indexes: buckets of one cache line, each with its
//! own checksum, so that a damaged one is noticed instead of hiding a name.

use crate::content::WriteError;
use crate::hash::{Probe, Slots, bucket_seed, checksum};
use crate::layout::{BUCKET_BYTES, SLOTS_PER_BUCKET, SPILL_BUCKETS, SectionKind, put};

/// Entries per first-choice bucket on average: few enough that one bucket nearly always decides.
pub(crate) const ENTRIES_PER_BUCKET: usize = 8;

#[derive(Clone, Copy, Default)]
struct Bucket {
    used: usize,
    slots: [u32; SLOTS_PER_BUCKET],
}

/// Appends an index, or says that too much spills over under this seed.
pub(crate) fn build<Key: AsRef<[u8]>>(
    kind: SectionKind,
    (seed, slots): (u64, Slots),
    entries: impl ExactSizeIterator<Item = (Key, u32)>,
    bytes: &mut Vec<u8>,
) -> Option<()> {
    let first_choices = entries.len().div_ceil(ENTRIES_PER_BUCKET).max(1) as u64;
    let reach = 1 + usize::try_from(SPILL_BUCKETS).ok()?;
    let total = usize::try_from(first_choices + SPILL_BUCKETS).ok()?;
    let mut buckets = vec![Bucket::default(); total];
    for (key, place) in entries {
        let probe = Probe::new(key.as_ref(), seed, first_choices);
        let first = usize::try_from(probe.bucket).ok()?;
        let mut reachable = buckets.get_mut(first..first + reach)?.iter_mut();
        let bucket = reachable.find(|bucket| bucket.used < SLOTS_PER_BUCKET)?;
        *bucket.slots.get_mut(bucket.used)? = slots.slot(probe.tag, place);
        bucket.used += 1;
    }
    for (number, bucket) in (0_u64..).zip(&buckets) {
        bytes.extend_from_slice(&bucket_bytes(kind, number, &bucket.slots));
    }
    Some(())
}

fn bucket_bytes(kind: SectionKind, number: u64, slots: &[u32]) -> [u8; BUCKET_BYTES] {
    let mut bytes = [0; BUCKET_BYTES];
    for (index, slot) in slots.iter().enumerate() {
        put(&mut bytes, 8 + index * 4, &slot.to_le_bytes());
    }
    let (_, slots) = bytes.split_at(8);
    let sum = checksum(slots, bucket_seed(kind, number));
    put(&mut bytes, 0, &sum.to_le_bytes());
    bytes
}

/// Tries seeds in order until every index fits; the same entries always end with the same seed.
pub(crate) fn first_fitting_seed<T>(build: impl FnMut(u64) -> Option<T>) -> Result<T, WriteError> {
    const SEEDS: u64 = 64;
    (0..SEEDS).find_map(build).ok_or(WriteError::Collisions)
}
