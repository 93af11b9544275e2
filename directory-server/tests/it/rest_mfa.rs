//! One's own second factors over REST: enrolled, tried, removed, and never by an open session alone.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use totp_rs::Totp;

use crate::people_world::*;

pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
const MINUTE_MS: i64 = 60_000;

/// An authenticator app on somebody's phone.
pub(crate) struct Phone {
    pub(crate) id: String,
    totp: Totp,
}

impl Phone {
    pub(crate) async fn enrol(directory: &Directory, token: &str) -> Self {
        let body = json!({"name": "phone"});
        let begun = directory.post(token, "/me/mfa/totp", body).await.good();
        let phone = Self {
            id: begun.text("id"),
            totp: Totp::from_url(begun.text("otpauth_url")).unwrap(),
        };
        phone.confirm(directory, token).await.good();
        // The code that confirmed it is burnt.
        directory.pass_ms(30_000);
        phone
    }

    async fn confirm(&self, directory: &Directory, token: &str) -> Answer {
        let path = format!("/me/mfa/totp/{}/confirm", self.id);
        directory.post(token, &path, self.typed(directory)).await
    }

    pub(crate) fn code(&self, directory: &Directory) -> String {
        let seconds = directory.app.clock.now().as_second();
        self.totp.generate(seconds.unsigned_abs()).to_string()
    }

    pub(crate) fn typed(&self, directory: &Directory) -> Value {
        json!({"code": self.code(directory)})
    }

    fn wrong(&self, directory: &Directory) -> Value {
        let now = directory.app.clock.now().as_second().unsigned_abs();
        let near: Vec<String> = (0..5)
            .map(|step| self.totp.generate(now - 60 + step * 30).to_string())
            .collect();
        let mut codes = (0..).map(|number| format!("{number:06}"));
        json!({"code": codes.find(|code| !near.contains(code)).unwrap()})
    }
}

async fn alice() -> (Directory, String, String) {
    let (directory, owner) = Directory::with_owner().await;
    let alice = directory.person(&owner, "alice", &[]).await;
    (directory, owner, alice)
}

#[tokio::test]
async fn an_app_counts_from_its_first_right_code_on_and_its_seed_is_shown_once() {
    let (directory, owner, alice) = alice().await;
    let begin = directory
        .ask(&alice, Method::POST, "/me/mfa/totp")
        .header("idempotency-key", "once")
        .json(&json!({"name": "phone"}));
    let begun = begin.send().await.good();
    assert_eq!(begun.status, StatusCode::CREATED);
    let secret = begun.text("secret");
    assert!(begun.text("otpauth_url").starts_with("otpauth://totp/"));
    assert!(begun.text("otpauth_url").contains(&secret) && secret.len() == 32);
    assert!(begun.text("qr_svg").contains("<svg"));
    let phone = Phone {
        id: begun.text("id"),
        totp: Totp::from_url(begun.text("otpauth_url")).unwrap(),
    };
    let listed = directory.get(&alice, "/me/mfa").await.good();
    assert_eq!(listed.body["items"][0]["confirmed_at"], Value::Null);
    let path = format!("/me/mfa/totp/{}/confirm", phone.id);
    let wrong = directory.post(&alice, &path, phone.wrong(&directory)).await;
    assert_eq!(
        (wrong.status, wrong.code()),
        (StatusCode::FORBIDDEN, "code_wrong")
    );
    let confirmed = phone.confirm(&directory, &alice).await.good();
    assert!(confirmed.body["confirmed_at"].is_string());
    assert_eq!(
        phone.confirm(&directory, &alice).await.status,
        StatusCode::NOT_FOUND
    );
    let repeated = directory
        .ask(&alice, Method::POST, "/me/mfa/totp")
        .header("idempotency-key", "once")
        .json(&json!({"name": "phone"}));
    assert!(!repeated.send().await.body.to_string().contains(&secret));
    for (token, path) in [(&alice, "/me/mfa"), (&owner, "/events?limit=200")] {
        let told = directory.get(token, path).await.good().body.to_string();
        assert!(!told.contains(&secret), "{path}");
    }
}

#[tokio::test]
async fn mfa_01_a_code_that_was_tried_is_burnt() {
    let (directory, owner, alice) = alice().await;
    let phone = Phone::enrol(&directory, &alice).await;
    let typed = phone.typed(&directory);
    let tested = directory.post(&alice, "/me/mfa/test", typed.clone()).await;
    let tested = tested.good();
    assert_eq!(
        (tested.text("kind"), tested.text("name")),
        ("totp".into(), "phone".into())
    );
    let again = directory.post(&alice, "/me/mfa/test", typed).await;
    assert_eq!(
        (again.status, again.code()),
        (StatusCode::CONFLICT, "code_used")
    );
    let events = directory.get(&owner, "/events?limit=200").await.good();
    let events = events.body.to_string();
    assert!(events.contains("auth.mfa_proven") && events.contains("auth.mfa_replayed"));
}

#[tokio::test]
async fn mfa_03_codes_tried_in_a_session_count_like_any_other() {
    let (directory, _, alice) = alice().await;
    let phone = Phone::enrol(&directory, &alice).await;
    for path in ["/me/mfa/test", "/auth/step-up", "/me/mfa/test?dry_run=true"] {
        let wrong = directory.post(&alice, path, phone.wrong(&directory)).await;
        assert_eq!(wrong.code(), "code_wrong", "{path}");
    }
    let locked = directory
        .post(&alice, "/me/mfa/test", phone.typed(&directory))
        .await;
    assert_eq!(locked.code(), "too_many_tries");
}

/// What an open session must not be able to do.
async fn changes(directory: &Directory, token: &str, device: &str) -> Vec<(&'static str, Answer)> {
    let key = json!({"public_key": KEY});
    let removing = directory.ask(token, Method::DELETE, &format!("/me/mfa/{device}"));
    vec![
        (
            "app",
            directory
                .post(token, "/me/mfa/totp", json!({"name": "mine"}))
                .await,
        ),
        (
            "codes",
            directory.post(token, "/me/backup-codes", json!({})).await,
        ),
        ("key", directory.post(token, "/me/ssh-keys", key).await),
        ("device", removing.send().await),
    ]
}

#[tokio::test]
async fn mfa_10_an_open_session_alone_changes_no_factor_and_no_key() {
    let (directory, _, alice) = alice().await;
    let phone = Phone::enrol(&directory, &alice).await;
    directory.pass_ms(6 * MINUTE_MS);
    for (what, answer) in changes(&directory, &alice, &phone.id).await {
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}");
        assert_eq!(answer.code(), "step_up_required", "{what}");
        assert_eq!(answer.body["errors"][0]["field"], "code", "{what}");
    }
    let wrong = directory
        .post(&alice, "/auth/step-up", phone.wrong(&directory))
        .await;
    assert_eq!(wrong.code(), "code_wrong");
    let refused = directory.post(&alice, "/me/backup-codes", json!({})).await;
    assert_eq!(refused.code(), "step_up_required");
    directory
        .post(&alice, "/auth/step-up", phone.typed(&directory))
        .await
        .good();
    for (what, answer) in changes(&directory, &alice, &phone.id).await {
        assert!(answer.status.is_success(), "{what} {}", answer.body);
    }
}

#[tokio::test]
async fn mfa_10_a_proof_counts_for_one_session_and_five_minutes() {
    let (directory, _, alice) = alice().await;
    let phone = Phone::enrol(&directory, &alice).await;
    directory.pass_ms(6 * MINUTE_MS);
    let stolen = directory.another_session("alice").await;
    directory
        .post(&alice, "/auth/step-up", phone.typed(&directory))
        .await
        .good();
    let new_codes = |token: String| async {
        let token = token;
        directory.post(&token, "/me/backup-codes", json!({})).await
    };
    assert_eq!(new_codes(stolen).await.code(), "step_up_required");
    new_codes(alice.clone()).await.good();
    directory.pass_ms(5 * MINUTE_MS);
    assert_eq!(new_codes(alice).await.code(), "step_up_required");
}

#[tokio::test]
async fn mfa_10_an_open_session_alone_changes_no_policy() {
    let (directory, owner, _) = alice().await;
    let phone = Phone::enrol(&directory, &owner).await;
    let policy = json!({"name": "all", "hosts": "*"});
    let changes = async || {
        let made = directory.post(&owner, "/policies", policy.clone()).await;
        let rules = directory.ask(&owner, Method::PATCH, "/password-policy");
        let rules = rules
            .header("if-match", "*")
            .json(&json!({"profile": "pci"}));
        let gone = directory.ask(&owner, Method::DELETE, "/policies/all");
        [
            made,
            rules.send().await,
            gone.header("if-match", "*").send().await,
        ]
    };
    directory.pass_ms(6 * MINUTE_MS);
    let [made, rules, gone] = changes().await;
    for refused in [made, rules, gone] {
        assert_eq!(refused.code(), "step_up_required");
    }
    directory
        .post(&owner, "/auth/step-up", phone.typed(&directory))
        .await
        .good();
    for allowed in changes().await {
        allowed.good();
    }
}

#[tokio::test]
async fn mfa_10_the_first_factor_takes_a_password_typed_within_minutes() {
    let (directory, owner, alice) = alice().await;
    let reset = json!({"password": PASSWORD});
    directory
        .post(&owner, "/users/alice/reset-password", reset)
        .await
        .good();
    let login = json!({"username": "alice", "password": PASSWORD});
    let alice_again = directory
        .post("", "/auth/login", login)
        .await
        .good()
        .text("token");
    assert_ne!(alice, alice_again);
    directory.pass_ms(6 * MINUTE_MS);
    let begin = || directory.post(&alice_again, "/me/mfa/totp", json!({"name": "tablet"}));
    let refused = begin().await;
    assert_eq!(refused.code(), "step_up_required");
    assert_eq!(refused.body["errors"][0]["field"], "password");
    let wrong = json!({"password": "wrong"});
    let wrong = directory.post(&alice_again, "/auth/step-up", wrong).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert_eq!(begin().await.code(), "step_up_required");
    let right = json!({"password": PASSWORD});
    directory
        .post(&alice_again, "/auth/step-up", right.clone())
        .await
        .good();
    let phone = Phone::enrol(&directory, &alice_again).await;
    // From now on the password is no longer enough.
    directory.pass_ms(6 * MINUTE_MS);
    directory
        .post(&alice_again, "/auth/step-up", right)
        .await
        .good();
    assert_eq!(begin().await.code(), "step_up_required");
    directory
        .post(&alice_again, "/auth/step-up", phone.typed(&directory))
        .await
        .good();
    begin().await.good();
}

#[tokio::test]
async fn backup_codes_are_shown_once_counted_and_replaced_by_new_ones() {
    let (directory, owner, alice) = alice().await;
    let none = directory.get(&alice, "/me/backup-codes").await.good();
    assert_eq!(
        (none.body["left"].clone(), none.body["created_at"].clone()),
        (json!(0), Value::Null)
    );
    Phone::enrol(&directory, &alice).await;
    let made = directory
        .post(&alice, "/me/backup-codes", json!({}))
        .await
        .good();
    let codes = made.body["codes"].as_array().unwrap().clone();
    assert_eq!(codes.len(), 10);
    let confirmed = directory
        .post(&alice, "/me/backup-codes/confirm", json!({}))
        .await
        .good();
    assert!(confirmed.body["left"] == 10 && confirmed.body["confirmed_at"].is_string());
    let used = json!({"code": codes[3]});
    let tested = directory
        .post(&alice, "/me/mfa/test", used.clone())
        .await
        .good();
    assert_eq!(
        tested.body,
        json!({"kind": "backup-code", "name": "", "backup_codes_left": 9})
    );
    let again = directory.post(&alice, "/me/mfa/test", used).await;
    assert_eq!(again.code(), "code_used");
    assert_eq!(
        directory.get(&alice, "/me/backup-codes").await.good().body["left"],
        9
    );
    directory
        .post(&alice, "/me/backup-codes", json!({}))
        .await
        .good();
    let dead = directory
        .post(&alice, "/me/mfa/test", json!({"code": codes[4]}))
        .await;
    assert_eq!(dead.code(), "code_wrong");
    let events = directory
        .get(&owner, "/events?limit=200")
        .await
        .good()
        .body
        .to_string();
    assert!(!events.contains(codes[0].as_str().unwrap()));
}

#[tokio::test]
async fn mfa_10_a_program_touches_no_factor_and_nobody_touches_those_of_others() {
    let (directory, owner, alice) = alice().await;
    let phone = Phone::enrol(&directory, &alice).await;
    let program = directory.api_token("alice", r#"["all"]"#).await;
    for (what, answer) in changes(&directory, &program, &phone.id).await {
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::FORBIDDEN, "forbidden"),
            "{what}"
        );
    }
    let path = format!("/me/mfa/{}", phone.id);
    let answer = directory.ask(&owner, Method::DELETE, &path).send().await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}
