//! The table: how a step ended, and what PAM is told. The only place that makes PAM codes.

use local_protocol::Outcome;
use pamsm::PamError;

/// Which of PAM's steps asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Who is it?
    Authenticate,
    /// May they in?
    Account,
    /// They are in, or out again.
    Session,
    /// A new password.
    Password,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The cacher decided.
    Decided(Outcome),
    /// A local name, or none the directory could know: another module's business.
    NotOurs,
    /// No word from the cacher, or none that makes sense here.
    Silence,
    /// The person gave up, or the program has no way to ask them.
    GaveUp,
    /// What was typed can be nobody's password or code.
    ImpossibleAnswer,
    /// The name is another one than at the beginning.
    AnotherPerson,
}

/// What PAM is told. Nothing here is `PAM_IGNORE`, and only a yes of the cacher is a yes.
pub(crate) fn code(step: Step, sudo: bool, ending: &Ending) -> PamError {
    match ending {
        Ending::Decided(outcome) => decided(step, sudo, outcome),
        Ending::NotOurs => PamError::USER_UNKNOWN,
        Ending::Silence => PamError::AUTHINFO_UNAVAIL,
        Ending::GaveUp | Ending::ImpossibleAnswer => wrong(step),
        Ending::AnotherPerson => PamError::PERM_DENIED,
    }
}

fn decided(step: Step, sudo: bool, outcome: &Outcome) -> PamError {
    match outcome {
        Outcome::Allowed => PamError::SUCCESS,
        Outcome::WrongAnswer => wrong(step),
        Outcome::Denied => denied(step, sudo),
        Outcome::Expired => match step {
            Step::Authenticate | Step::Account => PamError::ACCT_EXPIRED,
            Step::Session | Step::Password => PamError::PERM_DENIED,
        },
        Outcome::TooManyTries => match step {
            Step::Authenticate => PamError::MAXTRIES,
            Step::Account | Step::Session | Step::Password => PamError::PERM_DENIED,
        },
        Outcome::PasswordMustChange => match step {
            // The password was right. Services act on a password that must change in the account
            // step only; here sshd would take the code for a refusal.
            Step::Authenticate => PamError::SUCCESS,
            Step::Account => PamError::NEW_AUTHTOK_REQD,
            Step::Session | Step::Password => PamError::AUTHTOK_ERR,
        },
        Outcome::NotOurs => PamError::USER_UNKNOWN,
        Outcome::CannotTell => PamError::AUTHINFO_UNAVAIL,
        Outcome::PasswordUnchanged => match step {
            Step::Password => PamError::AUTHTOK_ERR,
            Step::Authenticate | Step::Account | Step::Session => PamError::AUTHINFO_UNAVAIL,
        },
    }
}

/// Each step names its refusals in the profiles; a code that is not named there would not refuse.
fn wrong(step: Step) -> PamError {
    match step {
        Step::Authenticate | Step::Account => PamError::AUTH_ERR,
        Step::Session => PamError::SESSION_ERR,
        Step::Password => PamError::AUTHTOK_ERR,
    }
}

fn denied(step: Step, sudo: bool) -> PamError {
    match step {
        // sudo asks three times after any other code.
        Step::Authenticate if sudo => PamError::CRED_INSUFFICIENT,
        Step::Authenticate | Step::Account | Step::Session | Step::Password => {
            PamError::PERM_DENIED
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 4] = [
        Step::Authenticate,
        Step::Account,
        Step::Session,
        Step::Password,
    ];

    fn endings() -> Vec<Ending> {
        let outcomes = [
            Outcome::Allowed,
            Outcome::WrongAnswer,
            Outcome::Denied,
            Outcome::Expired,
            Outcome::TooManyTries,
            Outcome::PasswordMustChange,
            Outcome::NotOurs,
            Outcome::CannotTell,
            Outcome::PasswordUnchanged,
        ];
        let mut endings = Vec::from(outcomes.map(Ending::Decided));
        endings.extend([
            Ending::NotOurs,
            Ending::Silence,
            Ending::GaveUp,
            Ending::ImpossibleAnswer,
            Ending::AnotherPerson,
        ]);
        endings
    }

    #[test]
    fn pam_01_only_a_yes_of_the_cacher_is_a_success() {
        for step in STEPS {
            for sudo in [false, true] {
                for ending in endings() {
                    let yes = ending == Ending::Decided(Outcome::Allowed)
                        || (step == Step::Authenticate
                            && ending == Ending::Decided(Outcome::PasswordMustChange));
                    let success = code(step, sudo, &ending) == PamError::SUCCESS;
                    assert_eq!(success, yes, "{step:?} {ending:?}");
                }
            }
        }
    }

    #[test]
    fn pam_01_ignore_is_never_answered() {
        for step in STEPS {
            for ending in endings() {
                assert_ne!(code(step, false, &ending), PamError::IGNORE);
                assert_ne!(code(step, true, &ending), PamError::IGNORE);
            }
        }
    }

    /// The text of a profile names codes in lower case; `default` stands for all others.
    fn dies(profile: &str, kind: &str, code: PamError) -> bool {
        let controls = profile
            .split_once(&format!("\n{kind}:\n\t["))
            .and_then(|(_, rest)| rest.split_once(']'))
            .unwrap()
            .0;
        let name = code.to_string().to_lowercase();
        controls
            .split(' ')
            .any(|control| control == format!("{name}=die"))
    }

    #[test]
    fn every_refusal_ends_the_stack_of_the_shipped_profiles() {
        let accounts = include_str!("../../packaging/pam-configs/cloudid");
        let passwords = include_str!("../../packaging/pam-configs/cloudid-passwd");
        let refusals = [
            Ending::Decided(Outcome::WrongAnswer),
            Ending::Decided(Outcome::Denied),
            Ending::Decided(Outcome::Expired),
            Ending::Decided(Outcome::TooManyTries),
            Ending::GaveUp,
            Ending::ImpossibleAnswer,
            Ending::AnotherPerson,
        ];
        for ending in refusals {
            for (step, kind, profile) in [
                (Step::Authenticate, "Auth", accounts),
                (Step::Account, "Account", accounts),
                (Step::Password, "Password", passwords),
            ] {
                for sudo in [false, true] {
                    let code = code(step, sudo, &ending);
                    assert!(dies(profile, kind, code), "{kind} {ending:?}: {code:?}");
                }
            }
        }
        let unchanged = Ending::Decided(Outcome::PasswordUnchanged);
        assert!(dies(
            passwords,
            "Password",
            code(Step::Password, false, &unchanged)
        ));
    }

    #[test]
    fn no_profile_dies_by_default_or_when_nothing_can_be_told() {
        for profile in [
            include_str!("../../packaging/pam-configs/cloudid"),
            include_str!("../../packaging/pam-configs/cloudid-passwd"),
        ] {
            assert!(!profile.contains("default=die"));
            assert!(!profile.contains("user_unknown="));
            assert!(!profile.contains("authinfo_unavail="));
            assert!(profile.contains("\nDefault: no\n"));
        }
    }

    #[test]
    fn a_refusal_in_sudos_authentication_is_not_asked_three_times() {
        let denied = Ending::Decided(Outcome::Denied);
        assert_eq!(
            code(Step::Authenticate, true, &denied),
            PamError::CRED_INSUFFICIENT
        );
        assert_eq!(code(Step::Account, true, &denied), PamError::PERM_DENIED);
        assert_eq!(
            code(Step::Authenticate, false, &denied),
            PamError::PERM_DENIED
        );
    }
}
