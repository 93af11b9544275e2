//! A new password for somebody: checked against every rule of the organisation, and made into a
//! verifier. The one way by which passwords that people choose get into the directory.

use axum::http::StatusCode;
use directory_api::rest::PasswordStrength;

use super::policy::{HARD_TO_GUESS, Policy, StoredPolicy, not_among_the_last};
use super::strength::{Strength, strength};
use super::{Checked, unmet};
use crate::http::Refused;
use crate::state::AppState;

/// A password that somebody would like to have.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Whose: `usr_…`, or empty for somebody who is about to be made.
    pub user: &'a str,
    /// Login name, display name, mail address.
    pub names: &'a [&'a str],
    /// The password.
    pub password: &'a str,
}

/// Checks a new password and makes its verifier.
///
/// # Errors
/// The password does not meet the rules; which, stands in `unmet`.
pub async fn verifier_for(state: &AppState, wish: Wish<'_>) -> Result<String, Refused> {
    let judged = judged(state, wish).await?;
    let mut unmet = judged.unmet;
    if unmet.is_empty() && is_an_old_one(state, wish, judged.policy.history).await? {
        unmet.push(not_among_the_last(judged.policy.history));
    }
    if !unmet.is_empty() {
        return Err(rejected(unmet));
    }
    state.passwords.hash(wish.password, &state.random).await
}

/// What the directory thinks of a password; nothing is kept, and old ones are not compared.
///
/// # Errors
/// The database fails.
pub async fn strength_of(state: &AppState, wish: Wish<'_>) -> Result<PasswordStrength, Refused> {
    let judged = judged(state, wish).await?;
    Ok(PasswordStrength {
        score: judged.strength.score,
        withstands: judged.strength.withstands,
        unmet: judged.unmet,
    })
}

struct Judged {
    policy: Policy,
    strength: Strength,
    unmet: Vec<String>,
}

async fn judged(state: &AppState, wish: Wish<'_>) -> Result<Judged, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let stored = StoredPolicy::load(&mut snapshot).await?;
    drop(snapshot);
    let policy = Policy::of(&stored.settings, state.config.password.min_length);
    let mut words: Vec<&str> = policy.blocked_words.iter().map(String::as_str).collect();
    words.push(&state.organisation.name);
    let names: Vec<&str> = wish.names.iter().copied().map(before_the_at).collect();
    let mut unmet = unmet(wish.password, &policy, &names, &words);
    let known: Vec<String> = names
        .iter()
        .chain(&words)
        .map(|&word| word.to_owned())
        .collect();
    let password = zeroize::Zeroizing::new(wish.password.to_owned());
    let estimate = move || {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        strength(&password, &known)
    };
    let strength = state.passwords.slowly(estimate).await?;
    if strength.score < policy.min_strength {
        unmet.push(HARD_TO_GUESS.to_owned());
    }
    Ok(Judged {
        policy,
        strength,
        unmet,
    })
}

/// Of a mail address, the part that names the person.
fn before_the_at(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

/// Whether it is the present password or one of those before.
async fn is_an_old_one(state: &AppState, wish: Wish<'_>, history: u32) -> Result<bool, Refused> {
    let verifiers: Vec<String> = sqlx::query_scalar(
        "SELECT verifier FROM (
           SELECT password_verifier AS verifier, password_set_at AS at, 1 AS present
           FROM users WHERE id = $1 AND password_verifier IS NOT NULL
           UNION ALL SELECT verifier, replaced_at AS at, 0 AS present
           FROM password_history WHERE user_id = $1
         ) ORDER BY present DESC, at DESC LIMIT $2",
    )
    .bind(wish.user)
    .bind(i64::from(history))
    .fetch_all(state.store.read())
    .await?;
    for verifier in verifiers {
        let checked = state.passwords.compare(Some(verifier), wish.password);
        if checked.await? == Checked::Right {
            return Ok(true);
        }
    }
    Ok(false)
}

fn rejected(unmet: Vec<String>) -> Refused {
    Refused::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "password_rejected",
        "The new password does not meet the rules.",
    )
    .hint("A few words that do not belong together are long and easy to remember.")
    .unmet(unmet)
}
