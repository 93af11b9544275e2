//! The map as a memory file, as processes get it over the socket.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cacher_daemon::access::Entrance;
use cacher_daemon::cacher::Cacher;
use cacher_daemon::connection::Connection;
use cacher_daemon::daemon;
use cacher_daemon::disk::HostDisk;
use cacher_daemon::memory_files::MemoryFiles;
use cacher_daemon::publish::{publish, publish_kept};
use identity_map::{Map, MapContent, MapUser, MemoryFile, Standing, write_map};
use local_protocol::{Client, ClientError, Files, Reply, Request};
use posix_names::Uid;
use tokio::io::AsyncReadExt;

use crate::disks::PowerCut;
use crate::world::*;

async fn ask(host: &TestHost) -> (Reply, Files) {
    let socket = host.paths.socket("nss.sock");
    let asked = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(&socket, Duration::from_secs(5))?;
        let answer = client.ask_for_files(&Request::IdentityMap)?;
        Ok::<_, ClientError>(answer)
    });
    asked.await.unwrap().unwrap()
}

fn mapped(files: Files) -> Map<MemoryFile> {
    let [map, mark] = files.map(Option::unwrap);
    Map::open_memory(map.as_fd(), mark.as_fd()).unwrap()
}

async fn running(host: &TestHost) -> (Arc<Cacher>, daemon::Running) {
    let (cacher, wishes) = host.started(Arc::new(HostDisk));
    let running = daemon::start(&cacher, &host.paths, wishes).await.unwrap();
    (cacher, running)
}

#[tokio::test]
async fn nss_18_the_published_map_is_handed_out_and_superseded_by_the_next() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let (cacher, _running) = running(&host).await;
    assert!(matches!(
        ask(&host).await,
        (Reply::Unavailable(_), [None, None])
    ));
    let bundle = organisation.bundle(1, &slice(vec![person(1)]));
    give(&cacher, &bundle).await.unwrap();
    let (reply, files) = ask(&host).await;
    assert_eq!(reply, Reply::IdentityMap);
    let first = mapped(files);
    cacher.apply().await;
    assert_eq!(first.standing(), Standing::InForce, "nothing has changed");
    let bundle = organisation.bundle(2, &slice(vec![person(1), person(2)]));
    give(&cacher, &bundle).await.unwrap();
    assert_eq!(first.standing(), Standing::Superseded);
    let second = mapped(ask(&host).await.1);
    assert_eq!((first.version(), second.version()), (1, 2));
}

#[tokio::test]
async fn nss_20_a_map_that_was_there_at_boot_is_handed_out_by_a_cacher_without_a_mirror() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let bundle = organisation.bundle(1, &slice(vec![person(1)]));
    give(&host.cacher(), &bundle).await.unwrap();
    std::fs::write(host.paths.root_chain(), "damaged").unwrap();
    let (cacher, _running) = running(&host).await;
    assert_eq!(cacher.tables().version, 0);
    let map = mapped(ask(&host).await.1);
    assert_eq!(map.version(), 1);
}

#[tokio::test]
async fn without_memory_files_the_published_map_serves_alone() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    std::fs::write(host.paths.settings(), "[nss]\nmemory_file = false\n").unwrap();
    let (cacher, _running) = running(&host).await;
    let bundle = organisation.bundle(1, &slice(vec![person(1)]));
    give(&cacher, &bundle).await.unwrap();
    assert!(matches!(
        ask(&host).await,
        (Reply::Unavailable(_), [None, None])
    ));
    assert!(!host.map_bytes().is_empty());
}

fn map(version: u64) -> Vec<u8> {
    let uid = Uid::new(71_001).unwrap();
    let user = MapUser {
        uid,
        gid: uid.private_group(),
        gecos: format!("version {version}").into(),
        home: "/home/user1".into(),
        shell: "/bin/sh".into(),
        groups: Vec::new(),
        name: "user1".into(),
    };
    let content = MapContent {
        version,
        users: vec![user],
        ..MapContent::default()
    };
    write_map(&content).unwrap()
}

/// The version that the header names and the one that the record names.
fn versions<B: identity_map::Bytes>(map: &Map<B>) -> (u64, u64) {
    let mut buffer = [0; 4096];
    assert!(map.user_by_id(71_001, &mut buffer).unwrap().is_some());
    let text = String::from_utf8_lossy(&buffer);
    let number = text.split("version ").nth(1).unwrap();
    let number = number.split('\0').next().unwrap();
    (map.version(), number.parse().unwrap())
}

#[test]
fn nss_03_who_sees_a_superseded_map_finds_a_newer_one_on_disk() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let files = MemoryFiles::default();
    let publish = |version| publish(&HostDisk, &host.paths, &map(version), Some(&files));
    publish(0).unwrap();
    let end = AtomicBool::new(false);
    let read = || {
        let mut superseded = 0_u32;
        while !end.load(Ordering::Relaxed) {
            let Some(newest) = files.newest() else {
                continue;
            };
            let mapped = mapped(newest.map(Some));
            let (mapped_version, recorded) = versions(&mapped);
            assert_eq!(mapped_version, recorded);
            while mapped.standing() == Standing::InForce && !end.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            if mapped.standing() == Standing::Superseded {
                let on_disk = Map::open_file(&host.paths.published_map()).unwrap();
                let (version, recorded) = versions(&on_disk);
                assert_eq!(version, recorded);
                assert!(version > mapped_version);
                superseded += 1;
            }
        }
        superseded
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
        for version in 1..=500 {
            assert!(publish(version).unwrap());
        }
        end.store(true, Ordering::Relaxed);
        let seen: u32 = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum();
        assert!(seen > 0, "the readers saw no change at all");
    });
}

#[test]
fn nss_20_wherever_the_power_goes_the_map_for_the_next_boot_is_whole() {
    let organisation = Organisation::new();
    for last in 0..100 {
        let host = TestHost::new(&organisation);
        publish(&HostDisk, &host.paths, &map(1), None).unwrap();
        let disk = PowerCut::after(last);
        let published = publish(&disk, &host.paths, &map(2), None);
        std::fs::remove_file(host.paths.published_map()).unwrap();
        assert!(publish_kept(&HostDisk, &host.paths).unwrap());
        let map = Map::open_file(&host.paths.published_map()).unwrap();
        let (version, recorded) = versions(&map);
        assert_eq!(version, recorded);
        // Whoever heard that it is published finds it after the boot.
        assert!(version == 2 || published.is_err(), "power gone at {last}");
        if !disk.happened() {
            return assert_eq!(version, 2);
        }
    }
    panic!("publishing does not end");
}

#[tokio::test]
async fn nss_17_a_file_that_nobody_takes_keeps_its_place_among_the_connections() {
    let (ours, mut theirs) = tokio::net::UnixStream::pair().unwrap();
    let mut connection = Connection::new(ours, Entrance::Nss).unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    connection
        .send_with_files(&Reply::IdentityMap, [file.as_fd(), file.as_fd()])
        .await
        .unwrap();
    let mut taken = std::pin::pin!(connection.taken());
    tokio::select! {
        biased;
        () = &mut taken => panic!("nobody has read it"),
        () = std::future::ready(()) => {}
    }
    let mut bytes = [0; 64];
    assert!(theirs.read(&mut bytes).await.unwrap() > 0);
    taken.await;
}
