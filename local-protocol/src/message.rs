//! Every message on the Unix sockets of a host. New variants go to the end: the encoding numbers
//! them, and a module loaded a year ago must still be understood.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// What a client may ask the cacher. Who may ask what stands in `cacher-daemon/src/access.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// PAM begins to authenticate or to change a password; the cacher drives the conversation.
    Begin(Begin),
    /// The answer to the last prompt of this connection.
    Answer(Secret),
    /// PAM account step: may this person in, whatever proved who they are?
    Account(Login),
    /// PAM session step: make the home, register the session.
    OpenSession(Login),
    /// The session registered under this id has ended.
    CloseSession(SessionId),
    /// sshd asks for the keys of a user.
    AuthorizedKeys(KeyQuestion),
    /// Who owns an id that the identity map does not know?
    OwnerOfId(IdQuestion),
    /// What `cloudid host-status` shows.
    Status,
    /// Fetch the newest bundle now.
    SyncNow(SyncNow),
    /// Why may, or may not, this person in? Same engine as the account step.
    Explain(Login),
    /// As modules of earlier versions ask for the identity map in memory: they are told that there is
    /// none, and read the published file.
    IdentityMemory,
    /// Who has a name that the identity map does not know?
    OwnerOfName(NameQuestion),
    /// PAM begins to authenticate somebody of whom sshd has accepted a key already.
    BeginAfterKey(BeginAfterKey),
    /// A process that looks up much asks for the identity map as a sealed memory file.
    IdentityMap,
}

/// What the cacher answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Ask the person, then send [`Request::Answer`].
    Prompt(Prompt),
    /// Show this and read the next reply; no answer is expected.
    Say(String),
    /// The conversation or question is over.
    Done(Outcome),
    /// The session is registered.
    SessionOpened(SessionId),
    /// Lines for sshd, one key each.
    Keys(Vec<String>),
    /// The owner of an id.
    Owner(Owner),
    /// State of the host.
    Status(HostStatus),
    /// The engine's answer in full, as JSON of `policy::Decision`.
    Explained(String),
    /// The peer may not ask this, or not now. The reason is in the cacher's log only.
    Refused,
    /// The question could not be answered: neither yes nor no.
    Unavailable(String),
    /// What earlier versions answered to [`Request::IdentityMemory`].
    IdentityMemory,
    /// With this frame come two descriptors: the sealed memory file of the map in force, and the one
    /// that marks which map is in force.
    IdentityMap,
}

/// What PAM begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Authenticate, or change the password.
    pub purpose: Purpose,
    /// Who, where from, for which service.
    pub login: Login,
    /// Whether any other source on this host knows the name (the module asked `getpwnam`).
    pub known_elsewhere: bool,
}

/// What PAM begins after sshd has accepted a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginAfterKey {
    /// As without a key.
    pub begin: Begin,
    /// `SSH_AUTH_INFO_0` of the PAM environment: one line for each method that succeeded.
    pub proven: String,
}

/// Why a conversation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// `pam_sm_authenticate`.
    Authenticate,
    /// `pam_sm_chauthtok`, second pass.
    ChangePassword,
    /// `pam_sm_chauthtok`, first pass: can a change be made at all?
    MayChangePassword,
}

/// A login as PAM describes it. Texts are what the service said; only the kernel is believed
/// about who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Login {
    /// `PAM_USER`, or `PAM_RUSER` in sudo's session step.
    pub user: String,
    /// `PAM_SERVICE`.
    pub service: String,
    /// `PAM_RHOST`; empty for local callers.
    pub remote_host: String,
    /// `PAM_RUSER`.
    pub remote_user: String,
    /// `PAM_TTY`.
    pub terminal: String,
    /// Process that made the PAM call; checked against the kernel's word.
    pub process: u32,
}

/// A prompt for the person, understandable alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// The text, already cleaned and at most 1 KiB.
    pub text: String,
    /// Whether what is typed may be shown.
    pub echo: bool,
}

/// How a conversation or question ended. `pam_cloudid` turns each into one PAM code, in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Yes.
    Allowed,
    /// Wrong password or code.
    WrongAnswer,
    /// Refused by rule, state or schedule; the sentence was said before.
    Denied,
    /// The account has ended.
    Expired,
    /// Too many tries.
    TooManyTries,
    /// Yes, but a new password must be set now.
    PasswordMustChange,
    /// Not a user of the directory, and known elsewhere: the next module's business.
    NotOurs,
    /// Cannot tell; the next module refuses.
    CannotTell,
    /// The new password was refused or could not be stored; nothing was changed.
    PasswordUnchanged,
}

/// Number of a registered session, unguessable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionId(pub [u8; 16]);

/// sshd's question: `%u %t %k` of `AuthorizedKeysCommand`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyQuestion {
    /// The user who wants in.
    pub user: String,
    /// Type of the offered key.
    pub key_type: String,
    /// The offered key in base64.
    pub key: String,
}

/// An id that the map lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdQuestion {
    /// A user id.
    User(u32),
    /// A group id.
    Group(u32),
}

/// A name that the map lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NameQuestion {
    /// A login name.
    User(String),
    /// A group name.
    Group(String),
}

/// Who owns an id, or has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// A user without rights here.
    User {
        /// Login name.
        name: String,
        /// User id.
        uid: u32,
        /// Primary group.
        gid: u32,
    },
    /// A group that does not appear here.
    Group {
        /// Group name.
        name: String,
        /// Group id.
        gid: u32,
    },
    /// Known to belong to nobody.
    Nobody,
}

/// How to synchronise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncNow {
    /// Root confirms that a bundle which removes most people is meant so.
    pub accept_shrink: bool,
}

/// What `cloudid host-status` shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostStatus {
    /// `hst_…`; empty before enrolment.
    pub host_id: String,
    /// Host name in the directory.
    pub host_name: String,
    /// Address of the directory.
    pub directory: String,
    /// Whether the push stream is open.
    pub online: bool,
    /// Version of the bundle in force; 0 for none.
    pub bundle_version: u64,
    /// When that bundle was signed, milliseconds since 1970; 0 for none.
    pub bundle_issued_at_ms: i64,
    /// The newest signed time seen, milliseconds since 1970.
    pub newest_signed_time_ms: i64,
    /// People in the slice.
    pub people: u32,
    /// Groups in the slice.
    pub groups: u32,
    /// Open sessions of directory users.
    pub sessions: u32,
    /// Events not yet accepted by the directory.
    pub events_waiting: u64,
    /// The last thing that went wrong, empty when nothing did.
    pub last_error: String,
}

/// What the cacher may ask `cloudid-helper`: the whole list of what is done as root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Make a home from the skeleton, if there is none.
    MakeHome(MakeHome),
    /// End every process of a directory user.
    EndSessions {
        /// Must lie in the directory's ranges and belong to no local account.
        uid: u32,
    },
    /// Tell nscd, if it runs, to forget users and groups.
    ForgetNameCache,
}

/// Arguments of [`Verb::MakeHome`]; the helper checks each again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeHome {
    /// Absolute path below a home root.
    pub home: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bits taken away from modes, for example 0o077.
    pub umask: u32,
}

/// What the helper answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VerbResult {
    /// Done; for [`Verb::EndSessions`] the number of processes ended.
    Done(u32),
    /// Refused or failed, and why.
    Failed(String),
}
