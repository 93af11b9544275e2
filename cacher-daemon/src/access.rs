//! Who may ask the cacher what, over which socket, and when. Every request stands here exactly
//! once: a new one does not compile until it does. Decides nothing about people (that is `policy`),
//! and reads nothing of a message but its kind and whom it concerns.

use local_protocol::Request;

use crate::peer::Standing;

/// The socket a peer came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entrance {
    /// `pam.sock`
    Pam,
    /// `nss.sock`
    Nss,
    /// `user.sock`
    User,
    /// `keys.sock`
    Keys,
    /// `admin.sock`
    Admin,
}

/// What has already happened on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing yet.
    Fresh,
    /// A conversation waits for an answer.
    Begun,
    /// At least one request was answered.
    Served,
}

/// Why a request is not even looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The process that connected is gone.
    PeerGone,
    /// Not over this socket.
    WrongEntrance,
    /// Not this user, or not of this host.
    WrongPeer,
    /// Not at this point of the connection.
    WrongMoment,
}

/// Users that the table knows by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownUsers {
    /// `cloudid-keys`, as whom sshd runs the key command.
    pub keys_command: Option<u32>,
    /// The directory user whom the request names, if there is one.
    pub named: Option<u32>,
}

enum Audience {
    Anyone,
    Root,
    KeysCommand,
    /// Root for anybody, others only for themselves.
    Themselves,
}

enum Moment {
    Any,
    First,
    AfterBegin,
}

const PAM: &[Entrance] = &[Entrance::Pam];
const NSS: &[Entrance] = &[Entrance::Nss];
const KEYS: &[Entrance] = &[Entrance::Keys];
const ADMIN: &[Entrance] = &[Entrance::Admin];
const PEOPLE: &[Entrance] = &[Entrance::User, Entrance::Admin];

fn row(request: &Request) -> (&'static [Entrance], Audience, Moment) {
    use Audience::{Anyone, KeysCommand, Root, Themselves};
    use Moment::{AfterBegin, Any, First};
    match request {
        Request::Begin(_) => (PAM, Themselves, First),
        // Only sshd's word about a key counts.
        Request::BeginAfterKey(_) => (PAM, Root, First),
        Request::Answer(_) => (PAM, Anyone, AfterBegin),
        Request::Account(_) => (PAM, Themselves, Any),
        Request::OpenSession(_) | Request::CloseSession(_) => (PAM, Root, Any),
        Request::AuthorizedKeys(_) => (KEYS, KeysCommand, First),
        Request::IdentityMemory
        | Request::IdentityMap
        | Request::OwnerOfId(_)
        | Request::OwnerOfName(_) => (NSS, Anyone, First),
        Request::Status => (PEOPLE, Anyone, Any),
        Request::Explain(_) => (PEOPLE, Themselves, Any),
        Request::SyncNow(_) => (ADMIN, Root, First),
    }
}

/// The login name a request is about, if it is about one.
#[must_use]
pub fn named_user(request: &Request) -> Option<&str> {
    match request {
        Request::Begin(begin) => Some(&begin.login.user),
        Request::BeginAfterKey(after) => Some(&after.begin.login.user),
        Request::Account(login) | Request::OpenSession(login) | Request::Explain(login) => {
            Some(&login.user)
        }
        Request::AuthorizedKeys(question) => Some(&question.user),
        Request::Answer(_)
        | Request::CloseSession(_)
        | Request::IdentityMemory
        | Request::IdentityMap
        | Request::OwnerOfId(_)
        | Request::OwnerOfName(_)
        | Request::Status
        | Request::SyncNow(_) => None,
    }
}

/// Who is told keys, by the cacher and by the lookup service: root, and sshd's key command.
#[must_use]
pub fn may_be_told_keys(peer: Standing, keys_command: Option<u32>) -> bool {
    let known = peer.alive && peer.of_this_host;
    known && (peer.uid == 0 || keys_command == Some(peer.uid))
}

/// Refuses what the table does not allow; the log gets the reason, the peer only "refused".
///
/// # Errors
/// The reason, for the log.
pub fn check(
    request: &Request,
    entrance: Entrance,
    peer: Standing,
    stage: Stage,
    users: KnownUsers,
) -> Result<(), Refusal> {
    if !peer.alive {
        return Err(Refusal::PeerGone);
    }
    let (entrances, audience, moment) = row(request);
    if !entrances.contains(&entrance) {
        return Err(Refusal::WrongEntrance);
    }
    let root = peer.uid == 0;
    let may = peer.of_this_host
        && match audience {
            Audience::Anyone => true,
            Audience::Root => root,
            Audience::KeysCommand => may_be_told_keys(peer, users.keys_command),
            Audience::Themselves => root || users.named == Some(peer.uid),
        };
    let now = match moment {
        Moment::Any => stage != Stage::Begun,
        Moment::First => stage == Stage::Fresh,
        Moment::AfterBegin => stage == Stage::Begun,
    };
    match (may, now) {
        (true, true) => Ok(()),
        (false, _) => Err(Refusal::WrongPeer),
        (true, false) => Err(Refusal::WrongMoment),
    }
}
