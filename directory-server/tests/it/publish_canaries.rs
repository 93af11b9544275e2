//! A change goes to the canaries first, and stops there when they do not take it.

use axum::http::StatusCode;
use directory_api::agent::Acknowledgement;
use directory_server::dirty::Touched;
use jiff::SignedDuration;

use crate::agent_world::*;

const CANARY: &str = r#"["env=prod","role=canary"]"#;
const OTHER: &str = r#"["env=prod"]"#;

/// A canary, two other hosts, and a person whom all of them know.
struct Fleet {
    directory: Directory,
    canary: Host,
    others: [Host; 2],
    /// What the canary has in force.
    in_force: u64,
}

impl Fleet {
    /// In which everybody has the first bundle in force.
    async fn new() -> Self {
        let directory = Directory::with_changed(|config| {
            config.publish.canaries = Some("role=canary".parse().unwrap());
            config.publish.canary_wait = SignedDuration::from_secs(10);
        })
        .await;
        directory.user(1, None).await;
        directory.allow("acc_1", "usr_1", "env=prod").await;
        let canary = directory.host("web-1", CANARY).await;
        let others = [
            directory.host("web-2", OTHER).await,
            directory.host("web-3", OTHER).await,
        ];
        let mut fleet = Self {
            directory,
            canary,
            others,
            in_force: 0,
        };
        assert_eq!(fleet.publish_all().await, Ok(vec!["web-1".to_owned()]));
        fleet.canary_says(None).await;
        assert_eq!(fleet.go_on().await, others_of_the_fleet());
        fleet
    }

    /// Somebody more, who may log in everywhere.
    async fn change(&mut self) {
        let user = self.directory.user(2, None).await;
        self.directory.allow("acc_2", &user, "env=prod").await;
    }

    async fn publish_all(&mut self) -> Result<Vec<String>, String> {
        self.publish(&directory_server::publish::everything()).await
    }

    /// What the publisher does while hosts wait.
    async fn go_on(&mut self) -> Result<Vec<String>, String> {
        self.publish(&Touched::default()).await
    }

    /// Names of the hosts that got something new, or why others did not.
    async fn publish(&mut self, touched: &Touched) -> Result<Vec<String>, String> {
        let published = self.directory.try_publish(touched).await;
        let published = published.map_err(|error| error.to_string())?;
        let hosts = [&self.canary, &self.others[0], &self.others[1]];
        let mut names = Vec::new();
        for (host, name) in hosts.into_iter().zip(["web-1", "web-2", "web-3"]) {
            if published.contains_key(&host.id) {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// The canary has its newest bundle in force, or says why not.
    async fn canary_says(&mut self, refused: Option<&str>) {
        // one that refuses goes on with the one before, as it said when that was new
        if refused.is_none() {
            self.in_force = self.directory.bundle(&self.canary).await.0.version;
        }
        let ack = Acknowledgement {
            bundle_version: self.in_force,
            fast_lane_sequence: 0,
            host_time_ms: self.directory.now_ms(),
            ended: Vec::new(),
            refused: refused.map(str::to_owned),
        };
        let answer = self.directory.post(&self.canary, "acks", &ack).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
}

fn others_of_the_fleet() -> Result<Vec<String>, String> {
    Ok(vec!["web-2".to_owned(), "web-3".to_owned()])
}

#[tokio::test]
async fn upg_08_the_others_get_a_change_once_the_canary_has_it_in_force() {
    let mut fleet = Fleet::new().await;
    fleet.change().await;
    assert_eq!(fleet.publish_all().await, Ok(vec!["web-1".to_owned()]));
    assert_eq!(fleet.go_on().await, Ok(vec![]), "the canary is silent yet");
    fleet.canary_says(None).await;
    assert_eq!(fleet.go_on().await, others_of_the_fleet());
    assert_eq!(fleet.publish_all().await, Ok(vec![]), "nothing is left");
}

#[tokio::test]
async fn upg_08_a_canary_that_refuses_stops_the_roll_out_until_the_change_is_mended() {
    let mut fleet = Fleet::new().await;
    fleet.change().await;
    fleet.directory.pass_ms(1_000);
    assert_eq!(fleet.publish_all().await, Ok(vec!["web-1".to_owned()]));
    fleet.canary_says(Some("too many people vanish")).await;
    let why = fleet.go_on().await.unwrap_err();
    assert!(why.contains("web-1 refuses its bundle: too many"), "{why}");
    assert_eq!(fleet.publish_all().await, Err(why), "still");

    fleet.directory.pass_ms(1_000);
    let rules = "DELETE FROM access_rules WHERE id = 'acc_2'";
    fleet.directory.sql(rules, &[]).await;
    assert_eq!(fleet.publish_all().await, Ok(vec!["web-1".to_owned()]));
    fleet.canary_says(None).await;
    let others = fleet.go_on().await;
    assert_eq!(others, Ok(vec![]), "they have what is right again");
}

#[tokio::test]
async fn upg_08_a_canary_that_falls_silent_over_a_change_stops_it() {
    let mut fleet = Fleet::new().await;
    fleet.change().await;
    assert_eq!(fleet.publish_all().await, Ok(vec!["web-1".to_owned()]));
    fleet.directory.pass_ms(9_000);
    assert_eq!(fleet.go_on().await, Ok(vec![]));
    fleet.directory.pass_ms(3_600_000);
    let why = fleet.go_on().await.unwrap_err();
    assert!(why.contains("web-1 says nothing"), "{why}");
    fleet.canary_says(None).await;
    assert_eq!(fleet.go_on().await, others_of_the_fleet());
}

#[tokio::test]
async fn upg_08_a_bundle_that_cannot_be_made_for_the_canary_is_made_for_nobody() {
    let mut fleet = Fleet::new().await;
    let user = fleet.directory.user(2, Some("$argon2id$")).await;
    fleet.directory.allow("acc_2", &user, "env=prod").await;
    let spoilt = "UPDATE hosts SET sealing_key = 'spoilt' WHERE hostname = 'web-1'";
    fleet.directory.sql(spoilt, &[]).await;
    let why = fleet.publish_all().await.unwrap_err();
    assert!(why.contains("sealing key"), "{why}");
    let newer = "SELECT COUNT(*) FROM hosts WHERE bundle_version >
                 (SELECT MIN(version) FROM manifests WHERE host_id = hosts.id)";
    assert_eq!(fleet.directory.count(newer).await, 0);
}

#[tokio::test]
async fn a_canary_that_was_away_before_holds_nobody_up() {
    let mut fleet = Fleet::new().await;
    fleet.directory.pass_ms(600_000);
    fleet.change().await;
    let all = ["web-1", "web-2", "web-3"].map(str::to_owned).to_vec();
    assert_eq!(fleet.publish_all().await, Ok(all));
}

#[tokio::test]
async fn a_host_that_is_touched_itself_does_not_wait_for_canaries() {
    let mut fleet = Fleet::new().await;
    fleet.change().await;
    let touched = Touched {
        everything: true,
        hosts: [fleet.others[0].id.clone()].into(),
        ..Touched::default()
    };
    let first = fleet.publish(&touched).await;
    assert_eq!(first, Ok(vec!["web-1".to_owned(), "web-2".to_owned()]));
    fleet.canary_says(None).await;
    assert_eq!(fleet.go_on().await, Ok(vec!["web-3".to_owned()]));
}

#[tokio::test]
async fn a_host_cannot_make_itself_a_canary() {
    let mut fleet = Fleet::new().await;
    fleet
        .directory
        .sql("DELETE FROM host_tags WHERE tag = 'role=canary'", &[])
        .await;
    let own = "INSERT INTO host_tags SELECT id, 'host:role=canary', 'host' FROM hosts";
    fleet.directory.sql(own, &[]).await;
    fleet.change().await;
    let all = ["web-1", "web-2", "web-3"].map(str::to_owned).to_vec();
    assert_eq!(fleet.publish_all().await, Ok(all));
}
