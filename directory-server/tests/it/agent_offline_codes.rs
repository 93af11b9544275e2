//! Codes that hosts accepted while they were cut off, as their events tell when they are back.

use axum::http::StatusCode;
use directory_api::agent::{CodeCheck, HostEvent};
use directory_server::act::Act;
use directory_server::factors::{NewBackupCodes, forget_spent_codes};
use directory_server::http::Origin;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::agent_codes::{WHO, code_at, typed, world};
use crate::agent_events::send;
use crate::agent_world::*;

const ALARMS: &str = "SELECT COUNT(*) FROM events WHERE kind = 'mfa.used_twice'";
const MARKED: &str = "SELECT COUNT(*) FROM factor_tries WHERE used_twice_at IS NOT NULL";
const SPENT: &str = "SELECT COUNT(*) FROM spent_codes";

/// The first event of a boot: a code was accepted without the directory.
fn accepted(directory: &Directory, boot: u32, details: Value) -> HostEvent {
    let mut event = HostEvent {
        boot: format!("3f1c1a5e-0000-4000-8000-{boot:012}"),
        sequence: 1,
        time_ms: directory.now_ms(),
        kind: "auth.mfa_offline".to_owned(),
        outcome: "success".to_owned(),
        user: "user1".to_owned(),
        details,
        previous_hash: String::new(),
        hash: String::new(),
    };
    let digest = Sha256::digest(event.hashed_bytes());
    event.hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    event
}

async fn device(directory: &Directory) -> String {
    sqlx::query_scalar("SELECT id FROM mfa_devices")
        .fetch_one(directory.app.store.read())
        .await
        .unwrap()
}

fn step(directory: &Directory, device: &str) -> Value {
    let step = directory.now_ms().unsigned_abs() / 30_000;
    json!({"tier": "check-bits", "device": device, "step": step, "service": "sshd"})
}

async fn tell(directory: &Directory, host: &Host, boot: u32, details: &Value) {
    let event = accepted(directory, boot, details.clone());
    send(directory, host, &[event]).await;
}

async fn answer(directory: &Directory, host: &Host, check: &CodeCheck) -> StatusCode {
    directory.post(host, "codes", check).await.status()
}

#[tokio::test]
async fn mfa_09_a_code_taken_offline_is_burnt_for_all_when_the_host_is_back() {
    let (directory, one, other, totp) = world().await;
    let check = typed("user1", &code_at(&totp, directory.now_ms()));
    let details = step(&directory, &device(&directory).await);
    tell(&directory, &one, 1, &details).await;
    assert_eq!(
        answer(&directory, &other, &check).await,
        StatusCode::CONFLICT
    );
    assert_eq!(directory.count(ALARMS).await, 0);
}

#[tokio::test]
async fn mfa_09_two_cut_off_hosts_with_one_code_are_one_alarm_and_mark_the_account() {
    let (directory, one, other, _) = world().await;
    let details = step(&directory, &device(&directory).await);
    tell(&directory, &one, 1, &details).await;
    assert_eq!(
        (directory.count(ALARMS).await, directory.count(MARKED).await),
        (0, 0)
    );
    for _ in 0..3 {
        tell(&directory, &other, 2, &details).await;
    }
    assert_eq!(
        (directory.count(ALARMS).await, directory.count(MARKED).await),
        (1, 1)
    );
}

#[tokio::test]
async fn mfa_09_a_code_burnt_online_and_taken_offline_elsewhere_is_an_alarm() {
    let (directory, one, other, totp) = world().await;
    let check = typed("user1", &code_at(&totp, directory.now_ms()));
    assert_eq!(answer(&directory, &one, &check).await, StatusCode::OK);
    let details = step(&directory, &device(&directory).await);
    tell(&directory, &other, 1, &details).await;
    assert_eq!(directory.count(ALARMS).await, 1);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_second_use_but_only_once() {
    let (directory, one, _, totp) = world().await;
    let check = typed("user1", &code_at(&totp, directory.now_ms()));
    assert_eq!(answer(&directory, &one, &check).await, StatusCode::OK);
    let details = step(&directory, &device(&directory).await);
    tell(&directory, &one, 1, &details).await;
    assert_eq!(
        (directory.count(ALARMS).await, directory.count(MARKED).await),
        (0, 0)
    );
    // A snapshot of the host that was put back takes it again.
    tell(&directory, &one, 2, &details).await;
    assert_eq!(directory.count(ALARMS).await, 1);
}

#[tokio::test]
async fn mfa_09_a_backup_code_used_on_two_cut_off_hosts_is_an_alarm() {
    let (directory, one, other, _) = world().await;
    let origin = Origin::of_system(directory.app.clock.now());
    let new = NewBackupCodes::make(&directory.app).await.unwrap();
    let mut act = Act::begin(&directory.app, &origin).await.unwrap();
    new.store(&mut act, WHO).await.unwrap();
    act.finish_empty().await.unwrap();
    let id: String = sqlx::query_scalar("SELECT id FROM backup_codes LIMIT 1")
        .fetch_one(directory.app.store.read())
        .await
        .unwrap();
    let details = json!({"tier": "backup-code", "device": id, "service": "sshd"});
    tell(&directory, &one, 1, &details).await;
    assert_eq!(directory.count(ALARMS).await, 0);
    tell(&directory, &other, 1, &details).await;
    assert_eq!(
        (directory.count(ALARMS).await, directory.count(MARKED).await),
        (1, 1)
    );
}

#[tokio::test]
async fn a_host_burns_nothing_of_the_future_and_nothing_of_somebody_else() {
    let (directory, one, _, totp) = world().await;
    let device = device(&directory).await;
    let far = directory.now_ms().unsigned_abs() / 30_000 + 1000;
    let future = json!({"tier": "check-bits", "device": device, "step": far});
    tell(&directory, &one, 1, &future).await;
    let mut of_another = accepted(&directory, 2, step(&directory, &device));
    of_another.user = "user2".to_owned();
    let digest = Sha256::digest(of_another.hashed_bytes());
    of_another.hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    send(&directory, &one, &[of_another]).await;
    let check = typed("user1", &code_at(&totp, directory.now_ms()));
    assert_eq!(answer(&directory, &one, &check).await, StatusCode::OK);
    assert_eq!(directory.count(ALARMS).await, 0);
}

#[tokio::test]
async fn spent_steps_are_forgotten_after_a_month_and_stay_burnt() {
    let (directory, one, _, totp) = world().await;
    let old = typed("user1", &code_at(&totp, directory.now_ms()));
    assert_eq!(answer(&directory, &one, &old).await, StatusCode::OK);
    let spent = directory.count(SPENT).await;
    assert!(spent > 0);
    directory.pass_ms(30 * 24 * 3_600_000);
    assert_eq!(forget_spent_codes(&directory.app).await.unwrap(), 0);
    directory.pass_ms(2 * 24 * 3_600_000);
    assert_eq!(
        forget_spent_codes(&directory.app).await.unwrap(),
        spent.unsigned_abs()
    );
    directory.pass_ms(-32 * 24 * 3_600_000);
    assert_eq!(answer(&directory, &one, &old).await, StatusCode::CONFLICT);
}
