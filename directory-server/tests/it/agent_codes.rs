//! Second factors checked for hosts: burnt once for all of them, counted before they are compared.

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use directory_api::agent::{CodeCheck, CodeChecked};
use directory_server::act::Act;
use directory_server::factors::{self, NewBackupCodes, Whose};
use directory_server::http::Origin;
use policy::FactorKind;
use totp_rs::Totp;

use crate::agent_world::*;

pub(crate) const WHO: Whose<'_> = Whose {
    id: "usr_1",
    name: "user1",
};

/// user1 can reach both hosts and has an authenticator, user2 can reach none.
pub(crate) async fn world() -> (Directory, Host, Host, Totp) {
    let directory = Directory::new().await;
    directory.user(1, None).await;
    directory.user(2, None).await;
    directory.allow("acc_1", "usr_1", "*").await;
    let one = directory.host("web-1", "[]").await;
    let other = directory.host("web-2", "[]").await;
    let totp = enrol(&directory).await;
    directory.pass_ms(90_000);
    (directory, one, other, totp)
}

pub(crate) async fn enrol(directory: &Directory) -> Totp {
    let origin = Origin::of_system(directory.app.clock.now());
    let mut act = Act::begin(&directory.app, &origin).await.unwrap();
    let begun = factors::begin_totp(&mut act, WHO, "phone").await.unwrap();
    let totp = Totp::from_url(begun.url.as_str()).unwrap();
    let code = code_at(&totp, directory.now_ms());
    factors::confirm_totp(&mut act, WHO, &begun.device, &code)
        .await
        .unwrap();
    act.finish_empty().await.unwrap();
    totp
}

pub(crate) fn code_at(totp: &Totp, now_ms: i64) -> String {
    totp.generate(now_ms.unsigned_abs() / 1000).to_string()
}

fn wrong_code(totp: &Totp, now_ms: i64) -> String {
    let near: Vec<String> = (-2..=2)
        .map(|step| code_at(totp, now_ms + step * 30_000))
        .collect();
    let mut codes = (0..).map(|number| format!("{number:06}"));
    codes.find(|code| !near.contains(code)).unwrap()
}

pub(crate) fn typed(user: &str, code: &str) -> CodeCheck {
    CodeCheck {
        username: user.to_owned(),
        code: code.to_owned(),
        service: "sshd".to_owned(),
        source: "192.0.2.9".to_owned(),
    }
}

async fn refused(directory: &Directory, host: &Host, code: &str) -> (StatusCode, String) {
    let response = directory.post(host, "codes", &typed("user1", code)).await;
    (response.status(), crate::agent_world::code(response).await)
}

#[tokio::test]
async fn mfa_01_one_code_is_good_once_for_all_hosts() {
    let (directory, one, other, totp) = world().await;
    let code = code_at(&totp, directory.now_ms());
    let response = directory.post(&one, "codes", &typed("user1", &code)).await;
    assert_eq!(response.status(), StatusCode::OK);
    let checked: CodeChecked = json(response).await;
    assert_eq!(checked.kind, FactorKind::Totp);
    assert_eq!(
        checked.step,
        Some(directory.now_ms().unsigned_abs() / 30_000)
    );
    let used = (StatusCode::CONFLICT, "code_used".to_owned());
    assert_eq!(refused(&directory, &other, &code).await, used);
}

#[tokio::test]
async fn mfa_01_of_many_at_once_exactly_one_gets_in() {
    let (directory, one, other, totp) = world().await;
    let check = typed("user1", &code_at(&totp, directory.now_ms()));
    let tries = (0..20).map(|number| {
        let host = if number % 2 == 0 { &one } else { &other };
        directory.post(host, "codes", &check)
    });
    let answers = futures_util::future::join_all(tries).await;
    let good = answers.iter().filter(|answer| answer.status().is_success());
    assert_eq!(good.count(), 1);
}

#[tokio::test]
async fn mfa_03_three_wrong_codes_on_all_hosts_together_and_then_none_is_looked_at() {
    let (directory, one, other, totp) = world().await;
    let wrong = wrong_code(&totp, directory.now_ms());
    for host in [&one, &other, &one] {
        let answer = (StatusCode::UNAUTHORIZED, "code_wrong".to_owned());
        assert_eq!(refused(&directory, host, &wrong).await, answer);
    }
    let right = typed("user1", &code_at(&totp, directory.now_ms()));
    let locked = directory.post(&other, "codes", &right).await;
    assert_eq!(locked.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(locked.headers()[RETRY_AFTER], "900");
    directory.pass_ms(901_000);
    let right = typed("user1", &code_at(&totp, directory.now_ms()));
    let after = directory.post(&one, "codes", &right).await;
    assert_eq!(after.status(), StatusCode::OK);
}

#[tokio::test]
async fn mfa_05_a_try_is_on_disk_when_the_answer_comes_and_a_right_one_takes_back_only_its_own() {
    let (directory, one, _, totp) = world().await;
    refused(&directory, &one, &wrong_code(&totp, directory.now_ms())).await;
    let tries = "SELECT tries FROM factor_tries WHERE user_id = 'usr_1'";
    assert_eq!(directory.count(tries).await, 1);
    let right = typed("user1", &code_at(&totp, directory.now_ms()));
    let answer = directory.post(&one, "codes", &right).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(directory.count(tries).await, 1);
}

#[tokio::test]
async fn mfa_09_a_backup_code_is_good_once_on_all_hosts() {
    let (directory, one, other, _) = world().await;
    let origin = Origin::of_system(directory.app.clock.now());
    let new = NewBackupCodes::make(&directory.app).await.unwrap();
    let mut act = Act::begin(&directory.app, &origin).await.unwrap();
    let codes = new.store(&mut act, WHO).await.unwrap();
    act.finish_empty().await.unwrap();
    let response = directory
        .post(&one, "codes", &typed("user1", &codes[3]))
        .await;
    assert_eq!(response.status(), StatusCode::OK);
    let checked: CodeChecked = json(response).await;
    assert_eq!(checked.kind, FactorKind::BackupCode);
    assert_eq!(checked.backup_codes_left, Some(9));
    let used = (StatusCode::CONFLICT, "code_used".to_owned());
    assert_eq!(
        refused(&directory, &other, &codes[3].to_lowercase()).await,
        used
    );
}

#[tokio::test]
async fn a_host_asks_only_about_its_own_people() {
    let (directory, one, _, totp) = world().await;
    let code = code_at(&totp, directory.now_ms());
    for user in ["user2", "nobody-here"] {
        let response = directory.post(&one, "codes", &typed(user, &code)).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{user}");
    }
    directory.suspend("usr_1").await;
    let response = directory.post(&one, "codes", &typed("user1", &code)).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn mfa_07_hosts_get_bits_of_coming_codes_only_under_a_policy_and_never_a_seed() {
    let (mut directory, one, _, totp) = world().await;
    directory.publish_all().await;
    let (_, read, _) = directory.bundle(&one).await;
    assert!(read.slice.check_bits.is_empty() && read.slice.factors.is_empty());
    directory
        .sql(
            "INSERT INTO policies VALUES ('pol_1', 'p', '', '', '', $1, 0, 'usr_0', 0, 1)",
            &[r#"{"id":"pol_1","fields":{"mfa_required":true}}"#],
        )
        .await;
    directory.publish_all().await;
    let (_, read, bytes) = directory.bundle(&one).await;
    assert_eq!(read.slice.factors.len(), 1);
    let bits = signed_bundle::CheckBits::read(&read.slice.check_bits[0]).unwrap();
    let now_step = directory.now_ms().unsigned_abs() / 30_000;
    for step in [now_step - 1, now_step, now_step + 24 * 120] {
        let code = totp.generate(step * 30).to_string();
        let expected = signed_bundle::CheckBits::of_code("usr_1", step, &code);
        assert_eq!(bits.at(step), Some(expected), "{step}");
    }
    assert!(bits.end() <= now_step + 26 * 120);
    let secret = totp.to_url().unwrap();
    let secret = &secret.split("secret=").nth(1).unwrap().as_bytes()[..32].to_vec();
    assert!(bytes.windows(32).all(|window| window != secret));
    let later = directory.publish_all().await;
    assert!(later.is_empty(), "nothing has changed within the hour");
    directory.pass_ms(3_600_000);
    assert_eq!(
        directory.publish_all().await.len(),
        2,
        "a new hour, new bits"
    );
}
