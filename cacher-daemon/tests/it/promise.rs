//! How long it takes until a bundle of 10,000 people is in force, beside what nobody can leave out, in
//! the same round: for the whole, to sum and to parse what came and to make it durable; for one change,
//! to check the signature and to write what must be written. `cargo xtask bench bundle` runs it, in a
//! release build, and docs/decisions/0005 says how it judges.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "figures are what it is for"
)]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use cacher_daemon::cacher::Cacher;
use cacher_daemon::heap;
use posix_names::Gecos;
use sha2::{Digest, Sha256};
use signed_bundle::{reopen_manifest, reopen_root_chain};
use tempfile::TempDir;

use crate::measure::organisation_of;
use crate::world::*;

const PEOPLE: u32 = 10_000;
const GROUPS: u32 = 100;
const WHOLE_ROUNDS: usize = 7;
const CHANGES: u64 = 40;

/// A promise in milliseconds, and what the reference took where it was made.
struct Promise {
    what: &'static str,
    must: f64,
    aim: f64,
    reference_there: f64,
}

const WHOLE: Promise = Promise {
    what: "a whole bundle of 10,000 people",
    must: 500.0,
    aim: 200.0,
    reference_there: 60.0,
};
const CHANGE: Promise = Promise {
    what: "one change of it",
    must: 20.0,
    aim: 5.0,
    reference_there: 9.5,
};

/// Milliseconds of ours and of the reference, round by round.
#[derive(Default)]
struct Rounds(Vec<(f64, f64)>);

impl Rounds {
    /// Tells what the promise has come to, and whether the must is missed as a ratio.
    fn is_missed(&self, promise: &Promise) -> bool {
        let ours = middle(self.0.iter().map(|(ours, _)| *ours));
        let reference = middle(self.0.iter().map(|(_, reference)| *reference));
        let ratio = middle(self.0.iter().map(|(ours, reference)| ours / reference));
        let [must, aim] = [promise.must, promise.aim].map(|ms| ms / promise.reference_there);
        let verdict = |found: f64, must: f64, aim: f64| match found {
            _ if found <= aim => "aim reached",
            _ if found <= must => "must reached",
            _ => "MUST MISSED",
        };
        println!("{}: the reference took {reference:.1} ms", promise.what);
        println!(
            "  {ours:.1} ms; must {:.0}, aim {:.0}: {} (of one machine)",
            promise.must,
            promise.aim,
            verdict(ours, promise.must, promise.aim)
        );
        println!(
            "  {ratio:.2} of the reference; must {must:.2}, aim {aim:.2}: {}",
            verdict(ratio, must, aim)
        );
        ratio > must
    }
}

fn middle(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// A host whose run folder is in memory, as on every host.
fn host(organisation: &Organisation) -> (TestHost, TempDir) {
    let host = TestHost::new(organisation);
    std::fs::write(host.paths.etc.join("shells"), "/bin/sh\n/bin/bash\n").unwrap();
    let run = tempfile::tempdir_in("/dev/shm").unwrap();
    std::fs::remove_dir(&host.paths.run).unwrap();
    std::os::unix::fs::symlink(run.path(), &host.paths.run).unwrap();
    (host, run)
}

async fn milliseconds_to_apply(cacher: &Arc<Cacher>, bundle: &Bundle) -> f64 {
    let (bundle, now) = (bundle.clone(), cacher.now());
    let begun = Instant::now();
    let taken = cacher.with_mirror(move |mirror| {
        let offer = mirror.consider(&bundle.manifest, now)?.unwrap();
        let mut chunks = bundle.chunks;
        let fetched = offer.missing.iter();
        let fetched = fetched.map(|one| (one.sha256, chunks.remove(&one.name()).unwrap()));
        let fetched = fetched.collect();
        mirror.take(offer, &fetched, false, now)
    });
    taken.await.unwrap();
    cacher.apply().await;
    begun.elapsed().as_secs_f64() * 1e3
}

fn durable(path: &Path, parts: &mut dyn Iterator<Item = &Vec<u8>>) {
    let mut file = File::create(path).unwrap();
    for part in parts {
        file.write_all(part).unwrap();
    }
    file.sync_all().unwrap();
}

/// Every byte summed, every record that lies open parsed, all of them made durable in one file.
fn reference_of_whole(bundle: &Bundle, folder: &Path) -> f64 {
    let begun = Instant::now();
    for chunk in bundle.chunks.values() {
        std::hint::black_box(Sha256::digest(chunk));
        for line in chunk.split(|byte| *byte == b'\n') {
            let _ = std::hint::black_box(serde_json::from_slice::<serde_json::Value>(line));
        }
    }
    durable(&folder.join("reference"), &mut bundle.chunks.values());
    begun.elapsed().as_secs_f64() * 1e3
}

/// The signature checked; what has changed and the manifest made durable, and the map: once for the
/// next start, once in memory for every process.
fn reference_of_change(organisation: &Organisation, bundle: &Bundle, host: &TestHost) -> f64 {
    let changed: Vec<&Vec<u8>> = bundle.chunks.values().take(1).collect();
    let (roots, map) = (organisation.chain(), host.map_bytes());
    let roots = reopen_root_chain(ORGANISATION, &roots).unwrap();
    let folder = host.paths.state.join("reference");
    let begun = Instant::now();
    reopen_manifest(&bundle.manifest, &roots, ORGANISATION, HOST).unwrap();
    durable(&folder, &mut changed.into_iter());
    durable(&folder, &mut [&bundle.manifest].into_iter());
    durable(&folder, &mut [&map].into_iter());
    std::fs::write(host.paths.run.join("reference"), &map).unwrap();
    begun.elapsed().as_secs_f64() * 1e3
}

#[tokio::test]
#[ignore = "cargo xtask bench bundle runs it: in a debug build, beside other tests, figures say nothing"]
async fn a_bundle_of_ten_thousand_people_is_in_force_in_time() {
    heap::share();
    let organisation = Organisation::new();
    let mut slice = organisation_of(PEOPLE, GROUPS);
    let first = organisation.bundle(1, &slice);
    let (mut whole, mut change, mut hosts) = (Rounds::default(), Rounds::default(), Vec::new());
    for _ in 0..WHOLE_ROUNDS {
        // Kept to the end: a filesystem is slow to give away what was just given back.
        hosts.push(host(&organisation));
        let (host, _) = hosts.last().unwrap();
        let reference = reference_of_whole(&first, &host.paths.state);
        let cacher = host.cacher();
        whole
            .0
            .push((milliseconds_to_apply(&cacher, &first).await, reference));
    }
    let (host, _) = hosts.last().unwrap();
    let cacher = host.cacher();
    cacher.apply().await;
    for (version, place) in (2..=CHANGES).zip((0..).step_by(100)) {
        let person = slice.people.get_mut(place).unwrap();
        person.gecos = Gecos::cleaned(&format!("Name {version}"));
        let mut bundle = organisation.bundle(version, &slice);
        bundle
            .chunks
            .retain(|name, _| !first.chunks.contains_key(name));
        let reference = reference_of_change(&organisation, &bundle, host);
        let ours = milliseconds_to_apply(&cacher, &bundle).await;
        // At the first one every file is hashed, as after each start.
        if version > 2 {
            change.0.push((ours, reference));
        }
    }
    let missed = [whole.is_missed(&WHOLE), change.is_missed(&CHANGE)];
    assert_eq!(missed, [false; 2], "a must was missed");
}
