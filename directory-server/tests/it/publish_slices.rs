//! What each host gets, and that it gets nothing else.

use directory_server::dirty::Touched;
use directory_server::publish::PublishError;
use signed_bundle::ChunkKind;

use crate::agent_world::*;

const NOBODY: [&str; 0] = [];

fn names(read: &signed_bundle::ReadSlice) -> Vec<&str> {
    let people = read.slice.people.iter();
    let mut names: Vec<_> = people.map(|person| person.view().username).collect();
    names.sort_unstable();
    names
}

fn contains(bytes: &[u8], canary: &str) -> bool {
    bytes
        .windows(canary.len())
        .any(|window| window == canary.as_bytes())
}

#[tokio::test]
async fn syn_10_a_host_gets_its_own_people_and_no_others() {
    let mut directory = Directory::new().await;
    let mut hosts = Vec::new();
    for (number, tags) in [(1, r#"["n=1"]"#), (2, r#"["n=2"]"#), (3, r#"["n=3"]"#)] {
        let verifier = format!("$6$canary{number}$secret{number}");
        let user = directory.user(number, Some(&verifier)).await;
        directory
            .allow(&format!("acc_{number}"), &user, &format!("n={number}"))
            .await;
        hosts.push(directory.host(&format!("host-{number}"), tags).await);
    }
    directory.publish_all().await;
    for (index, host) in hosts.iter().enumerate() {
        let own = index + 1;
        let (manifest, read, fetched) = directory.bundle(host).await;
        assert_eq!(names(&read), [format!("user{own}")]);
        assert_eq!(read.slice.access_rules.len(), 1);
        assert_eq!(
            read.slice.unpacked().credentials[0].password_verifier,
            format!("$6$canary{own}$secret{own}")
        );
        for number in 1..=3 {
            assert!(
                !contains(&fetched, &format!("canary{number}")),
                "a verifier is readable"
            );
            assert_eq!(contains(&fetched, &format!("user{number}")), number == own);
            assert_eq!(contains(&fetched, &format!("acc_{number}")), number == own);
        }
        for chunk in &manifest.chunks {
            if chunk.kind == ChunkKind::Credentials {
                assert_eq!(chunk.length, 1024, "sealed sizes are padded");
            }
        }
    }
    let sealed: Vec<(String, String)> =
        sqlx::query_as("SELECT host_id, hash FROM chunks WHERE plain LIKE 'Credentials%'")
            .fetch_all(directory.app.store.read())
            .await
            .unwrap();
    assert_eq!(sealed.len(), 3);
    for host in &hosts {
        for (owner, hash) in &sealed {
            let status = directory
                .get(host, &format!("chunks/{hash}"))
                .await
                .status();
            assert_eq!(status.is_success(), *owner == host.id);
        }
    }
}

#[tokio::test]
async fn nothing_is_published_when_nothing_has_changed() {
    let mut directory = Directory::new().await;
    let user = directory.user(1, Some("$6$a$b")).await;
    directory.allow("acc_1", &user, "*").await;
    let host = directory.host("web-1", "[]").await;
    let first = directory.publish_all().await;
    assert_eq!(first.len(), 1);
    assert!(directory.publish_all().await.is_empty());
    directory
        .sql("UPDATE users SET display_name = 'New Name'", &[])
        .await;
    let second = directory.publish_all().await;
    assert!(second[&host.id] > first[&host.id]);
    assert_eq!(second.len(), 1);
}

#[tokio::test]
async fn versions_grow_even_when_the_clock_stands_still_or_goes_back() {
    let mut directory = Directory::new().await;
    let user = directory.user(1, None).await;
    directory.allow("acc_1", &user, "*").await;
    let host = directory.host("web-1", "[]").await;
    let mut last = directory.publish_all().await[&host.id];
    for name in ["A", "B", "C"] {
        directory.pass_ms(-10_000);
        directory
            .sql("UPDATE users SET display_name = $1", &[name])
            .await;
        let version = directory.publish_all().await[&host.id];
        assert!(version > last);
        last = version;
    }
}

#[tokio::test]
async fn unchanged_chunks_keep_their_hash_sealed_ones_too() {
    let mut directory = Directory::new().await;
    for number in 1..=100 {
        let user = directory.user(number, Some("$6$a$b")).await;
        directory
            .allow(&format!("acc_{number:03}"), &user, "*")
            .await;
    }
    let host = directory.host("web-1", "[]").await;
    directory.publish_all().await;
    let (before, _, _) = directory.bundle(&host).await;
    directory
        .sql(
            "UPDATE users SET display_name = 'New' WHERE id = 'usr_7'",
            &[],
        )
        .await;
    directory.publish_all().await;
    let (after, read, _) = directory.bundle(&host).await;
    let new = after
        .chunks
        .iter()
        .filter(|chunk| !before.chunks.contains(chunk));
    let new: Vec<_> = new.map(|chunk| chunk.kind).collect();
    assert_eq!(new, [ChunkKind::People]);
    assert_eq!(read.slice.people.len(), 100);
    assert_eq!(read.slice.credentials.len(), 100);
}

#[tokio::test]
async fn a_change_touches_only_the_hosts_it_concerns() {
    let mut directory = Directory::new().await;
    let (one, two) = (directory.user(1, None).await, directory.user(2, None).await);
    directory.allow("acc_1", &one, "n=1").await;
    directory.allow("acc_2", &two, "n=2").await;
    let first = directory.host("host-1", r#"["n=1"]"#).await;
    directory.host("host-2", r#"["n=2"]"#).await;
    assert_eq!(directory.publish_all().await.len(), 2);
    directory
        .sql("UPDATE users SET display_name = 'New'", &[])
        .await;
    let touched = Touched {
        users: [one].into(),
        ..Touched::default()
    };
    let published = directory.publish(&touched).await;
    assert_eq!(published.keys().collect::<Vec<_>>(), [&first.id]);
}

#[tokio::test]
async fn who_loses_the_last_right_leaves_the_slice() {
    let mut directory = Directory::new().await;
    let user = directory.user(1, Some("$6$a$b")).await;
    directory.allow("acc_1", &user, "*").await;
    let host = directory.host("web-1", "[]").await;
    directory.publish_all().await;
    assert_eq!(names(&directory.bundle(&host).await.1), ["user1"]);
    directory.sql("DELETE FROM access_rules", &[]).await;
    let touched = Touched {
        users: [user].into(),
        ..Touched::default()
    };
    directory.publish(&touched).await;
    let (_, read, _) = directory.bundle(&host).await;
    assert_eq!(names(&read), NOBODY);
    assert!(read.slice.credentials.is_empty());
}

#[tokio::test]
async fn a_suspended_person_stays_named_and_proves_nothing() {
    let mut directory = Directory::new().await;
    let user = directory.user(1, Some("$6$a$b")).await;
    directory.allow("acc_1", &user, "*").await;
    let host = directory.host("web-1", "[]").await;
    directory.publish_all().await;
    directory.suspend(&user).await;
    directory.publish_all().await;
    let (manifest, read, _) = directory.bundle(&host).await;
    assert_eq!(names(&read), ["user1"]);
    assert!(read.slice.credentials.is_empty());
    assert_eq!(manifest.fast_lane_sequence, 1);
}

#[tokio::test]
async fn who_is_suspended_and_active_again_is_published_although_the_slice_is_the_same() {
    let mut directory = Directory::new().await;
    let user = directory.user(1, None).await;
    directory.allow("acc_1", &user, "*").await;
    let host = directory.host("web-1", "[]").await;
    directory.publish_all().await;
    directory.suspend(&user).await;
    directory
        .sql("UPDATE users SET state = 'active'", &[])
        .await;
    assert_eq!(directory.publish_all().await.len(), 1);
    let (manifest, _, _) = directory.bundle(&host).await;
    assert_eq!(manifest.fast_lane_sequence, 1);
}

#[tokio::test]
async fn groups_resolve_through_others_and_only_what_matters_is_told() {
    let mut directory = Directory::new().await;
    let user = directory.user(1, None).await;
    for (id, gid) in [
        ("inner", None),
        ("outer", None),
        ("shown", Some("70900")),
        ("secret", None),
    ] {
        let gid: Option<&str> = gid;
        directory
            .sql(
                "INSERT INTO groups VALUES ($1, $1, '', $2 <> '', CAST(NULLIF($2, '') AS INTEGER),
                 0, 'usr_0', 0, 1)",
                &[id, gid.unwrap_or_default()],
            )
            .await;
    }
    for group in ["inner", "shown", "secret"] {
        directory
            .sql("INSERT INTO group_users VALUES ($1, $2)", &[group, &user])
            .await;
    }
    directory
        .sql("INSERT INTO group_groups VALUES ('outer', 'inner')", &[])
        .await;
    let rule = r#"{"id":"acc_1","effect":"allow","subjects":[{"group":"outer"}],"hosts":"*"}"#;
    directory
        .sql(
            "INSERT INTO access_rules VALUES ('acc_1', 'acc_1', '', $1, 0, '', 0, 1)",
            &[rule],
        )
        .await;
    let host = directory.host("web-1", "[]").await;
    directory.publish_all().await;
    let (_, read, fetched) = directory.bundle(&host).await;
    let person = read.slice.people[0].record().unwrap();
    let groups: Vec<_> = person.groups.iter().collect();
    assert_eq!(groups, ["outer", "shown"]);
    assert_eq!(read.slice.groups.len(), 1);
    assert!(!contains(&fetched, "secret"));
}

#[tokio::test]
async fn id_03_one_bad_user_among_a_thousand_holds_nobody_up() {
    let mut directory = Directory::new().await;
    for number in 0..1000 {
        directory.user(number, None).await;
    }
    directory
        .sql(
            r#"INSERT INTO access_rules
               SELECT 'acc_' || id, 'acc_' || id, '',
                '{"id":"acc_' || id || '","effect":"allow","subjects":[{"user":"' || id || '"}],
                  "hosts":"*"}', 0, '', 0, 1 FROM users"#,
            &[],
        )
        .await;
    let host = directory.host("web-1", "[]").await;
    directory
        .sql(
            "UPDATE users SET username = 'root' WHERE id = 'usr_500'",
            &[],
        )
        .await;
    directory.publish_all().await;
    assert_eq!(directory.bundle(&host).await.1.slice.people.len(), 999);
    directory
        .sql("UPDATE users SET state = 'deleted' WHERE id = 'usr_7'", &[])
        .await;
    directory.publish_all().await;
    assert_eq!(directory.bundle(&host).await.1.slice.people.len(), 998);
}

#[tokio::test]
async fn a_stored_rule_that_cannot_be_read_stops_publishing() {
    let mut directory = Directory::new().await;
    let user = directory.user(1, None).await;
    directory.allow("acc_1", &user, "*").await;
    directory.host("web-1", "[]").await;
    directory
        .sql("UPDATE access_rules SET rule = '{\"effect\":\"deny\"'", &[])
        .await;
    let publisher = directory.publisher.as_mut().unwrap();
    let refused = publisher
        .publish(&directory_server::publish::everything())
        .await;
    assert!(matches!(refused, Err(PublishError::Rule(id, _)) if id == "acc_1"));
}

#[tokio::test]
async fn dr_05_a_directory_that_lost_its_users_signs_nothing() {
    let mut directory = Directory::new().await;
    let user = directory.user(1, None).await;
    directory.allow("acc_1", &user, "*").await;
    directory.host("web-1", "[]").await;
    directory.publish_all().await;
    directory.sql("DELETE FROM users", &[]).await;
    let publisher = directory.publisher.as_mut().unwrap();
    let refused = publisher
        .publish(&directory_server::publish::everything())
        .await;
    assert!(matches!(refused, Err(PublishError::Emptied)));
}
