//! What people are told of their own account: whoever changed a factor, a key, a password or an
//! address, its owner hears of it where they could be reached before.

use crate::act::Act;
use crate::http::Refused;
use crate::mail::Letter;

/// Tells somebody, once the change is on disk. `what` is a sentence. People who are still enrolling
/// see it happen.
///
/// # Errors
/// The database fails.
pub(crate) async fn tell(act: &mut Act<'_>, user: &str, what: &str) -> Result<(), Refused> {
    if let Some(letter) = letter(act, user, what).await? {
        act.post_after(letter);
    }
    Ok(())
}

/// What they would be told, where there is a way to.
///
/// # Errors
/// The database fails.
pub(crate) async fn letter(
    act: &mut Act<'_>,
    user: &str,
    what: &str,
) -> Result<Option<Letter>, Refused> {
    let found: Option<(String, String, String)> =
        sqlx::query_as("SELECT username, email, state FROM users WHERE id = $1")
            .bind(user)
            .fetch_optional(act.database())
            .await?;
    Ok(match found {
        Some((username, email, state)) if state != "staged" => {
            letter_to(act, (user, &username), email, what)
        }
        Some(_) | None => None,
    })
}

/// Tells somebody at this address.
pub(crate) fn tell_at(act: &mut Act<'_>, user: (&str, &str), address: String, what: &str) {
    if let Some(letter) = letter_to(act, user, address, what) {
        act.post_after(letter);
    }
}

fn letter_to(act: &Act<'_>, user: (&str, &str), address: String, what: &str) -> Option<Letter> {
    let state = act.state();
    if !state.mailer.reaches(&address) {
        return None;
    }
    let (organisation, origin) = (&state.organisation.name, act.origin());
    let by = match origin.actor.name.as_str() {
        "" => "cloudid".to_owned(),
        name if name == user.1 => "you".to_owned(),
        name => name.to_owned(),
    };
    let from = origin.source.map(|source| format!(", from {source}"));
    let when = origin.now.strftime("%Y-%m-%d %H:%M UTC");
    let text = format!(
        "{what}\n\nAccount: {} at {organisation}\nBy: {by}{}\nAt: {when}\n\n\
         If you do not know of this, tell an administrator at once: somebody else may be using your \
         account.\n",
        user.1,
        from.unwrap_or_default(),
    );
    Some(Letter {
        to: address,
        user: (user.0.to_owned(), user.1.to_owned()),
        subject: format!("Your account at {organisation}: {what}"),
        text,
    })
}
