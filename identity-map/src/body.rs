//! What belongs to a record and may be long: the groups of a user, the members of a group. A short
//! one came with its record and was checked with it; a long one is read for itself.

use crate::hash::checksum;
use crate::layout::{BLOCK_BYTES, SectionKind};
use crate::read::{Bytes, Map, ReadError};

/// From here on a sum is remembered where that can be done.
const LONG_BYTES_MIN: usize = 16 * 1024;

/// The block that was read of a record, and where its body lies.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    block: [u8; BLOCK_BYTES],
    lies: Lies,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Lies {
    /// In the block, behind so many bytes.
    Here(usize),
    /// In the section, with a sum of its own.
    There { at: u64, sum: u64 },
}

impl Body {
    /// Of a record whose block was copied.
    #[inline]
    pub(crate) fn new(block: [u8; BLOCK_BYTES], lies: Lies) -> Self {
        Self { block, lies }
    }

    /// Where a record is read to; the body is told once it is checked.
    #[inline]
    pub(crate) fn block_mut(&mut self) -> &mut [u8; BLOCK_BYTES] {
        &mut self.block
    }

    #[inline]
    pub(crate) fn set(&mut self, lies: Lies) {
        self.lies = lies;
    }

    #[inline]
    pub(crate) fn block(&self) -> &[u8; BLOCK_BYTES] {
        &self.block
    }
}

impl<B: Bytes> Map<B> {
    /// Fills the buffer with a body.
    ///
    /// The sum of a long one in memory is taken once for each mapping: behind the page of the header
    /// nobody can write to a sealed file, its maker included, so what was whole stays whole. Should
    /// that ever be wrong, names could be wrong; that they lie inside the buffer and end there is
    /// checked with each copy.
    #[inline(never)]
    pub(crate) fn read_body(
        &self,
        section: SectionKind,
        body: &Body,
        seed: u64,
        buffer: &mut [u8],
    ) -> Result<(), ReadError> {
        match body.lies {
            Lies::Here(within) => {
                let rest = body.block.get(within..).unwrap_or_default();
                let found = rest.get(..buffer.len()).ok_or(ReadError::Damaged)?;
                buffer.copy_from_slice(found);
                Ok(())
            }
            Lies::There { at, sum } => {
                self.read_within(section, at, buffer)?;
                let long = buffer.len() >= LONG_BYTES_MIN;
                if long && self.bytes.is_known_whole(at, sum) {
                    return Ok(());
                }
                if checksum(buffer, seed) != sum {
                    return Err(ReadError::Damaged);
                }
                if long {
                    self.bytes.known_whole(at, sum);
                }
                Ok(())
            }
        }
    }
}
