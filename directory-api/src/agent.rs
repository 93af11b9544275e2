//! The host channel `/agent/v1`. Hosts only dial out, by mutual TLS with their own key, and speak
//! only of themselves. Everything signed is verified again on the host; TLS is not the trust.
//!
//! | call | carries |
//! |---|---|
//! | `POST /agent/v1/enroll` | [`EnrollRequest`] -> [`EnrollAnswer`] (the one call without a client certificate) |
//! | `GET /agent/v1/root` | the signed root chain, bytes of `signed_bundle` |
//! | `GET /agent/v1/manifest[?wait=SECONDS&after=VERSION]` | the signed manifest, bytes; `304` when `after` is the newest |
//! | `GET /agent/v1/chunks/{sha256 hex}` | a chunk of this host's newest manifests, bytes |
//! | `GET /agent/v1/stream` | SSE: see [`stream`] |
//! | `POST /agent/v1/acks` | [`Acknowledgement`] |
//! | `POST /agent/v1/events` | [`EventBatch`] -> [`EventsStored`] |
//! | `POST /agent/v1/passwords` | [`PasswordChange`] -> 204, or a problem |
//! | `POST /agent/v1/verify` | [`PasswordCheck`] -> 204, or a problem |
//! | `POST /agent/v1/codes` | [`CodeCheck`] -> [`CodeChecked`], or a problem: `code_wrong`, `code_used`, `too_many_tries`, `mfa_not_enrolled`; [`FACTOR_UNAVAILABLE`] where nobody could tell |
//! | `POST /agent/v1/owners` | [`OwnersQuestion`] -> [`OwnersAnswer`] |
//! | `POST /agent/v1/certificates/renew` | [`CertificateRenewal`] -> [`CertificateRenewed`] |

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The directory is there, and whoever it asks about this kind of factor is not: the code of the
/// problem.
pub const FACTOR_UNAVAILABLE: &str = "factor_unavailable";

/// In every call of an enrolled host but the first: a random number of this start of its daemon, 32
/// digits of lower-case hexadecimal.
pub const RUN_HEADER: &str = "cloudid-run";

/// Another machine uses the identity of this host and was here first: the code of the problem.
pub const HOST_CLONED: &str = "host_cloned";

/// Names of the server-sent events on `/agent/v1/stream`. `data` is the decimal version for
/// [`MANIFEST`](stream::MANIFEST), base64 of a signed message for [`FAST`](stream::FAST), base64
/// of a signed time for [`TIME`](stream::TIME), and empty for [`PING`](stream::PING).
pub mod stream {
    /// A newer manifest is there.
    pub const MANIFEST: &str = "manifest";
    /// A signed fast-lane message (a revocation).
    pub const FAST: &str = "fast";
    /// A signed time.
    pub const TIME: &str = "time";
    /// Sent every 15 s.
    pub const PING: &str = "ping";
}

/// A host asks to be enrolled. The token itself never travels: its secret is an Ed25519 seed, the
/// directory keeps only the public key, and the proof is a signature over
/// [`EnrollRequest::transcript`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrollRequest {
    /// `tok_…`
    pub token_id: String,
    /// Wanted host name.
    pub hostname: String,
    /// PEM certificate signing request for the host's TLS key.
    pub certificate_request: String,
    /// X25519 public key, base64, to which credentials will be sealed.
    pub sealing_key: String,
    /// Random 32 bytes, base64; a repeated nonce of the same token is refused.
    pub nonce: String,
    /// What the host says of itself.
    pub facts: HostFacts,
    /// Tags from the host's own configuration; stored with the prefix `host:`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Ed25519 signature by the token's key over the transcript, base64.
    pub proof: String,
}

impl EnrollRequest {
    /// What the proof signs: every field that matters, each prefixed with its length.
    #[must_use]
    pub fn transcript(&self) -> Vec<u8> {
        let fields = [
            "cloudid-enroll-v1",
            &self.token_id,
            &self.hostname,
            &self.certificate_request,
            &self.sealing_key,
            &self.nonce,
        ];
        let mut transcript = Vec::new();
        for field in fields {
            transcript.extend_from_slice(&(field.len() as u64).to_be_bytes());
            transcript.extend_from_slice(field.as_bytes());
        }
        transcript
    }
}

/// An enrolment token as one line of text: `cloudid1.<token id>.<seed>.<fingerprint>`, the last two
/// in unpadded URL-safe base64. The fingerprint is the SHA-256 of the directory's CA certificate
/// (DER), so that the host knows whom it talks to before it says anything.
pub const TOKEN_PREFIX: &str = "cloudid1";

/// What an enrolled host gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollAnswer {
    /// `org_…`
    pub organisation: String,
    /// `hst_…`
    pub host_id: String,
    /// The host's name as the directory stored it.
    pub hostname: String,
    /// PEM client certificate for the host's TLS key.
    pub certificate: String,
    /// PEM certificate of the directory's CA, to be pinned.
    pub ca_certificate: String,
    /// The signed root chain, base64 of `signed_bundle` bytes.
    pub root_chain: String,
}

/// What a host says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// `PRETTY_NAME` of os-release.
    #[serde(default)]
    pub os: String,
    /// Machine type, `uname -m`.
    #[serde(default)]
    pub architecture: String,
    /// Kernel release, `uname -r`.
    #[serde(default)]
    pub kernel: String,
    /// Version of cloudid on the host.
    #[serde(default)]
    pub agent_version: String,
}

/// A host says what it has applied, and how long that took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Version of the manifest in force; 0 for none.
    pub bundle_version: u64,
    /// Highest fast-lane message applied.
    pub fast_lane_sequence: u64,
    /// The host's clock, milliseconds since 1970.
    pub host_time_ms: i64,
    /// Users whose sessions were ended because of this, with the number of processes ended.
    #[serde(default)]
    pub ended: Vec<EndedSessions>,
    /// Why a bundle was refused, where one was.
    #[serde(default)]
    pub refused: Option<String>,
}

/// Proof that a user's sessions were ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSessions {
    /// `usr_…`
    pub user: String,
    /// Processes ended.
    pub processes: u32,
    /// From receipt of the message to the end of the last process.
    pub took_ms: u64,
}

/// Events of one host in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventBatch {
    /// Boot id of the host (`/proc/sys/kernel/random/boot_id`) under which the spool was begun.
    pub boot: String,
    /// The events, ascending by sequence without holes.
    pub events: Vec<HostEvent>,
}

/// One event of a host. Its place in the host's chain is (host, boot, sequence).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostEvent {
    /// Boot id under which the event was written.
    pub boot: String,
    /// Number within the boot, from 1.
    pub sequence: u64,
    /// Host clock, milliseconds since 1970.
    pub time_ms: i64,
    /// Catalogue name, for example `auth.login`.
    pub kind: String,
    /// `success`, `failure`, `denied` or `error`.
    pub outcome: String,
    /// Login name concerned, if any.
    #[serde(default)]
    pub user: String,
    /// Further fields of the catalogue.
    #[serde(default)]
    pub details: Value,
    /// SHA-256 (hex) of the event before this one in the host's chain.
    pub previous_hash: String,
    /// SHA-256 (hex) over `previous_hash` and this event without its hash.
    pub hash: String,
}

impl HostEvent {
    /// What [`HostEvent::hash`] is the SHA-256 of: the hash before it, then the event as JSON with
    /// an empty hash. Fields of `details` are sorted by name on the host and travel in that order.
    #[must_use]
    pub fn hashed_bytes(&self) -> Vec<u8> {
        let bare = Self {
            hash: String::new(),
            ..self.clone()
        };
        let mut bytes = self.previous_hash.clone().into_bytes();
        // A value made of texts, numbers and maps with text keys always encodes.
        bytes.extend(serde_json::to_vec(&bare).unwrap_or_default());
        bytes
    }
}

/// What hosts write events about. The directory keeps an event of another kind as
/// `host.event_unknown`, with the kind among its details: no host can write what only the directory
/// or another part may say.
pub const HOST_EVENT_KINDS: &[&str] = &[
    "auth.failed",
    "auth.locked_out",
    "auth.login",
    "auth.mfa_failed",
    "auth.mfa_offline",
    "auth.mfa_replayed",
    "auth.offline_limit",
    "bundle.applied",
    "bundle.refused",
    "host.certificate_not_renewed",
    "host.clock_jump",
    "host.clock_skew",
    "host.facts_changed",
    "host.name_clash",
    "host.offline",
    "host.online",
    "host.stale",
    "host.tamper_suspected",
    "host.unenrolled",
    "session.closed",
    "session.expired",
    "session.idle_closed",
    "session.opened",
    "session.terminated",
    "user.mfa_horizon_low",
    "user.password_rejected",
    "user.password_set",
];

/// Up to where the directory has stored a host's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsStored {
    /// Boot id of the last event stored.
    pub boot: String,
    /// Sequence of the last event stored in that boot.
    pub sequence: u64,
}

/// A host asks for a new certificate before the one it calls with ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRenewal {
    /// PEM certificate signing request by the key that was enrolled.
    pub certificate_request: String,
}

/// The new certificate. The one before stays good until its own end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRenewed {
    /// PEM client certificate for the host's TLS key.
    pub certificate: String,
}

/// A person changes their password from a host.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// Login name.
    pub username: String,
    /// The password until now.
    pub old: String,
    /// The new one.
    pub new: String,
}

/// A password to be checked by the directory because the mirror has no verifier.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordCheck {
    /// Login name.
    pub username: String,
    /// What was typed.
    pub password: String,
}

/// A second factor to be checked, and burnt for the whole organisation, by the directory. The first
/// factor was right already.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeCheck {
    /// Login name.
    pub username: String,
    /// What was typed: a one-time code, a YubiKey's password or a backup code, told apart by shape.
    pub code: String,
    /// PAM service name.
    pub service: String,
    /// Where the login comes from; empty for a local one.
    #[serde(default)]
    pub source: String,
}

/// The code was right and is burnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeChecked {
    /// What it was.
    pub kind: policy::FactorKind,
    /// `mfa_…` or `bkc_…`
    pub device: String,
    /// For a time-based code its step, so that the host does not take it offline a second time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// Backup codes left, where it was one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_codes_left: Option<u32>,
}

/// Ids in the managed ranges, and names, without rights on the asking host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnersQuestion {
    /// User ids.
    #[serde(default)]
    pub uids: Vec<u32>,
    /// Group ids.
    #[serde(default)]
    pub gids: Vec<u32>,
    /// Login names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_names: Vec<String>,
    /// Group names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_names: Vec<String>,
}

/// Who was found; an id or name that is missing belongs to nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnersAnswer {
    /// `(uid, name)`
    pub users: Vec<(u32, String)>,
    /// `(gid, name)`
    pub groups: Vec<(u32, String)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;
    use serde_json::json;

    /// Whether one more field keeps a message from being read.
    fn refuses_more<T: DeserializeOwned>(mut message: Value) -> bool {
        assert!(serde_json::from_value::<T>(message.clone()).is_ok());
        message["since_a_later_version"] = json!({"something": 1});
        serde_json::from_value::<T>(message).is_err()
    }

    #[test]
    fn upg_01_an_answer_of_a_newer_directory_may_say_more() {
        let enrolled = json!({
            "organisation": "org_1", "host_id": "hst_1", "hostname": "web-1", "certificate": "",
            "ca_certificate": "", "root_chain": "",
        });
        assert!(!refuses_more::<EnrollAnswer>(enrolled));
        let checked = json!({"kind": "totp", "device": "mfa_1"});
        assert!(!refuses_more::<CodeChecked>(checked));
        assert!(!refuses_more::<OwnersAnswer>(
            json!({"users": [], "groups": []})
        ));
        let stored = json!({"boot": "b", "sequence": 1});
        assert!(!refuses_more::<EventsStored>(stored));
        assert!(!refuses_more::<CertificateRenewed>(
            json!({"certificate": ""})
        ));
    }

    #[test]
    fn upg_01_what_a_newer_host_demands_beyond_what_is_known_is_refused_and_what_it_tells_is_not() {
        let password = json!({"username": "a", "password": "b"});
        assert!(refuses_more::<PasswordCheck>(password));
        let change = json!({"username": "a", "old": "b", "new": "c"});
        assert!(refuses_more::<PasswordChange>(change));
        let code = json!({"username": "a", "code": "1", "service": "sshd"});
        assert!(refuses_more::<CodeCheck>(code));
        assert!(refuses_more::<OwnersQuestion>(json!({"uids": [1]})));
        assert!(refuses_more::<CertificateRenewal>(
            json!({"certificate_request": ""})
        ));

        let told = json!({"bundle_version": 1, "fast_lane_sequence": 0, "host_time_ms": 0});
        assert!(!refuses_more::<Acknowledgement>(told));
        assert!(!refuses_more::<EventBatch>(
            json!({"boot": "b", "events": []})
        ));
        assert!(!refuses_more::<HostFacts>(json!({"os": "Debian"})));
    }
}
