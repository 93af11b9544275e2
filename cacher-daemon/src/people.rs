//! The people of this host as decisions need them: the records of the bundle where they lie, in the
//! order of names, ids and uids, and beside them the few that this host sees differently.

use std::collections::HashMap;
use std::sync::Arc;

use signed_bundle::{CredentialRecord, PersonRecord, ReadSlice};

/// The people of this host.
#[derive(Debug, Default)]
pub struct People {
    read: Option<Arc<ReadSlice>>,
    /// By their place in the slice: suspended by the fast lane, or with another shell.
    differing: HashMap<u32, PersonRecord>,
    /// Places in the slice, in order of login names.
    by_name: Vec<u32>,
    /// In order of uids.
    by_uid: Vec<u32>,
    /// Places among the credentials, in order of the users' ids.
    credentials: Vec<u32>,
}

impl People {
    /// Those of a slice whom `seen` keeps, as it sees them; `None` of it leaves a record as it is.
    #[must_use]
    pub fn of(
        read: &Arc<ReadSlice>,
        mut seen: impl FnMut(&PersonRecord) -> Option<Option<PersonRecord>>,
    ) -> Self {
        let slice = &read.slice;
        let mut people = Self {
            read: Some(Arc::clone(read)),
            credentials: in_order(&slice.credentials, |one| one.user.as_str()),
            ..Self::default()
        };
        for (place, record) in (0_u32..).zip(&slice.people) {
            let Some(differing) = seen(record) else {
                continue;
            };
            people.by_name.push(place);
            people
                .differing
                .extend(differing.map(|record| (place, record)));
        }
        people.by_uid = people.by_name.clone();
        let at = |place: &u32| slice.people.get(*place as usize);
        people
            .by_name
            .sort_by_key(|place| at(place).map(|person| person.username.as_str()));
        people
            .by_uid
            .sort_by_key(|place| at(place).map(|person| person.uid));
        people
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &PersonRecord> {
        self.by_uid.iter().filter_map(|place| self.at(*place))
    }

    /// One by login name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&PersonRecord> {
        self.find(&self.by_name, |person| person.username.as_str().cmp(name))
    }

    /// One by uid.
    #[must_use]
    pub fn with_uid(&self, uid: u32) -> Option<&PersonRecord> {
        self.find(&self.by_uid, |person| person.uid.get().cmp(&uid))
    }

    /// What proves the user with this id.
    #[must_use]
    pub fn credential(&self, user: &str) -> Option<&CredentialRecord> {
        let all = &self.read.as_ref()?.slice.credentials;
        let at = |place: &u32| all.get(*place as usize);
        let order = |place: &u32| at(place).map(|one| one.user.as_str()).cmp(&Some(user));
        let found = self.credentials.binary_search_by(order).ok()?;
        at(self.credentials.get(found)?).map(Arc::as_ref)
    }

    fn find(
        &self,
        places: &[u32],
        compare: impl Fn(&PersonRecord) -> std::cmp::Ordering,
    ) -> Option<&PersonRecord> {
        let order = |place: &u32| self.at(*place).map_or(std::cmp::Ordering::Less, &compare);
        let found = places.binary_search_by(order).ok()?;
        self.at(*places.get(found)?)
    }

    fn at(&self, place: u32) -> Option<&PersonRecord> {
        let differing = self.differing.get(&place);
        let found = || self.read.as_ref()?.slice.people.get(place as usize);
        differing.or_else(|| found().map(Arc::as_ref))
    }
}

fn in_order<T>(records: &[T], key: impl Fn(&T) -> &str) -> Vec<u32> {
    let mut places: Vec<u32> = (0_u32..).zip(records).map(|(place, _)| place).collect();
    places.sort_by_key(|place| records.get(*place as usize).map(&key));
    places
}
