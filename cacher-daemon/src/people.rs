//! The people of this host as decisions need them: the records of the bundle where they lie, in the
//! order of names, ids and uids, and beside them in what this host sees some of them differently.

use std::sync::Arc;

use policy::UserState;
use posix_names::LoginShell;
use signed_bundle::{
    CredentialRecord, HeldCredential, HeldPerson, PersonRecord, PersonView, ReadSlice, SharedSlice,
};

/// In what a host sees somebody differently from the bundle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// The fast lane, or a bundle that is held back, has suspended them.
    pub suspended: bool,
    /// Their shell is not here: they get the one that everybody falls back to.
    pub other_shell: bool,
}

/// The people of this host.
#[derive(Debug, Default)]
pub struct People {
    read: Option<Arc<ReadSlice>>,
    fallback_shell: Option<LoginShell>,
    /// By their place in the slice, in order.
    differing: Vec<(u32, Difference)>,
    /// Places in the slice, in order of login names.
    by_name: Vec<u32>,
    /// In order of uids.
    by_uid: Vec<u32>,
    /// Places among the credentials, in order of the users' ids.
    credentials: Vec<u32>,
}

/// Somebody as this host sees them.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    held: &'a HeldPerson,
    view: PersonView<'a>,
    suspended: bool,
    other_shell: Option<&'a LoginShell>,
}

impl People {
    /// Those of a slice whom `seen` keeps, as it sees them.
    #[must_use]
    pub fn of(
        read: &Arc<ReadSlice>,
        fallback_shell: Option<LoginShell>,
        mut seen: impl FnMut(&PersonView<'_>) -> Option<Difference>,
    ) -> Self {
        let slice = &read.slice;
        let mut kept = Vec::with_capacity(slice.people.len());
        let mut differing = Vec::new();
        for (place, held) in (0_u32..).zip(&slice.people) {
            let person = held.view();
            let Some(difference) = seen(&person) else {
                continue;
            };
            kept.push((person.username, person.uid, place));
            if difference != Difference::default() {
                differing.push((place, difference));
            }
        }
        kept.sort_unstable_by_key(|(name, _, _)| (beginning(name), *name));
        let by_name = kept.iter().map(|(_, _, place)| *place).collect();
        kept.sort_unstable_by_key(|(_, uid, _)| *uid);
        let by_uid = kept.iter().map(|(_, _, place)| *place).collect();
        let proofs = slice.credentials.iter().map(HeldCredential::user);
        let mut proofs: Vec<(&str, u32)> = proofs.zip(0_u32..).collect();
        proofs.sort_unstable_by_key(|(user, _)| (beginning(user), *user));
        let credentials = proofs.iter().map(|(_, place)| *place).collect();
        differing.shrink_to_fit();
        Self {
            read: Some(Arc::clone(read)),
            fallback_shell,
            differing,
            by_name,
            by_uid,
            credentials,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_uid.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_uid.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Seen<'_>> {
        self.by_uid.iter().filter_map(|place| self.at(*place))
    }

    /// All of them, in order of names.
    pub fn in_order_of_names(&self) -> impl Iterator<Item = Seen<'_>> {
        self.by_name.iter().filter_map(|place| self.at(*place))
    }

    /// One by login name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Seen<'_>> {
        self.find(&self.by_name, |person| person.username.cmp(name))
    }

    /// One by uid.
    #[must_use]
    pub fn with_uid(&self, uid: u32) -> Option<Seen<'_>> {
        self.find(&self.by_uid, |person| person.uid.cmp(&uid))
    }

    /// What proves the user with this id.
    #[must_use]
    pub fn credential(&self, user: &str) -> Option<CredentialRecord> {
        let all = &self.read.as_ref()?.slice.credentials;
        let at = |place: &u32| all.get(*place as usize);
        let order = |place: &u32| at(place).map(HeldCredential::user).cmp(&Some(user));
        let found = self.credentials.binary_search_by(order).ok()?;
        at(self.credentials.get(found)?).map(HeldCredential::record)
    }

    /// The bundle they come from.
    #[must_use]
    pub fn slice(&self) -> Option<&SharedSlice> {
        self.read.as_ref().map(|read| &read.slice)
    }

    fn find(
        &self,
        places: &[u32],
        compare: impl Fn(&PersonView<'_>) -> std::cmp::Ordering,
    ) -> Option<Seen<'_>> {
        let order = |place: &u32| {
            let held = self.held(*place);
            held.map_or(std::cmp::Ordering::Less, |held| compare(&held.view()))
        };
        let found = places.binary_search_by(order).ok()?;
        self.at(*places.get(found)?)
    }

    fn held(&self, place: u32) -> Option<&HeldPerson> {
        self.read.as_ref()?.slice.people.get(place as usize)
    }

    fn at(&self, place: u32) -> Option<Seen<'_>> {
        let held = self.held(place)?;
        let differing = self.differing.binary_search_by_key(&place, |(at, _)| *at);
        let differing = differing.ok().and_then(|at| self.differing.get(at));
        let difference = differing.map_or(Difference::default(), |(_, difference)| *difference);
        Some(Seen {
            held,
            view: held.view(),
            suspended: difference.suspended,
            other_shell: self
                .fallback_shell
                .as_ref()
                .filter(|_| difference.other_shell),
        })
    }
}

/// The first bytes of a text as a number, in the same order: comparing two mostly ends here.
fn beginning(text: &str) -> u128 {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    u128::from_be_bytes(bytes)
}

impl<'a> Seen<'a> {
    /// What the bundle says of them; [`Self::state`] and [`Self::shell_text`] may say otherwise.
    #[must_use]
    pub fn view(&self) -> &PersonView<'a> {
        &self.view
    }

    /// Active or suspended.
    #[must_use]
    pub fn state(&self) -> UserState {
        match self.suspended {
            true => UserState::Suspended,
            false => self.view.state,
        }
    }

    /// The shell they get here.
    #[must_use]
    pub fn shell_text(&self) -> &'a str {
        self.other_shell.map_or(self.view.shell, LoginShell::as_str)
    }

    /// The record as this host sees it.
    #[must_use]
    pub fn record(&self) -> Option<PersonRecord> {
        Some(PersonRecord {
            state: self.state(),
            shell: LoginShell::parse(self.shell_text()).ok()?,
            ..self.held.record()?
        })
    }
}
