//! People, packed.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use policy::UserState;
use posix_names::{DEFAULT_HOME_ROOT, Gecos, Gid, HomeDirectory, LoginShell, Uid, UserName};

use super::group_numbers::GroupNumbers;
use super::moves::{Lies, Placed};
use super::packing::{Packing, Unpacking, range_at, record_at};
use crate::checks::{fingerprint, key_blob};
use crate::record::{PersonRecord, SshKeyRecord};

/// The people of one chunk. All of them are looked at for each map, so texts lie apart as text: no byte
/// of them has to be looked at again to know that it is.
#[derive(Debug)]
pub(crate) struct PackedPeople {
    bytes: Box<[u8]>,
    ends: Box<[u32]>,
    texts: Box<str>,
    text_ends: Box<[u32]>,
    groups: Arc<GroupNumbers>,
}

/// A person where they lie. Another one for the same place is the same person.
#[derive(Clone)]
pub struct HeldPerson {
    chunk: Arc<PackedPeople>,
    place: u32,
}

/// A person who is looked at in place.
#[derive(Debug, Clone, Copy)]
pub struct PersonView<'a> {
    /// `usr_…`
    pub id: &'a str,
    /// Login name.
    pub username: &'a str,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Login shell.
    pub shell: &'a str,
    /// Comment field.
    pub gecos: &'a str,
    /// Active or suspended.
    pub state: UserState,
    /// When the account ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Empty for the home that everybody has.
    home: &'a str,
    groups: Unpacking<'a>,
    ssh_keys: Unpacking<'a>,
}

/// Nobody: no name and no id is empty.
impl Default for PersonView<'_> {
    fn default() -> Self {
        Self {
            id: "",
            username: "",
            uid: 0,
            gid: 0,
            shell: "",
            gecos: "",
            state: UserState::Suspended,
            expires_at: None,
            home: "",
            groups: Unpacking::default(),
            ssh_keys: Unpacking::default(),
        }
    }
}

impl PackedPeople {
    /// Keys must be sound.
    pub(crate) fn of(records: &[PersonRecord], groups: &Arc<GroupNumbers>) -> Arc<Self> {
        let (mut packing, mut texts) = (Packing::default(), String::new());
        let mut ends = Vec::with_capacity(records.len());
        let mut text_ends = Vec::with_capacity(records.len());
        for record in records {
            pack(record, &mut packing, &mut texts, groups);
            ends.push(packing.end());
            text_ends.push(u32::try_from(texts.len()).unwrap_or(u32::MAX));
        }
        Arc::new(Self {
            bytes: packing.into_bytes(),
            ends: ends.into_boxed_slice(),
            texts: texts.into_boxed_str(),
            text_ends: text_ends.into_boxed_slice(),
            groups: Arc::clone(groups),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All of them, with their places.
    pub(crate) fn views(&self) -> impl Iterator<Item = (u32, PersonView<'_>)> {
        (0_u32..)
            .zip(&self.ends)
            .map(|(place, _)| (place, self.view(place)))
    }

    fn view(&self, place: u32) -> PersonView<'_> {
        self.view_at(place).unwrap_or_default()
    }

    fn view_at(&self, place: u32) -> Option<PersonView<'_>> {
        let texts = range_at(&self.text_ends, place)?;
        view(
            record_at(&self.bytes, &self.ends, place)?,
            self.texts.get(texts)?,
        )
    }
}

fn pack(record: &PersonRecord, packing: &mut Packing, texts: &mut String, groups: &GroupNumbers) {
    let usual = record.home == HomeDirectory::of(&record.username);
    for text in [
        record.id.as_str(),
        record.username.as_str(),
        record.shell.as_str(),
        record.gecos.as_str(),
        if usual { "" } else { record.home.as_str() },
    ] {
        packing.number(text.len() as u64);
        texts.push_str(text);
    }
    packing.number(u64::from(record.uid.get()));
    packing.number(u64::from(record.gid.get()));
    packing.number(match record.state {
        UserState::Active => 0,
        UserState::Suspended => 1,
        UserState::Staged => 2,
        UserState::Deleted => 3,
    });
    packing.moment(record.expires_at);
    let mut list = Packing::default();
    for id in record.groups.iter() {
        list.number(u64::from(groups.assigned(id)));
    }
    packing.bytes(&list.into_bytes());
    for key in &record.ssh_keys {
        if let Some((kind, blob)) = key_blob(&key.line) {
            packing.text(kind);
            packing.bytes(&blob);
            packing.moment(key.expires_at);
        }
    }
}

fn view<'a>(mut record: Unpacking<'a>, mut texts: &'a str) -> Option<PersonView<'a>> {
    let mut text = || {
        let length = usize::try_from(record.number()?).ok()?;
        let (text, rest) = texts.split_at_checked(length)?;
        texts = rest;
        Some(text)
    };
    let (id, username, shell, gecos, home) = (text()?, text()?, text()?, text()?, text()?);
    Some(PersonView {
        id,
        username,
        shell,
        gecos,
        home,
        uid: record.small()?,
        gid: record.small()?,
        state: match record.number()? {
            0 => UserState::Active,
            1 => UserState::Suspended,
            2 => UserState::Staged,
            _ => UserState::Deleted,
        },
        expires_at: record.moment()?,
        groups: Unpacking(record.bytes()?),
        ssh_keys: record,
    })
}

impl<'a> PersonView<'a> {
    /// Home directory, as text.
    #[must_use]
    pub fn home_text(&self) -> Cow<'a, str> {
        match self.home {
            "" => Cow::Owned([DEFAULT_HOME_ROOT, self.username].join("/")),
            home => Cow::Borrowed(home),
        }
    }

    /// Home directory.
    #[must_use]
    pub fn home(&self) -> Option<HomeDirectory> {
        if self.home.is_empty() {
            let username = UserName::parse(self.username).ok()?;
            return Some(HomeDirectory::of(&username));
        }
        HomeDirectory::parse(self.home).ok()
    }

    /// Numbers of all groups, nesting resolved.
    pub fn groups(&self) -> impl Iterator<Item = u32> {
        let mut groups = self.groups;
        std::iter::from_fn(move || groups.small())
    }

    /// Kinds of the keys that may log in as this person.
    pub fn key_kinds(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut keys = self.ssh_keys;
        std::iter::from_fn(move || {
            let kind = keys.text()?;
            keys.bytes()?;
            keys.moment()?;
            Some(kind)
        })
    }

    fn ssh_keys(&self) -> impl Iterator<Item = SshKeyRecord> {
        let mut keys = self.ssh_keys;
        std::iter::from_fn(move || {
            let (kind, blob) = (keys.text()?, keys.bytes()?);
            Some(SshKeyRecord {
                fingerprint: fingerprint(blob),
                line: format!("{kind} {}", BASE64_STANDARD.encode(blob)),
                expires_at: keys.moment()?,
            })
        })
    }

    fn record(&self, groups: &GroupNumbers) -> Option<PersonRecord> {
        Some(PersonRecord {
            id: self.id.to_owned(),
            username: UserName::parse(self.username).ok()?,
            uid: Uid::new(u64::from(self.uid)).ok()?,
            gid: Gid::new(u64::from(self.gid)).ok()?,
            home: self.home()?,
            shell: LoginShell::parse(self.shell).ok()?,
            gecos: Gecos::cleaned(self.gecos),
            state: self.state,
            expires_at: self.expires_at,
            groups: self
                .groups()
                .filter_map(|number| groups.id(number))
                .collect(),
            ssh_keys: self.ssh_keys().collect(),
        })
    }
}

impl HeldPerson {
    pub(crate) fn new(chunk: &Arc<PackedPeople>, place: u32) -> Self {
        Self {
            chunk: Arc::clone(chunk),
            place,
        }
    }

    pub(crate) fn all_of(chunk: &Arc<PackedPeople>) -> impl Iterator<Item = Self> {
        (0_u32..)
            .zip(&chunk.ends)
            .map(|(place, _)| Self::new(chunk, place))
    }

    /// The person in place.
    #[must_use]
    pub fn view(&self) -> PersonView<'_> {
        self.chunk.view(self.place)
    }

    /// The record, unpacked; `None` for nobody.
    #[must_use]
    pub fn record(&self) -> Option<PersonRecord> {
        self.view().record(&self.chunk.groups)
    }

    /// Whether both lie in the same place: then nothing about them has changed.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.lies() == other.lies()
    }
}

impl Placed for HeldPerson {
    fn lies(&self) -> Lies {
        (Arc::as_ptr(&self.chunk).addr(), self.place)
    }
}

impl PartialEq for HeldPerson {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.record() == other.record()
    }
}

impl std::fmt::Debug for HeldPerson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}
