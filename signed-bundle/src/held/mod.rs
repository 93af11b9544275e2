//! Records as a host keeps them while a bundle is in force: those of one chunk in one piece of
//! memory, packed, and shared with the next bundle that names the same chunk. A host holds every
//! person of its slice and looks at few of them, so a record is unpacked when it is asked for.

mod credential;
mod group_numbers;
mod moves;
mod packing;
mod person;

pub use credential::HeldCredential;
pub(crate) use credential::PackedCredentials;
pub use group_numbers::GroupNumbers;
pub(crate) use moves::sorted;
pub use moves::{Lies, Moves, Placed};
pub(crate) use person::PackedPeople;
pub use person::{HeldPerson, PersonView};
