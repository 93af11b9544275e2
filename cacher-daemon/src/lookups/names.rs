//! Where answers come from: the published map, the host's own files, and, for what only the cacher
//! knows, its sockets, with a deadline and with the rights of this process.

use std::path::PathBuf;
use std::time::Duration;

use local_protocol::{Client, IdQuestion, KeyQuestion, NameQuestion, Owner, Reply, Request, Trust};
use posix_names::{Gid, GroupName, HomeDirectory, Uid, UserName, is_name};

use crate::lookups::files::{LocalFiles, OtherSources};
use crate::lookups::map::{Group, PASSWORD, PublishedMap, Unavailable, User};
use crate::paths::Paths;

/// From connecting to the whole answer, as in the NSS module.
const OWNER_DEADLINE: Duration = Duration::from_millis(50);
/// The same for the keys of a user.
const KEYS_DEADLINE: Duration = Duration::from_millis(500);
/// Shell of people without rights on this host.
const NO_LOGIN: &[u8] = b"/usr/sbin/nologin";

/// Where answers come from.
#[derive(Debug, Clone)]
pub struct Names {
    paths: Paths,
    trust: Trust,
}

impl Names {
    /// As on an installed host.
    #[must_use]
    pub fn of(paths: &Paths) -> Self {
        Self::trusting(paths, Trust::System)
    }

    /// The same with a say in who may be the cacher.
    #[must_use]
    pub fn trusting(paths: &Paths, trust: Trust) -> Self {
        Self {
            paths: paths.clone(),
            trust,
        }
    }

    /// Where things lie.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The map in force.
    ///
    /// # Errors
    /// There is none that can be used.
    pub fn map(&self) -> Result<PublishedMap, Unavailable> {
        PublishedMap::open(&self.paths.published_map())
    }

    /// The host's own accounts.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn local(&self) -> Result<LocalFiles, Unavailable> {
        LocalFiles::read(&self.paths.etc)
    }

    /// Who else may know a name.
    #[must_use]
    pub fn others(&self, database: &str) -> OtherSources {
        OtherSources::of(&self.paths.etc, database)
    }

    /// A user by name: of the map, or, by policy, somebody without rights here.
    ///
    /// # Errors
    /// Nobody can tell at the moment.
    pub async fn user_by_name(
        &self,
        map: &PublishedMap,
        name: &[u8],
    ) -> Result<Option<User>, Unavailable> {
        let found = map.user_by_name(name)?;
        match name_to_ask(map, name).filter(|_| found.is_none()) {
            None => Ok(found),
            Some(name) => {
                let question = NameQuestion::User(name.clone());
                let owner = self.owner(Request::OwnerOfName(question)).await?;
                user_without_rights(owner, |told, _| told == name)
            }
        }
    }

    /// A user by id: of the map, or an owner of files without rights here.
    ///
    /// # Errors
    /// Nobody can tell at the moment.
    pub async fn user_by_id(
        &self,
        map: &PublishedMap,
        uid: u32,
    ) -> Result<Option<User>, Unavailable> {
        let found = map.user_by_id(uid)?;
        if found.is_some() || !map.asks_for(uid) {
            return Ok(found);
        }
        let question = Request::OwnerOfId(IdQuestion::User(uid));
        let owner = self.owner(question).await?;
        user_without_rights(owner, |_, told| told == uid)
    }

    /// A group by name, in the same way.
    ///
    /// # Errors
    /// Nobody can tell at the moment.
    pub async fn group_by_name(
        &self,
        map: &PublishedMap,
        name: &[u8],
    ) -> Result<Option<Group>, Unavailable> {
        let found = map.group_by_name(name)?;
        match name_to_ask(map, name).filter(|_| found.is_none()) {
            None => Ok(found),
            Some(name) => {
                let question = NameQuestion::Group(name.clone());
                let owner = self.owner(Request::OwnerOfName(question)).await?;
                group_without_rights(owner, |told, _| told == name)
            }
        }
    }

    /// A group by id, in the same way.
    ///
    /// # Errors
    /// Nobody can tell at the moment.
    pub async fn group_by_id(
        &self,
        map: &PublishedMap,
        gid: u32,
    ) -> Result<Option<Group>, Unavailable> {
        let found = map.group_by_id(gid)?;
        if found.is_some() || !map.asks_for(gid) {
            return Ok(found);
        }
        let question = Request::OwnerOfId(IdQuestion::Group(gid));
        let owner = self.owner(question).await?;
        group_without_rights(owner, |_, told| told == gid)
    }

    /// The keys of a user: the very lines that sshd would get, by the same question.
    ///
    /// # Errors
    /// The cacher does not say.
    pub async fn keys(&self, user: &[u8]) -> Result<Vec<String>, Unavailable> {
        let question = KeyQuestion {
            user: String::from_utf8(user.to_vec()).map_err(|_| Unavailable)?,
            key_type: String::new(),
            key: String::new(),
        };
        let socket = self.paths.socket("keys.sock");
        let request = Request::AuthorizedKeys(question);
        let Reply::Keys(lines) = self.ask(socket, KEYS_DEADLINE, request).await? else {
            return Err(Unavailable);
        };
        Ok(lines)
    }

    async fn owner(&self, question: Request) -> Result<Owner, Unavailable> {
        let socket = self.paths.socket("nss.sock");
        let Reply::Owner(owner) = self.ask(socket, OWNER_DEADLINE, question).await? else {
            return Err(Unavailable);
        };
        Ok(owner)
    }

    async fn ask(
        &self,
        socket: PathBuf,
        deadline: Duration,
        request: Request,
    ) -> Result<Reply, Unavailable> {
        let trust = self.trust;
        let asked = tokio::task::spawn_blocking(move || {
            Client::connect_trusting(&socket, deadline, trust)
                .and_then(|mut cacher| cacher.ask(&request))
        });
        match asked.await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the cacher does not say");
                Err(Unavailable)
            }
            Err(_) => Err(Unavailable),
        }
    }
}

/// A name that the cacher may know and the map does not.
fn name_to_ask(map: &PublishedMap, name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    (map.asks_for_names() && is_name(name)).then(|| name.to_owned())
}

/// As the NSS module describes an owner of files without rights here. An answer to another question
/// is none.
fn user_without_rights(
    owner: Owner,
    fits: impl Fn(&str, u32) -> bool,
) -> Result<Option<User>, Unavailable> {
    let (name, uid, gid) = match owner {
        Owner::User { name, uid, gid } if fits(&name, uid) => (name, uid, gid),
        Owner::Nobody => return Ok(None),
        Owner::User { .. } | Owner::Group { .. } => return Err(Unavailable),
    };
    let name = UserName::parse(&name).map_err(|_| Unavailable)?;
    let uid = Uid::new(u64::from(uid)).map_err(|_| Unavailable)?;
    let gid = Gid::new(u64::from(gid)).map_err(|_| Unavailable)?;
    Ok(Some(User {
        home: HomeDirectory::of(&name).as_str().as_bytes().to_vec(),
        name: name.as_str().as_bytes().to_vec(),
        password: PASSWORD.to_vec(),
        uid: uid.get(),
        gid: gid.get(),
        gecos: Vec::new(),
        shell: NO_LOGIN.to_vec(),
    }))
}

fn group_without_rights(
    owner: Owner,
    fits: impl Fn(&str, u32) -> bool,
) -> Result<Option<Group>, Unavailable> {
    let (name, gid) = match owner {
        Owner::Group { name, gid } if fits(&name, gid) => (name, gid),
        Owner::Nobody => return Ok(None),
        Owner::User { .. } | Owner::Group { .. } => return Err(Unavailable),
    };
    let name = GroupName::parse(&name).map_err(|_| Unavailable)?;
    let gid = Gid::new(u64::from(gid)).map_err(|_| Unavailable)?;
    Ok(Some(Group {
        name: name.as_str().as_bytes().to_vec(),
        password: PASSWORD.to_vec(),
        gid: gid.get(),
        members: Vec::new(),
    }))
}
