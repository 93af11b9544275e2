//! Ten bits of each coming one-time code: enough for a host to check a code while the directory is
//! away, too few to tell anybody what the code is. Whoever steals them knows 10 of 20 bits of a
//! six-digit code, whatever their computer; hashes of whole codes would give all of it. The bits are
//! the same on every host, on purpose: different ones would let two hosts narrow a code down.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::record::CheckBitsRecord;

/// Bits a host learns of each code.
pub const CHECK_BITS: usize = 10;
/// Length of a step of time-based codes (RFC 6238).
pub const STEP_SECONDS: u64 = 30;
/// Three days of steps, and an hour more for the next stock to arrive.
const STEPS_MAX: usize = 73 * 3600 / 30;

/// The bits of some steps in a row.
#[derive(Clone, PartialEq, Eq)]
pub struct CheckBits {
    first_step: u64,
    bits: Vec<u16>,
}

impl CheckBits {
    /// The bits of one code: the first ten of `SHA-256("cloudid-otp" | user | step | code)`, every
    /// field prefixed with its length. `user` is the person's id, `code` its digits in ASCII.
    #[must_use]
    pub fn of_code(user: &str, step: u64, code: &str) -> u16 {
        let step = step.to_be_bytes();
        let mut hash = Sha256::new();
        for field in [b"cloudid-otp", user.as_bytes(), &step, code.as_bytes()] {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let [first, second, ..] = digest;
        u16::from_be_bytes([first, second]) >> (16 - CHECK_BITS)
    }

    /// The bits of the codes that a device will show from a step on.
    #[must_use]
    pub fn of_codes<'a>(user: &str, first_step: u64, codes: impl Iterator<Item = &'a str>) -> Self {
        let steps = first_step..;
        let bits = steps
            .zip(codes)
            .map(|(step, code)| Self::of_code(user, step, code));
        Self {
            first_step,
            bits: bits.take(STEPS_MAX).collect(),
        }
    }

    /// From a record; `None` when it is misshapen.
    #[must_use]
    pub fn read(record: &CheckBitsRecord) -> Option<Self> {
        let longest = STEPS_MAX.div_ceil(4) * 5 * 2;
        let packed = Some(&record.bits).filter(|bits| bits.len() <= longest)?;
        let packed = BASE64_STANDARD.decode(packed).ok()?;
        Some(Self {
            first_step: record.first_step,
            bits: unpacked(&packed),
        })
    }

    /// As text for a record.
    #[must_use]
    pub fn packed(&self) -> String {
        BASE64_STANDARD.encode(packed(&self.bits))
    }

    /// The bits of a step, if the stock covers it.
    #[must_use]
    pub fn at(&self, step: u64) -> Option<u16> {
        let place = usize::try_from(step.checked_sub(self.first_step)?).ok()?;
        self.bits.get(place).copied()
    }

    /// The first step that is not covered any more.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first_step.saturating_add(self.bits.len() as u64)
    }
}

impl std::fmt::Debug for CheckBits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "CheckBits({} steps from {})",
            self.bits.len(),
            self.first_step
        )
    }
}

/// Ten bits after ten bits, the highest first; what is left of the last byte is zero.
fn packed(values: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity((values.len() * CHECK_BITS).div_ceil(8));
    let (mut held, mut count) = (0_u32, 0);
    for value in values {
        held = (held << CHECK_BITS) | u32::from(*value);
        count += CHECK_BITS;
        while count >= 8 {
            count -= 8;
            bytes.push(((held >> count) & 0xff) as u8);
        }
        held &= (1 << count) - 1;
    }
    if count > 0 {
        bytes.push(((held << (8 - count)) & 0xff) as u8);
    }
    bytes
}

fn unpacked(bytes: &[u8]) -> Vec<u16> {
    let mut values = Vec::with_capacity(bytes.len() * 8 / CHECK_BITS);
    let (mut held, mut count) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        count += 8;
        if count >= CHECK_BITS {
            count -= CHECK_BITS;
            values.push(((held >> count) & 0x3ff) as u16);
        }
        held &= (1 << count) - 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(check_bits: &CheckBits) -> CheckBitsRecord {
        CheckBitsRecord {
            device: "mfa_1".into(),
            user: "usr_1".into(),
            first_step: check_bits.first_step,
            bits: check_bits.packed(),
        }
    }

    #[test]
    fn a_day_for_a_person_is_3600_bytes() {
        let codes: Vec<String> = (0..2880).map(|code| format!("{code:06}")).collect();
        let stock = CheckBits::of_codes("usr_1", 7, codes.iter().map(String::as_str));
        assert_eq!(packed(&stock.bits).len(), 3600);
        let read = CheckBits::read(&record(&stock)).unwrap();
        assert_eq!(read, stock);
        assert_eq!(read.at(7), Some(CheckBits::of_code("usr_1", 7, "000000")));
        assert_eq!(read.at(6), None);
        assert_eq!(read.at(read.end()), None);
    }

    #[test]
    fn person_step_and_code_all_change_the_bits() {
        let bits = |user, step, code| {
            (0_u64..16)
                .map(|more| CheckBits::of_code(user, step + more, code))
                .collect::<Vec<u16>>()
        };
        let one = bits("usr_1", 5, "123456");
        assert_ne!(one, bits("usr_2", 5, "123456"));
        assert_ne!(one, bits("usr_1", 6, "123456"));
        assert_ne!(one, bits("usr_1", 5, "123457"));
    }

    #[test]
    fn text_that_is_no_stock_is_refused() {
        let mut bad = record(&CheckBits::of_codes("usr_1", 0, std::iter::empty()));
        assert!(CheckBits::read(&bad).is_some());
        bad.bits = "not base64!".into();
        assert!(CheckBits::read(&bad).is_none());
        bad.bits = "A".repeat(1 << 20);
        assert!(CheckBits::read(&bad).is_none());
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(values in proptest::collection::vec(0_u16..1024, 0..200)) {
            let read = unpacked(&packed(&values));
            // Up to seven bits of padding are never a whole value.
            prop_assert_eq!(read, values);
        }
    }
}
