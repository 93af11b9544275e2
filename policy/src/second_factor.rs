//! Whether a login needs a second factor, which kinds of it count, and what becomes of somebody who
//! has none. What is asked for depends on the policies alone, never on who asks, so that prompts
//! tell nobody which names exist.

use std::collections::BTreeSet;

use crate::factors::{AuthMethod, FactorKind, FactorPolicy, Factors, Unenrolled};

/// What was proven first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FirstFactor {
    /// A password.
    Password,
    /// An SSH key in a file.
    SoftwareKey,
    /// An SSH key in hardware that has checked its owner's presence and PIN.
    HardwareKey,
}

/// What must follow a first factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    Nothing,
    /// A code of one of these kinds.
    Code(BTreeSet<FactorKind>),
    /// Nothing helps: this first factor is not accepted here.
    NotAccepted,
}

/// What a demand for a code means for one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A code of one of these kinds, all of which the person has.
    Asked(BTreeSet<FactorKind>),
    /// None, although the person has no factor: the policy lets it pass. So many more such logins
    /// are left; `None` where they are not counted.
    Excused(Option<u32>),
    /// Refused until the person has enrolled a factor.
    NotEnrolled,
}

/// What is known of one person on one host.
#[derive(Debug, Clone, Copy)]
pub struct Enrolment<'a> {
    /// Kinds of factors that the person has enrolled.
    pub enrolled: &'a BTreeSet<FactorKind>,
    /// Whether a factor of this person was ever seen here: who takes one off does not fall back to
    /// the leniency for those who never had any.
    pub ever: bool,
    /// Logins here that were excused.
    pub excused: u32,
}

impl Factors {
    /// What must follow this first factor.
    #[must_use]
    pub fn demand(&self, first: FirstFactor) -> Demand {
        let two_in_one = self.auth_methods.contains(&AuthMethod::HardwareKey)
            && (!self.mfa_required || self.mfa_methods.contains(&FactorKind::HardwareKey));
        let (alone, with_code) = match first {
            FirstFactor::HardwareKey if two_in_one => return Demand::Nothing,
            FirstFactor::HardwareKey | FirstFactor::SoftwareKey => {
                (AuthMethod::PublicKey, AuthMethod::PublicKeyAndCode)
            }
            FirstFactor::Password => (AuthMethod::Password, AuthMethod::PasswordAndCode),
        };
        let alone = self.auth_methods.contains(&alone);
        if alone && !self.mfa_required {
            return Demand::Nothing;
        }
        let codes: BTreeSet<FactorKind> = self.codes().collect();
        if codes.is_empty() || !(alone || self.auth_methods.contains(&with_code)) {
            return Demand::NotAccepted;
        }
        Demand::Code(codes)
    }

    /// What a demand for a code of these kinds means for a person.
    #[must_use]
    pub fn standing(&self, codes: &BTreeSet<FactorKind>, person: Enrolment<'_>) -> Standing {
        let usable: BTreeSet<FactorKind> = codes.intersection(person.enrolled).copied().collect();
        if !usable.is_empty() {
            return Standing::Asked(usable);
        }
        let had_one = person.ever || !person.enrolled.is_empty();
        match self.unenrolled {
            Unenrolled::Allow if !had_one => Standing::Excused(None),
            Unenrolled::Grace(logins) if !had_one && person.excused < u32::from(logins) => {
                Standing::Excused(Some(u32::from(logins) - person.excused - 1))
            }
            Unenrolled::Allow | Unenrolled::Grace(_) | Unenrolled::Deny => Standing::NotEnrolled,
        }
    }

    /// What holds for logins by a service where nobody can tell yet where they come from: the
    /// strictest of what could hold.
    #[must_use]
    pub fn from_anywhere(policies: &[FactorPolicy], service: &str) -> Self {
        let anywhere: Vec<FactorPolicy> = policies
            .iter()
            .cloned()
            .map(|policy| FactorPolicy {
                sources: Vec::new(),
                except_sources: Vec::new(),
                ..policy
            })
            .collect();
        Self::of(&anywhere, service, None)
    }

    /// The kinds that count and are typed.
    fn codes(&self) -> impl Iterator<Item = FactorKind> + '_ {
        self.mfa_methods.iter().copied().filter(|kind| match kind {
            FactorKind::Totp | FactorKind::YubikeyOtp | FactorKind::BackupCode => true,
            FactorKind::HardwareKey | FactorKind::Cert => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factors::FactorFields;
    use proptest::prelude::*;

    const FIRST: [FirstFactor; 3] = [
        FirstFactor::Password,
        FirstFactor::SoftwareKey,
        FirstFactor::HardwareKey,
    ];
    const METHODS: [AuthMethod; 6] = [
        AuthMethod::Certificate,
        AuthMethod::HardwareKey,
        AuthMethod::PublicKeyAndCode,
        AuthMethod::PasswordAndCode,
        AuthMethod::PublicKey,
        AuthMethod::Password,
    ];
    const KINDS: [FactorKind; 5] = [
        FactorKind::HardwareKey,
        FactorKind::Cert,
        FactorKind::Totp,
        FactorKind::YubikeyOtp,
        FactorKind::BackupCode,
    ];

    fn codes() -> BTreeSet<FactorKind> {
        [
            FactorKind::Totp,
            FactorKind::YubikeyOtp,
            FactorKind::BackupCode,
        ]
        .into()
    }

    fn person(enrolled: &BTreeSet<FactorKind>) -> Enrolment<'_> {
        Enrolment {
            enrolled,
            ever: false,
            excused: 0,
        }
    }

    #[test]
    fn without_policies_every_first_factor_is_enough() {
        for first in FIRST {
            assert_eq!(Factors::one_factor().demand(first), Demand::Nothing);
        }
    }

    #[test]
    fn by_default_only_a_hardware_key_is_enough() {
        let factors = Factors::standard();
        assert_eq!(factors.demand(FirstFactor::HardwareKey), Demand::Nothing);
        for first in [FirstFactor::Password, FirstFactor::SoftwareKey] {
            assert_eq!(factors.demand(first), Demand::Code(codes()));
        }
    }

    #[test]
    fn mfa_17_where_a_hardware_key_is_demanded_no_code_helps() {
        let demanding = [
            Factors {
                auth_methods: [AuthMethod::HardwareKey].into(),
                ..Factors::standard()
            },
            Factors {
                mfa_methods: [FactorKind::HardwareKey].into(),
                ..Factors::standard()
            },
        ];
        for factors in demanding {
            assert_eq!(factors.demand(FirstFactor::HardwareKey), Demand::Nothing);
            assert_eq!(factors.demand(FirstFactor::Password), Demand::NotAccepted);
            assert_eq!(
                factors.demand(FirstFactor::SoftwareKey),
                Demand::NotAccepted
            );
        }
    }

    #[test]
    fn mfa_17_whoever_takes_a_factor_off_is_refused_and_not_excused() {
        let none = BTreeSet::new();
        for unenrolled in [Unenrolled::Allow, Unenrolled::Grace(3), Unenrolled::Deny] {
            let factors = Factors {
                unenrolled,
                ..Factors::standard()
            };
            let once = Enrolment {
                ever: true,
                ..person(&none)
            };
            assert_eq!(factors.standing(&codes(), once), Standing::NotEnrolled);
            let other = [FactorKind::HardwareKey].into();
            let standing = factors.standing(&codes(), person(&other));
            assert_eq!(standing, Standing::NotEnrolled);
        }
    }

    #[test]
    fn mfa_17_not_enrolled_is_a_decision_with_a_number_of_logins() {
        let factors = Factors::standard();
        let none = BTreeSet::new();
        let after = |excused| {
            let person = Enrolment {
                excused,
                ..person(&none)
            };
            factors.standing(&codes(), person)
        };
        assert_eq!(after(0), Standing::Excused(Some(2)));
        assert_eq!(after(2), Standing::Excused(Some(0)));
        assert_eq!(after(3), Standing::NotEnrolled);
        assert_eq!(after(u32::MAX), Standing::NotEnrolled);
    }

    #[test]
    fn where_a_source_excuses_nobody_can_tell_beforehand_who_is_excused() {
        let policy = FactorPolicy {
            id: "pol_1".into(),
            services: ["sshd".into()].into(),
            sources: Vec::new(),
            except_sources: vec!["10.0.0.0/8".parse().unwrap()],
            fields: FactorFields::default(),
        };
        let anywhere = Factors::from_anywhere(std::slice::from_ref(&policy), "sshd");
        assert!(anywhere.mfa_required);
        assert!(!Factors::from_anywhere(&[], "sshd").mfa_required);
    }

    proptest! {
        /// What a policy takes away never makes a login easier.
        #[test]
        fn fewer_methods_and_kinds_never_demand_less(
            methods in proptest::sample::subsequence(METHODS.to_vec(), 0..=6),
            kinds in proptest::sample::subsequence(KINDS.to_vec(), 0..=5),
            required: bool,
            less_method in 0_usize..6,
            less_kind in 0_usize..5,
        ) {
            let wide = Factors {
                auth_methods: methods.iter().copied().collect(),
                mfa_methods: kinds.iter().copied().collect(),
                mfa_required: required,
                ..Factors::standard()
            };
            let mut narrow = wide.clone();
            narrow.auth_methods.remove(&METHODS[less_method]);
            narrow.mfa_methods.remove(&KINDS[less_kind]);
            narrow.mfa_required = true;
            for first in FIRST {
                let harder = match (wide.demand(first), narrow.demand(first)) {
                    (Demand::Nothing, _) | (_, Demand::NotAccepted) => true,
                    (Demand::Code(wide), Demand::Code(narrow)) => narrow.is_subset(&wide),
                    (Demand::Code(_) | Demand::NotAccepted, Demand::Nothing)
                    | (Demand::NotAccepted, Demand::Code(_)) => false,
                };
                prop_assert!(harder, "{first:?}");
            }
        }
    }
}
