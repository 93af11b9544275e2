//! The steps of self-enrolment that are about second factors: an authenticator, a YubiKey, backup
//! codes, and whether policy lets somebody finish without.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use directory_api::rest::{
    BackupCodesCreated, MfaDevice, NewTotp, NewYubikey, Secret, TotpBegun, TypedFactor,
};
use policy::{FactorKind, FactorPolicy, Factors};
use sqlx::SqliteConnection;

use super::Enrolling;
use super::steps::count;
use crate::factors::{self, Asked, Device, Limit, NewBackupCodes};
use crate::http::Refused;
use crate::reach::World;
use crate::state::AppState;

/// Begins an authenticator: its seed is in this answer and in no other.
///
/// # Errors
/// Too many devices, or a name that is taken.
pub async fn begin_totp(
    state: &AppState,
    enrolling: &Enrolling,
    new: &NewTotp,
) -> Result<TotpBegun, Refused> {
    let mut act = enrolling.begin(state).await?;
    let begun = factors::begin_totp(&mut act, (&enrolling.user).into(), &new.name).await?;
    act.finish_empty().await?;
    Ok(begun.shown())
}

/// Accepts an authenticator that shows the right code.
///
/// # Errors
/// The code is wrong, or there is no such device waiting.
pub async fn confirm_totp(
    state: &AppState,
    enrolling: &Enrolling,
    device: &str,
    typed: &TypedFactor,
) -> Result<(), Refused> {
    count(state, enrolling)?;
    let mut act = enrolling.begin(state).await?;
    let user = (&enrolling.user).into();
    factors::confirm_totp(&mut act, user, device, typed.code.expose())
        .await
        .map_err(factors::in_a_session)?;
    enrolling.untested(&mut act).await?;
    act.finish_empty().await.map(drop)
}

/// Adds a YubiKey by one touch of it.
///
/// # Errors
/// The password is wrong, no server answers, or the key is somebody's already.
pub async fn add_yubikey(
    state: &AppState,
    enrolling: &Enrolling,
    new: &NewYubikey,
) -> Result<MfaDevice, Refused> {
    count(state, enrolling)?;
    let public_id = factors::yubikey_of(state, new.code.expose())
        .await
        .map_err(factors::in_a_session)?;
    let mut act = enrolling.begin(state).await?;
    let user = (&enrolling.user).into();
    let id = factors::add_yubikey(&mut act, user, &new.name, &public_id).await?;
    enrolling.untested(&mut act).await?;
    let device = Device::find(act.database(), &id).await?.shown();
    act.finish_empty().await?;
    Ok(device)
}

/// Makes backup codes in the place of all earlier ones; they are in this answer and in no other.
///
/// # Errors
/// There is no device for which they could stand in.
pub async fn make_backup_codes(
    state: &AppState,
    enrolling: &Enrolling,
) -> Result<BackupCodesCreated, Refused> {
    count(state, enrolling)?;
    let mut snapshot = state.store.snapshot().await?;
    if devices(&mut snapshot, &enrolling.user.id).await?.is_empty() {
        return Err(Refused::conflict(
            "Backup codes stand in for a second factor; enrol one first.",
        ));
    }
    drop(snapshot);
    let new = NewBackupCodes::make(state).await?;
    let mut act = enrolling.begin(state).await?;
    let codes = new.store(&mut act, (&enrolling.user).into()).await?;
    sqlx::query("UPDATE invitations SET codes_shown_at = $2, codes_kept_at = NULL WHERE id = $1")
        .bind(&enrolling.invitation.id)
        .bind(act.now_ms())
        .execute(act.database())
        .await?;
    act.finish_empty().await?;
    let codes = codes.iter().map(|code| Secret::new(code.to_string()));
    Ok(BackupCodesCreated {
        codes: codes.collect(),
    })
}

/// Somebody types one of their backup codes, and so has kept them; it is not burnt.
///
/// # Errors
/// It is none of them.
pub async fn keep_backup_codes(
    state: &AppState,
    enrolling: &Enrolling,
    typed: &TypedFactor,
) -> Result<(), Refused> {
    count(state, enrolling)?;
    let user = &enrolling.user.id;
    if !factors::is_backup_code(state, user, typed.code.expose()).await? {
        return Err(Refused::invalid(
            "code",
            "This is none of your backup codes.",
        ));
    }
    let mut act = enrolling.begin(state).await?;
    factors::confirm_backup_codes(&mut act, user).await?;
    sqlx::query("UPDATE invitations SET codes_kept_at = $2 WHERE id = $1")
        .bind(&enrolling.invitation.id)
        .bind(act.now_ms())
        .execute(act.database())
        .await?;
    act.finish_empty().await.map(drop)
}

/// Checks and burns the code of the last test, if there is a device to test.
///
/// # Errors
/// It is missing, wrong or used; or one was sent that nobody could check.
pub(super) async fn test_code(
    state: &AppState,
    enrolling: &Enrolling,
    code: Option<&Secret>,
) -> Result<(), Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let kinds = devices(&mut snapshot, &enrolling.user.id).await?;
    drop(snapshot);
    let typed = match (code, kinds.is_empty()) {
        (None, true) => return Ok(()),
        (Some(_), true) => {
            let detail = "There is no second factor to test.";
            return Err(Refused::invalid("code", detail));
        }
        (None, false) => {
            let detail = "Type a code of your second factor as well.";
            return Err(Refused::invalid("code", detail));
        }
        (Some(code), false) => code.expose(),
    };
    let asked = Asked {
        user: (&enrolling.user).into(),
        typed,
        kinds: &kinds,
        limit: Limit::default(),
        service: "enrollment",
        host: None,
    };
    let checked = factors::check(state, &enrolling.origin, asked).await;
    checked.map(drop).map_err(factors::in_a_session)
}

/// The kinds of devices somebody has; backup codes only stand in for those.
async fn devices(
    database: &mut SqliteConnection,
    user: &str,
) -> Result<BTreeSet<FactorKind>, sqlx::Error> {
    let mut kinds = factors::enrolled(database, user).await?;
    kinds.remove(&FactorKind::BackupCode);
    Ok(kinds)
}

/// Whether policy asks this person for a second factor anywhere, and they have none that counts.
pub(super) async fn is_missing(
    database: &mut SqliteConnection,
    user: &str,
) -> Result<bool, Refused> {
    let mut has = devices(database, user).await?;
    let hardware: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM ssh_keys WHERE user_id = $1 AND hardware = 1")
            .bind(user)
            .fetch_one(&mut *database)
            .await?;
    if hardware > 0 {
        has.insert(FactorKind::HardwareKey);
    }
    let console = factors::factors_at(database, None, ("console", None)).await?;
    // One that cannot be read was refused with the line before.
    let policies = factors::load_policies(database).await?.unwrap_or_default();
    let mut wanted = vec![console];
    if !policies.is_empty() {
        let world = World::load(database).await?;
        let person = world.people.iter().find(|person| person.id == user);
        let hosts = world.hosts.iter();
        let hosts =
            hosts.filter(|host| person.is_some_and(|person| world.could_reach(person, host)));
        wanted.extend(hosts.map(|host| {
            let here = policies.iter().filter_map(|stored| stored.for_host(host));
            Factors::of(&here.collect::<Vec<FactorPolicy>>(), "sshd", None)
        }));
    }
    Ok(wanted
        .iter()
        .any(|place| place.mfa_required && place.mfa_methods.is_disjoint(&has)))
}

/// Says why an enrolment cannot be finished yet.
pub(super) fn missing() -> Refused {
    Refused::new(
        StatusCode::CONFLICT,
        "conflict",
        "Your organisation asks for a second factor, and you have enrolled none yet.",
    )
    .hint("Add an authenticator or a YubiKey.")
}
