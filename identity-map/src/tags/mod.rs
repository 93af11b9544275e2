//! Compares the tag that is looked for with all slots of a bucket at once. Which one fits cannot be
//! foreseen: a processor that tries them in turn guesses wrongly once a lookup, and begins anew.

#[cfg(target_arch = "x86_64")]
mod ffi;

#[cfg(target_arch = "x86_64")]
use ffi::equal;

use crate::layout::{BUCKET_BYTES, SLOTS_PER_BUCKET};

/// A bucket in words of four bytes.
pub(crate) type Words = [[u8; 4]; WORDS];
const WORDS: usize = BUCKET_BYTES / 4;

/// A bit for each word that is a slot: before the slots lies the sum, as long as two.
const SLOTS: u32 = (1 << WORDS) - (1 << (WORDS - SLOTS_PER_BUCKET));

/// A bit for each slot that is the wanted one in the bits of a mask.
#[inline]
pub(crate) fn fitting(words: &Words, wanted: u32, mask: u32) -> u32 {
    equal(words, wanted, mask) & SLOTS
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn equal(words: &Words, wanted: u32, mask: u32) -> u32 {
    one_by_one(words, wanted, mask)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn one_by_one(words: &Words, wanted: u32, mask: u32) -> u32 {
    (0..).zip(words).fold(0, |equal, (number, word)| {
        let fits = u32::from_le_bytes(*word) & mask == wanted;
        equal | u32::from(fits) << number
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_at_once_says_what_one_by_one_says(
            words in prop::array::uniform16(prop_oneof![0..4_u32, any::<u32>()]),
            chosen in 0..16_usize,
            place_bits in 2..=31_u32,
        ) {
            let mask = u32::MAX << place_bits;
            let wanted = words[chosen] & mask;
            let words = words.map(u32::to_le_bytes);
            let equal = equal(&words, wanted, mask);
            prop_assert_eq!(equal, one_by_one(&words, wanted, mask));
            prop_assert!(equal >> chosen & 1 == 1);
        }
    }
}
