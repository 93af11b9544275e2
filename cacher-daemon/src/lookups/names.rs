//! Where answers come from: the published map, the host's own files, and, for what only the cacher
//! knows, its sockets, with a deadline and with the rights of this process.

use std::path::PathBuf;
use std::time::Duration;

use local_protocol::{Client, IdQuestion, KeyQuestion, Owner, Reply, Request, Trust};
use posix_names::{Gid, GroupName, HomeDirectory, UserName};

use crate::lookups::files::{LocalFiles, OtherSources};
use crate::lookups::map::{Group, PublishedMap, Unavailable, User};
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

    /// A user by id: of the map, or an owner of files without rights here.
    ///
    /// # Errors
    /// Nobody can tell at the moment.
    pub async fn user_by_id(
        &self,
        map: &PublishedMap,
        uid: u32,
    ) -> Result<Option<User>, Unavailable> {
        if let Some(user) = map.user_by_id(uid)? {
            return Ok(Some(user));
        }
        if !map.asks_for(uid) {
            return Ok(None);
        }
        match self.owner(IdQuestion::User(uid)).await? {
            Owner::User {
                name,
                uid: told,
                gid,
            } if told == uid => stranger(&name, uid, gid).map(Some),
            Owner::Nobody => Ok(None),
            Owner::User { .. } | Owner::Group { .. } => Err(Unavailable),
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
        if let Some(group) = map.group_by_id(gid)? {
            return Ok(Some(group));
        }
        if !map.asks_for(gid) {
            return Ok(None);
        }
        match self.owner(IdQuestion::Group(gid)).await? {
            Owner::Group { name, gid: told } if told == gid => {
                let name = GroupName::parse(&name).map_err(|_| Unavailable)?;
                Ok(Some(Group {
                    name: name.as_str().as_bytes().to_vec(),
                    password: b"x".to_vec(),
                    gid,
                    members: Vec::new(),
                }))
            }
            Owner::Nobody => Ok(None),
            Owner::User { .. } | Owner::Group { .. } => Err(Unavailable),
        }
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
        match self.ask(socket, KEYS_DEADLINE, request).await? {
            Reply::Keys(lines) => Ok(lines),
            _ => Err(Unavailable),
        }
    }

    async fn owner(&self, question: IdQuestion) -> Result<Owner, Unavailable> {
        let socket = self.paths.socket("nss.sock");
        let request = Request::OwnerOfId(question);
        match self.ask(socket, OWNER_DEADLINE, request).await? {
            Reply::Owner(owner) => Ok(owner),
            _ => Err(Unavailable),
        }
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

/// As the NSS module describes an owner of files without rights here.
fn stranger(name: &str, uid: u32, gid: u32) -> Result<User, Unavailable> {
    let name = UserName::parse(name).map_err(|_| Unavailable)?;
    let gid = Gid::new(u64::from(gid)).map_err(|_| Unavailable)?;
    Ok(User {
        home: HomeDirectory::of(&name).as_str().as_bytes().to_vec(),
        name: name.as_str().as_bytes().to_vec(),
        password: b"x".to_vec(),
        uid,
        gid: gid.get(),
        gecos: Vec::new(),
        shell: NO_LOGIN.to_vec(),
    })
}
