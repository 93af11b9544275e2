//! What one change of a large bundle takes, counted in chunks and not in time.

use std::sync::Arc;

use cacher_daemon::cacher::Cacher;
use policy::UserState;
use posix_names::{Gecos, LoginShell};
use signed_bundle::{PersonRecord, Slice};

use crate::world::*;

const PEOPLE: u32 = 2_000;

/// How many chunks a host asks for, and how many it hashes on disk, to take a bundle.
async fn cost(cacher: &Arc<Cacher>, bundle: &Bundle) -> (usize, usize) {
    let (manifest, now) = (bundle.manifest.clone(), cacher.now());
    let cost = cacher.with_mirror(move |mirror| {
        let offer = mirror.consider(&manifest, now)?.unwrap();
        Ok((offer.missing.len(), offer.hashed))
    });
    let cost = cost.await.unwrap();
    give(cacher, bundle).await.unwrap();
    cost
}

#[tokio::test]
async fn of_one_changed_person_one_chunk_is_fetched_and_few_of_the_others_are_hashed() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    let mut slice = slice((1..=PEOPLE).map(person).collect());
    slice.credentials.clear();
    let bundle = organisation.bundle(1, &slice);
    let all = bundle.chunks.len();
    assert_eq!(cost(&cacher, &bundle).await, (all, 0));
    // Just written, none of them is known yet.
    slice.people[0].gecos = Gecos::cleaned("Another Name");
    let (missing, _) = cost(&cacher, &organisation.bundle(2, &slice)).await;
    assert_eq!(missing, 1);
    for version in 3..10 {
        slice.people[0].gecos = Gecos::cleaned(&format!("Name {version}"));
        let (missing, hashed) = cost(&cacher, &organisation.bundle(version, &slice)).await;
        assert_eq!(missing, 1);
        assert!(hashed < all / 4, "{hashed} of {all} chunks were hashed");
    }
}

#[tokio::test]
async fn syn_03_a_flipped_bit_on_disk_is_fetched_anew_at_the_next_change() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    let mut slice = slice((1..=PEOPLE).map(person).collect());
    give(&cacher, &organisation.bundle(1, &slice))
        .await
        .unwrap();
    slice.people[0].gecos = Gecos::cleaned("Another Name");
    let bundle = organisation.bundle(2, &slice);
    give(&cacher, &bundle).await.unwrap();
    let chunks = host.paths.bundle().join("chunks");
    for (version, name) in (3..).zip(bundle.chunks.keys().step_by(7)) {
        let good = std::fs::read(chunks.join(name)).unwrap();
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        std::fs::write(chunks.join(name), flipped).unwrap();
        let next = organisation.bundle(version, &slice);
        let (missing, _) = cost(&cacher, &next).await;
        assert_eq!(missing, 1, "{name}");
        assert_eq!(std::fs::read(chunks.join(name)).unwrap(), good);
    }
}

/// Somebody comes, goes, or becomes somebody else; who uses a name of the host is among them.
fn change(slice: &mut Slice, random: u32) {
    let place = (random >> 8) as usize % slice.people.len();
    let coming = 1_000 + random % 1_000;
    let other = person(coming);
    match random % 8 {
        0 => slice.people[place].gecos = Gecos::cleaned(&format!("Name {coming}")),
        1 => slice.people[place].state = UserState::Suspended,
        2 => slice.people[place].shell = LoginShell::parse("/bin/zsh").unwrap(),
        3 => slice.people[place].groups = ["grp_1", "grp_2"].into_iter().collect(),
        4 => slice.people[place].groups = [""; 0].into_iter().collect(),
        5 => {
            let gone = slice.people.remove(place).id;
            slice.credentials.retain(|one| one.user != gone);
        }
        6 if slice.people.iter().all(|one| one.uid != other.uid) => slice.people.push(other),
        _ => slice.people[place].username = other.username,
    }
    slice
        .people
        .sort_by(|one, other| one.username.cmp(&other.username));
    slice
        .people
        .dedup_by(|one, other| one.username == other.username);
    let ids: Vec<String> = slice.people.iter().map(|one| one.id.clone()).collect();
    slice.credentials.retain(|one| ids.contains(&one.user));
}

/// Everybody as the host decides by them.
fn everybody(cacher: &Cacher) -> Vec<PersonRecord> {
    let tables = cacher.tables();
    tables
        .everybody()
        .map(|seen| seen.record().unwrap())
        .collect()
}

#[tokio::test]
async fn what_is_reached_by_changes_is_what_the_last_bundle_gives_at_once() {
    let organisation = Organisation::new();
    let host = || {
        let host = TestHost::new(&organisation);
        let taken =
            "root:x:0:0::/root:/bin/sh\nuser7:x:1007:1007::/:/bin/sh\nown:x:71009:100::/:/bin/sh\n";
        std::fs::write(host.paths.etc.join("passwd"), taken).unwrap();
        host
    };
    for seed in 1..=2_u32 {
        let changed = host();
        let cacher = changed.cacher();
        let mut slice = slice((1..=400).map(person).collect());
        let mut random = seed;
        for version in 1..=12 {
            let bundle = organisation.bundle(version, &slice);
            give(&cacher, &bundle).await.unwrap();
            if version == 6 {
                revoke(&cacher, organisation.suspension(1, "usr_9"))
                    .await
                    .unwrap();
            }
            let whole = host();
            let at_once = whole.cacher();
            give(&at_once, &bundle).await.unwrap();
            if version >= 6 {
                revoke(&at_once, organisation.suspension(1, "usr_9"))
                    .await
                    .unwrap();
            }
            assert_eq!(changed.map_bytes(), whole.map_bytes(), "{seed}, {version}");
            assert_eq!(everybody(&cacher), everybody(&at_once), "{seed}, {version}");
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            change(&mut slice, random >> 4);
        }
    }
}
