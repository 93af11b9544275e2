//! The steps of self-enrolment. Each is complete in itself: whoever stops goes on later.

use directory_api::rest::{
    EnrollPassword, EnrollTest, Enrolled, Enrollment, NewSshKey, PasswordStrength, SshKey, Time,
};

use super::{Enrolling, factors};
use crate::api::users::{UserRow, set_state, store_chosen};
use crate::api::{reachable_hosts, ssh_keys, too_many};
use crate::audit::Draft;
use crate::http::Refused;
use crate::password::{Checked, Policy, StoredPolicy, Wish, strength_of, verifier_for};
use crate::state::AppState;

/// How far somebody has come.
///
/// # Errors
/// The database fails.
pub async fn progress(state: &AppState, enrolling: &Enrolling) -> Result<Enrollment, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let user = &enrolling.user;
    let policy = StoredPolicy::load(&mut snapshot).await?;
    let keys: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM ssh_keys WHERE user_id = $1")
        .bind(&user.id)
        .fetch_one(&mut *snapshot)
        .await?;
    let factors: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM mfa_devices WHERE user_id = $1 AND confirmed_at IS NOT NULL",
    )
    .bind(&user.id)
    .fetch_one(&mut *snapshot)
    .await?;
    Ok(Enrollment {
        organisation: state.organisation.name.clone(),
        username: user.username.clone(),
        display_name: user.settings()?.display_name,
        expires_at: Time(enrolling.ends()),
        password: user.password_verifier.is_some(),
        ssh_keys: keys.unsigned_abs(),
        factors: factors.unsigned_abs(),
        factor_missing: factors::is_missing(&mut snapshot, &user.id).await?,
        backup_codes: enrolling.invitation.codes_kept_at.is_some(),
        tested: enrolling.invitation.tested_at.is_some(),
        password_rules: Policy::of(&policy.settings, state.config.password.min_length).in_words(),
    })
}

/// Sets the password. What was tested before must be tested again.
///
/// # Errors
/// The password does not meet the rules.
pub async fn set_password(
    state: &AppState,
    enrolling: &Enrolling,
    wanted: EnrollPassword,
) -> Result<(), Refused> {
    count(state, enrolling)?;
    let user = &enrolling.user;
    let names = user.names();
    let verifier = verifier_for(state, wish(user, &names, &wanted)).await?;
    let mut act = enrolling.begin(state).await?;
    store_chosen(&mut act, user, (&verifier, ""), None).await?;
    enrolling.untested(&mut act).await?;
    act.finish_empty().await.map(drop)
}

/// What the directory thinks of a password.
///
/// # Errors
/// Asked too often, or the database fails.
pub async fn strength_of_password(
    state: &AppState,
    enrolling: &Enrolling,
    wanted: &EnrollPassword,
) -> Result<PasswordStrength, Refused> {
    let key = format!("strength {}", enrolling.invitation.id);
    state
        .estimates
        .take(&key, enrolling.origin.now)
        .map_err(too_many)?;
    let names = enrolling.user.names();
    strength_of(state, wish(&enrolling.user, &names, wanted)).await
}

fn wish<'a>(user: &'a UserRow, names: &'a [&'a str], wanted: &'a EnrollPassword) -> Wish<'a> {
    Wish {
        user: &user.id,
        names,
        password: wanted.password.expose(),
    }
}

/// Adds an SSH key.
///
/// # Errors
/// It is a private key, no key, or too weak.
pub async fn add_ssh_key(
    state: &AppState,
    enrolling: &Enrolling,
    new: NewSshKey,
) -> Result<SshKey, Refused> {
    let (origin, user) = (&enrolling.origin, &enrolling.user);
    let key = ssh_keys::read_or_note(state, origin, user, &new).await?;
    let mut act = enrolling.begin(state).await?;
    let added = ssh_keys::insert(&mut act, user, key, new).await?;
    act.finish_empty().await?;
    Ok(added)
}

/// Tries the password, and a code where there is a second factor, as a login would.
///
/// # Errors
/// One of them is wrong; or a code was sent and there is nothing to check it with.
pub async fn test_everything(
    state: &AppState,
    enrolling: &Enrolling,
    test: EnrollTest,
) -> Result<(), Refused> {
    count(state, enrolling)?;
    let user = &enrolling.user;
    let verifier = user.password_verifier.clone();
    let checked = state.passwords.compare(verifier, test.password.expose());
    if checked.await? != Checked::Right {
        return Err(Refused::invalid("password", "The password is wrong."));
    }
    factors::test_code(state, enrolling, test.code.as_ref()).await?;
    let mut act = enrolling.begin(state).await?;
    let now = act.now_ms();
    sqlx::query("UPDATE invitations SET tested_at = $2 WHERE id = $1")
        .bind(&enrolling.invitation.id)
        .bind(now)
        .execute(act.database())
        .await?;
    act.finish_empty().await.map(drop)
}

/// Ends the enrolment: the link is burnt, the user active.
///
/// # Errors
/// A step is missing.
pub async fn finish(state: &AppState, enrolling: &Enrolling) -> Result<Enrolled, Refused> {
    let mut act = enrolling.begin(state).await?;
    let user = UserRow::find(act.database(), &enrolling.user.id).await?;
    if user.password_verifier.is_none() {
        return Err(Refused::conflict("Set a password first."));
    }
    if enrolling.invitation.tested_at.is_none() {
        return Err(Refused::conflict("Test your password first."));
    }
    if factors::is_missing(act.database(), &user.id).await? {
        return Err(factors::missing());
    }
    let now = act.now_ms();
    let burnt = sqlx::query(
        "UPDATE invitations SET finished_at = $2, visit_hash = NULL
         WHERE id = $1 AND tested_at IS NOT NULL",
    )
    .bind(&enrolling.invitation.id)
    .bind(now)
    .execute(act.database())
    .await?
    .rows_affected();
    if burnt != 1 {
        return Err(Refused::conflict("Test your password first."));
    }
    if user.state == "staged" {
        set_state(&mut act, &user, "active").await?;
    }
    let draft = Draft::new("user.enrollment_completed");
    act.record(draft.target("user", &user.id, &user.username))
        .await?;
    act.finish_empty().await?;
    Ok(Enrolled {
        hosts: reachable_hosts(state, &user.id, enrolling.origin.now).await?,
        username: user.username,
    })
}

/// Slow hashes stay behind a limit, also for those who hold a link.
pub(super) fn count(state: &AppState, enrolling: &Enrolling) -> Result<(), Refused> {
    state
        .logins_by_account
        .take(&enrolling.invitation.id, enrolling.origin.now)
        .map_err(too_many)
}
