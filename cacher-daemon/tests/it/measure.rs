//! How long a bundle takes to be in force, and what the cacher weighs with it. Prints figures, and
//! holds no machine to them: `cargo test --release -p cacher-daemon --test it -- --ignored --nocapture measure`.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "figures are what it is for"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cacher_daemon::apply::{Inputs, apply};
use cacher_daemon::cacher::{Cacher, Parts};
use cacher_daemon::config::Config;
use cacher_daemon::disk::HostDisk;
use cacher_daemon::heap;
use cacher_daemon::local::LocalNames;
use cacher_daemon::map_content::map_of;
use cacher_daemon::owners::Strangers;
use cacher_daemon::paths::Paths;
use posix_names::{Gecos, Gid, GroupName, HomeDirectory, LoginShell, Uid, UserName};
use signed_bundle::{GroupRecord, PersonRecord, Slice};

use crate::world::*;

fn somebody(number: u32, groups: u32) -> PersonRecord {
    let username = UserName::parse(&format!("person{number}")).unwrap();
    let uid = Uid::new(u64::from(0x7000_0000 + number)).unwrap();
    let groups = (0..5).map(|step| format!("grp_{}", (number * 7 + step * 131) % groups));
    PersonRecord {
        id: format!("usr_{number:08}"),
        home: HomeDirectory::of(&username),
        gid: uid.private_group(),
        shell: LoginShell::parse("/bin/bash").unwrap(),
        gecos: Gecos::cleaned(&format!("Person Number {number}")),
        username,
        uid,
        groups: groups.collect(),
        ..person(1)
    }
}

pub(crate) fn organisation_of(people: u32, groups: u32) -> Slice {
    let group = |number| GroupRecord {
        id: format!("grp_{number}"),
        name: GroupName::parse(&format!("group{number}")).unwrap(),
        gid: Gid::new(u64::from(0x7800_0000 + number)).unwrap(),
    };
    Slice {
        groups: (0..groups).map(group).collect(),
        ..slice((0..people).map(|number| somebody(number, groups)).collect())
    }
}

/// A bundle in a folder, as a directory would hold it.
fn store(folder: &Path, bundle: &Bundle) {
    std::fs::create_dir_all(folder.join("chunks")).unwrap();
    std::fs::write(folder.join("manifest"), &bundle.manifest).unwrap();
    for (name, bytes) in &bundle.chunks {
        std::fs::write(folder.join("chunks").join(name), bytes).unwrap();
    }
}

fn stored(folder: &Path) -> Bundle {
    let chunk = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    };
    Bundle {
        manifest: std::fs::read(folder.join("manifest")).unwrap(),
        chunks: std::fs::read_dir(folder.join("chunks"))
            .unwrap()
            .map(chunk)
            .collect(),
    }
}

#[test]
#[ignore = "prints figures and judges none; the head of the file says how to run it"]
fn measure_bundles() {
    for (people, groups) in [(10_000, 100), (10_000, 5_000), (100_000, 1_000)] {
        let organisation = Organisation::new();
        let host = TestHost::new(&organisation);
        // As on every host: the shell that people have is there.
        std::fs::write(host.paths.etc.join("shells"), "/bin/sh\n/bin/bash\n").unwrap();
        let mut slice = organisation_of(people, groups);
        let root = host.paths.run.parent().unwrap().parent().unwrap();
        for (version, person) in (1..=4).zip(0..) {
            let bundle = organisation.bundle(version, &slice);
            store(&root.join(format!("offer{version}")), &bundle);
            let changed = slice.people.get_mut(person).unwrap();
            changed.gecos = Gecos::cleaned("Another Name");
        }
        println!("{people} people, {groups} groups");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "measure::child", "--nocapture"])
            .current_dir(root)
            .status();
        assert!(child.unwrap().success());
    }
}

/// Runs where `measure_bundles` has put everything; by itself it has nothing to measure.
#[tokio::test]
#[ignore = "measure_bundles runs it in a process of its own, where memory can be read"]
async fn child() {
    let root = Path::new(".");
    if !root.join("offer1").exists() {
        return;
    }
    heap::share();
    println!("  empty: {}", memory());
    let cacher = started(root);
    for version in 1..=4 {
        let bundle = stored(&root.join(format!("offer{version}")));
        let (begun, working) = (Instant::now(), worked());
        take(&cacher, &bundle, false).await.unwrap();
        let (taken, work_taken) = (begun.elapsed(), worked() - working);
        cacher.apply().await;
        let (all, applied) = (begun.elapsed(), begun.elapsed() - taken);
        let work = worked() - working;
        drop(bundle);
        settle().await;
        println!("  version {version}: taken {taken:.1?}, applied {applied:.1?}, in all {all:.1?}");
        println!("    on a processor: taken {work_taken:.1?}, in all {work:.1?}");
        println!(
            "    of that tables and map: {:.1?}",
            conversion(&cacher, root).await
        );
        println!("    {}", memory());
    }
    let begun = Instant::now();
    cacher.apply().await;
    println!("  nothing new: {:.1?}", begun.elapsed());
    drop(cacher);
    let begun = Instant::now();
    let cacher = started(root);
    cacher.apply().await;
    let started = begun.elapsed();
    settle().await;
    println!("  start: {started:.1?}; {}", memory());
    let map = std::fs::metadata(Paths::below(root).published_map()).unwrap();
    println!("  map {} bytes", map.len());
}

/// What it takes to make tables, and what to make the bytes of a map.
async fn conversion(cacher: &Cacher, root: &Path) -> (Duration, Duration) {
    let in_force = cacher.with_mirror(|mirror| Ok(mirror.in_force().cloned()));
    let in_force = in_force.await.unwrap().unwrap();
    let local = LocalNames::read(&Paths::below(root).etc);
    let begun = worked();
    let inputs = Inputs {
        manifest: in_force.accepted.manifest().clone(),
        read: in_force.read,
        revoked: BTreeSet::new(),
        local,
        nss: cacher.config().nss.clone(),
        strangers: Strangers::default(),
    };
    let applied = apply(&inputs, None);
    assert!(applied.clashes.is_empty());
    let tables = worked() - begun;
    assert!(map_of(&inputs, &applied.tables).is_ok());
    (tables, worked() - begun - tables)
}

/// Until what is free has been given back.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}

/// Time on a processor, whatever else the machine does.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap(),
    )
}

fn started(root: &Path) -> Arc<Cacher> {
    let paths = Paths::below(root);
    let parts = Parts {
        config: Config::load(&paths).unwrap(),
        paths,
        clock: TestClock::new(),
        disk: Arc::new(HostDisk),
        boot: "boot-1".to_owned(),
        run: new_run(),
    };
    Cacher::start(parts).unwrap().0
}

fn memory() -> String {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = |name: &str| {
        let line = rollup.lines().find(|line| line.starts_with(name)).unwrap();
        let number = line.split_whitespace().nth(1).unwrap();
        number.parse::<u64>().unwrap() / 1024
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    format!(
        "PSS {} MiB, private {} MiB; {peak}",
        line("Pss:"),
        line("Private_Dirty:")
    )
}
