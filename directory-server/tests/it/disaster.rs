//! What happens to the database: DR-05, DR-07, backup and restore.

use std::path::Path;
use std::time::Duration;

use directory_server::store::{self, OpenError};
use serde_json::json;

use crate::installed::Installed;
use crate::people_world::*;

async fn refusal(path: &Path) -> OpenError {
    store::open(path).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn dr_05_a_missing_or_empty_database_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cloudid.db");
    assert!(matches!(refusal(&path).await, OpenError::Missing(_)));
    assert!(!path.exists(), "nothing is made by looking");
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(refusal(&path).await, OpenError::Empty(_)));
    std::fs::remove_file(&path).unwrap();
    store::create(&path).await.unwrap().close().await;
    assert!(
        matches!(refusal(&path).await, OpenError::Empty(_)),
        "no organisation"
    );
}

#[tokio::test]
async fn dr_05_a_wiped_truncated_or_foreign_database_is_not_served() {
    let (directory, _) = Directory::with_owner().await;
    directory.app.store.close().await;
    let whole = std::fs::read(directory.database()).unwrap();
    let path = directory.folder.path().join("other.db");
    for length in [1, 100, whole.len() / 2, whole.len() - 4096] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let refused = refusal(&path).await.to_string();
        assert!(
            refused.contains("Restore the newest backup"),
            "{length} bytes: {refused}"
        );
    }
    std::fs::write(&path, vec![0; whole.len()]).unwrap();
    refusal(&path).await;
    std::fs::write(
        &path,
        b"#!/bin/sh\necho this is no database at all, but long enough\n",
    )
    .unwrap();
    assert!(matches!(refusal(&path).await, OpenError::Damaged(..)));
}

#[tokio::test]
async fn dr_05_a_database_of_a_newer_version_is_not_served() {
    let (directory, _) = Directory::with_owner().await;
    directory
        .sql(
            "INSERT INTO _sqlx_migrations SELECT 9999, 'newer', installed_on, success, checksum,
             execution_time FROM _sqlx_migrations LIMIT 1",
            &[],
        )
        .await;
    directory.app.store.close().await;
    assert!(matches!(
        refusal(&directory.database()).await,
        OpenError::Newer(..)
    ));
}

#[tokio::test]
async fn a_backup_of_a_busy_directory_is_whole() {
    let (directory, owner) = Directory::with_owner().await;
    directory
        .post(&owner, "/groups", json!({"name": "web"}))
        .await
        .good();
    let copy = directory.folder.path().join("copy.db");
    store::copy(&directory.database(), &copy).await.unwrap();
    directory
        .post(&owner, "/groups", json!({"name": "late"}))
        .await
        .good();
    let (restored, organisation) = store::open(&copy).await.unwrap();
    assert_eq!(organisation.id, "org_1");
    let groups: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM groups")
        .fetch_one(restored.read())
        .await
        .unwrap();
    assert_eq!(groups, 1);
    let again = store::copy(&directory.database(), &copy).await;
    assert!(
        matches!(again, Err(OpenError::Exists(_))),
        "a copy overwrites nothing"
    );
}

/// The names of all groups.
async fn groups(installed: &Installed, client: &reqwest::Client, token: &str) -> Vec<String> {
    let mut there = Vec::new();
    let mut cursor = String::new();
    loop {
        let url = installed.url(&format!("/api/v1/groups?limit=200&cursor={cursor}"));
        let page = client.get(url).bearer_auth(token).send().await.unwrap();
        let page: serde_json::Value = page.json().await.unwrap();
        let items = page["items"].as_array().unwrap();
        there.extend(
            items
                .iter()
                .map(|group| group["name"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    there
}

#[tokio::test]
async fn dr_07_no_acknowledged_write_is_lost_when_the_server_is_killed() {
    let installed = Installed::new();
    installed.init();
    let client = installed.client();
    let mut serving = installed.serve();
    installed.until_ready(&client).await;
    let token = installed.first_owner(&client).await;
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..4 {
            let (client, token, url) = (
                client.clone(),
                token.clone(),
                installed.url("/api/v1/groups"),
            );
            writers.spawn(async move {
                let mut done = Vec::new();
                for number in 0..1000 {
                    let name = format!("g{round}-{writer}-{number}");
                    let sent = client
                        .post(&url)
                        .bearer_auth(&token)
                        .json(&json!({"name": name}));
                    match sent.send().await {
                        Ok(answer) if answer.status().is_success() => done.push(name),
                        Ok(answer) => panic!("{}", answer.status()),
                        Err(_) => break,
                    }
                }
                done
            });
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        serving.0.kill().unwrap();
        serving.0.wait().unwrap();
        acknowledged.extend(writers.join_all().await.into_iter().flatten());
        serving = installed.serve();
        installed.until_ready(&client).await;
    }
    assert!(acknowledged.len() > 10, "{} writes", acknowledged.len());
    let there = groups(&installed, &client, &token).await;
    for name in &acknowledged {
        assert!(there.contains(name), "{name} was acknowledged and is gone");
    }
    let verified = client
        .get(installed.url("/api/v1/events/verify"))
        .bearer_auth(&token);
    let verified: serde_json::Value = verified.send().await.unwrap().json().await.unwrap();
    assert_eq!(verified["intact"], true);
    drop(serving);
}

#[test]
fn dr_05_serve_refuses_with_the_reason_and_restore_overwrites_nothing() {
    let installed = Installed::new();
    let refused = installed.run(&["serve"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no database"));
    installed.init();
    let copy = installed.path("copy.db");
    assert!(installed.run(&["backup", &copy]).status.success());
    let over = installed.run(&["restore", &copy]);
    assert!(String::from_utf8_lossy(&over.stderr).contains("never overwrites"));
    std::fs::remove_file(installed.path("cloudid.db")).unwrap();
    assert!(!installed.run(&["serve"]).status.success());
    let restored = installed.run(&["restore", &copy]);
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(installed.path("cloudid.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        !installed
            .run(&[
                "init",
                "--organisation",
                "X",
                "--root-key-file",
                "/nowhere/x",
                "--root-passphrase-file",
                &installed.path("passphrase"),
                "--bootstrap-secret-file",
                &installed.path("again")
            ])
            .status
            .success()
    );
}
