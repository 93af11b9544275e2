//! What a login asks the directory: one attempt inside the budget, and none at all while the
//! directory is known to be away, so that a flaky link is never worse than none.

use directory_api::agent::{
    CodeCheck, CodeChecked, FACTOR_UNAVAILABLE, PasswordChange, PasswordCheck,
};

use super::client::CallError;
use crate::cacher::Cacher;

/// The codes by which the directory itself says no: to a password, and to a change of one.
const WRONG: &[&str] = &["password_wrong"];
const CODE_WRONG: &[&str] = &[
    "code_wrong",
    "code_used",
    "too_many_tries",
    "mfa_not_enrolled",
];
const NOT_CHANGED: &[&str] = &["password_wrong", "password_rejected", "invalid"];

/// What the directory said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// Yes.
    Yes,
    /// No, and why, for the person.
    No(String),
    /// Nothing, or nothing that can be believed.
    Silent,
}

/// What the directory said about a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeAnswered {
    /// Right, and burnt for every host.
    Yes(CodeChecked),
    /// No: the code of the problem.
    No(String),
    /// It is there, and has said nothing about the code.
    Odd,
    /// It does not answer.
    Silent,
}

impl Cacher {
    /// Has a code checked and burnt by the directory.
    pub(crate) async fn check_code_online(&self, check: &CodeCheck) -> CodeAnswered {
        let Some(client) = self.directory().filter(|_| self.online()) else {
            return CodeAnswered::Silent;
        };
        match client.check_code(check).await {
            Ok(checked) => CodeAnswered::Yes(checked),
            Err(CallError::Status { code, .. }) if CODE_WRONG.contains(&code.as_str()) => {
                CodeAnswered::No(code)
            }
            // The directory itself is well: nobody else's login is to go by the mirror for this.
            Err(CallError::Status { code, .. }) if code == FACTOR_UNAVAILABLE => CodeAnswered::Odd,
            Err(
                error @ CallError::Status {
                    status: 400..500, ..
                },
            ) => {
                tracing::warn!(%error, "a code could not be checked");
                CodeAnswered::Odd
            }
            Err(error) => {
                self.gone_offline(&error.to_string());
                CodeAnswered::Silent
            }
        }
    }

    /// Has a password checked by the directory.
    pub(crate) async fn check_online(&self, username: &str, password: &str) -> Answered {
        let Some(client) = self.directory().filter(|_| self.online()) else {
            return Answered::Silent;
        };
        let check = PasswordCheck {
            username: username.to_owned(),
            password: password.to_owned(),
        };
        self.answered(client.verify(&check).await, WRONG)
    }

    /// Has a password changed by the directory.
    pub(crate) async fn change_online(&self, change: &PasswordChange) -> Answered {
        let Some(client) = self.directory().filter(|_| self.online()) else {
            return Answered::Silent;
        };
        self.answered(client.change_password(change).await, NOT_CHANGED)
    }

    fn answered(&self, result: Result<(), CallError>, no: &[&str]) -> Answered {
        match result {
            Ok(()) => Answered::Yes,
            Err(CallError::Status { code, detail, .. }) if no.contains(&code.as_str()) => {
                Answered::No(detail)
            }
            // It is there, and has said nothing about the password: too many questions, a host it
            // does not know, a proxy in between.
            Err(
                error @ CallError::Status {
                    status: 400..500, ..
                },
            ) => {
                tracing::warn!(%error, "a password could not be checked");
                Answered::Silent
            }
            Err(error) => {
                // The next logins do not try again; the background finds out when it is back.
                self.gone_offline(&error.to_string());
                Answered::Silent
            }
        }
    }
}
