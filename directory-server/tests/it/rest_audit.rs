//! The chain of events: AUD-03, and the golden OpenAPI document.

use serde_json::json;

use crate::people_world::*;

async fn ten_events() -> (Directory, String) {
    let (directory, owner) = Directory::with_owner().await;
    for number in 0..8 {
        let body = json!({"name": format!("group{number}")});
        directory.post(&owner, "/groups", body).await.good();
    }
    (directory, owner)
}

#[tokio::test]
async fn aud_03_an_intact_chain_is_intact() {
    let (directory, owner) = ten_events().await;
    let verified = directory.get(&owner, "/events/verify").await.good();
    assert_eq!(verified.body["intact"], true);
    assert_eq!(verified.body["checked"], 10);
}

#[tokio::test]
async fn aud_03_every_tampering_is_named_by_its_first_bad_position() {
    let tamperings: [(&str, u64); 8] = [
        (
            "UPDATE events SET body = replace(body, 'group2', 'group9') WHERE seq = 5",
            5,
        ),
        (
            "UPDATE events SET actor_id = 'usr_innocent' WHERE seq = 4",
            4,
        ),
        (
            "UPDATE events SET kind = 'nothing.happened' WHERE seq = 6",
            6,
        ),
        ("DELETE FROM events WHERE seq = 7", 7),
        ("DELETE FROM events WHERE seq >= 9", 9),
        ("DELETE FROM events WHERE seq = 1", 1),
        ("UPDATE events SET hash = prev_hash WHERE seq = 10", 10),
        (
            "UPDATE events SET (body, prev_hash, hash) =
               (SELECT body, prev_hash, hash FROM events AS other
                WHERE other.seq = CASE events.seq WHEN 3 THEN 4 ELSE 3 END) WHERE seq IN (3, 4)",
            3,
        ),
    ];
    for (tampering, position) in tamperings {
        let (directory, owner) = ten_events().await;
        let mut tx = directory.app.store.write().await.unwrap();
        sqlx::query(tampering).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let verified = directory.get(&owner, "/events/verify").await.good();
        assert_eq!(verified.body["intact"], false, "{tampering}");
        assert_eq!(verified.body["first_bad_position"], position, "{tampering}");
    }
}

#[tokio::test]
async fn an_act_that_cannot_be_written_down_does_not_happen() {
    let (directory, owner) = Directory::with_owner().await;
    directory
        .sql(
            "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, 'full'); END",
            &[],
        )
        .await;
    let answer = directory
        .post(&owner, "/groups", json!({"name": "web"}))
        .await;
    assert!(answer.status.is_server_error());
    assert_eq!(directory.count("SELECT COUNT(*) FROM groups").await, 0);
    assert_eq!(
        directory
            .count("SELECT COUNT(*) FROM unix_ids WHERE owner LIKE 'grp_%'")
            .await,
        0
    );
}

#[tokio::test]
async fn events_are_found_by_what_they_say() {
    let (directory, owner) = ten_events().await;
    for (query, found) in [
        ("type=group.created", 8),
        ("type=group.*", 8),
        ("actor=ruth", 8),
        ("user=ruth", 2),
        ("q=group3", 1),
        ("outcome=denied", 0),
        ("limit=3", 3),
    ] {
        let page = directory
            .get(&owner, &format!("/events?{query}"))
            .await
            .good();
        assert_eq!(
            page.body["items"].as_array().unwrap().len(),
            found,
            "{query}"
        );
    }
}

#[tokio::test]
async fn hostile_text_stays_one_line_of_an_event() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    let reason = "left\n{\"type\":\"fake\"}\u{1b}[31m\u{202e}";
    directory
        .post(&owner, "/users/alice/suspend", json!({"reason": reason}))
        .await
        .good();
    let page = directory
        .get(&owner, "/events?type=user.suspended")
        .await
        .good();
    let told = page.body["items"][0]["details"]["reason"].as_str().unwrap();
    assert!(!told.contains(['\n', '\u{1b}', '\u{202e}']), "{told:?}");
}

#[test]
fn the_openapi_document_is_the_one_in_the_repository() {
    let golden = include_str!("../../openapi.json");
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    assert_eq!(
        directory_server::api::document(),
        golden,
        "when the change is meant: curl https://…/api/v1/openapi.json > directory-server/openapi.json"
    );
}
