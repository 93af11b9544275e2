//! What a bundle may say, and what is refused or held back.

use std::collections::BTreeSet;

use cacher_daemon::account;
use local_protocol::{Login, Outcome};
use policy::UserState;
use signed_bundle::{ChunkKind, plan_chunks};

use crate::world::*;

fn login(user: &str) -> Login {
    Login {
        user: user.to_owned(),
        service: "sshd".to_owned(),
        ..Login::default()
    }
}

#[tokio::test]
async fn syn_04_an_older_manifest_is_refused() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    let old = organisation.bundle(1, &slice(vec![person(1)]));
    let new = organisation.bundle(2, &slice(vec![person(1), person(2)]));
    give(&cacher, &new).await.unwrap();
    assert!(give(&cacher, &old).await.unwrap_err().contains("older"));
    drop(cacher);
    let cacher = host.cacher();
    assert!(give(&cacher, &old).await.is_err());
    assert_eq!(cacher.tables().version, 2);
}

#[tokio::test]
async fn syn_04_two_contents_of_one_version_are_both_kept_as_evidence() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    let one = organisation.bundle(1, &slice(vec![person(1)]));
    let other = organisation.bundle(1, &slice(vec![person(2)]));
    give(&cacher, &one).await.unwrap();
    assert!(
        give(&cacher, &other)
            .await
            .unwrap_err()
            .contains("two different contents")
    );
    assert!(cacher.tables().person("user1").is_some());
    let kept: BTreeSet<Vec<u8>> = std::fs::read_dir(host.paths.bundle().join("evidence"))
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(kept, BTreeSet::from([one.manifest, other.manifest]));
}

#[tokio::test]
async fn syn_19_disappearance_is_held_back_and_suspensions_are_not() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    let everybody: Vec<_> = (1..=30).map(person).collect();
    give(&cacher, &organisation.bundle(1, &slice(everybody.clone())))
        .await
        .unwrap();
    let mut few = vec![person(1), person(2)];
    few[1].state = UserState::Suspended;
    let shrunk = organisation.bundle(2, &slice(few));
    assert!(
        give(&cacher, &shrunk)
            .await
            .unwrap_err()
            .contains("would vanish")
    );
    assert_eq!(cacher.tables().version, 1);
    let outcome = async |user| account::decide(&cacher, &login(user)).await.outcome;
    assert_eq!(outcome("user30").await, Outcome::Allowed);
    assert_eq!(outcome("user2").await, Outcome::Denied);
    assert!(
        give(&cacher, &organisation.bundle(3, &slice(Vec::new())))
            .await
            .is_err()
    );
    take(&cacher, &shrunk, true).await.unwrap();
    cacher.apply().await;
    assert_eq!(cacher.tables().everybody().count(), 2);
}

#[tokio::test]
async fn syn_19_as_many_explicit_suspensions_apply_at_once() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    let mut everybody: Vec<_> = (1..=30).map(person).collect();
    give(&cacher, &organisation.bundle(1, &slice(everybody.clone())))
        .await
        .unwrap();
    for person in &mut everybody {
        person.state = UserState::Suspended;
    }
    give(&cacher, &organisation.bundle(2, &slice(everybody)))
        .await
        .unwrap();
    assert_eq!(
        account::decide(&cacher, &login("user7")).await.outcome,
        Outcome::Denied
    );
}

#[tokio::test]
async fn syn_18_an_unreadable_rule_denies_and_never_allows() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    let mut chunks: Vec<_> = plan_chunks(&slice(vec![person(1)]))
        .unwrap()
        .iter()
        .map(|chunk| (chunk.kind, chunk.bytes.clone()))
        .collect();
    chunks.push((
        ChunkKind::AccessRules,
        br#"{"id":"acc_9","effect":"deny","subjects":[{"user":"usr_1"}],"hosts":"env=prod","newer":1}"#.to_vec(),
    ));
    let bundle = organisation.bundle_of(&chunks, |_| {});
    give(&cacher, &bundle).await.unwrap();
    let verdict = account::decide(&cacher, &login("user1")).await;
    assert_eq!(verdict.outcome, Outcome::Denied);
    assert!(
        verdict.sentences[0].contains("acc_9"),
        "{:?}",
        verdict.sentences
    );
}

#[tokio::test]
async fn syn_18_without_any_bundle_nobody_is_ours() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    cacher.apply().await;
    assert_eq!(
        account::decide(&cacher, &login("user1")).await.outcome,
        Outcome::NotOurs
    );
    assert_eq!(
        account::decide(&cacher, &login("root")).await.outcome,
        Outcome::NotOurs
    );
}

#[tokio::test]
async fn syn_22_a_damaged_root_chain_is_told_and_takes_nobody_in() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    drop(cacher);
    std::fs::write(host.paths.root_chain(), b"nonsense").unwrap();
    let cacher = host.cacher();
    cacher.apply().await;
    assert!(!cacher.health().last_error.is_empty());
    assert_eq!(
        account::decide(&cacher, &login("user1")).await.outcome,
        Outcome::NotOurs
    );
}

#[tokio::test]
async fn syn_16_a_bundle_and_a_revocation_may_come_together() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(
        &cacher,
        &organisation.bundle(1, &slice(vec![person(1), person(2)])),
    )
    .await
    .unwrap();
    let unaware = organisation.bundle(2, &slice(vec![person(1), person(2), person(3)]));
    let (given, revoked) = tokio::join!(
        give(&cacher, &unaware),
        revoke(&cacher, organisation.suspension(1, "usr_1")),
    );
    given.unwrap();
    revoked.unwrap();
    cacher.apply().await;
    assert_eq!(
        account::decide(&cacher, &login("user1")).await.outcome,
        Outcome::Denied
    );
    assert_eq!(
        account::decide(&cacher, &login("user3")).await.outcome,
        Outcome::Allowed
    );
}

#[tokio::test]
async fn syn_12_a_revocation_sticks_until_a_bundle_contains_it() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    revoke(&cacher, organisation.suspension(7, "usr_1"))
        .await
        .unwrap();
    let outcome = async || account::decide(&cacher, &login("user1")).await.outcome;
    for (version, contained, expected) in [
        (2, 0, Outcome::Denied),
        (3, 6, Outcome::Denied),
        // Contains it, and the person was let in again since.
        (4, 7, Outcome::Allowed),
    ] {
        let bundle = organisation.bundle_with(&slice(vec![person(1)]), |manifest| {
            manifest.version = version;
            manifest.fast_lane_sequence = contained;
        });
        give(&cacher, &bundle).await.unwrap();
        assert_eq!(outcome().await, expected, "version {version}");
    }
    // An old message that is offered again does nothing.
    assert!(
        revoke(&cacher, organisation.suspension(7, "usr_1"))
            .await
            .is_err()
    );
    assert_eq!(outcome().await, Outcome::Allowed);
}
