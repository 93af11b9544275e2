//! Listing of users and groups. Between two calls only two numbers are remembered, so nothing is
//! locked, nothing is held across fork, and a map replaced in the middle does no harm.

use std::sync::atomic::{AtomicU64, Ordering};

use identity_map::{Bytes, Cursor, GroupHead, Map};

use crate::answer::Failure;
use crate::pack::{self, GroupPlaces, UserPlaces};
use crate::source::{Question, answer};

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

    /// The next user, told to `tell` with the buffer; one that does not fit into it comes again.
    ///
    /// # Errors
    /// The end, or none may be listed; no room, or no telling.
    #[inline]
    pub fn next_user(
        &self,
        buffer: &mut [u8],
        tell: impl FnMut(UserPlaces, &mut [u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        answer(NextUser(self, buffer, tell))
    }

    /// The next group, told to `tell` with the buffer; one that does not fit into it comes again.
    ///
    /// # Errors
    /// The end, or none may be listed; no room, or no telling.
    #[inline]
    pub fn next_group(
        &self,
        buffer: &mut [u8],
        tell: impl FnMut(GroupPlaces, &mut [u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        answer(NextGroup(self, buffer, tell))
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

struct NextUser<'a, T>(&'a Listing, &'a mut [u8], T);
struct NextGroup<'a, T>(&'a Listing, &'a mut [u8], T);

impl<T: FnMut(UserPlaces, &mut [u8]) -> Result<(), Failure>> Question for NextUser<'_, T> {
    type Answer = ();

    #[inline]
    fn ask<B: Bytes>(&mut self, map: &Map<B>) -> Result<(), Failure> {
        let Self(listing, buffer, tell) = self;
        if !map.enumerates() {
            return Err(Failure::NotFound);
        }
        let next = map.user_after(listing.cursor(), buffer)?;
        let (user, next) = next.ok_or(Failure::NotFound)?;
        tell(user.into(), buffer)?;
        listing.remember(next);
        Ok(())
    }
}

impl<T: FnMut(GroupPlaces, &mut [u8]) -> Result<(), Failure>> Question for NextGroup<'_, T> {
    type Answer = ();

    #[inline]
    fn ask<B: Bytes>(&mut self, map: &Map<B>) -> Result<(), Failure> {
        let Self(listing, buffer, tell) = self;
        if !map.enumerates() {
            return Err(Failure::NotFound);
        }
        let packed = |group: &GroupHead<'_>| tell(pack::group(map, group, buffer)?, buffer);
        let next = map.group_after(listing.cursor(), packed)?;
        let ((), next) = next.ok_or(Failure::NotFound)?;
        listing.remember(next);
        Ok(())
    }
}
