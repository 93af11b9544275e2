//! By the processor's vectors, four words at a time.

#![expect(unsafe_code, reason = "vectors are for processors that have them")]

use std::arch::x86_64::{
    _mm_and_si128, _mm_castsi128_ps, _mm_cmpeq_epi32, _mm_movemask_ps, _mm_set_epi32,
    _mm_set1_epi32,
};

use super::Words;

/// A bit for each word that is the wanted one in the bits of a mask.
#[inline]
pub(super) fn equal(words: &Words, wanted: u32, mask: u32) -> u32 {
    // SAFETY: every x86-64 has SSE2.
    unsafe { equal_by_vectors(words, wanted, mask) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn equal_by_vectors(words: &Words, wanted: u32, mask: u32) -> u32 {
    let mask = _mm_set1_epi32(mask.cast_signed());
    let wanted = _mm_set1_epi32(wanted.cast_signed());
    let (fours, _) = words.as_chunks::<4>();
    let mut equal = 0;
    for (number, four) in fours.iter().enumerate() {
        let [a, b, c, d] = four.map(i32::from_le_bytes);
        let masked = _mm_and_si128(_mm_set_epi32(d, c, b, a), mask);
        let lanes = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(masked, wanted)));
        equal |= lanes.cast_unsigned() << (4 * number);
    }
    equal
}
