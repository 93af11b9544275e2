//! Manifests are made anew before they are too old to be fetched.

use crate::agent_world::*;

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn a_manifest_is_renewed_at_half_of_its_life_with_the_same_chunks() {
    let mut directory = Directory::new().await;
    let user = directory.user(1, Some("$6$a$b")).await;
    directory.allow("acc_1", &user, "*").await;
    let host = directory.host("web-1", "[]").await;
    directory.publish_all().await;
    let (before, _, _) = directory.bundle(&host).await;
    directory.pass_ms(11 * HOUR_MS);
    assert!(directory.publish_all().await.is_empty());
    directory.pass_ms(HOUR_MS);
    assert_eq!(directory.publish_all().await.len(), 1);
    let (after, _, _) = directory.bundle(&host).await;
    assert_eq!(after.chunks, before.chunks);
    assert!(after.version > before.version && after.expires > before.expires);
}

#[tokio::test]
async fn old_manifests_and_chunks_are_not_kept_for_ever() {
    let mut directory = Directory::new().await;
    let user = directory.user(1, Some("$6$a$b")).await;
    directory.allow("acc_1", &user, "*").await;
    directory.host("web-1", "[]").await;
    for name in ["A", "B", "C", "D", "E", "F"] {
        directory
            .sql("UPDATE users SET display_name = $1", &[name])
            .await;
        assert_eq!(directory.publish_all().await.len(), 1);
    }
    assert_eq!(directory.count("SELECT COUNT(*) FROM manifests").await, 2);
    let people = "SELECT COUNT(*) FROM chunks WHERE plain LIKE 'People%'";
    assert_eq!(directory.count(people).await, 2);
}
