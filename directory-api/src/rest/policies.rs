//! `/policies`: how logins must be proven. Where several concern a login, for each field the
//! strictest value wins; where one does, a field that none of them sets has its default; where none
//! does, one factor is enough.

use std::collections::BTreeSet;
use std::fmt;

use ipnet::IpNet;
use policy::{AuthMethod, FactorKind, OfflineCodes, Selector, Unenrolled};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{BadLifetime, Lifetime, Time};

/// A policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// `pol_…`
    pub id: String,
    /// What may be edited.
    #[serde(flatten)]
    pub settings: PolicySettings,
    /// Moment of creation.
    pub created_at: Time,
    /// Id of the creator.
    pub created_by: String,
    /// Newest change.
    pub updated_at: Time,
    /// The ETag, without quotes.
    pub version: u64,
}

/// `POST /policies`, and what may be edited later. Without `project` and `hosts` it is for the whole
/// organisation, with both for hosts of which both are true.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySettings {
    /// `[a-z0-9][a-z0-9._-]{0,62}`
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Only for hosts of this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Only for these hosts, such as `env=prod,!legacy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub hosts: Option<Selector>,
    /// Only for these PAM services, such as `sshd` and `sudo`; for all that ask people when empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<String>,
    /// Only for logins from these networks; from anywhere when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub sources: Vec<IpNet>,
    /// Not for logins from these networks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub except_sources: Vec<IpNet>,
    /// Ways to log in: `cert`, `hardware-key`, `publickey+code`, `password+code`, `publickey`,
    /// `password`; all but the last two by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub auth_methods: Option<BTreeSet<AuthMethod>>,
    /// The second factor.
    #[serde(default, skip_serializing_if = "MfaSettings::is_empty")]
    pub mfa: MfaSettings,
    /// While a host cannot reach the directory.
    #[serde(default, skip_serializing_if = "OfflineSettings::is_empty")]
    pub offline: OfflineSettings,
}

/// What a policy says of second factors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MfaSettings {
    /// Whether one is needed; by default it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Kinds that count: `hardware-key`, `cert`, `totp`, `yubikey-otp`, `backup-code`; all by
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub methods: Option<BTreeSet<FactorKind>>,
    /// Those who have none: `allow`, `deny`, or `grace:3` for three logins, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub unenrolled: Option<Unenrolled>,
    /// Not asked again for so long on the same host, for the same service, from the same address;
    /// `0s` by default, at most 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remember: Option<Span>,
}

/// What a policy says of hosts that cannot reach the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfflineSettings {
    /// Whether codes of an authenticator count: `check-bits`, which is the default, or `deny`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub mfa: Option<OfflineCodes>,
    /// For how long they do; 24 hours by default, at most 72.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<Lifetime>,
    /// Wrong codes before a lock; 3 by default, at most 10, and 0 lets nobody try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_tries: Option<u32>,
    /// How long the first lock lasts; 15 minutes by default. Each further one lasts twice as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_for: Option<Lifetime>,
    /// Whether backup codes count; by default they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_codes: Option<bool>,
}

impl MfaSettings {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl OfflineSettings {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A length of time that may be none: `0s`, or as a [`Lifetime`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "10m")]
pub struct Span(Option<Lifetime>);

impl Span {
    /// Reads `0s`, `90s`, `10m`, `8h` or `90d`.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse(text: &str) -> Result<Self, BadLifetime> {
        match text {
            "0s" => Ok(Self(None)),
            text => Lifetime::parse(text).map(|lifetime| Self(Some(lifetime))),
        }
    }

    /// The length in seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0.map_or(0, |length| length.seconds().unsigned_abs())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(length) => length.fmt(f),
            None => f.write_str("0s"),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = BadLifetime;
    fn try_from(text: String) -> Result<Self, BadLifetime> {
        Self::parse(&text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

/// `GET /hosts/{id}/effective-policy`: what holds for logins by one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EffectivePolicy {
    /// Host name.
    pub host: String,
    /// The PAM service that was asked about.
    pub service: String,
    /// Names of the policies that concern such a login; with none of them one factor is enough.
    pub policies: Vec<String>,
    /// Every field with its value.
    pub fields: Vec<EffectiveField>,
}

/// A field in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EffectiveField {
    /// Such as `mfa.required`.
    pub field: String,
    /// What holds.
    pub value: Value,
    /// Names of the policies that set exactly this; none where it is a default, or where several
    /// together make it.
    pub from: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_may_be_none_and_is_written_as_it_was_read() {
        for text in ["0s", "90s", "10m", "12h"] {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
        assert!(Span::parse("0m").is_err() && Span::parse("-1s").is_err());
    }

    #[test]
    fn what_a_policy_does_not_set_is_not_written() {
        let settings = PolicySettings {
            name: "all".to_owned(),
            ..PolicySettings::default()
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(text, r#"{"name":"all","description":""}"#);
        assert_eq!(
            serde_json::from_str::<PolicySettings>(&text).unwrap(),
            settings
        );
    }
}
