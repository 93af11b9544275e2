//! The only owner has lost device and backup codes: whoever is root on the server lets them in again.

use directory_server::store;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::installed::Installed;
use crate::people_world::{OWNER, PASSWORD};

async fn sign_in(installed: &Installed, client: &Client) -> (StatusCode, Value) {
    let body = json!({"username": OWNER, "password": PASSWORD});
    let url = installed.url("/api/v1/auth/login");
    let answer = client.post(url).json(&body).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn get(
    installed: &Installed,
    client: &Client,
    token: &str,
    path: &str,
) -> (StatusCode, Value) {
    let url = installed.url(&format!("/api/v1{path}"));
    let answer = client.get(url).bearer_auth(token).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// A device that nobody has any more, and locks.
async fn lose_everything(installed: &Installed) {
    let (store, _) = store::open(installed.path("cloudid.db").as_ref())
        .await
        .unwrap();
    let mut tx = store.write().await.unwrap();
    for statement in [
        "INSERT INTO mfa_devices (id, user_id, kind, name, last_step, confirmed_at, created_at,
           created_by) SELECT 'mfa_1', id, 'totp', 'phone', 0, 1, 1, id FROM users",
        "INSERT INTO factor_tries (user_id, window_began, tries, locked_until, locks, locked_at)
         SELECT id, 0, 0, 4000000000000, 9, 0 FROM users",
    ] {
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_sole_owner_without_any_factor_left_is_let_in_again_by_root_on_the_server() {
    let installed = Installed::new();
    installed.init();
    let client = installed.client();
    let _serving = installed.serve();
    installed.until_ready(&client).await;
    let before = installed.first_owner(&client).await;
    lose_everything(&installed).await;
    let (_, shown) = get(&installed, &client, &before, "/users/ruth").await;
    assert_eq!(shown["mfa"][0]["kind"], "totp");
    assert_eq!(shown["codes_locked_until"], "2096-10-02T07:06:40.000Z");
    let (status, answer) = sign_in(&installed, &client).await;
    assert_eq!(
        (status, &answer["code"]),
        (StatusCode::UNAUTHORIZED, &json!("mfa_required"))
    );

    let nobody = installed.run(&["reset-mfa", "nobody"]);
    assert!(!nobody.status.success());
    let done = installed.run(&["reset-mfa", OWNER]);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );

    let (status, _) = get(&installed, &client, &before, "/me").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "an old session goes on");
    let (status, session) = sign_in(&installed, &client).await;
    assert_eq!(status, StatusCode::OK);
    let token = session["token"].as_str().unwrap();
    let (_, shown) = get(&installed, &client, token, "/users/ruth").await;
    assert_eq!(shown["mfa"], json!([]));
    assert_eq!(shown["codes_locked_until"], Value::Null);
    let (_, told) = get(&installed, &client, token, "/events?type=user.mfa_reset").await;
    let event = &told["items"][0];
    assert_eq!(event["severity"], "critical");
    assert_eq!(event["actor"]["name"], "cloudid-directory reset-mfa");
    assert_eq!(event["target"]["name"], OWNER);
    let (_, verified) = get(&installed, &client, token, "/events/verify").await;
    assert_eq!(verified["intact"], true);
}
