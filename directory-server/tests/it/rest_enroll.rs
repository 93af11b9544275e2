//! Invitations and self-enrolment through the API: links that work once, steps that can be repeated,
//! rules for passwords. WEB-08, WEB-10, WEB-15.

use axum::http::{Method, StatusCode};
use directory_server::ageing::{age_passwords, suspend_inactive};
use serde_json::{Value, json};
use totp_rs::Totp;

use crate::people_world::*;

pub(crate) const CHOSEN: &str = "quiet copper lanterns";
const DAY_MS: i64 = 24 * 3_600_000;
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti alice@laptop";

/// The code of a new invitation of a new user.
pub(crate) async fn invited(directory: &Directory, owner: &str, name: &str) -> String {
    let new =
        json!({"username": name, "display_name": "Alice Example", "email": "alice@example.org"});
    directory.post(owner, "/users", new).await.good();
    invite(directory, owner, name).await
}

async fn invite(directory: &Directory, owner: &str, name: &str) -> String {
    let path = format!("/users/{name}/invite");
    let link = directory
        .post(owner, &path, json!({}))
        .await
        .good()
        .text("link");
    let code = link.strip_prefix("https://directory.example/enroll/");
    code.expect("a link of the public address").to_owned()
}

impl Directory {
    async fn step(&self, code: &str, step: &str, body: Value) -> Answer {
        self.post("", &format!("/enroll/{code}/{step}"), body).await
    }

    /// The shortest enrolment there is.
    async fn enrols_with_a_password(&self, code: &str) {
        let password = json!({"password": CHOSEN});
        self.step(code, "password", password.clone()).await.good();
        self.step(code, "test", password).await.good();
        self.step(code, "finish", json!({})).await.good();
    }
}

#[tokio::test]
async fn story_1_somebody_who_was_invited_brings_password_and_key_and_can_sign_in() {
    let (directory, owner) = Directory::with_owner().await;
    let code = invited(&directory, &owner, "alice").await;
    let weak = directory
        .step(&code, "password", json!({"password": "alice2024"}))
        .await;
    assert_eq!(weak.code(), "password_rejected");
    let unmet = weak.body["unmet"].to_string();
    for rule in ["at least 12", "your own name", "hard to guess"] {
        assert!(unmet.contains(rule), "{rule} is not in {unmet}");
    }
    let set = json!({"password": CHOSEN});
    directory.step(&code, "password", set.clone()).await.good();
    directory
        .step(&code, "ssh-key", json!({"public_key": KEY}))
        .await
        .good();
    let early = directory.step(&code, "finish", json!({})).await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    let wrong = directory
        .step(&code, "test", json!({"password": "wrong"}))
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let unchecked = json!({"password": CHOSEN, "code": "123456"});
    let unchecked = directory.step(&code, "test", unchecked).await;
    assert_eq!(unchecked.status, StatusCode::UNPROCESSABLE_ENTITY);
    directory.step(&code, "test", set).await.good();
    let progress = directory
        .get("", &format!("/enroll/{code}"))
        .await
        .good()
        .body;
    assert_eq!(progress["tested"], true);
    assert_eq!(progress["ssh_keys"], 1);
    directory.step(&code, "finish", json!({})).await.good();
    let login = json!({"username": "alice", "password": CHOSEN});
    directory.post("", "/auth/login", login).await.good();
}

#[tokio::test]
async fn story_1_where_policy_asks_for_a_factor_nobody_finishes_without_one_that_works() {
    let (directory, owner) = Directory::with_owner().await;
    directory.policy("{\"unenrolled\":\"deny\"}").await;
    let code = invited(&directory, &owner, "alice").await;
    let password = json!({"password": CHOSEN});
    directory
        .step(&code, "password", password.clone())
        .await
        .good();
    directory.step(&code, "test", password.clone()).await.good();
    let without = directory.step(&code, "finish", json!({})).await;
    assert_eq!(without.status, StatusCode::CONFLICT);
    assert!(without.text("detail").contains("second factor"));
    let nothing_to_save = directory.step(&code, "backup-codes", json!({})).await;
    assert_eq!(nothing_to_save.status, StatusCode::CONFLICT);
    let name = json!({"name": "phone"});
    let begun = directory.step(&code, "totp", name).await.good();
    let app = Totp::from_url(begun.text("otpauth_url")).unwrap();
    let confirm = format!("totp/{}/confirm", begun.text("id"));
    let typed = |code: String| json!({"code": code});
    let wrong = directory
        .step(&code, &confirm, typed("nonsense".into()))
        .await;
    assert_eq!(wrong.code(), "code_wrong");
    let shown = directory.code_of(&app);
    directory
        .step(&code, &confirm, typed(shown.clone()))
        .await
        .good();
    let untested = directory.step(&code, "finish", json!({})).await;
    assert_eq!(
        untested.status,
        StatusCode::CONFLICT,
        "what was tested was less"
    );
    let half = directory.step(&code, "test", password).await;
    assert_eq!(half.body["errors"][0]["field"], "code");
    let both = |code: &str| json!({"password": CHOSEN, "code": code});
    let burnt = directory.step(&code, "test", both(&shown)).await;
    assert_eq!(burnt.code(), "code_used");
    directory.pass_ms(30_000);
    let fresh = directory.code_of(&app);
    directory.step(&code, "test", both(&fresh)).await.good();
    let made = directory
        .step(&code, "backup-codes", json!({}))
        .await
        .good();
    let one = made.body["codes"][9].as_str().unwrap().to_owned();
    let none = directory
        .step(&code, "backup-codes/confirm", typed("AAAA".into()))
        .await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    directory
        .step(&code, "backup-codes/confirm", typed(one))
        .await
        .good();
    let unused = "SELECT COUNT(*) FROM backup_codes WHERE used_at IS NULL";
    assert_eq!(
        directory.count(unused).await,
        10,
        "typing one does not burn it"
    );
    directory.step(&code, "finish", json!({})).await.good();
}

#[tokio::test]
async fn a_link_is_burnt_at_the_end_replaced_by_the_next_and_too_old_after_three_days() {
    let (directory, owner) = Directory::with_owner().await;
    let first = invited(&directory, &owner, "alice").await;
    let second = invite(&directory, &owner, "alice").await;
    let gone = |code: String| {
        let directory = &directory;
        async move { directory.get("", &format!("/enroll/{code}")).await.status }
    };
    assert_eq!(gone(first).await, StatusCode::NOT_FOUND);
    directory.enrols_with_a_password(&second).await;
    assert_eq!(gone(second).await, StatusCode::NOT_FOUND);
    let third = invited(&directory, &owner, "bob").await;
    directory.pass_ms(72 * 3_600_000 - 1);
    assert_eq!(gone(third.clone()).await, StatusCode::OK);
    directory.pass_ms(1);
    assert_eq!(gone(third).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_invitation_is_no_way_into_an_account_that_is_in_use() {
    let (directory, owner) = Directory::with_owner().await;
    let code = invited(&directory, &owner, "alice").await;
    directory.enrols_with_a_password(&code).await;
    let again = directory
        .post(&owner, "/users/alice/invite", json!({}))
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let bob = invited(&directory, &owner, "bob").await;
    directory
        .post(&owner, "/users/bob/activate", json!({}))
        .await
        .good();
    directory
        .post(&owner, "/users/bob/suspend", json!({}))
        .await
        .good();
    let path = format!("/enroll/{bob}");
    assert_eq!(directory.get("", &path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn web_10_links_are_made_from_the_settings_whatever_the_host_header_says() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    let answer = directory
        .ask(&owner, Method::POST, "/users/alice/invite")
        .header("host", "evil.example\"><script>")
        .header("x-forwarded-host", "evil.example")
        .send()
        .await
        .good();
    assert!(
        answer
            .text("link")
            .starts_with("https://directory.example/enroll/cle_")
    );
}

#[tokio::test]
async fn web_08_the_code_of_a_link_is_in_no_event_and_not_in_the_database() {
    let (directory, owner) = Directory::with_owner().await;
    let code = invited(&directory, &owner, "alice").await;
    directory
        .step(&code, "password", json!({"password": CHOSEN}))
        .await
        .good();
    let events = directory.get(&owner, "/events?limit=200").await.good();
    assert!(events.body.to_string().contains("user.invited"));
    assert!(!events.body.to_string().contains(&code));
    directory.app.store.close().await;
    let stored = std::fs::read(directory.database()).unwrap();
    for secret in [code.as_str(), CHOSEN] {
        let found = stored
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the database");
    }
}

#[tokio::test]
async fn web_15_guessed_links_and_slow_hashes_stay_behind_limits() {
    let (directory, owner) = Directory::with_owner_and_limits(3).await;
    let code = invited(&directory, &owner, "alice").await;
    let mut answers = Vec::new();
    for _ in 0..5 {
        let body = json!({"password": "never the right one"});
        answers.push(directory.step(&code, "test", body).await.status);
    }
    assert_eq!(answers[0], StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answers[4], StatusCode::TOO_MANY_REQUESTS);
    let mut guesses = Vec::new();
    for _ in 0..5 {
        guesses.push(directory.get("", "/enroll/cle_AAAA").await.status);
    }
    assert_eq!(guesses[0], StatusCode::NOT_FOUND);
    assert_eq!(guesses[4], StatusCode::TOO_MANY_REQUESTS);
    let long = json!({"password": "x".repeat(70_000)});
    let refused = directory.step(&code, "strength", long).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_private_key_is_refused_by_name_and_written_down() {
    let (directory, owner) = Directory::with_owner().await;
    let code = invited(&directory, &owner, "alice").await;
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n";
    let refused = directory
        .step(&code, "ssh-key", json!({"public_key": private}))
        .await;
    assert_eq!(refused.code(), "private_key_sent");
    let noted = "SELECT COUNT(*) FROM events WHERE kind = 'user.private_key_refused'";
    assert_eq!(directory.count(noted).await, 1);
}

#[tokio::test]
async fn the_profile_pci_lets_none_of_the_last_four_passwords_come_back() {
    let (directory, owner) = Directory::with_owner().await;
    let pci = json!({"profile": "pci", "blocked_words": ["walnut"]});
    directory
        .patch(&owner, "/password-policy", pci)
        .await
        .good();
    directory.person(&owner, "alice", &[]).await;
    let reset = |password: &str| {
        let body = json!({"password": password});
        directory.post(&owner, "/users/alice/reset-password", body)
    };
    for unfit in [CHOSEN, "walnut 20268"] {
        assert_eq!(reset(unfit).await.code(), "password_rejected", "{unfit}");
    }
    let earlier: Vec<String> = (0..5).map(|n| format!("{CHOSEN} {n}")).collect();
    for password in &earlier {
        reset(password).await.good();
        directory.pass_ms(60_000);
    }
    for old in &earlier[1..] {
        assert_eq!(reset(old).await.code(), "password_rejected", "{old}");
    }
    reset(&earlier[0]).await.good();
}

#[tokio::test]
async fn a_password_that_is_too_old_must_be_changed_at_the_next_login() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    let pci = json!({"profile": "pci"});
    directory
        .patch(&owner, "/password-policy", pci)
        .await
        .good();
    let password = format!("{CHOSEN} 7");
    let body = json!({"password": password});
    directory
        .post(&owner, "/users/alice/reset-password", body)
        .await
        .good();
    directory.pass_ms(90 * DAY_MS - 1);
    assert_eq!(age_passwords(&directory.app).await.unwrap(), 0);
    directory.pass_ms(1);
    assert_eq!(
        age_passwords(&directory.app).await.unwrap(),
        2,
        "alice's and the owner's"
    );
    assert_eq!(age_passwords(&directory.app).await.unwrap(), 0);
    let login = json!({"username": "alice", "password": password});
    let session = directory.post("", "/auth/login", login).await.good();
    assert_eq!(session.body["must_change_password"], true);
}

#[tokio::test]
async fn whoever_is_not_heard_of_is_suspended_and_the_last_owner_stays() {
    let (directory, owner) = Directory::with_owner().await;
    for name in ["alice", "bob", "carol"] {
        directory.person(&owner, name, &[]).await;
    }
    let quiet = json!({"suspend_inactive_after": "90d"});
    directory
        .patch(&owner, "/password-policy", quiet)
        .await
        .good();
    directory.pass_ms(60 * DAY_MS);
    let seen = "UPDATE users SET last_login_at = $3 WHERE username = 'bob' AND $1 || $2 = ''";
    directory.sql(seen, &[]).await;
    let at_a_host = "INSERT INTO events SELECT 900, 'evt_x', $3, 'auth.login', 'success', '', id, '', '{}', '', ''
        FROM users WHERE username = 'carol' AND $1 || $2 = ''";
    directory.sql(at_a_host, &[]).await;
    directory.pass_ms(31 * DAY_MS);
    assert_eq!(suspend_inactive(&directory.app).await.unwrap(), 1);
    let suspended = "SELECT COUNT(*) FROM users WHERE state = 'suspended' AND username = 'alice'";
    assert_eq!(directory.count(suspended).await, 1);
    assert_eq!(suspend_inactive(&directory.app).await.unwrap(), 0);
}
