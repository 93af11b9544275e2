//! A person changes their password: through the directory or not at all. While it is away, that is
//! said before anything is asked, and nothing changes.

use directory_api::agent::PasswordChange;
use local_protocol::{Begin, Outcome};
use zeroize::{Zeroize, Zeroizing};

use super::password::normalised;
use super::{ask, say};
use crate::cacher::Cacher;
use crate::connection::{Broken, Connection};
use crate::events::Event;
use crate::sync::online::Answered;

const AWAY: &str = "The directory cannot be reached, so the password cannot be changed now. Nothing \
                    was changed; try again later.";

/// Can a change be made at all?
///
/// # Errors
/// The other side left.
pub async fn possible(
    cacher: &Cacher,
    connection: &mut Connection,
    begin: &Begin,
) -> Result<Outcome, Broken> {
    if cacher.tables().person(&begin.login.user).is_none() {
        return Ok(nobody(begin));
    }
    if cacher.online() {
        return Ok(Outcome::Allowed);
    }
    say(connection, AWAY).await?;
    Ok(Outcome::PasswordUnchanged)
}

/// Asks for the old and twice for the new password and hands them to the directory.
///
/// # Errors
/// The other side left or broke the protocol; nothing was changed.
pub async fn change(
    cacher: &Cacher,
    connection: &mut Connection,
    begin: &Begin,
) -> Result<Outcome, Broken> {
    let user = &begin.login.user;
    if cacher.tables().person(user).is_none() {
        return Ok(nobody(begin));
    }
    if !cacher.online() {
        say(connection, AWAY).await?;
        return Ok(Outcome::PasswordUnchanged);
    }
    let old = ask(connection, "Current password: ", false).await?;
    let new = ask(connection, "New password: ", false).await?;
    let again = ask(connection, "New password, once more: ", false).await?;
    let (old, new) = match typed(old.expose(), new.expose(), again.expose()) {
        Ok(passwords) => passwords,
        Err(sentence) => {
            say(connection, sentence).await?;
            return Ok(Outcome::PasswordUnchanged);
        }
    };
    let mut change = PasswordChange {
        username: user.clone(),
        old: old.to_string(),
        new: new.to_string(),
    };
    let answered = cacher.change_online(&change).await;
    change.old.zeroize();
    change.new.zeroize();
    let (outcome, sentence) = match answered {
        Answered::Yes => (Outcome::Allowed, "The password is changed.".to_owned()),
        Answered::No(why) => (Outcome::PasswordUnchanged, format!("Not changed: {why}")),
        Answered::Silent => (
            Outcome::PasswordUnchanged,
            "The directory has not said that it changed. If the old password no longer works, the \
             new one does."
                .to_owned(),
        ),
    };
    let changed = outcome == Outcome::Allowed;
    let event = Event::new(
        if changed {
            "user.password_set"
        } else {
            "user.password_rejected"
        },
        if changed { "success" } else { "failure" },
    )
    .user(user)
    .detail("service", begin.login.service.as_str());
    cacher.record(event).await;
    if changed {
        // The new verifier should be here before the next login.
        cacher.wake.notify_one();
    }
    say(connection, &sentence).await?;
    Ok(outcome)
}

fn nobody(begin: &Begin) -> Outcome {
    if begin.known_elsewhere {
        Outcome::NotOurs
    } else {
        Outcome::PasswordUnchanged
    }
}

type Passwords = (Zeroizing<String>, Zeroizing<String>);

/// The old and the new password, or what is wrong with what was typed.
fn typed(old: &[u8], new: &[u8], again: &[u8]) -> Result<Passwords, &'static str> {
    let Some(old) = normalised(old) else {
        return Err("The current password is wrong. Nothing was changed.");
    };
    let Some(new) = normalised(new) else {
        return Err(
            "A password has 1 to 256 bytes and no control characters. Nothing was changed.",
        );
    };
    if normalised(again).as_ref() != Some(&new) {
        return Err("The two new passwords differ. Nothing was changed.");
    }
    Ok((old, new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pam_06_a_new_password_is_typed_twice_and_never_empty() {
        assert!(typed(b"old", b"new", b"new").is_ok());
        assert!(typed(b"old", b"new", b"other").is_err());
        assert!(typed(b"old", b"", b"").is_err());
        assert!(typed(b"", b"new", b"new").is_err());
    }
}
