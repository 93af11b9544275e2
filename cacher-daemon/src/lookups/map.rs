//! The published map, read into values of our own. What cannot be read is *unavailable*, never
//! *not there*.

use std::path::Path;

use identity_map::{Cursor, GroupHead, Map, MapFile, Owners, ReadError, UserRecord};

/// Room for the text of any user that a map can hold.
const USER_TEXT_BYTES: usize = 4096;
/// The password field of everybody: nobody proves anything by it.
pub(super) const PASSWORD: &[u8] = b"x";

/// The map is missing, damaged or not to be trusted, or the cacher did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what this host knows of its people cannot be read")]
pub struct Unavailable;

impl From<ReadError> for Unavailable {
    fn from(error: ReadError) -> Self {
        tracing::warn!(%error, "a lookup");
        Self
    }
}

/// A user, as in a passwd entry. Texts of local users are whatever stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: Vec<u8>,
    /// Password field.
    pub password: Vec<u8>,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Comment field.
    pub gecos: Vec<u8>,
    /// Home directory.
    pub home: Vec<u8>,
    /// Login shell.
    pub shell: Vec<u8>,
}

/// A group, as in a group entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Group name.
    pub name: Vec<u8>,
    /// Password field.
    pub password: Vec<u8>,
    /// Group id.
    pub gid: u32,
    /// Names of the members.
    pub members: Vec<Vec<u8>>,
}

/// One published map; it stays the same while it is open, whatever is published meanwhile.
#[derive(Debug)]
pub struct PublishedMap(Map<MapFile>);

impl PublishedMap {
    /// Opens the map in force.
    ///
    /// # Errors
    /// There is none that can be used.
    pub fn open(path: &Path) -> Result<Self, Unavailable> {
        Ok(Self(Map::open_file(path)?))
    }

    /// Whether users and groups may be listed.
    #[must_use]
    pub fn enumerates(&self) -> bool {
        self.0.enumerates()
    }

    /// Whether the cacher may know the owner of an id that is missing here.
    #[must_use]
    pub fn asks_for(&self, id: u32) -> bool {
        self.0.owners() != Owners::Off && self.0.ranges_hold(id)
    }

    /// Whether the cacher may know a name that is missing here.
    #[must_use]
    pub fn asks_for_names(&self) -> bool {
        self.0.owners() == Owners::All
    }

    /// # Errors
    /// The map is damaged.
    pub fn user_by_name(&self, name: &[u8]) -> Result<Option<User>, Unavailable> {
        let mut text = [0; USER_TEXT_BYTES];
        let user = self.0.user_by_name(name, &mut text)?;
        Ok(user.map(|user| read_user(&user, &text)))
    }

    /// # Errors
    /// The map is damaged.
    pub fn user_by_id(&self, uid: u32) -> Result<Option<User>, Unavailable> {
        let mut text = [0; USER_TEXT_BYTES];
        let user = self.0.user_by_id(uid, &mut text)?;
        Ok(user.map(|user| read_user(&user, &text)))
    }

    /// The user behind a cursor.
    ///
    /// # Errors
    /// The map is damaged.
    pub fn user_after(&self, cursor: Cursor) -> Result<Option<(User, Cursor)>, Unavailable> {
        let mut text = [0; USER_TEXT_BYTES];
        let next = self.0.user_after(cursor, &mut text)?;
        Ok(next.map(|(user, cursor)| (read_user(&user, &text), cursor)))
    }

    /// Further groups of a user, nesting resolved; `None` for a name that is not here.
    ///
    /// # Errors
    /// The map is damaged.
    pub fn groups_of(&self, name: &[u8]) -> Result<Option<Vec<u32>>, Unavailable> {
        self.0.groups_of(name, |list| {
            let mut ids = vec![0; list.bytes()];
            self.0.read_group_list(list, &mut ids)?;
            let (ids, _) = ids.as_chunks::<4>();
            Ok(ids.iter().map(|id| u32::from_le_bytes(*id)).collect())
        })
    }

    /// # Errors
    /// The map is damaged.
    pub fn group_by_name(&self, name: &[u8]) -> Result<Option<Group>, Unavailable> {
        self.0.group_by_name(name, |head| self.read_group(head))
    }

    /// # Errors
    /// The map is damaged.
    pub fn group_by_id(&self, gid: u32) -> Result<Option<Group>, Unavailable> {
        self.0.group_by_id(gid, |head| self.read_group(head))
    }

    /// The name of a group, without reading its members.
    ///
    /// # Errors
    /// The map is damaged.
    pub fn group_name(&self, gid: u32) -> Result<Option<Vec<u8>>, Unavailable> {
        self.0.group_by_id(gid, |head| Ok(head.name().to_vec()))
    }

    /// The group behind a cursor.
    ///
    /// # Errors
    /// The map is damaged.
    pub fn group_after(&self, cursor: Cursor) -> Result<Option<(Group, Cursor)>, Unavailable> {
        self.0.group_after(cursor, |head| self.read_group(head))
    }

    fn read_group(&self, head: &GroupHead<'_>) -> Result<Group, Unavailable> {
        let mut body = vec![0; head.members_bytes()];
        self.0.read_members(head, &mut body)?;
        let names = body.get(head.members()..).unwrap_or_default();
        Ok(Group {
            name: head.name().to_vec(),
            password: PASSWORD.to_vec(),
            gid: head.gid(),
            members: names
                .split(|byte| *byte == 0)
                .take(head.members())
                .map(<[u8]>::to_vec)
                .collect(),
        })
    }
}

fn read_user(user: &UserRecord, text: &[u8]) -> User {
    let field = |start: u16| {
        let within = usize::from(start)..usize::from(user.text_bytes);
        let from = text.get(within).unwrap_or_default();
        from.split(|byte| *byte == 0)
            .next()
            .unwrap_or_default()
            .to_vec()
    };
    let [name, password, gecos, home, shell] = user.starts.map(field);
    User {
        name,
        password,
        uid: user.uid,
        gid: user.gid,
        gecos,
        home,
        shell,
    }
}
