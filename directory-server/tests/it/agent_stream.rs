//! The push stream.

use std::time::Duration;

use axum::body::BodyDataStream;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use directory_server::dirty::Touched;
use futures_util::StreamExt;
use signed_bundle::{FastAction, open_fast_message, open_signed_time};

use crate::agent_world::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// Server-sent events as they come.
struct Events {
    body: BodyDataStream,
    text: String,
}

impl Events {
    async fn open(directory: &Directory, host: &Host, query: &str) -> Self {
        let response = directory.get(host, &format!("stream{query}")).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// Name and data of the next event; `None` when the stream has ended.
    async fn next(&mut self) -> Option<(String, String)> {
        while !self.text.contains("\n\n") {
            let part = tokio::time::timeout(PATIENCE, self.body.next())
                .await
                .unwrap();
            self.text
                .push_str(std::str::from_utf8(&part?.unwrap()).unwrap());
        }
        let (event, rest) = self.text.split_once("\n\n").unwrap();
        let field = |name: &str| {
            let value = event.lines().find_map(|line| line.strip_prefix(name));
            value.unwrap_or_default().trim().to_owned()
        };
        let parsed = (field("event:"), field("data:"));
        self.text = rest.to_owned();
        Some(parsed)
    }

    /// The data of the next event of this name.
    async fn wait_for(&mut self, name: &str) -> String {
        loop {
            let (event, data) = self.next().await.unwrap();
            if event == name {
                return data;
            }
        }
    }
}

async fn directory_and_host() -> (Directory, Host) {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    directory.allow("acc_1", "usr_1", "env=prod").await;
    let host = directory.host("web-1", r#"["env=prod"]"#).await;
    directory.publish_all().await;
    (directory, host)
}

fn suspended(message: &str, host: &Host, after: u64) -> String {
    let bytes = BASE64_STANDARD.decode(message).unwrap();
    let message = open_fast_message(&bytes, &host.root, "org_1", after).unwrap();
    match message.action {
        FastAction::SuspendUser { user } => user,
        FastAction::Unknown { verb } => panic!("{verb}"),
    }
}

#[tokio::test]
async fn a_stream_begins_with_the_time_and_the_version() {
    let (directory, host) = directory_and_host().await;
    let mut events = Events::open(&directory, &host, "").await;
    let time = BASE64_STANDARD
        .decode(events.wait_for("time").await)
        .unwrap();
    let time = open_signed_time(&time, &host.root, "org_1").unwrap();
    assert_eq!(time, directory.app.clock.now());
    let version = events.wait_for("manifest").await;
    let (manifest, _, _) = directory.bundle(&host).await;
    assert_eq!(version, manifest.version.to_string());
}

#[tokio::test]
async fn a_suspension_reaches_the_stream_and_then_the_bundle() {
    let (mut directory, host) = directory_and_host().await;
    directory.start_publisher();
    let mut events = Events::open(&directory, &host, "").await;
    let before: u64 = events.wait_for("manifest").await.parse().unwrap();
    directory.suspend("usr_1").await;
    let message = events.wait_for("fast").await;
    assert_eq!(suspended(&message, &host, 0), "usr_1");
    let after: u64 = events.wait_for("manifest").await.parse().unwrap();
    assert!(after > before);
    let (manifest, read, _) = directory.bundle(&host).await;
    assert_eq!(manifest.fast_lane_sequence, 1);
    assert_eq!(
        read.slice.people[0].view().state,
        policy::UserState::Suspended
    );
}

#[tokio::test]
async fn a_host_that_was_away_hears_of_every_suspension_it_has_missed() {
    let (directory, host) = directory_and_host().await;
    directory.user(2, None).await;
    directory.suspend("usr_1").await;
    directory.suspend("usr_2").await;
    let mut events = Events::open(&directory, &host, "").await;
    assert_eq!(suspended(&events.wait_for("fast").await, &host, 0), "usr_1");
    assert_eq!(suspended(&events.wait_for("fast").await, &host, 1), "usr_2");
    let mut later = Events::open(&directory, &host, "?fast_after=1").await;
    assert_eq!(suspended(&later.wait_for("fast").await, &host, 1), "usr_2");
}

#[tokio::test]
async fn a_message_signed_twice_is_the_same_message() {
    let (mut directory, host) = directory_and_host().await;
    directory.suspend("usr_1").await;
    let mut unsent = Events::open(&directory, &host, "").await;
    let before = unsent.wait_for("fast").await;
    directory.start_publisher();
    let mut sent = Events::open(&directory, &host, "?fast_after=0").await;
    assert_eq!(sent.wait_for("fast").await, before);
}

#[tokio::test]
async fn the_stream_of_a_host_that_is_retired_ends() {
    let (mut directory, host) = directory_and_host().await;
    let mut events = Events::open(&directory, &host, "").await;
    directory
        .sql("UPDATE hosts SET state = 'retired'", &[])
        .await;
    let touched = Touched {
        hosts: [host.id.clone()].into(),
        ..Touched::default()
    };
    directory.publish(&touched).await;
    while events.next().await.is_some() {}
}

#[tokio::test]
async fn of_many_streams_of_a_host_the_two_newest_stay() {
    let (directory, host) = directory_and_host().await;
    let mut first = Events::open(&directory, &host, "").await;
    let mut second = Events::open(&directory, &host, "").await;
    let mut third = Events::open(&directory, &host, "").await;
    while first.next().await.is_some() {}
    directory
        .app
        .fast_lane
        .send((1, "a message".into()))
        .unwrap();
    assert_eq!(second.wait_for("fast").await, "a message");
    assert_eq!(third.wait_for("fast").await, "a message");
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_is_an_alarm_and_holds_no_revocation_up() {
    let (mut directory, host) = directory_and_host().await;
    directory
        .sql(
            "INSERT INTO access_rules VALUES ('acc_9', 'bad', '', '{', 0, 'usr_0', 0, 1)",
            &[],
        )
        .await;
    directory.start_publisher();
    let mut events = Events::open(&directory, &host, "").await;
    directory.suspend("usr_1").await;
    let message = events.wait_for("fast").await;
    assert_eq!(suspended(&message, &host, 0), "usr_1");
    let alarms = "SELECT COUNT(*) FROM events WHERE kind = 'bundle.publish_failed'
                  AND body LIKE '%acc_9%'";
    while directory.count(alarms).await == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(directory.count(alarms).await, 1);
    assert_eq!(directory.get(&host, "manifest").await.status(), 200);
}
