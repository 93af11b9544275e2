//! Signing in with a second factor. MFA-01, MFA-03, WEB-07.

use axum::http::StatusCode;
use directory_server::act::Act;
use directory_server::factors::{self, NewBackupCodes, Whose};
use directory_server::http::Origin;
use serde_json::json;
use totp_rs::Totp;

use crate::people_world::*;
use crate::rest_enroll::CHOSEN;

impl Directory {
    pub(crate) fn code_of(&self, totp: &Totp) -> String {
        let now = self.app.clock.now().as_second().unsigned_abs();
        totp.generate(now).to_string()
    }

    /// An authenticator for somebody, enrolled a while ago; its first code is burnt.
    pub(crate) async fn authenticator(&self, name: &str) -> Totp {
        let user: String = sqlx::query_scalar("SELECT id FROM users WHERE username = $1")
            .bind(name)
            .fetch_one(self.app.store.read())
            .await
            .unwrap();
        let whose = Whose { id: &user, name };
        let origin = Origin::of_system(self.app.clock.now());
        let mut act = Act::begin(&self.app, &origin).await.unwrap();
        let begun = factors::begin_totp(&mut act, whose, "phone").await.unwrap();
        let totp = Totp::from_url(begun.url.as_str()).unwrap();
        let code = self.code_of(&totp);
        factors::confirm_totp(&mut act, whose, &begun.device, &code)
            .await
            .unwrap();
        act.finish_empty().await.unwrap();
        self.pass_ms(90_000);
        totp
    }

    /// Somebody with a password.
    pub(crate) async fn somebody(&self, owner: &str, name: &str) {
        self.person(owner, name, &[]).await;
        let path = format!("/users/{name}/reset-password");
        let reset = json!({"password": CHOSEN});
        self.post(owner, &path, reset).await.good();
    }

    async fn first_step(&self, name: &str) -> Answer {
        let body = json!({"username": name, "password": CHOSEN});
        self.post("", "/auth/login", body).await
    }

    /// The ticket of somebody whose password was right.
    async fn ticket(&self, name: &str) -> String {
        let answer = self.first_step(name).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.code(), "mfa_required");
        let ticket = &answer.body["second_step"]["ticket"];
        ticket.as_str().expect("a ticket").to_owned()
    }

    async fn second_step(&self, ticket: &str, code: &str) -> Answer {
        let body = json!({"ticket": ticket, "code": code});
        self.post("", "/auth/mfa", body).await
    }

    /// One policy for the whole organisation.
    pub(crate) async fn policy(&self, fields: &str) {
        let policy = format!("{{\"id\":\"pol_1\",\"fields\":{fields}}}");
        self.sql(
            "INSERT INTO policies VALUES ('pol_1', 'all', '', '', '', $1, $3, 'usr_0', $3, 1)",
            &[&policy],
        )
        .await;
    }
}

#[tokio::test]
async fn whoever_has_a_second_factor_signs_in_with_password_and_code() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    directory.first_step("alice").await.good();
    let totp = directory.authenticator("alice").await;
    let first = directory.first_step("alice").await;
    assert_eq!(first.body["second_step"]["kinds"], json!(["totp"]));
    assert!(first.body.get("token").is_none());
    let ticket = directory.ticket("alice").await;
    let as_session = directory.get(&ticket, "/me").await;
    assert_eq!(as_session.status, StatusCode::UNAUTHORIZED);
    let code = directory.code_of(&totp);
    let session = directory.second_step(&ticket, &code).await.good();
    directory.get(&session.text("token"), "/me").await.good();
    let noted = "SELECT COUNT(*) FROM events WHERE kind = 'console.login' AND body LIKE '%totp%'";
    assert_eq!(directory.count(noted).await, 1);
}

#[tokio::test]
async fn web_07_a_ticket_is_good_once_for_five_minutes_and_ends_with_the_password() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    let totp = directory.authenticator("alice").await;
    let used = directory.ticket("alice").await;
    let code = directory.code_of(&totp);
    directory.second_step(&used, &code).await.good();
    directory.pass_ms(30_000);
    let late = directory.ticket("alice").await;
    directory.pass_ms(5 * 60_000);
    let before_reset = directory.ticket("alice").await;
    let reset = json!({"password": "seven brass umbrellas"});
    let path = "/users/alice/reset-password";
    directory.post(&owner, path, reset).await.good();
    for ticket in [&used, &late, &before_reset, "clf_AAAA", ""] {
        let answer = directory
            .second_step(ticket, &directory.code_of(&totp))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.code(), "unauthenticated", "{ticket}");
    }
    let alive = "SELECT COUNT(*) FROM factor_tries WHERE tries > 0";
    assert_eq!(directory.count(alive).await, 0, "no code was looked at");
}

#[tokio::test]
async fn mfa_03_and_mfa_01_wrong_codes_lock_and_a_code_is_good_for_one_sign_in() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    let totp = directory.authenticator("alice").await;
    let code = directory.code_of(&totp);
    let (one, two) = (
        directory.ticket("alice").await,
        directory.ticket("alice").await,
    );
    let (one, two) = tokio::join!(
        directory.second_step(&one, &code),
        directory.second_step(&two, &code)
    );
    let good = [&one, &two]
        .iter()
        .filter(|answer| answer.status.is_success())
        .count();
    assert_eq!(good, 1, "{one:?} {two:?}");
    directory.pass_ms(9 * 3_600_000);
    let ticket = directory.ticket("alice").await;
    for _ in 0..3 {
        let wrong = directory.second_step(&ticket, "not a code").await;
        assert_eq!(wrong.code(), "code_wrong");
    }
    let locked = directory
        .second_step(&ticket, &directory.code_of(&totp))
        .await;
    assert_eq!(locked.code(), "too_many_tries");
    let again = directory.ticket("alice").await;
    let locked = directory
        .second_step(&again, &directory.code_of(&totp))
        .await;
    assert_eq!(
        locked.code(),
        "too_many_tries",
        "the password lifts no lock"
    );
}

#[tokio::test]
async fn a_wrong_password_never_says_that_there_is_a_second_factor() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    directory.authenticator("alice").await;
    let wrong = json!({"username": "alice", "password": "wrong"});
    let answer = directory.post("", "/auth/login", wrong).await;
    assert_eq!(answer.code(), "unauthenticated");
    assert!(answer.body.get("second_step").is_none());
}

#[tokio::test]
async fn a_backup_code_signs_in_once_where_the_phone_is_lost() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    directory.authenticator("alice").await;
    let id: String = sqlx::query_scalar("SELECT id FROM users WHERE username = 'alice'")
        .fetch_one(directory.app.store.read())
        .await
        .unwrap();
    let new = NewBackupCodes::make(&directory.app).await.unwrap();
    let origin = Origin::of_system(directory.app.clock.now());
    let mut act = Act::begin(&directory.app, &origin).await.unwrap();
    let whose = Whose {
        id: &id,
        name: "alice",
    };
    let codes = new.store(&mut act, whose).await.unwrap();
    act.finish_empty().await.unwrap();
    let ticket = directory.ticket("alice").await;
    directory.second_step(&ticket, &codes[0]).await.good();
    let ticket = directory.ticket("alice").await;
    let again = directory.second_step(&ticket, &codes[0]).await;
    assert_eq!(again.code(), "code_used");
    directory.second_step(&ticket, &codes[1]).await.good();
}

#[tokio::test]
async fn where_policy_asks_for_a_factor_who_has_none_may_only_enrol_one() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    directory.policy("{\"unenrolled\":\"deny\"}").await;
    let session = directory.first_step("alice").await.good();
    assert_eq!(session.body["must_enroll_factor"], true);
    let token = session.text("token");
    let refused = directory.get(&token, "/me/ssh-keys").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text("detail").contains("second factor"));
    directory.get(&token, "/me").await.good();
    directory.authenticator("alice").await;
    directory.get(&token, "/me/ssh-keys").await.good();
    directory.ticket("alice").await;
}

#[tokio::test]
async fn where_policy_allows_it_nobody_is_asked_for_what_they_do_not_have() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    directory.policy("{\"unenrolled\":\"allow\"}").await;
    let session = directory.first_step("alice").await.good();
    assert_eq!(session.body["must_enroll_factor"], false);
    directory
        .get(&session.text("token"), "/me/ssh-keys")
        .await
        .good();
}
