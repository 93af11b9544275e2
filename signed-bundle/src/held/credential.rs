//! What proves people, packed.

use std::sync::Arc;

use super::moves::{Lies, Placed};
use super::packing::{Packing, Unpacking, record_at};
use crate::record::CredentialRecord;

/// The credentials of one chunk.
#[derive(Debug)]
pub(crate) struct PackedCredentials {
    bytes: Box<[u8]>,
    ends: Box<[u32]>,
}

/// What proves one person, where it lies.
#[derive(Clone)]
pub struct HeldCredential {
    chunk: Arc<PackedCredentials>,
    place: u32,
}

/// A credential that is looked at in place.
#[derive(Clone, Copy, Default)]
pub(crate) struct CredentialView<'a> {
    pub(crate) user: &'a str,
    pub(crate) password_verifier: &'a str,
    must_change: bool,
}

impl PackedCredentials {
    pub(crate) fn of(records: &[CredentialRecord]) -> Arc<Self> {
        let mut packing = Packing::default();
        let mut ends = Vec::with_capacity(records.len());
        for record in records {
            packing.text(&record.user);
            packing.text(&record.password_verifier);
            packing.number(u64::from(record.must_change));
            ends.push(packing.end());
        }
        Arc::new(Self {
            bytes: packing.into_bytes(),
            ends: ends.into_boxed_slice(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All of them, with their places.
    pub(crate) fn views(&self) -> impl Iterator<Item = (u32, CredentialView<'_>)> {
        (0_u32..)
            .zip(&self.ends)
            .map(|(place, _)| (place, self.view(place)))
    }

    fn view(&self, place: u32) -> CredentialView<'_> {
        let record = record_at(&self.bytes, &self.ends, place);
        record.and_then(view).unwrap_or_default()
    }
}

fn view(mut record: Unpacking<'_>) -> Option<CredentialView<'_>> {
    Some(CredentialView {
        user: record.text()?,
        password_verifier: record.text()?,
        must_change: record.number()? != 0,
    })
}

impl HeldCredential {
    pub(crate) fn new(chunk: &Arc<PackedCredentials>, place: u32) -> Self {
        Self {
            chunk: Arc::clone(chunk),
            place,
        }
    }

    pub(crate) fn all_of(chunk: &Arc<PackedCredentials>) -> impl Iterator<Item = Self> {
        (0_u32..)
            .zip(&chunk.ends)
            .map(|(place, _)| Self::new(chunk, place))
    }

    /// Whom it proves, `usr_…`
    #[must_use]
    pub fn user(&self) -> &str {
        self.view().user
    }

    pub(crate) fn view(&self) -> CredentialView<'_> {
        self.chunk.view(self.place)
    }

    /// The record, unpacked.
    #[must_use]
    pub fn record(&self) -> CredentialRecord {
        let view = self.chunk.view(self.place);
        CredentialRecord {
            user: view.user.to_owned(),
            password_verifier: view.password_verifier.to_owned(),
            must_change: view.must_change,
        }
    }
}

impl Placed for HeldCredential {
    fn lies(&self) -> Lies {
        (Arc::as_ptr(&self.chunk).addr(), self.place)
    }
}

impl PartialEq for HeldCredential {
    fn eq(&self, other: &Self) -> bool {
        self.record() == other.record()
    }
}

impl std::fmt::Debug for HeldCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.record().fmt(f)
    }
}
