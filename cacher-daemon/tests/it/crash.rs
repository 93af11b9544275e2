//! The power goes at every step of the commit path, one after the other.

use std::sync::Arc;

use cacher_daemon::account;
use cacher_daemon::mirror::store::{Store, Which};
use local_protocol::{Login, Outcome};

use crate::disks::PowerCut;
use crate::world::*;

fn login(user: &str) -> Login {
    Login {
        user: user.to_owned(),
        service: "sshd".to_owned(),
        ..Login::default()
    }
}

#[tokio::test]
async fn syn_12_whenever_the_power_goes_the_old_or_the_new_bundle_is_there_whole() {
    let organisation = Organisation::new();
    let old = organisation.bundle(1, &slice(vec![person(1)]));
    let new = organisation.bundle(2, &slice(vec![person(1), person(2)]));
    let mut versions = Vec::new();
    for step in 0.. {
        let host = TestHost::new(&organisation);
        let cacher = host.cacher();
        give(&cacher, &old).await.unwrap();
        drop(cacher);
        let disk = Arc::new(PowerCut::after(step));
        let cacher = host.cacher_on(Arc::clone(&disk) as _);
        let _ = take(&cacher, &new, false).await;
        drop(cacher);
        let cacher = host.cacher();
        cacher.apply().await;
        let version = cacher.tables().version;
        let people = cacher.tables().everybody().count();
        assert_eq!(people as u64, version, "step {step}");
        versions.push(version);
        // And it goes on from there.
        give(&cacher, &new).await.unwrap();
        assert_eq!(cacher.tables().version, 2, "step {step}");
        if !disk.happened() {
            break;
        }
    }
    assert!(
        versions.is_sorted(),
        "once durable, the new one stays: {versions:?}"
    );
    assert_eq!((versions.first(), versions.last()), (Some(&1), Some(&2)));
    assert!(versions.len() > 10, "the loop saw every step");
}

#[tokio::test]
async fn syn_12_an_acknowledged_revocation_is_never_lost() {
    let organisation = Organisation::new();
    let old = organisation.bundle(1, &slice(vec![person(1), person(2)]));
    let unaware = organisation.bundle(2, &slice(vec![person(1), person(2), person(3)]));
    let mut acknowledged_at_least_once = false;
    for step in 0.. {
        let host = TestHost::new(&organisation);
        let cacher = host.cacher();
        give(&cacher, &old).await.unwrap();
        drop(cacher);
        let disk = Arc::new(PowerCut::after(step));
        let cacher = host.cacher_on(Arc::clone(&disk) as _);
        cacher.apply().await;
        let acknowledged = revoke(&cacher, organisation.suspension(1, "usr_1"))
            .await
            .is_ok();
        let _ = take(&cacher, &unaware, false).await;
        drop(cacher);
        let cacher = host.cacher();
        cacher.apply().await;
        let outcome = account::decide(&cacher, &login("user1")).await.outcome;
        if acknowledged {
            acknowledged_at_least_once = true;
            assert_eq!(outcome, Outcome::Denied, "lost at step {step}");
        }
        if !disk.happened() {
            break;
        }
    }
    assert!(acknowledged_at_least_once);
}

#[tokio::test]
async fn syn_12_a_revocation_survives_the_fall_back_to_the_previous_bundle() {
    let outcome = after_the_fall_back(true).await;
    assert_eq!(outcome, Outcome::Denied);
}

#[tokio::test]
async fn syn_12_a_suspension_that_came_only_by_bundle_survives_the_fall_back_too() {
    let outcome = after_the_fall_back(false).await;
    assert_eq!(outcome, Outcome::Denied);
}

/// Bundle 1 lets somebody in, and the fast lane has suspended them since.
async fn revoked_host() -> (Organisation, TestHost) {
    let (organisation, host) = host_with_one().await;
    let cacher = host.cacher();
    revoke(&cacher, organisation.suspension(1, "usr_1"))
        .await
        .unwrap();
    (organisation, host)
}

async fn host_with_one() -> (Organisation, TestHost) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let bundle = organisation.bundle(1, &slice(vec![person(1)]));
    give(&host.cacher(), &bundle).await.unwrap();
    (organisation, host)
}

/// Bundle 1 lets somebody in, bundle 2 suspends them and is damaged: what is answered then?
async fn after_the_fall_back(told_by_the_fast_lane: bool) -> Outcome {
    let (organisation, host) = match told_by_the_fast_lane {
        true => revoked_host().await,
        false => host_with_one().await,
    };
    let cacher = host.cacher();
    let mut suspended = person(1);
    suspended.state = policy::UserState::Suspended;
    let aware = organisation.bundle_with(&slice(vec![suspended]), |manifest| {
        manifest.version = 2;
        manifest.fast_lane_sequence = 1;
    });
    give(&cacher, &aware).await.unwrap();
    drop(cacher);
    std::fs::write(host.paths.bundle().join("manifest"), b"damaged").unwrap();
    let cacher = host.cacher();
    cacher.apply().await;
    assert_eq!(cacher.tables().version, 1);
    account::decide(&cacher, &login("user1")).await.outcome
}

#[tokio::test]
async fn syn_03_a_flipped_bit_on_disk_is_never_served() {
    let organisation = Organisation::new();
    let old = organisation.bundle(1, &slice(vec![person(1)]));
    let new = organisation.bundle(2, &slice(vec![person(1), person(2)]));
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &old).await.unwrap();
    give(&cacher, &new).await.unwrap();
    drop(cacher);
    let store = Store::open(host.paths.bundle()).unwrap();
    let manifest = store.manifest(Which::Newest).unwrap().unwrap();
    let path = host.paths.bundle().join("manifest");
    for at in 0..manifest.len() {
        let mut flipped = manifest.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&path, &flipped).unwrap();
        let cacher = host.cacher();
        cacher.apply().await;
        assert_eq!(cacher.tables().version, 1, "flipped at {at}");
    }
    std::fs::write(&path, &manifest).unwrap();
    let newest: Vec<_> = new
        .chunks
        .keys()
        .filter(|name| !old.chunks.contains_key(*name))
        .collect();
    for name in newest {
        let path = host.paths.bundle().join("chunks").join(name);
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(3) {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << (at % 8);
            std::fs::write(&path, &flipped).unwrap();
            let cacher = host.cacher();
            cacher.apply().await;
            assert_eq!(cacher.tables().version, 1, "{name} flipped at {at}");
        }
        std::fs::write(&path, &good).unwrap();
    }
    let cacher = host.cacher();
    cacher.apply().await;
    assert_eq!(cacher.tables().version, 2);
}

#[tokio::test]
async fn syn_03_marks_survive_damage_of_one_copy() {
    let (_, host) = revoked_host().await;
    for copy in ["state", "state.copy"] {
        let path = host.paths.state.join(copy);
        let good = std::fs::read(&path).unwrap();
        for damage in [Vec::new(), vec![0; 64], good[..good.len() / 2].to_vec()] {
            std::fs::write(&path, damage).unwrap();
            let cacher = host.cacher();
            cacher.apply().await;
            let outcome = account::decide(&cacher, &login("user1")).await.outcome;
            assert_eq!(outcome, Outcome::Denied, "{copy}");
        }
        std::fs::write(&path, good).unwrap();
    }
}

#[tokio::test]
async fn syn_21_a_disk_that_refuses_leaves_the_last_good_bundle_and_recovers_by_itself() {
    let organisation = Organisation::new();
    let old = organisation.bundle(1, &slice(vec![person(1)]));
    let new = organisation.bundle(2, &slice(vec![person(1), person(2)]));
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &old).await.unwrap();
    drop(cacher);
    let full = crate::disks::Broken::below(host.paths.bundle());
    let cacher = host.cacher_on(Arc::new(full));
    cacher.apply().await;
    assert!(give(&cacher, &new).await.unwrap_err().contains("disk"));
    assert_eq!(cacher.tables().version, 1);
    let outcome = account::decide(&cacher, &login("user1")).await.outcome;
    assert_eq!(outcome, Outcome::Allowed);
    drop(cacher);
    let cacher = host.cacher();
    cacher.apply().await;
    give(&cacher, &new).await.unwrap();
    assert_eq!(cacher.tables().version, 2);
}

#[tokio::test]
async fn syn_12_whoever_left_with_the_power_is_still_sent_away() {
    let organisation = Organisation::new();
    let old = organisation.bundle(1, &slice(vec![person(1), person(2)]));
    let new = organisation.bundle(2, &slice(vec![person(2)]));
    let mut entered = false;
    for step in 0.. {
        let host = TestHost::new(&organisation);
        let cacher = host.cacher();
        give(&cacher, &old).await.unwrap();
        drop(cacher);
        let disk = Arc::new(PowerCut::after(step));
        let cacher = host.cacher_on(Arc::clone(&disk) as _);
        let _ = take(&cacher, &new, true).await;
        drop(cacher);
        let mirror = host.mirror();
        let leaving = mirror.marks().leaving.iter().map(|one| one.user.as_str());
        let expected: &[&str] = if mirror.version() == 2 {
            &["usr_1"]
        } else {
            &[]
        };
        assert_eq!(leaving.collect::<Vec<_>>(), expected, "step {step}");
        entered |= mirror.version() == 2 && disk.happened();
        if !disk.happened() {
            break;
        }
    }
    assert!(entered, "the power went between the bundle and the marks");
}

#[tokio::test]
async fn marks_of_which_both_copies_are_damaged_are_reported_and_not_taken_for_none() {
    let (organisation, host) = revoked_host().await;
    let marks = host.paths.marks();
    let copy = cacher_daemon::mirror::marks::second_copy(&marks);
    std::fs::write(&marks, b"damaged").unwrap();
    assert_eq!(host.mirror().damage, None, "the other copy serves");
    std::fs::write(&copy, b"damaged").unwrap();
    let damage = host.mirror().damage.expect("said");
    assert!(
        damage.contains("until the directory repeats it"),
        "{damage}"
    );
    // Offered again, it sticks again.
    let cacher = host.cacher();
    revoke(&cacher, organisation.suspension(1, "usr_1"))
        .await
        .unwrap();
    cacher.apply().await;
    let outcome = account::decide(&cacher, &login("user1")).await.outcome;
    assert_eq!(outcome, Outcome::Denied);
}

#[tokio::test]
async fn syn_03_damaged_marks_are_told_of_where_the_bundle_is_damaged_as_well() {
    let (organisation, host) = revoked_host().await;
    let next = organisation.bundle(2, &slice(vec![person(1), person(2)]));
    give(&host.cacher(), &next).await.unwrap();
    let marks = host.paths.marks();
    for path in [
        cacher_daemon::mirror::marks::second_copy(&marks),
        marks,
        host.paths.bundle().join("manifest"),
    ] {
        std::fs::write(path, b"damaged").unwrap();
    }
    let damage = host.mirror().damage.expect("said");
    let (of_marks, of_bundle) = damage.split_once("; ").expect("both");
    assert!(of_marks.contains("until the directory repeats it"));
    assert!(of_bundle.contains("the previous one serves"), "{damage}");
}
