//! `reset-mfa`: for the day on which nobody is left who could help. Whoever may read the server's
//! keys takes the second factors of one person away, and everybody can see that it happened.

use clap::Args;

use super::{CommandError, Outside, say, state_of};
use crate::act::Act;
use crate::api::users::{FACTORS_TAKEN, UserRow, lift_locks, take_factors};
use crate::audit::{Draft, Severity};
use crate::config::Config;
use crate::http::{Origin, Refused};
use crate::mail::Letter;
use crate::notices;
use crate::state::AppState;

/// As the audit and the person see it.
const COMMAND: &str = "cloudid-directory reset-mfa";

#[derive(Args)]
pub(super) struct ResetMfa {
    /// Login name or id.
    user: String,
}

impl ResetMfa {
    pub(super) async fn run(self, outside: Outside, config: Config) -> Result<(), CommandError> {
        let state = state_of(outside, config).await?;
        let done = reset(&state, &self.user).await;
        let told = match &done {
            Ok(Done {
                letter: Some(letter),
                ..
            }) => Some(state.mailer.send(letter).await),
            Ok(_) | Err(_) => None,
        };
        state.store.close().await;
        let Done { name, removed, .. } =
            done.map_err(|refused| CommandError::Operator(refused.detail().to_owned()))?;
        say(&format!(
            "{removed} second factors of {name} are gone, backup codes counted; locks are lifted, \
             sessions and API tokens ended. {name} signs in with the password alone and enrols \
             anew: now. It is in the audit as user.mfa_reset; hosts hear of it within a minute."
        ));
        if let Some(Err(why)) = told {
            say(&format!("The mail to {name} was not sent: {why}"));
        }
        Ok(())
    }
}

struct Done {
    name: String,
    removed: u64,
    letter: Option<Letter>,
}

async fn reset(state: &AppState, user: &str) -> Result<Done, Refused> {
    let mut origin = Origin::of_system(state.clock.now());
    COMMAND.clone_into(&mut origin.actor.name);
    let mut act = Act::begin(state, &origin).await?;
    let row = UserRow::find(act.database(), user).await?;
    let draft = Draft::new("user.mfa_reset").severity(Severity::Critical);
    let removed = take_factors(&mut act, &row, draft).await?;
    lift_locks(&mut act, &row.id).await?;
    let letter = notices::letter(&mut act, &row.id, FACTORS_TAKEN).await?;
    act.finish_empty().await?;
    Ok(Done {
        name: row.username,
        removed,
        letter,
    })
}
