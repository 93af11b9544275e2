//! Proving to the directory once more who is at the terminal, when it asks for that before a change
//! of what proves a person.

use std::io::{self, IsTerminal};

use directory_api::rest::{Secret, StepUp};

use super::{Call, Directory};
use crate::error::Failure;

/// What a person proves anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Code,
    Password,
}

/// What would let the refused call through.
pub(super) fn demanded(refused: &Failure) -> Option<Proof> {
    let problem = refused.problem.as_ref()?;
    if problem.code != "step_up_required" {
        return None;
    }
    match problem.errors.first()?.field.as_str() {
        "password" => Some(Proof::Password),
        "code" => Some(Proof::Code),
        _ => None,
    }
}

impl Directory {
    /// Asks the person and tells the directory; without a person, what was refused stays refused.
    pub(super) async fn prove(&self, refused: Failure) -> Result<(), Failure> {
        let Some(proof) = demanded(&refused) else {
            return Err(refused);
        };
        if !io::stdin().is_terminal() {
            let before = match proof {
                Proof::Code => {
                    "type a code at a terminal, or first: cloudid mfa test --code-file FILE"
                }
                Proof::Password => "type your password at a terminal, or first: cloudid login",
            };
            return Err(refused.next(before));
        }
        let body = match proof {
            Proof::Code => StepUp {
                code: Some(typed("Code of a second factor you have: ")?),
                password: None,
            },
            Proof::Password => StepUp {
                code: None,
                password: Some(typed("Your password: ")?),
            },
        };
        self.send(&Call::post(&["auth", "step-up"], &body))
            .await
            .map(drop)
    }
}

fn typed(prompt: &str) -> Result<Secret, Failure> {
    rpassword::prompt_password(prompt)
        .map(Secret::new)
        .map_err(|error| Failure::failed("cannot ask").because(error.to_string()))
}
