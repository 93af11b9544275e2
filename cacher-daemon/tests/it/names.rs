//! The host's own names and ids win, and nothing that the directory says becomes a path.

use cacher_daemon::account;
use cacher_daemon::publish::publish_kept;
use identity_map::Map;
use local_protocol::{Login, Outcome};

use crate::world::*;

#[tokio::test]
async fn id_01_a_local_account_is_never_shadowed() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    // Taken: a name, a uid, a group of the same name, a gid, and a subordinate range.
    std::fs::write(
        host.paths.etc.join("passwd"),
        "root:x:0:0::/root:/bin/sh\nuser1:x:1001:1001::/:/bin/sh\nother:x:71002:1002::/:/bin/sh\n",
    )
    .unwrap();
    std::fs::write(host.paths.etc.join("group"), "user3:x:1003:\nx:x:71004:\n").unwrap();
    std::fs::write(host.paths.etc.join("subuid"), "dev:71005:1\n").unwrap();
    let cacher = host.cacher();
    give(
        &cacher,
        &organisation.bundle(1, &slice((1..=6).map(person).collect())),
    )
    .await
    .unwrap();
    let left: Vec<String> = cacher
        .tables()
        .everybody()
        .map(|one| one.view().username.to_owned())
        .collect();
    assert_eq!(left, ["user6"]);
    let login = Login {
        user: "user1".to_owned(),
        ..Login::default()
    };
    assert_eq!(
        account::decide(&cacher, &login).await.outcome,
        Outcome::NotOurs
    );
    let events = std::fs::read_to_string(host.paths.events().join("000000000001")).unwrap();
    assert!(
        events.contains("host.name_clash") && events.contains("user1"),
        "{events}"
    );
}

#[tokio::test]
async fn id_04_ids_outside_the_ranges_are_dropped_and_the_others_apply() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    let good = serde_json::to_value(person(1)).unwrap();
    let mut lines = vec![serde_json::to_string(&good).unwrap()];
    let bad_ids = [
        0_i64,
        1,
        27,
        999,
        1000,
        61_184,
        65_519,
        65_534,
        65_535,
        69_999,
        100_000,
        524_288,
        1_879_048_191,
        2_147_483_648,
        4_294_967_295,
        4_294_967_296,
        -1,
    ];
    for (at, id) in bad_ids.iter().enumerate() {
        let mut bad = good.clone();
        bad["id"] = format!("usr_bad{at}").into();
        bad["username"] = format!("bad{at}").into();
        bad["uid"] = (*id).into();
        bad["gid"] = (*id).into();
        lines.push(bad.to_string());
        let mut missing = good.clone();
        missing["id"] = format!("usr_gone{at}").into();
        missing["username"] = format!("gone{at}").into();
        missing.as_object_mut().unwrap().remove("gid");
        lines.push(missing.to_string());
    }
    let mut chunks: Vec<_> = signed_bundle::plan_chunks(&slice(Vec::new()))
        .unwrap()
        .iter()
        .map(|chunk| (chunk.kind, chunk.bytes.clone()))
        .collect();
    chunks.push((
        signed_bundle::ChunkKind::People,
        lines.join("\n").into_bytes(),
    ));
    give(&cacher, &organisation.bundle_of(&chunks, |_| {}))
        .await
        .unwrap();
    let left: Vec<String> = cacher
        .tables()
        .everybody()
        .map(|one| one.view().username.to_owned())
        .collect();
    assert_eq!(left, ["user1"]);
    let events = std::fs::read_to_string(host.paths.events().join("000000000001")).unwrap();
    assert!(events.contains("\"dropped\":34"), "{events}");
}

#[tokio::test]
async fn the_map_holds_people_groups_and_the_virtual_group() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(
        &cacher,
        &organisation.bundle(1, &slice(vec![person(1), person(2)])),
    )
    .await
    .unwrap();
    let bytes = host.map_bytes();
    let text = String::from_utf8_lossy(&bytes);
    for name in ["user1", "user2", "engineers", "cloudid-users"] {
        assert!(text.contains(name), "{name}");
    }
    assert!(!text.contains("$2b$"), "no verifier is ever in the map");
    let map = Map::open(bytes.as_slice(), bytes.len() as u64);
    assert!(map.is_ok());
    assert_eq!(bytes, std::fs::read(host.paths.kept_map()).unwrap());
    std::fs::remove_file(host.paths.published_map()).unwrap();
    assert!(publish_kept(&cacher_daemon::disk::HostDisk, &host.paths).unwrap());
    assert_eq!(host.map_bytes(), bytes);
}

#[tokio::test]
async fn id_09_no_path_on_the_host_is_made_of_a_name() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    let mut folders = vec![host.paths.state.clone(), host.paths.run.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            assert!(
                !name.contains("user1") && !name.contains("engineers"),
                "{name}"
            );
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
}
