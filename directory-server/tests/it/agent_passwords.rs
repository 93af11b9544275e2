//! Passwords of people who sit at a host.

use axum::http::StatusCode;
use directory_api::agent::{PasswordChange, PasswordCheck};

use crate::agent_world::*;

const OLD: &str = "tangled marble ferry";
const NEW: &str = "seven quiet lanterns";

/// user1 can reach the host, user2 cannot; both have the same password.
async fn directory_and_host() -> (Directory, Host) {
    let directory = Directory::new().await;
    let random = &directory.app.random;
    let verifier = directory.app.passwords.hash(OLD, random).await.unwrap();
    directory.user(1, Some(&verifier)).await;
    directory.user(2, Some(&verifier)).await;
    directory.allow("acc_1", "usr_1", "*").await;
    let host = directory.host("web-1", "[]").await;
    (directory, host)
}

async fn verify(directory: &Directory, host: &Host, user: &str, password: &str) -> StatusCode {
    let check = PasswordCheck {
        username: user.to_owned(),
        password: password.to_owned(),
    };
    directory.post(host, "verify", &check).await.status()
}

async fn change(
    directory: &Directory,
    host: &Host,
    user: &str,
    old: &str,
    new: &str,
) -> StatusCode {
    let change = PasswordChange {
        username: user.to_owned(),
        old: old.to_owned(),
        new: new.to_owned(),
    };
    directory.post(host, "passwords", &change).await.status()
}

#[tokio::test]
async fn a_password_is_compared_only_for_people_of_the_host() {
    let (directory, host) = directory_and_host().await;
    assert_eq!(
        verify(&directory, &host, "user1", OLD).await,
        StatusCode::NO_CONTENT
    );
    for (user, password) in [
        ("user1", NEW),
        ("user1", ""),
        ("user2", OLD),
        ("nobody-here", OLD),
    ] {
        let refused = verify(&directory, &host, user, password).await;
        assert_eq!(refused, StatusCode::FORBIDDEN, "{user}");
    }
    let noted = "SELECT failed_logins FROM users WHERE id = 'usr_2'";
    assert_eq!(
        directory.count(noted).await,
        0,
        "a host cannot lock out other hosts' people"
    );
}

#[tokio::test]
async fn a_suspended_person_has_no_password() {
    let (directory, host) = directory_and_host().await;
    directory.suspend("usr_1").await;
    assert_eq!(
        verify(&directory, &host, "user1", OLD).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        change(&directory, &host, "user1", OLD, NEW).await,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_changed_password_replaces_the_old_one() {
    let (directory, host) = directory_and_host().await;
    assert_eq!(
        change(&directory, &host, "user1", NEW, OLD).await,
        StatusCode::FORBIDDEN
    );
    let weak = change(&directory, &host, "user1", OLD, "user1").await;
    assert_eq!(weak, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        change(&directory, &host, "user1", OLD, NEW).await,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        verify(&directory, &host, "user1", OLD).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        verify(&directory, &host, "user1", NEW).await,
        StatusCode::NO_CONTENT
    );
    let events = "SELECT COUNT(*) FROM events WHERE kind = 'user.password_set'
                  AND body NOT LIKE '%lanterns%'";
    assert_eq!(directory.count(events).await, 1);
}

#[tokio::test]
async fn guesses_through_hosts_are_limited() {
    let (directory, host) = directory_and_host().await;
    let mut refused = 0;
    for guess in 0..40 {
        let status = verify(&directory, &host, "user1", &format!("guess number {guess}")).await;
        refused += u32::from(status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!(refused >= 30, "{refused}");
}
