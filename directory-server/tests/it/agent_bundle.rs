//! Fetching bundles, and saying what is in force.

use axum::http::StatusCode;
use directory_api::agent::{Acknowledgement, EndedSessions};

use crate::agent_world::*;

#[tokio::test]
async fn the_newest_manifest_is_sent_once() {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    directory.allow("acc_1", "usr_1", "env=prod").await;
    let host = directory.host("web-1", r#"["env=prod"]"#).await;
    assert_eq!(
        directory.get(&host, "manifest").await.status(),
        StatusCode::NOT_FOUND
    );
    let version = directory.publish_all().await[&host.id];
    let known = format!("manifest?after={version}");
    assert_eq!(
        directory.get(&host, &known).await.status(),
        StatusCode::NOT_MODIFIED
    );
    let (manifest, _, _) = directory.bundle(&host).await;
    assert_eq!(manifest.version, version);
}

#[tokio::test]
async fn whoever_waits_for_a_manifest_gets_it_when_it_is_there() {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    directory.allow("acc_1", "usr_1", "env=prod").await;
    let host = directory.host("web-1", r#"["env=prod"]"#).await;
    let version = directory.publish_all().await[&host.id];
    directory.user(2, None).await;
    directory.allow("acc_2", "usr_2", "env=prod").await;
    directory.start_publisher();
    let waited = directory
        .get(&host, &format!("manifest?after={version}&wait=30"))
        .await;
    assert_eq!(waited.status(), StatusCode::OK);
    let (manifest, read, _) = directory.bundle(&host).await;
    assert!(manifest.version > version);
    assert_eq!(read.slice.people.len(), 2);
}

#[tokio::test]
async fn a_chunk_of_another_host_is_not_there() {
    let mut directory = Directory::new().await;
    directory.user(1, Some("$6$salt$one")).await;
    directory.allow("acc_1", "usr_1", "env=prod").await;
    let own = directory.host("web-1", r#"["env=prod"]"#).await;
    let other = directory.host("web-2", "[]").await;
    directory.publish_all().await;
    let (manifest, _, _) = directory.bundle(&own).await;
    for chunk in &manifest.chunks {
        let path = format!("chunks/{}", chunk.name());
        assert_eq!(directory.get(&own, &path).await.status(), StatusCode::OK);
        assert_eq!(
            directory.get(&other, &path).await.status(),
            StatusCode::NOT_FOUND
        );
    }
}

#[tokio::test]
async fn an_acknowledgement_is_kept_with_the_time_it_took() {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    directory.allow("acc_1", "usr_1", "env=prod").await;
    let host = directory.host("web-1", r#"["env=prod"]"#).await;
    let version = directory.publish_all().await[&host.id];
    directory.pass_ms(250);
    let mut ack = Acknowledgement {
        bundle_version: version,
        fast_lane_sequence: 0,
        host_time_ms: START_MS,
        ended: Vec::new(),
        refused: None,
    };
    assert_eq!(
        directory.post(&host, "acks", &ack).await.status(),
        StatusCode::NO_CONTENT
    );
    let latency = "SELECT latency_ms FROM acknowledgements ORDER BY received_at DESC LIMIT 1";
    assert_eq!(directory.count(latency).await, 250);
    directory.suspend("usr_1").await;
    directory.pass_ms(90);
    ack.fast_lane_sequence = 1;
    ack.ended = vec![EndedSessions {
        user: "usr_1".to_owned(),
        processes: 3,
        took_ms: 40,
    }];
    directory.post(&host, "acks", &ack).await;
    assert_eq!(directory.count(latency).await, 90);
    directory.pass_ms(1000);
    ack.ended.clear();
    directory.post(&host, "acks", &ack).await;
    assert_eq!(directory.count(latency).await, 90);
    assert_eq!(directory.count("SELECT acked_sequence FROM hosts").await, 1);
    let proof = "SELECT COUNT(*) FROM acknowledgements WHERE ended LIKE '%usr_1%'";
    assert_eq!(directory.count(proof).await, 1);
}

#[tokio::test]
async fn a_host_cannot_acknowledge_what_was_never_made() {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    let host = directory.host("web-1", "[]").await;
    let version = directory.publish_all().await[&host.id];
    let ack = Acknowledgement {
        bundle_version: u64::MAX,
        fast_lane_sequence: u64::MAX,
        host_time_ms: START_MS,
        ended: Vec::new(),
        refused: Some("shrink_guard\u{1b}[31m".to_owned()),
    };
    directory.post(&host, "acks", &ack).await;
    let acked = directory.count("SELECT acked_version FROM hosts").await;
    assert_eq!(acked.unsigned_abs(), version);
    assert_eq!(directory.count("SELECT acked_sequence FROM hosts").await, 0);
}

#[tokio::test]
async fn acknowledgements_of_many_hosts_at_once_are_all_stored() {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    directory.allow("acc_1", "usr_1", "env=prod").await;
    let mut hosts = Vec::new();
    for number in 0..20 {
        let name = format!("web-{number}");
        hosts.push(directory.host(&name, r#"["env=prod"]"#).await);
    }
    let versions = directory.publish_all().await;
    let acks = hosts.iter().map(|host| {
        let ack = Acknowledgement {
            bundle_version: versions[&host.id],
            fast_lane_sequence: 0,
            host_time_ms: START_MS,
            ended: Vec::new(),
            refused: None,
        };
        let directory = &directory;
        async move { directory.post(host, "acks", &ack).await.status() }
    });
    let answers = futures_util::future::join_all(acks).await;
    assert!(
        answers
            .iter()
            .all(|status| *status == StatusCode::NO_CONTENT)
    );
    let confirmed = "SELECT COUNT(*) FROM hosts WHERE acked_version = bundle_version";
    assert_eq!(directory.count(confirmed).await, 20);
}

#[tokio::test]
async fn a_host_that_says_ever_new_things_takes_bounded_room() {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    let host = directory.host("web-1", "[]").await;
    let version = directory.publish_all().await[&host.id];
    for said in version - 120..=version {
        let ack = Acknowledgement {
            bundle_version: said,
            fast_lane_sequence: 0,
            host_time_ms: START_MS,
            ended: Vec::new(),
            refused: None,
        };
        directory.post(&host, "acks", &ack).await;
    }
    let kept = "SELECT COUNT(*) FROM acknowledgements";
    assert_eq!(directory.count(kept).await, 100);
    let newest = directory.count("SELECT MAX(bundle_version) FROM acknowledgements");
    assert_eq!(newest.await.unsigned_abs(), version);
}
