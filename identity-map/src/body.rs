//! What belongs to a record and may be long: the groups of a user, the members of a group. A short
//! one came with its record and was checked with it; a long one is read for itself.

use crate::hash::checksum;
use crate::layout::SectionKind;
use crate::read::{Bytes, Map, ReadError};

/// Where the body of a record lies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body<'a> {
    /// Here, at the start of these bytes.
    Here(&'a [u8]),
    /// In the map, so far behind the start of its section, with a sum of its own.
    There { within: u64, sum: u64 },
}

impl<B: Bytes> Map<B> {
    /// Fills the buffer with a body.
    #[inline]
    pub(crate) fn read_body(
        &self,
        section: SectionKind,
        body: Body<'_>,
        seed: u64,
        buffer: &mut [u8],
    ) -> Result<(), ReadError> {
        match body {
            Body::Here(bytes) => {
                let found = bytes.get(..buffer.len()).ok_or(ReadError::Damaged)?;
                buffer.copy_from_slice(found);
                Ok(())
            }
            Body::There { within, sum } => {
                self.read_within(section, within, buffer)?;
                let is_whole = checksum(buffer, seed) == sum;
                is_whole.then_some(()).ok_or(ReadError::Damaged)
            }
        }
    }
}
