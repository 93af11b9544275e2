//! The host's own names and ids win, and nothing that the directory says becomes a path.

use cacher_daemon::account;
use cacher_daemon::owners::Owners;
use cacher_daemon::publish::publish_kept;
use directory_api::agent::{OwnersAnswer, OwnersQuestion};
use identity_map::Map;
use local_protocol::{IdQuestion, Login, Outcome, Owner, Reply};

use crate::world::*;

fn map_bytes(host: &TestHost) -> Vec<u8> {
    std::fs::read(host.paths.published_map()).unwrap()
}

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
        .map(|one| one.username.to_string())
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
        .map(|one| one.username.to_string())
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
    let bytes = map_bytes(&host);
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
    assert_eq!(map_bytes(&host), bytes);
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

#[tokio::test]
async fn nss_22_only_the_directory_makes_an_id_nobodys_and_only_for_a_while() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    let owners = Owners::new(8);
    let ask = |id| owners.answer(&cacher, IdQuestion::User(id));
    let unavailable = |reply: Reply| matches!(reply, Reply::Unavailable(_));
    assert!(matches!(
        ask(71_001),
        Reply::Owner(Owner::User { uid: 71_001, .. })
    ));
    assert_eq!(ask(1000), Reply::Owner(Owner::Nobody));
    assert!(unavailable(ask(72_000)));
    // The directory did not answer: nothing is remembered, however often one asks.
    drop(owners.question());
    assert!(unavailable(ask(72_000)));
    let asked = OwnersQuestion {
        uids: vec![72_000, 72_001],
        gids: vec![],
    };
    let answer = OwnersAnswer {
        users: vec![(72_001, "carol".to_owned())],
        groups: vec![],
    };
    let user_learned = owners.learn(
        &asked,
        &answer,
        cacher.since_boot() + std::time::Duration::from_secs(15),
    );
    assert!(user_learned);
    assert_eq!(ask(72_000), Reply::Owner(Owner::Nobody));
    assert!(matches!(ask(72_001), Reply::Owner(Owner::User { name, .. }) if name == "carol"));
    host.clock.pass(std::time::Duration::from_secs(16));
    assert!(unavailable(ask(72_000)));
    assert!(matches!(ask(72_001), Reply::Owner(Owner::User { .. })));
}

#[tokio::test]
async fn nss_22_a_stranger_appears_in_the_next_map_and_is_refused_by_name() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    let asked = OwnersQuestion {
        uids: vec![72_001],
        gids: vec![],
    };
    let answer = OwnersAnswer {
        users: vec![(72_001, "carol".to_owned())],
        groups: vec![],
    };
    cacher.owners.learn(&asked, &answer, cacher.since_boot());
    cacher.apply().await;
    let bytes = map_bytes(&host);
    assert!(String::from_utf8_lossy(&bytes).contains("/usr/sbin/nologin"));
    let login = Login {
        user: "carol".to_owned(),
        ..Login::default()
    };
    assert_eq!(
        account::decide(&cacher, &login).await.outcome,
        Outcome::Denied
    );
}

#[tokio::test]
async fn strangers_have_groups_of_their_own_and_a_clash_among_them_stops_no_map() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    let asked = OwnersQuestion {
        uids: vec![72_001, 72_002, 72_003],
        gids: vec![],
    };
    let answer = OwnersAnswer {
        users: vec![
            (72_001, "carol".to_owned()),
            (72_002, "carol".to_owned()),
            (72_003, "user1".to_owned()),
        ],
        groups: vec![],
    };
    cacher.owners.learn(&asked, &answer, cacher.since_boot());
    cacher.apply().await;
    let bytes = map_bytes(&host);
    let map = Map::open(bytes.as_slice(), bytes.len() as u64).unwrap();
    let mut buffer = vec![0; 4096];
    assert!(map.user_by_id(71_001, &mut buffer).unwrap().is_some());
    let mut carols = 0;
    for uid in [72_001, 72_002] {
        let user = map.user_by_id(uid, &mut buffer).unwrap().is_some();
        let group = map.group_by_id(uid).unwrap().is_some();
        assert_eq!(user, group, "{uid} has its group");
        carols += u32::from(user);
    }
    assert_eq!(carols, 1);
    assert!(map.user_by_id(72_003, &mut buffer).unwrap().is_none());
}
