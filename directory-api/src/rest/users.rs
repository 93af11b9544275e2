//! `/users`: the people of the organisation.

use std::collections::BTreeMap;

use policy::UserState;
use posix_names::{HomeDirectory, LoginShell, Uid, UserName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BackupCodes, MfaDevice, Secret, Time};

/// A person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// `usr_…`
    pub id: String,
    /// Login name; never changes once the user was active.
    #[schema(value_type = String)]
    pub username: UserName,
    /// User id, the same on every host.
    #[schema(value_type = u32)]
    pub uid: Uid,
    /// Private group, the same number.
    pub gid: u32,
    /// `staged`, `active`, `suspended` or `deleted`.
    #[schema(value_type = String)]
    pub state: UserState,
    /// What an administrator may edit.
    #[serde(flatten)]
    pub settings: UserSettings,
    /// Names of the groups this user is a direct member of.
    pub groups: Vec<String>,
    /// Names of the roles.
    pub roles: Vec<String>,
    /// Passwords are refused until then; keys are not.
    pub locked_until: Option<Time>,
    /// Newest login that the directory knows of.
    pub last_login_at: Option<Time>,
    /// Whether there is a password; never the password.
    pub password: PasswordStatus,
    /// How many SSH keys are registered.
    pub ssh_keys: u64,
    /// Devices that show or type one-time codes.
    pub mfa: Vec<MfaDevice>,
    /// How many backup codes are left, and since when.
    pub backup_codes: BackupCodes,
    /// Codes are refused until then, after wrong ones.
    pub codes_locked_until: Option<Time>,
    /// When a code of theirs was last seen a second time; until somebody unlocks.
    pub code_used_twice_at: Option<Time>,
    /// Moment of creation.
    pub created_at: Time,
    /// Id of the creator.
    pub created_by: String,
    /// Newest change.
    pub updated_at: Time,
    /// The ETag, without quotes.
    pub version: u64,
}

/// What may be edited of a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserSettings {
    /// Name of the person.
    #[serde(default)]
    pub display_name: String,
    /// Where mail goes.
    #[serde(default)]
    pub email: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Home directory; `/home/USERNAME` when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub home: Option<HomeDirectory>,
    /// Login shell; `/bin/bash` when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub shell: Option<LoginShell>,
    /// The account ends by itself at this moment.
    #[serde(default)]
    pub expires_at: Option<Time>,
    /// Free `key: value` pairs.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// `POST /users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Login name.
    #[schema(value_type = String)]
    pub username: UserName,
    /// Only for imports: a uid inside the directory's ranges that was never used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub uid: Option<Uid>,
    /// `true` to be active at once; otherwise the user is staged.
    #[serde(default)]
    pub active: bool,
    /// Groups to join, by id or name.
    #[serde(default)]
    pub groups: Vec<String>,
    /// As [`UserSettings::display_name`].
    #[serde(default)]
    pub display_name: String,
    /// As [`UserSettings::email`].
    #[serde(default)]
    pub email: String,
    /// As [`UserSettings::description`].
    #[serde(default)]
    pub description: String,
    /// As [`UserSettings::home`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub home: Option<HomeDirectory>,
    /// As [`UserSettings::shell`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub shell: Option<LoginShell>,
    /// As [`UserSettings::expires_at`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// As [`UserSettings::labels`].
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Whether a user has a password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordStatus {
    /// When it was set; absent when there is none.
    pub set_at: Option<Time>,
    /// The user has to choose another one at the next login.
    pub must_change: bool,
}

/// `POST /users/{id}/reset-password`: exactly one of `password` and `verifier`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// The new password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Only for imports: a crypt string `$6$…`, `$y$…`, `$2b$…` or a PHC string `$argon2id$…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Secret>,
    /// The user has to choose another one at the next login.
    #[serde(default)]
    pub must_change: bool,
}

/// Body of `POST /users/{id}/{activate | suspend | unlock | offboard}` and of the like on hosts;
/// the body may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserReason {
    /// Why, for the audit.
    #[serde(default)]
    pub reason: String,
}
