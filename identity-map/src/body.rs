//! What belongs to a record and may be long: the groups of a user, the members of a group. A short
//! one came with its record and was checked with it; a long one is read for itself.

use crate::hash::checksum;
use crate::layout::{BLOCK_BYTES, SectionKind};
use crate::read::{Bytes, Map, ReadError};

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
    /// In the map, so far behind the start of its record, with a sum of its own.
    There {
        record: u64,
        within: usize,
        sum: u64,
    },
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
            Lies::There {
                record,
                within,
                sum,
            } => {
                let record_within = record - self.header.section(section).offset;
                self.read_within(section, record_within + within as u64, buffer)?;
                if self.bytes.frozen(record).is_none() && checksum(buffer, seed) != sum {
                    return Err(ReadError::Damaged);
                }
                Ok(())
            }
        }
    }
}
