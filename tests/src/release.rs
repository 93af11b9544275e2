//! The Debian releases a host can be of. Whatever is built here runs on the machine's own release and
//! on later ones.

use crate::base_root::release_of_the_machine;
use crate::layer::{Root, SERVER};

/// A release of Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
    /// What becomes the next but one.
    Sid,
}

impl Release {
    /// Every release there is a story for, the oldest first.
    pub const ALL: [Self; 3] = [Self::Bookworm, Self::Trixie, Self::Sid];

    pub(crate) fn codename(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Sid => "sid",
        }
    }

    /// Why no host of this release can boot here; nothing when one can. Prepares its root.
    #[must_use]
    pub fn is_impossible(self) -> Option<String> {
        let machines = release_of_the_machine();
        let of_the_machine = Self::ALL.iter().find(|known| known.codename() == machines);
        if of_the_machine.is_some_and(|machines| *machines > self) {
            let name = self.codename();
            return Some(format!(
                "programs built on {machines} may not run on {name}"
            ));
        }
        Root::of_release(self, &SERVER).err()
    }
}
