//! Random numbers for functions that cannot say that there are none: afterwards it is asked whether
//! every draw was good, and if one was not, the result is thrown away.

use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};

use crate::clock::{NoRandomness, Random};

/// A generator that remembers whether it failed.
pub struct Drawing<'a> {
    random: &'a Random,
    failed: bool,
}

impl<'a> From<&'a Random> for Drawing<'a> {
    fn from(random: &'a Random) -> Self {
        Self {
            random,
            failed: false,
        }
    }
}

impl Drawing<'_> {
    /// Must be asked before what was made with the draws is used.
    ///
    /// # Errors
    /// A draw failed.
    pub fn finish(self) -> Result<(), NoRandomness> {
        if self.failed {
            Err(NoRandomness)
        } else {
            Ok(())
        }
    }
}

impl TryRng for Drawing<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.failed |= self.random.fill(bytes).is_err();
        Ok(())
    }
}

impl TryCryptoRng for Drawing<'_> {}
