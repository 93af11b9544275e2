//! Help for those who have lost a password or a factor; never a way to become who is privileged.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::people_world::*;
use crate::rest_mfa::{KEY, Phone};

const OTHER: &str = "seven quiet lanterns";
const HOUR_MS: i64 = 3600 * 1000;
const DEVICES: &str = "SELECT COUNT(*) FROM mfa_devices";
const WISHES: &str = "SELECT COUNT(*) FROM reset_wishes";

async fn reset_mfa(directory: &Directory, token: &str, user: &str) -> Answer {
    let path = format!("/users/{user}/reset-mfa");
    directory
        .post(token, &path, json!({"reason": "lost"}))
        .await
}

async fn reset_password(directory: &Directory, token: &str, user: &str) -> Answer {
    let path = format!("/users/{user}/reset-password");
    directory
        .post(token, &path, json!({"password": OTHER}))
        .await
}

#[tokio::test]
async fn the_help_desk_takes_lost_factors_away_and_ends_what_was_open() {
    let (directory, owner) = Directory::with_owner().await;
    let admin = directory.person(&owner, "adam", &["directory-admin"]).await;
    let alice = directory.person(&owner, "alice", &[]).await;
    Phone::enrol(&directory, &alice).await;
    directory
        .post(&alice, "/me/backup-codes", json!({}))
        .await
        .good();
    reset_mfa(&directory, &admin, "alice").await.good();
    assert_eq!(directory.count(DEVICES).await, 0);
    assert_eq!(
        directory.count("SELECT COUNT(*) FROM backup_codes").await,
        0
    );
    let ended = directory.get(&alice, "/me").await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    let told = directory
        .get(&owner, "/events?type=user.mfa_reset")
        .await
        .good();
    assert_eq!(told.body["items"][0]["details"]["removed"], 11);
}

#[tokio::test]
async fn mfa_10_who_helps_with_an_open_session_proves_a_factor_of_their_own_first() {
    let (directory, owner) = Directory::with_owner().await;
    let admin = directory.person(&owner, "adam", &["directory-admin"]).await;
    directory.person(&owner, "alice", &[]).await;
    let phone = Phone::enrol(&directory, &admin).await;
    directory.pass_ms(HOUR_MS / 4);
    for answer in [
        reset_mfa(&directory, &admin, "alice").await,
        reset_password(&directory, &admin, "alice").await,
    ] {
        assert_eq!(answer.code(), "step_up_required");
    }
    directory
        .post(&admin, "/auth/step-up", phone.typed(&directory))
        .await
        .good();
    reset_mfa(&directory, &admin, "alice").await.good();
    reset_password(&directory, &admin, "alice").await.good();
}

#[tokio::test]
async fn web_16_nobody_alone_resets_what_proves_a_privileged_person() {
    let (directory, owner) = Directory::with_owner().await;
    let admin = directory.person(&owner, "adam", &["directory-admin"]).await;
    let other = directory.person(&owner, "olga", &["owner"]).await;
    Phone::enrol(&directory, &other).await;
    for user in ["olga", "adam", OWNER] {
        for answer in [
            reset_mfa(&directory, &admin, user).await,
            reset_password(&directory, &admin, user).await,
        ] {
            assert_eq!(
                (answer.status, answer.code()),
                (StatusCode::FORBIDDEN, "forbidden")
            );
        }
    }
    for _ in 0..3 {
        for user in ["olga", "adam"] {
            assert_eq!(
                reset_mfa(&directory, &owner, user).await.code(),
                "second_person_required"
            );
            let answer = reset_password(&directory, &owner, user).await;
            assert_eq!(answer.code(), "second_person_required");
        }
    }
    assert_eq!(directory.count(DEVICES).await, 1);
    assert_eq!(directory.count(WISHES).await, 4);
    let asked = "SELECT COUNT(*) FROM events WHERE kind = 'user.reset_asked'";
    assert_eq!(directory.count(asked).await, 4);
    let program = directory.api_token(OWNER, r#"["all"]"#).await;
    assert_eq!(
        reset_mfa(&directory, &program, "olga").await.code(),
        "forbidden"
    );
}

#[tokio::test]
async fn web_16_two_owners_together_reset_it_at_once() {
    let (directory, owner) = Directory::with_owner().await;
    let second = directory.person(&owner, "olga", &["owner"]).await;
    let adam = directory.person(&owner, "adam", &["directory-admin"]).await;
    Phone::enrol(&directory, &adam).await;
    assert_eq!(
        reset_mfa(&directory, &owner, "adam").await.code(),
        "second_person_required"
    );
    // Of the one kind, not of the other.
    assert_eq!(
        reset_password(&directory, &second, "adam").await.code(),
        "second_person_required"
    );
    reset_mfa(&directory, &second, "adam").await.good();
    assert_eq!(directory.count(DEVICES).await, 0);
    assert_eq!(
        reset_mfa(&directory, &second, "adam").await.code(),
        "second_person_required"
    );
}

#[tokio::test]
async fn web_16_one_owner_waits_a_day_in_which_the_person_can_object() {
    let (directory, owner) = Directory::with_owner().await;
    let adam = directory.person(&owner, "adam", &["directory-admin"]).await;
    assert_eq!(
        reset_password(&directory, &owner, "adam").await.code(),
        "second_person_required"
    );
    directory.pass_ms(10 * 60_000);
    let object = directory
        .ask(&adam, Method::DELETE, "/me/resets")
        .send()
        .await;
    assert_eq!(object.status, StatusCode::NO_CONTENT);
    directory.pass_ms(24 * HOUR_MS);
    let owner = directory.another_session(OWNER).await;
    assert_eq!(
        reset_password(&directory, &owner, "adam").await.code(),
        "second_person_required"
    );
    directory.pass_ms(23 * HOUR_MS);
    let owner = directory.another_session(OWNER).await;
    assert_eq!(
        reset_password(&directory, &owner, "adam").await.code(),
        "second_person_required"
    );
    directory.pass_ms(HOUR_MS);
    let owner = directory.another_session(OWNER).await;
    reset_password(&directory, &owner, "adam").await.good();
    assert_eq!(directory.count(WISHES).await, 0);
}

#[tokio::test]
async fn a_wish_of_an_owner_who_is_none_any_more_counts_for_nothing() {
    let (directory, owner) = Directory::with_owner().await;
    let second = directory.person(&owner, "olga", &["owner"]).await;
    directory.person(&owner, "adam", &["directory-admin"]).await;
    assert_eq!(
        reset_mfa(&directory, &second, "adam").await.code(),
        "second_person_required"
    );
    directory
        .sql(
            "UPDATE users SET state = 'suspended' WHERE username = $1",
            &["olga"],
        )
        .await;
    assert_eq!(
        reset_mfa(&directory, &owner, "adam").await.code(),
        "second_person_required"
    );
}

#[tokio::test]
async fn nobody_resets_their_own_factors() {
    let (directory, owner) = Directory::with_owner().await;
    Phone::enrol(&directory, &owner).await;
    let answer = reset_mfa(&directory, &owner, OWNER).await;
    assert_eq!(answer.code(), "forbidden");
    assert_eq!(directory.count(DEVICES).await, 1);
}

#[tokio::test]
async fn mfa_03_an_administrator_lifts_the_lock_of_wrong_codes() {
    let (directory, owner) = Directory::with_owner().await;
    let alice = directory.person(&owner, "alice", &[]).await;
    let phone = Phone::enrol(&directory, &alice).await;
    for _ in 0..3 {
        let typed = json!({"code": "not a code"});
        directory.post(&alice, "/me/mfa/test", typed).await;
    }
    let test = || directory.post(&alice, "/me/mfa/test", phone.typed(&directory));
    assert_eq!(test().await.code(), "too_many_tries");
    directory
        .post(&owner, "/users/alice/unlock", json!({}))
        .await
        .good();
    test().await.good();
}

#[tokio::test]
async fn mfa_10_no_other_way_leads_round_the_proof() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    let phone = Phone::enrol(&directory, &owner).await;
    directory.pass_ms(6 * 60_000);
    let own_keys = format!("/users/{OWNER}/ssh-keys");
    let calls = [
        (own_keys.as_str(), json!({"public_key": KEY})),
        (
            "/role-assignments",
            json!({"role": "owner", "user": "alice"}),
        ),
        ("/users/alice/offboard", json!({})),
    ];
    for (path, body) in &calls {
        let answer = directory.post(&owner, path, body.clone()).await;
        assert_eq!(answer.code(), "step_up_required", "{path}");
    }
    let email = json!({"email": "thief@example.net"});
    let address = directory
        .patch(&owner, &format!("/users/{OWNER}"), email)
        .await;
    assert_eq!(address.code(), "step_up_required");
    directory
        .post(&owner, "/auth/step-up", phone.typed(&directory))
        .await
        .good();
    for (path, body) in calls {
        directory.post(&owner, path, body).await.good();
    }
}
