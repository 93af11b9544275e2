//! User and group ids: only those the directory hands out, so that no id can collide with a local
//! account, a systemd dynamic user, `nobody`, or a subordinate id range.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Above local users and systemd's dynamic users (61184-65519), below subordinate ids (100000).
pub const FIRST_RANGE: RangeInclusive<u32> = 70_000..=99_999;
/// For sites with more accounts than the first range holds.
pub const SECOND_RANGE: RangeInclusive<u32> = 0x7000_0000..=0x7fff_ffff;

/// A user id the directory may assign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Uid(u32);

/// A group id the directory may assign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Gid(u32);

/// An id outside every range of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("id {0} is outside the directory's ranges (70000-99999 and 1879048192-2147483647)")]
pub struct BadId(pub u64);

impl Uid {
    /// Checks a user id; takes the widest type so that nothing is cut off before the check.
    ///
    /// # Errors
    /// The id lies outside the directory's ranges.
    pub fn new(id: u64) -> Result<Self, BadId> {
        in_range(id).map(Self)
    }

    /// The id as the kernel knows it.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// The private group of this user, which has the same number.
    #[must_use]
    pub fn private_group(self) -> Gid {
        Gid(self.0)
    }
}

impl Gid {
    /// Checks a group id; takes the widest type so that nothing is cut off before the check.
    ///
    /// # Errors
    /// The id lies outside the directory's ranges.
    pub fn new(id: u64) -> Result<Self, BadId> {
        in_range(id).map(Self)
    }

    /// The id as the kernel knows it.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

fn in_range(id: u64) -> Result<u32, BadId> {
    let narrow = u32::try_from(id).map_err(|_| BadId(id))?;
    if FIRST_RANGE.contains(&narrow) || SECOND_RANGE.contains(&narrow) {
        Ok(narrow)
    } else {
        Err(BadId(id))
    }
}

macro_rules! number_conversions {
    ($type:ty) => {
        impl TryFrom<u64> for $type {
            type Error = BadId;
            fn try_from(id: u64) -> Result<Self, BadId> {
                Self::new(id)
            }
        }
        impl From<$type> for u64 {
            fn from(id: $type) -> Self {
                Self::from(id.0)
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}
number_conversions!(Uid);
number_conversions!(Gid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_04_ids_of_the_system_are_refused() {
        let bad = [
            0,
            1,
            999,
            1_000,
            61_184,
            65_519,
            65_534,
            65_535,
            69_999,
            100_000,
            165_535,
            524_288,
            1_879_048_191,
            1 << 31,
            (1 << 32) - 1,
            1 << 32,
            (1 << 32) + 70_000,
            u64::MAX,
        ];
        for id in bad {
            assert_eq!(Uid::new(id), Err(BadId(id)));
            assert_eq!(Gid::new(id), Err(BadId(id)));
        }
    }

    #[test]
    fn id_04_ids_of_both_ranges_are_accepted() {
        for id in [70_000, 99_999, 0x7000_0000, 0x7fff_ffff] {
            assert_eq!(u64::from(Uid::new(id).unwrap().get()), id);
            assert_eq!(u64::from(Gid::new(id).unwrap().get()), id);
        }
    }
}
