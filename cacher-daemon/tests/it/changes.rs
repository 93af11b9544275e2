//! What one change of a large bundle takes, counted in chunks and not in time.

use std::sync::Arc;

use cacher_daemon::cacher::Cacher;
use posix_names::Gecos;

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
