//! Typed, sortable ids: a prefix and a UUID of version 7, such as `usr_0192…`.

use jiff::Timestamp;
use uuid::Builder;

use crate::clock::{NoRandomness, Random};

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `usr_`
    User,
    /// `grp_`
    Group,
    /// `hst_`
    Host,
    /// `prj_`
    Project,
    /// `acc_`
    AccessRule,
    /// `tok_`
    EnrollmentToken,
    /// `ssh_`
    SshKey,
    /// `key_`
    ApiToken,
    /// `ses_`
    Session,
    /// `rol_`
    RoleAssignment,
    /// `mfa_`
    MfaDevice,
    /// `bkc_`
    BackupCode,
    /// `pol_`
    Policy,
    /// `evt_`
    Event,
    /// `org_`
    Organisation,
    /// `inv_`
    Invitation,
}

const LENGTH: usize = 36;

impl Kind {
    /// The prefix with its underscore.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::User => "usr_",
            Self::Group => "grp_",
            Self::Host => "hst_",
            Self::Project => "prj_",
            Self::AccessRule => "acc_",
            Self::EnrollmentToken => "tok_",
            Self::SshKey => "ssh_",
            Self::ApiToken => "key_",
            Self::Session => "ses_",
            Self::RoleAssignment => "rol_",
            Self::MfaDevice => "mfa_",
            Self::BackupCode => "bkc_",
            Self::Policy => "pol_",
            Self::Event => "evt_",
            Self::Organisation => "org_",
            Self::Invitation => "inv_",
        }
    }

    /// A new id; ids made later sort behind.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new_id(self, now: Timestamp, random: &Random) -> Result<String, NoRandomness> {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let uuid = Builder::from_unix_timestamp_millis(millis, &random.bytes()?).into_uuid();
        Ok(format!("{}{}", self.prefix(), uuid.simple()))
    }

    /// Whether a text is an id of this kind. No login name and no host name is: ids are too long
    /// for the one and hold an underscore, which the other cannot.
    #[must_use]
    pub fn is_id(self, text: &str) -> bool {
        text.len() == LENGTH
            && text.strip_prefix(self.prefix()).is_some_and(|rest| {
                rest.bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_sort_behind_earlier_ones() {
        let random = Random::of_system();
        let at = |millis| {
            let moment = Timestamp::from_millisecond(millis).unwrap();
            Kind::User.new_id(moment, &random).unwrap()
        };
        assert!(at(1_000) < at(1_001));
        assert!(Kind::User.is_id(&at(5)));
        assert!(!Kind::Group.is_id(&at(5)));
    }
}
