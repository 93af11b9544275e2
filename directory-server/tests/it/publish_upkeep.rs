//! What the publisher looks after by itself: old revocations, alarms, confirmed removals.

use axum::http::StatusCode;
use directory_api::agent::Acknowledgement;

use crate::agent_world::*;

const MONTH_MS: i64 = 31 * 24 * 3_600_000;
const REVOCATIONS: &str = "SELECT COUNT(*) FROM fast_lane";

async fn acknowledge(directory: &Directory, host: &Host, version: u64) {
    let ack = Acknowledgement {
        bundle_version: version,
        fast_lane_sequence: 0,
        host_time_ms: directory.now_ms(),
        ended: Vec::new(),
        refused: None,
    };
    let response = directory.post(host, "acks", &ack).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}

/// Two people, of whom both are suspended, and a host that both can reach.
async fn with_two_revocations() -> (Directory, Host) {
    let mut directory = Directory::new().await;
    for (number, rule) in [(1, "acc_1"), (2, "acc_2")] {
        let user = directory.user(number, None).await;
        directory.allow(rule, &user, "env=prod").await;
    }
    let host = directory.host("web-1", r#"["env=prod"]"#).await;
    directory.publish_all().await;
    directory.suspend("usr_1").await;
    directory.suspend("usr_2").await;
    directory
        .sql("UPDATE fast_lane SET message = ''", &[])
        .await;
    (directory, host)
}

#[tokio::test]
async fn an_old_revocation_goes_when_every_host_has_it_in_its_bundle() {
    let (mut directory, host) = with_two_revocations().await;
    let version = directory.publish_all().await[&host.id];
    directory.pass_ms(MONTH_MS);
    directory.publish_all().await;
    assert_eq!(directory.count(REVOCATIONS).await, 2, "not in force yet");
    acknowledge(&directory, &host, version).await;
    directory.publish_all().await;
    assert_eq!(directory.count(REVOCATIONS).await, 1);
    let left = "SELECT sequence FROM fast_lane";
    assert_eq!(directory.count(left).await, 2, "the newest number stays");
    let (manifest, _, _) = directory.bundle(&host).await;
    assert_eq!(manifest.fast_lane_sequence, 2);
}

#[tokio::test]
async fn a_young_revocation_stays() {
    let (mut directory, host) = with_two_revocations().await;
    let version = directory.publish_all().await[&host.id];
    acknowledge(&directory, &host, version).await;
    directory.publish_all().await;
    assert_eq!(directory.count(REVOCATIONS).await, 2);
}

#[tokio::test]
async fn a_confirmed_removal_is_in_the_bundle_until_the_host_has_it_in_force() {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    directory.allow("acc_1", "usr_1", "env=prod").await;
    let host = directory.host("web-1", r#"["env=prod"]"#).await;
    let refused = directory.publish_all().await[&host.id];
    directory
        .sql(
            "UPDATE hosts SET confirmed_removals = 12, confirmed_over = bundle_version",
            &[],
        )
        .await;
    acknowledge(&directory, &host, refused).await;
    let version = directory.publish_all().await[&host.id];
    let (manifest, _, _) = directory.bundle(&host).await;
    assert_eq!(manifest.confirmed_removals, 12);
    acknowledge(&directory, &host, version).await;
    directory.publish_all().await;
    let (manifest, _, _) = directory.bundle(&host).await;
    assert_eq!(manifest.confirmed_removals, 0);
}
