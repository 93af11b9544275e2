//! What sshd is told about a person's keys, and what it says afterwards. Whether a key is enough
//! alone is decided when keys are served: sshd tells the account step nothing about a key, and the
//! key command nothing about where a login comes from. So the strictest policy that could hold
//! decides here, and the conversation, which knows the source, may still let a code be.

use policy::{Demand, FactorPolicy, Factors, FirstFactor};
use signed_bundle::{PersonRecord, SshKeyRecord};

/// The PAM service of sshd.
pub const SSHD: &str = "sshd";
/// sshd insists on presence and PIN.
const VERIFY_REQUIRED: &str = "verify-required ";

/// How keys are used here.
#[derive(Debug, Clone)]
pub struct KeyRule {
    hardware: Demand,
    software: Demand,
}

impl KeyRule {
    /// What these policies say.
    #[must_use]
    pub fn of(policies: &[FactorPolicy]) -> Self {
        let factors = Factors::from_anywhere(policies, SSHD);
        Self {
            hardware: factors.demand(FirstFactor::HardwareKey),
            software: factors.demand(FirstFactor::SoftwareKey),
        }
    }

    /// Whether a code must follow any key at all.
    #[must_use]
    pub fn demands_codes(&self) -> bool {
        let demands = [&self.hardware, &self.software];
        demands
            .iter()
            .any(|demand| matches!(demand, Demand::Code(_)))
    }

    /// Whether a code must follow one of a person's keys, of which these are the lines or the kinds:
    /// then sshd must ask for it.
    #[must_use]
    pub fn code_follows<'a>(&self, mut keys: impl Iterator<Item = &'a str>) -> bool {
        keys.any(|key| matches!(self.demand(key), Demand::Code(_)))
    }

    /// The line for sshd; `None` when the key is not to be used. `asks` says whether sshd asks this
    /// person for a code after a key.
    #[must_use]
    pub fn line(&self, key: &SshKeyRecord, asks: bool) -> Option<String> {
        if self.software == Demand::Nothing {
            return Some(key.line.clone());
        }
        match self.demand(&key.line) {
            Demand::Nothing => Some(format!("{VERIFY_REQUIRED}{}", key.line)),
            Demand::Code(_) => asks.then(|| key.line.clone()),
            Demand::NotAccepted => None,
        }
    }

    /// What a key proves that sshd has accepted.
    #[must_use]
    pub fn proof(&self, key: &SshKeyRecord) -> FirstFactor {
        let served_as_two = self.software != Demand::Nothing && self.hardware == Demand::Nothing;
        if is_hardware(&key.line) && served_as_two {
            FirstFactor::HardwareKey
        } else {
            FirstFactor::SoftwareKey
        }
    }

    /// Of a key whose line, or kind, begins so.
    fn demand(&self, key: &str) -> &Demand {
        if is_hardware(key) {
            &self.hardware
        } else {
            &self.software
        }
    }
}

/// The person's own key that sshd says it has accepted.
#[must_use]
pub fn accepted_key<'a>(person: &'a PersonRecord, proven: &str) -> Option<&'a SshKeyRecord> {
    let lines = proven.lines();
    let mut keys = lines.filter_map(|line| line.strip_prefix("publickey "));
    let key = keys.next()?.trim_end();
    person.ssh_keys.iter().find(|own| own.line == key)
}

fn is_hardware(key: &str) -> bool {
    key.starts_with("sk-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::{AuthMethod, FactorFields, FactorKind};

    fn key(kind: &str) -> SshKeyRecord {
        SshKeyRecord {
            fingerprint: String::new(),
            line: format!("{kind} AAAA"),
            expires_at: None,
        }
    }

    fn rule(fields: FactorFields) -> KeyRule {
        KeyRule::of(&[FactorPolicy {
            id: "pol_1".into(),
            services: std::collections::BTreeSet::new(),
            sources: Vec::new(),
            except_sources: Vec::new(),
            fields,
        }])
    }

    #[test]
    fn without_policies_every_key_is_served_as_it_is() {
        let rule = KeyRule::of(&[]);
        for key in [key("ssh-ed25519"), key("sk-ssh-ed25519@openssh.com")] {
            assert_eq!(rule.line(&key, false), Some(key.line.clone()));
            assert_eq!(rule.proof(&key), FirstFactor::SoftwareKey);
        }
    }

    #[test]
    fn by_default_a_hardware_key_is_enough_and_a_plain_one_needs_a_code() {
        let rule = rule(FactorFields::default());
        let hardware = key("sk-ssh-ed25519@openssh.com");
        let line = rule.line(&hardware, false).unwrap();
        assert_eq!(line, "verify-required sk-ssh-ed25519@openssh.com AAAA");
        assert_eq!(rule.proof(&hardware), FirstFactor::HardwareKey);
        let plain = key("ssh-ed25519");
        assert_eq!(rule.line(&plain, false), None, "sshd would not ask");
        assert_eq!(rule.line(&plain, true), Some(plain.line.clone()));
    }

    #[test]
    fn mfa_17_where_a_hardware_key_is_demanded_plain_keys_are_not_served() {
        let demanding = [
            FactorFields {
                auth_methods: Some([AuthMethod::HardwareKey].into()),
                ..FactorFields::default()
            },
            FactorFields {
                mfa_methods: Some([FactorKind::HardwareKey].into()),
                ..FactorFields::default()
            },
        ];
        for fields in demanding {
            let rule = rule(fields);
            for asks in [false, true] {
                assert_eq!(rule.line(&key("ssh-ed25519"), asks), None);
                assert!(
                    rule.line(&key("sk-ssh-ed25519@openssh.com"), asks)
                        .is_some()
                );
            }
        }
    }

    #[test]
    fn where_hardware_keys_do_not_count_they_are_keys_like_others() {
        let rule = rule(FactorFields {
            mfa_methods: Some([FactorKind::Totp].into()),
            ..FactorFields::default()
        });
        let hardware = key("sk-ssh-ed25519@openssh.com");
        assert_eq!(rule.line(&hardware, false), None);
        assert_eq!(rule.line(&hardware, true), Some(hardware.line.clone()));
        assert_eq!(rule.proof(&hardware), FirstFactor::SoftwareKey);
    }
}
