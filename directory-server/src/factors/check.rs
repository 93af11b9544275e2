//! Checks a typed code, and burns it: counted on disk first, then compared, then burnt in the one
//! statement that decides. Whoever sends the same code a second time, from whatever host, is told
//! that it was used.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use policy::{FactorKind, TypedCode};
use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;

use super::devices::{Device, codes_of, devices_of, enrolled};
use super::throttle::{self, Counted, Limit};
use super::yubikey::Verdict;
use super::{Whose, backup_codes, used, wrong};
use crate::act::Act;
use crate::audit::{Draft, Outcome, Severity};
use crate::http::{Origin, Refused};
use crate::notices;
use crate::state::AppState;

/// What is to be checked. The first factor was right already.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Who.
    pub user: Whose<'a>,
    /// What they typed.
    pub typed: &'a str,
    /// Kinds that count.
    pub kinds: &'a BTreeSet<FactorKind>,
    /// Tries there are.
    pub limit: Limit,
    /// Where the code is asked for: a PAM service, or `console`.
    pub service: &'a str,
    /// Id and name of the host that asks, or nothing.
    pub host: Option<(&'a str, &'a str)>,
}

/// A code that was right and is burnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// What it was.
    pub kind: FactorKind,
    /// `mfa_…` or `bkc_…`
    pub device: String,
    /// Of a time-based code.
    pub step: Option<u64>,
    /// Where it was one of them.
    pub backup_codes_left: Option<u32>,
}

/// How a comparison ended.
enum Compared {
    Step { device: String, step: u64 },
    Otp { device: String, hash: String },
    Backup { id: String },
    Used,
    Wrong,
}

/// Checks and burns.
///
/// # Errors
/// `code_wrong`, `code_used`, `too_many_tries`, `mfa_not_enrolled`, or the directory cannot tell.
pub async fn check(state: &AppState, origin: &Origin, asked: Asked<'_>) -> Result<Proven, Refused> {
    // A check is a check, whatever the caller calls it.
    let origin = origin.apart();
    let counted = count(state, &origin, asked).await?;
    let compared = match compare(state, &origin, asked).await {
        Ok(compared) => compared,
        Err(refused) => {
            // Nothing was compared, so nothing was tried.
            let mut act = Act::begin(state, &origin).await?;
            throttle::take_back(act.database(), asked.user.id, counted).await?;
            act.finish_empty().await?;
            return Err(refused);
        }
    };
    settle(state, &origin, asked, (compared, counted)).await
}

/// Writes the try down. What is not on disk was not counted, and then nothing is compared.
async fn count(state: &AppState, origin: &Origin, asked: Asked<'_>) -> Result<Counted, Refused> {
    let mut act = Act::begin(state, origin).await?;
    let has = enrolled(act.database(), asked.user.id).await?;
    if has.is_disjoint(asked.kinds) {
        return Err(not_enrolled());
    }
    let now = act.now_ms();
    let counted = throttle::count(act.database(), asked.user.id, asked.limit, now).await?;
    let counted = counted.map_err(|locked| too_many(locked.retry_after_s))?;
    if let Some(lock) = counted.lock {
        let severity = if lock.earlier == 0 {
            Severity::Warning
        } else {
            Severity::Critical
        };
        let until = jiff::Timestamp::from_millisecond(lock.until_ms).unwrap_or_default();
        let draft = drafted("auth.locked_out", asked)
            .outcome(Outcome::Denied)
            .severity(severity)
            .reason("second_factor")
            .detail("until", until.to_string());
        act.record(draft).await?;
    }
    act.finish_empty().await?;
    Ok(counted)
}

async fn compare(state: &AppState, origin: &Origin, asked: Asked<'_>) -> Result<Compared, Refused> {
    let Some(typed) = TypedCode::read(asked.typed) else {
        return Ok(Compared::Wrong);
    };
    let kind = match &typed {
        TypedCode::OneTime(_) => FactorKind::Totp,
        TypedCode::YubikeyOtp(_) => FactorKind::YubikeyOtp,
        TypedCode::BackupCode(_) => FactorKind::BackupCode,
    };
    if !asked.kinds.contains(&kind) {
        return Ok(Compared::Wrong);
    }
    let user = asked.user.id;
    let mut snapshot = state.store.snapshot().await?;
    let devices = devices_of(&mut snapshot, user).await?;
    let devices = devices
        .into_iter()
        .filter(|device| device.confirmed_at.is_some());
    match typed {
        TypedCode::OneTime(code) => {
            let totp = devices.filter(|device| device.kind == "totp");
            let totp: Vec<Device> = totp.collect();
            one_time(state, origin, &totp, &code)
        }
        TypedCode::YubikeyOtp(otp) => {
            let id = TypedCode::yubikey_id(&otp);
            let mut devices = devices.filter(|device| device.public_id.as_deref() == id);
            drop(snapshot);
            match devices.next() {
                Some(device) => one_otp(state, device.id, &otp).await,
                None => Ok(Compared::Wrong),
            }
        }
        TypedCode::BackupCode(code) => {
            let verifiers: Vec<(String, String)> = sqlx::query_as(
                "SELECT id, verifier FROM backup_codes WHERE user_id = $1 ORDER BY id",
            )
            .bind(user)
            .fetch_all(&mut *snapshot)
            .await?;
            drop(snapshot);
            let found = backup_codes::matching(&state.passwords, verifiers, &code).await?;
            Ok(found.map_or(Compared::Wrong, |id| Compared::Backup { id }))
        }
    }
}

fn one_time(
    state: &AppState,
    origin: &Origin,
    devices: &[Device],
    code: &str,
) -> Result<Compared, Refused> {
    if devices.is_empty() {
        return Ok(Compared::Wrong);
    }
    let cipher = state.seed_key.read()?;
    let now_s = origin.now.as_second().max(0).unsigned_abs();
    let mut compared = Compared::Wrong;
    for device in devices {
        let codes = codes_of(&cipher, device)?;
        let last_step = device.last_step.max(0).unsigned_abs();
        match codes.step_of(code, now_s, last_step) {
            Some(step) => {
                let device = device.id.clone();
                return Ok(Compared::Step { device, step });
            }
            None if codes.knows(code, now_s) => compared = Compared::Used,
            None => {}
        }
    }
    Ok(compared)
}

async fn one_otp(state: &AppState, device: String, otp: &str) -> Result<Compared, Refused> {
    let hash = Sha256::digest(otp);
    let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(match state.yubikeys.verdict(otp).await? {
        Verdict::Right => Compared::Otp { device, hash },
        Verdict::Replayed => Compared::Used,
        Verdict::Wrong => Compared::Wrong,
    })
}

/// Burns the code, or says why not; either is written down.
async fn settle(
    state: &AppState,
    origin: &Origin,
    asked: Asked<'_>,
    (compared, counted): (Compared, Counted),
) -> Result<Proven, Refused> {
    let mut act = Act::begin(state, origin).await?;
    // Suspended or deleted meanwhile.
    let state: Option<String> = sqlx::query_scalar("SELECT state FROM users WHERE id = $1")
        .bind(asked.user.id)
        .fetch_optional(act.database())
        .await?;
    // The staged log in nowhere yet; they try their code while they enrol.
    let burnt = if matches!(state.as_deref(), Some("active" | "staged")) {
        burn(&mut act, asked, compared).await?
    } else {
        Err(wrong())
    };
    match burnt {
        Ok(proven) => {
            throttle::take_back(act.database(), asked.user.id, counted).await?;
            if let Some(left) = proven.backup_codes_left {
                let draft = drafted("user.backup_code_used", asked).severity(Severity::Warning);
                act.record(draft.detail("remaining", left)).await?;
                notices::tell(&mut act, asked.user.id, "a backup code was used").await?;
                act.touch_user(asked.user.id);
            } else {
                act.record(
                    drafted("auth.mfa_proven", asked).detail("device", proven.device.as_str()),
                )
                .await?;
            }
            act.finish_empty().await?;
            Ok(proven)
        }
        Err(refused) => {
            let (kind, severity) = match refused.code() {
                "code_used" => ("auth.mfa_replayed", Severity::Warning),
                _ => ("auth.mfa_failed", Severity::Notice),
            };
            let draft = drafted(kind, asked).outcome(Outcome::Failure);
            act.record(draft.severity(severity)).await?;
            act.finish_empty().await?;
            Err(refused)
        }
    }
}

async fn burn(
    act: &mut Act<'_>,
    asked: Asked<'_>,
    compared: Compared,
) -> Result<Result<Proven, Refused>, Refused> {
    let now = act.now_ms();
    let host = asked.host.map_or("", |(id, _)| id);
    let proven = |kind, device, step| Proven {
        kind,
        device,
        step,
        backup_codes_left: None,
    };
    Ok(match compared {
        Compared::Wrong => Err(wrong()),
        Compared::Used => Err(used()),
        Compared::Step { device, step } => {
            let advanced = advance(act.database(), &device, step, now).await?;
            let spent = (device.as_str(), step.to_string());
            let fresh =
                advanced && spend(act.database(), (spent.0, &spent.1), (host, now), false).await?;
            if fresh {
                Ok(proven(FactorKind::Totp, device, Some(step)))
            } else {
                Err(used())
            }
        }
        Compared::Otp { device, hash } => {
            if spend(act.database(), (&device, &hash), (host, now), false).await?
                && still_there(act.database(), &device, now).await?
            {
                Ok(proven(FactorKind::YubikeyOtp, device, None))
            } else {
                Err(used())
            }
        }
        Compared::Backup { id } => {
            if spend_backup_code(act.database(), &id, (host, now), false).await? {
                Ok(Proven {
                    backup_codes_left: Some(left(act.database(), asked.user.id).await?),
                    ..proven(FactorKind::BackupCode, id, None)
                })
            } else {
                Err(used())
            }
        }
    })
}

/// Moves a device's last step on; false when it is there or further already, or the device is gone.
pub(super) async fn advance(
    database: &mut SqliteConnection,
    device: &str,
    step: u64,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query(
        "UPDATE mfa_devices SET last_step = $2, last_used_at = $3
         WHERE id = $1 AND last_step < $2 AND confirmed_at IS NOT NULL",
    )
    .bind(device)
    .bind(i64::try_from(step).unwrap_or(i64::MAX))
    .bind(now)
    .execute(database)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Notes that a code was accepted; false when it was before.
pub(super) async fn spend(
    database: &mut SqliteConnection,
    (device, code): (&str, &str),
    (host, now): (&str, i64),
    offline: bool,
) -> Result<bool, sqlx::Error> {
    let spent = sqlx::query(
        "INSERT INTO spent_codes (device_id, code, used_on, used_at, offline)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(device)
    .bind(code)
    .bind(host)
    .bind(now)
    .bind(i64::from(offline))
    .execute(database)
    .await?;
    Ok(spent.rows_affected() == 1)
}

/// Marks a backup code as used; false when it was before, or is gone.
pub(super) async fn spend_backup_code(
    database: &mut SqliteConnection,
    id: &str,
    (host, now): (&str, i64),
    offline: bool,
) -> Result<bool, sqlx::Error> {
    let spent = sqlx::query(
        "UPDATE backup_codes SET used_at = $2, used_on = $3, used_offline = $4
         WHERE id = $1 AND used_at IS NULL",
    )
    .bind(id)
    .bind(now)
    .bind(host)
    .bind(i64::from(offline))
    .execute(database)
    .await?;
    Ok(spent.rows_affected() == 1)
}

async fn still_there(
    database: &mut SqliteConnection,
    device: &str,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let noted = sqlx::query("UPDATE mfa_devices SET last_used_at = $2 WHERE id = $1")
        .bind(device)
        .bind(now)
        .execute(database)
        .await?;
    Ok(noted.rows_affected() == 1)
}

async fn left(database: &mut SqliteConnection, user: &str) -> Result<u32, sqlx::Error> {
    let left: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM backup_codes WHERE user_id = $1 AND used_at IS NULL",
    )
    .bind(user)
    .fetch_one(database)
    .await?;
    Ok(u32::try_from(left).unwrap_or_default())
}

fn drafted(kind: &str, asked: Asked<'_>) -> Draft {
    let draft = Draft::new(kind)
        .target("user", asked.user.id, asked.user.name)
        .detail("service", asked.service);
    match asked.host {
        Some((id, name)) => draft.host(id, name),
        None => draft,
    }
}

fn too_many(retry_after_s: u64) -> Refused {
    Refused::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_tries",
        "Too many wrong codes; for a while none is looked at.",
    )
    .hint(format!(
        "Wait {retry_after_s} s; an administrator can lift the lock."
    ))
    .retry_after(retry_after_s)
}

fn not_enrolled() -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        "mfa_not_enrolled",
        "This person has enrolled no second factor that counts here.",
    )
    .hint("`cloudid mfa enroll totp` enrols one.")
}
