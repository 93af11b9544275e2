//! Numbers and texts one after the other, without names and without gaps. Only what was packed in
//! this process is unpacked; what does not unpack is nothing, never a fault.

use std::ops::Range;

use jiff::Timestamp;

/// The highest bit of a byte says that the number goes on.
const GOES_ON: u8 = 0x80;

/// Bytes that records are added to.
#[derive(Debug, Default)]
pub(super) struct Packing(Vec<u8>);

impl Packing {
    /// Seven bits to a byte, the lowest first.
    pub(super) fn number(&mut self, mut number: u64) {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                return self.0.push(low);
            }
            self.0.push(low | GOES_ON);
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn moment(&mut self, moment: Option<Timestamp>) {
        self.number(u64::from(moment.is_some()));
        if let Some(moment) = moment {
            self.number(moment.as_second().cast_unsigned());
            self.number(u64::from(moment.subsec_nanosecond().cast_unsigned()));
        }
    }

    pub(super) fn into_bytes(self) -> Box<[u8]> {
        self.0.into_boxed_slice()
    }

    /// Where the next record begins.
    pub(super) fn end(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

/// What is left to unpack.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unpacking<'a>(pub(super) &'a [u8]);

impl<'a> Unpacking<'a> {
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & !GOES_ON) << shift;
            if byte & GOES_ON == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn moment(&mut self) -> Option<Option<Timestamp>> {
        if self.number()? == 0 {
            return Some(None);
        }
        let seconds = self.number()?.cast_signed();
        let rest = self.small()?.cast_signed();
        Some(Some(Timestamp::new(seconds, rest).ok()?))
    }
}

/// The record at one place, of records that end where `ends` says.
pub(super) fn record_at<'a>(bytes: &'a [u8], ends: &[u32], place: u32) -> Option<Unpacking<'a>> {
    bytes.get(range_at(ends, place)?).map(Unpacking)
}

/// From where to where what stands at one place reaches.
pub(super) fn range_at(ends: &[u32], place: u32) -> Option<Range<usize>> {
    let place = usize::try_from(place).ok()?;
    let end = *ends.get(place)? as usize;
    let begin = match place.checked_sub(1) {
        Some(before) => *ends.get(before)? as usize,
        None => 0,
    };
    Some(begin..end)
}
