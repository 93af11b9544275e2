//! `/users/{id}/ssh-keys` and `/me/ssh-keys`: public keys that may log in as somebody.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// A public SSH key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SshKey {
    /// `ssh_…`
    pub id: String,
    /// `ssh-ed25519`, `sk-ssh-ed25519@openssh.com`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `SHA256:…` as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// `type base64`, without options and comment.
    pub public_key: String,
    /// Its owner's remark.
    pub comment: String,
    /// Lives in a hardware token.
    pub hardware: bool,
    /// The key ends here.
    pub expires_at: Option<Time>,
    /// Moment of creation.
    pub created_at: Time,
    /// Id of who added it.
    pub created_by: String,
}

/// `POST /users/{id}/ssh-keys`, `POST /me/ssh-keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSshKey {
    /// One line of an `id_….pub` file. A private key is refused.
    pub public_key: String,
    /// Replaces the comment in the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The key ends here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}
