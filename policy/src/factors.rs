//! How a login must be proven: which methods, whether a second factor, which kinds of it, and what
//! holds while the directory is away. Several policies may apply to one login; for each field the
//! strictest value wins, and a field that none of them sets has its default.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Longest stock of coming codes a host may hold.
pub const OFFLINE_HORIZON_SECONDS_MAX: u64 = 72 * 3600;

/// A way to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AuthMethod {
    /// An SSH certificate that says when a factor was proven.
    #[serde(rename = "cert")]
    Certificate,
    /// A hardware SSH key that demands its owner's presence and PIN: two factors in one.
    #[serde(rename = "hardware-key")]
    HardwareKey,
    /// A software SSH key, then a code.
    #[serde(rename = "publickey+code")]
    PublicKeyAndCode,
    /// A password, then a code.
    #[serde(rename = "password+code")]
    PasswordAndCode,
    /// A software SSH key alone.
    #[serde(rename = "publickey")]
    PublicKey,
    /// A password alone.
    #[serde(rename = "password")]
    Password,
}

/// A kind of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactorKind {
    /// A hardware SSH key.
    HardwareKey,
    /// A certificate issued after a factor was proven.
    Cert,
    /// A time-based one-time code (RFC 6238).
    Totp,
    /// A one-time password of a YubiKey.
    YubikeyOtp,
    /// One of a person's single-use codes for emergencies.
    BackupCode,
}

/// What happens to somebody who must prove a second factor and has none. The order is from loose to
/// strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Unenrolled {
    /// The first factor is enough.
    Allow,
    /// It is enough for so many logins.
    Grace(u8),
    /// Refused, with the way to enrol.
    Deny,
}

/// Whether codes count while the directory is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfflineCodes {
    /// By ten bits of each coming code.
    CheckBits,
    /// No.
    Deny,
}

/// One policy as hosts get it: for which logins, and the fields it sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorPolicy {
    /// `pol_…`
    pub id: String,
    /// Only for these PAM services; empty means all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<String>,
    /// Only for logins from these networks; empty means from anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<IpNet>,
    /// Not for logins from these networks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_sources: Vec<IpNet>,
    /// What it sets.
    pub fields: FactorFields,
}

/// The fields a policy may set. Durations in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactorFields {
    /// Ways to log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_methods: Option<BTreeSet<AuthMethod>>,
    /// Whether a second factor is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_required: Option<bool>,
    /// Kinds that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_methods: Option<BTreeSet<FactorKind>>,
    /// Those who have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unenrolled: Option<Unenrolled>,
    /// Not asked again for so long: same person, host, service and source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remember_seconds: Option<u64>,
    /// While the directory is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_codes: Option<OfflineCodes>,
    /// How far the stock of coming codes reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_horizon_seconds: Option<u64>,
    /// Wrong codes before a lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_tries: Option<u32>,
    /// How long the first such lock lasts; each further one lasts twice as long, up to a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_lock_seconds: Option<u64>,
    /// Whether backup codes count while the directory is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_backup_codes: Option<bool>,
}

/// What holds for one login, every field decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factors {
    /// Ways to log in.
    pub auth_methods: BTreeSet<AuthMethod>,
    /// Whether a second factor is needed.
    pub mfa_required: bool,
    /// Kinds that count.
    pub mfa_methods: BTreeSet<FactorKind>,
    /// Those who have none.
    pub unenrolled: Unenrolled,
    /// How long a proven factor is remembered.
    pub remember_seconds: u64,
    /// While the directory is away.
    pub offline_codes: OfflineCodes,
    /// How far the stock of coming codes reaches.
    pub offline_horizon_seconds: u64,
    /// Wrong codes before a lock.
    pub code_tries: u32,
    /// How long the first such lock lasts.
    pub code_lock_seconds: u64,
    /// Whether backup codes count while the directory is away.
    pub offline_backup_codes: bool,
}

impl FactorPolicy {
    /// Whether it is about logins by this service from there; a login without a source comes from
    /// the machine itself.
    #[must_use]
    pub fn concerns(&self, service: &str, source: Option<IpAddr>) -> bool {
        let within = |networks: &[IpNet]| {
            source.is_some_and(|source| networks.iter().any(|network| network.contains(&source)))
        };
        (self.services.is_empty() || self.services.contains(service))
            && (self.sources.is_empty() || within(&self.sources))
            && !within(&self.except_sources)
    }
}

impl FactorFields {
    /// Both together: for each field the stricter value.
    #[must_use]
    pub fn strictest(self, other: &Self) -> Self {
        let stricter = other.clone();
        Self {
            auth_methods: both(self.auth_methods, stricter.auth_methods, common),
            mfa_required: both(self.mfa_required, stricter.mfa_required, |a, b| a || b),
            mfa_methods: both(self.mfa_methods, stricter.mfa_methods, common),
            unenrolled: both(self.unenrolled, stricter.unenrolled, Unenrolled::stricter),
            remember_seconds: both(self.remember_seconds, stricter.remember_seconds, u64::min),
            offline_codes: both(
                self.offline_codes,
                stricter.offline_codes,
                OfflineCodes::max,
            ),
            offline_horizon_seconds: both(
                self.offline_horizon_seconds,
                stricter.offline_horizon_seconds,
                u64::min,
            ),
            code_tries: both(self.code_tries, stricter.code_tries, u32::min),
            code_lock_seconds: both(self.code_lock_seconds, stricter.code_lock_seconds, u64::max),
            offline_backup_codes: both(
                self.offline_backup_codes,
                stricter.offline_backup_codes,
                |a, b| a && b,
            ),
        }
    }

    /// Every field decided: what is not set has its default.
    #[must_use]
    pub fn decided(self) -> Factors {
        let standard = Factors::standard();
        Factors {
            auth_methods: self.auth_methods.unwrap_or(standard.auth_methods),
            mfa_required: self.mfa_required.unwrap_or(standard.mfa_required),
            mfa_methods: self.mfa_methods.unwrap_or(standard.mfa_methods),
            unenrolled: self.unenrolled.unwrap_or(standard.unenrolled),
            remember_seconds: self.remember_seconds.unwrap_or(standard.remember_seconds),
            offline_codes: self.offline_codes.unwrap_or(standard.offline_codes),
            offline_horizon_seconds: self
                .offline_horizon_seconds
                .unwrap_or(standard.offline_horizon_seconds)
                .min(OFFLINE_HORIZON_SECONDS_MAX),
            code_tries: self.code_tries.unwrap_or(standard.code_tries),
            code_lock_seconds: self.code_lock_seconds.unwrap_or(standard.code_lock_seconds),
            offline_backup_codes: self
                .offline_backup_codes
                .unwrap_or(standard.offline_backup_codes),
        }
    }
}

impl Factors {
    /// What holds for a login by these policies. Where none concerns it one factor is enough: an
    /// organisation that wants more says so, and one policy for sudo changes nothing for sshd.
    #[must_use]
    pub fn of(policies: &[FactorPolicy], service: &str, source: Option<IpAddr>) -> Self {
        policies
            .iter()
            .filter(|policy| policy.concerns(service, source))
            .map(|policy| policy.fields.clone())
            .reduce(|fields, more| fields.strictest(&more))
            .map_or_else(Self::one_factor, FactorFields::decided)
    }

    /// What holds where nothing else is said.
    #[must_use]
    pub fn standard() -> Self {
        use AuthMethod::{Certificate, HardwareKey, PasswordAndCode, PublicKeyAndCode};
        Self {
            auth_methods: [Certificate, HardwareKey, PublicKeyAndCode, PasswordAndCode].into(),
            mfa_required: true,
            mfa_methods: [
                FactorKind::HardwareKey,
                FactorKind::Cert,
                FactorKind::Totp,
                FactorKind::YubikeyOtp,
                FactorKind::BackupCode,
            ]
            .into(),
            unenrolled: Unenrolled::Grace(3),
            remember_seconds: 0,
            offline_codes: OfflineCodes::CheckBits,
            offline_horizon_seconds: 24 * 3600,
            code_tries: 3,
            code_lock_seconds: 15 * 60,
            offline_backup_codes: true,
        }
    }

    /// As a policy that sets every field would say it.
    #[must_use]
    pub fn fields(&self) -> FactorFields {
        FactorFields {
            auth_methods: Some(self.auth_methods.clone()),
            mfa_required: Some(self.mfa_required),
            mfa_methods: Some(self.mfa_methods.clone()),
            unenrolled: Some(self.unenrolled),
            remember_seconds: Some(self.remember_seconds),
            offline_codes: Some(self.offline_codes),
            offline_horizon_seconds: Some(self.offline_horizon_seconds),
            code_tries: Some(self.code_tries),
            code_lock_seconds: Some(self.code_lock_seconds),
            offline_backup_codes: Some(self.offline_backup_codes),
        }
    }

    /// A password or any key is enough; codes are not asked for.
    #[must_use]
    pub fn one_factor() -> Self {
        let standard = Self::standard();
        let mut auth_methods = standard.auth_methods.clone();
        auth_methods.extend([AuthMethod::PublicKey, AuthMethod::Password]);
        Self {
            auth_methods,
            mfa_required: false,
            unenrolled: Unenrolled::Allow,
            ..standard
        }
    }
}

/// The sterner of two values; one alone is the answer.
fn both<T>(one: Option<T>, other: Option<T>, sterner: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(sterner(one, other)),
        (one, other) => one.or(other),
    }
}

fn common<T: Ord>(mut one: BTreeSet<T>, other: BTreeSet<T>) -> BTreeSet<T> {
    one.retain(|value| other.contains(value));
    drop(other);
    one
}

impl Unenrolled {
    fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Grace(one), Self::Grace(other)) => Self::Grace(one.min(other)),
            (Self::Grace(logins), Self::Allow) | (Self::Allow, Self::Grace(logins)) => {
                Self::Grace(logins)
            }
            (Self::Allow, Self::Allow) => Self::Allow,
        }
    }
}

impl fmt::Display for Unenrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("allow"),
            Self::Grace(logins) => write!(f, "grace:{logins}"),
            Self::Deny => f.write_str("deny"),
        }
    }
}

impl From<Unenrolled> for String {
    fn from(value: Unenrolled) -> Self {
        value.to_string()
    }
}

/// Not a word for what happens to people without a second factor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither allow, deny nor grace: and a number of logins from 1 to 100")]
pub struct BadUnenrolled(String);

impl FromStr for Unenrolled {
    type Err = BadUnenrolled;

    fn from_str(text: &str) -> Result<Self, BadUnenrolled> {
        let grace = || {
            let logins = text.strip_prefix("grace:")?.parse().ok()?;
            (1..=100).contains(&logins).then_some(Self::Grace(logins))
        };
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            _ => grace().ok_or_else(|| BadUnenrolled(text.chars().take(64).collect())),
        }
    }
}

impl TryFrom<String> for Unenrolled {
    type Error = BadUnenrolled;

    fn try_from(text: String) -> Result<Self, BadUnenrolled> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(fields: FactorFields) -> FactorPolicy {
        FactorPolicy {
            id: "pol_1".into(),
            services: BTreeSet::new(),
            sources: Vec::new(),
            except_sources: Vec::new(),
            fields,
        }
    }

    #[test]
    fn one_factor_is_enough_where_no_policy_concerns_a_login() {
        assert_eq!(Factors::of(&[], "sshd", None), Factors::one_factor());
        let mut empty = policy(FactorFields::default());
        let everywhere = [empty.clone()];
        assert_eq!(Factors::of(&everywhere, "sshd", None), Factors::standard());
        empty.services = ["sudo".into()].into();
        let sudo_only = [empty];
        assert_eq!(Factors::of(&sudo_only, "sshd", None), Factors::one_factor());
        assert_eq!(Factors::of(&sudo_only, "sudo", None), Factors::standard());
    }

    #[test]
    fn for_each_field_the_strictest_value_wins() {
        let loose = policy(FactorFields {
            mfa_required: Some(false),
            unenrolled: Some(Unenrolled::Grace(5)),
            code_tries: Some(5),
            auth_methods: Some([AuthMethod::Password, AuthMethod::HardwareKey].into()),
            ..FactorFields::default()
        });
        let strict = policy(FactorFields {
            mfa_required: Some(true),
            unenrolled: Some(Unenrolled::Grace(2)),
            code_tries: Some(3),
            auth_methods: Some([AuthMethod::HardwareKey].into()),
            ..FactorFields::default()
        });
        for order in [[loose.clone(), strict.clone()], [strict, loose]] {
            let factors = Factors::of(&order, "sshd", None);
            assert!(factors.mfa_required);
            assert_eq!(factors.unenrolled, Unenrolled::Grace(2));
            assert_eq!(factors.code_tries, 3);
            assert_eq!(factors.auth_methods, [AuthMethod::HardwareKey].into());
        }
    }

    #[test]
    fn a_policy_concerns_its_services_and_sources_only() {
        let mut office = policy(FactorFields::default());
        office.services = ["sshd".into()].into();
        office.except_sources = vec!["10.0.0.0/8".parse().unwrap()];
        let from = |text: &str| Some(text.parse().unwrap());
        assert!(office.concerns("sshd", from("192.0.2.1")));
        assert!(office.concerns("sshd", None));
        assert!(!office.concerns("sshd", from("10.1.2.3")));
        assert!(!office.concerns("sudo", None));
        office.sources = vec!["192.0.2.0/24".parse().unwrap()];
        assert!(office.concerns("sshd", from("192.0.2.1")));
        assert!(!office.concerns("sshd", from("198.51.100.1")));
        assert!(!office.concerns("sshd", None));
    }

    #[test]
    fn a_horizon_is_never_longer_than_three_days() {
        let far = policy(FactorFields {
            offline_horizon_seconds: Some(u64::MAX),
            ..FactorFields::default()
        });
        let factors = Factors::of(&[far], "sshd", None);
        assert_eq!(factors.offline_horizon_seconds, OFFLINE_HORIZON_SECONDS_MAX);
    }

    #[test]
    fn words_for_the_unenrolled_are_read_back() {
        for text in ["allow", "deny", "grace:3"] {
            assert_eq!(text.parse::<Unenrolled>().unwrap().to_string(), text);
        }
        for text in ["", "grace", "grace:0", "grace:101", "grace:-1", "Deny"] {
            assert!(text.parse::<Unenrolled>().is_err(), "{text}");
        }
    }
}
