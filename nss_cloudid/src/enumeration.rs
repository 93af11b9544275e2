//! Listing of users and groups. Between two calls only two numbers are remembered, so nothing is
//! locked, nothing is held across fork, and a map replaced in the middle does no harm.

use std::sync::atomic::{AtomicU64, Ordering};

use identity_map::Cursor;

use crate::answer::Failure;
use crate::lookup::Sources;
use crate::pack::{self, GroupPlaces, UserPlaces};
use crate::source::with_map;

/// How far a listing has come.
#[derive(Debug, Default)]
pub struct Listing([AtomicU64; 2]);

impl Listing {
    /// A listing that has not begun.
    #[must_use]
    pub const fn new() -> Self {
        Self([AtomicU64::new(0), AtomicU64::new(0)])
    }

    /// Begins again.
    pub fn rewind(&self) {
        self.remember(Cursor::default());
    }

    /// The next user; one that does not fit into the buffer comes again.
    ///
    /// # Errors
    /// The end, or none may be listed; no room, or no telling.
    pub fn next_user(
        &self,
        sources: Sources<'_>,
        buffer: &mut [u8],
    ) -> Result<UserPlaces, Failure> {
        with_map(sources, |map| {
            if !map.enumerates() {
                return Err(Failure::NotFound);
            }
            let next = map.user_after(self.cursor(), buffer)?;
            let (user, next) = next.ok_or(Failure::NotFound)?;
            self.remember(next);
            Ok(user.into())
        })
    }

    /// The next group; one that does not fit into the buffer comes again.
    ///
    /// # Errors
    /// The end, or none may be listed; no room, or no telling.
    pub fn next_group(
        &self,
        sources: Sources<'_>,
        buffer: &mut [u8],
    ) -> Result<GroupPlaces, Failure> {
        with_map(sources, |map| {
            if !map.enumerates() {
                return Err(Failure::NotFound);
            }
            let (group, next) = map.group_after(self.cursor())?.ok_or(Failure::NotFound)?;
            let places = pack::group(map, &group, buffer)?;
            self.remember(next);
            Ok(places)
        })
    }

    /// Two numbers that other threads have written apart are a cursor of no map.
    fn cursor(&self) -> Cursor {
        let [place, with_map] = &self.0;
        Cursor::from_numbers([place, with_map].map(|number| number.load(Ordering::Relaxed)))
    }

    fn remember(&self, cursor: Cursor) {
        for (remembered, number) in self.0.iter().zip(cursor.numbers()) {
            remembered.store(number, Ordering::Relaxed);
        }
    }
}
