//! The people of this host as decisions need them: the records of the bundle where they lie, in the
//! order of names, ids and uids, and beside them in what this host sees some of them differently.

use std::sync::Arc;

use policy::UserState;
use posix_names::LoginShell;
use signed_bundle::{
    CredentialRecord, HeldCredential, HeldPerson, Moves, PersonRecord, PersonView, ReadSlice,
    SharedSlice, find,
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
    /// Places of those who are not on this host, in order.
    left_out: Vec<u32>,
    /// Places in the slice, in order of login names.
    by_name: Arc<[u32]>,
    /// In order of uids.
    by_uid: Arc<[u32]>,
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
    /// Those of a slice whom `seen` keeps, as it sees them. `before`: those of another slice, seen by
    /// the same eyes; whoever was there and kept is seen as before.
    #[must_use]
    pub fn of(
        read: &Arc<ReadSlice>,
        before: Option<&Self>,
        fallback_shell: Option<LoginShell>,
        mut seen: impl FnMut(&PersonView<'_>) -> Option<Difference>,
    ) -> Self {
        let people = &read.slice.people;
        let (mut differing, looked_at) = match before {
            Some(before) => before.kept_in(people),
            None => (
                Vec::new(),
                (0_u32..).zip(people).map(|(at, _)| at).collect(),
            ),
        };
        let mut left_out = Vec::new();
        for place in looked_at {
            let Some(person) = people.get(place as usize) else {
                continue;
            };
            match seen(&person.view()) {
                Some(same) if same == Difference::default() => {}
                Some(difference) => differing.push((place, difference)),
                None => left_out.push(place),
            }
        }
        differing.sort_unstable_by_key(|(place, _)| *place);
        differing.shrink_to_fit();
        Self {
            by_name: without(&left_out, &read.orders().by_name),
            by_uid: without(&left_out, &read.orders().by_uid),
            read: Some(Arc::clone(read)),
            fallback_shell,
            differing,
            left_out,
        }
    }

    /// In what people are seen differently who were here and are in this slice, and the places in order
    /// of all who were not here.
    fn kept_in(&self, people: &[HeldPerson]) -> (Vec<(u32, Difference)>, Vec<u32>) {
        let old = self.slice().map_or(&[][..], |slice| &slice.people);
        let moves = Moves::between(old, people);
        let differing = self.differing.iter();
        let differing = differing.filter_map(|(place, how)| Some((moves.to(*place)?, *how)));
        let left_out = self.left_out.iter().filter_map(|place| moves.to(*place));
        let mut looked_at: Vec<u32> = moves.fresh().iter().copied().chain(left_out).collect();
        looked_at.sort_unstable();
        (differing.collect(), looked_at)
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

    /// Everybody of the slice in the order in which they lie there; `None` for who is not here.
    pub fn in_slice(&self) -> impl Iterator<Item = Option<Seen<'_>>> {
        let all = self.slice().map_or(&[][..], |slice| &slice.people);
        let mut left_out = self.left_out.iter().peekable();
        (0_u32..).zip(all).map(move |(place, _)| {
            let is_here = left_out.next_if(|next| **next == place).is_none();
            is_here.then(|| self.at(place)).flatten()
        })
    }

    /// Places in the slice of all of them, in order of names.
    pub fn places_by_name(&self) -> impl Iterator<Item = &u32> {
        self.by_name.iter()
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
        let read = self.read.as_ref()?;
        let all = &read.slice.credentials;
        let found = find(all, &read.orders().credentials, |one| one.user().cmp(user))?;
        all.get(found as usize).map(HeldCredential::record)
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
        let people = &self.slice()?.people;
        self.at(find(people, places, |held| compare(&held.view()))?)
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

/// An order without these places, which are in order.
fn without(left_out: &[u32], order: &Arc<[u32]>) -> Arc<[u32]> {
    if left_out.is_empty() {
        return Arc::clone(order);
    }
    let is_here = |place: &u32| left_out.binary_search(place).is_err();
    order.iter().copied().filter(is_here).collect()
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
