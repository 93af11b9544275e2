//! The protocol of nscd as a client speaks it, well-behaved or not, and that all ways to ask for a
//! name give the same answers.

use std::time::Duration;

use cacher_daemon::lookups::{Group, User};
use cacher_daemon::nscd::REQUEST_TIMEOUT;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::lookups::*;
use crate::world::*;

const USER_BY_NAME: i32 = 0;
const USER_BY_ID: i32 = 1;
const GROUP_BY_NAME: i32 = 2;
const GROUP_BY_ID: i32 = 3;
const GROUPS_OF: i32 = 15;

fn request(kind: i32, key: &[u8]) -> Vec<u8> {
    let numbers = [2, kind, i32::try_from(key.len()).unwrap()];
    let mut bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_ne_bytes())
        .collect();
    bytes.extend(key);
    bytes
}

async fn raw(lookups: &Lookups, bytes: &[u8]) -> Vec<u8> {
    let mut stream = lookups.nscd().await;
    stream.write_all(bytes).await.unwrap();
    until_hung_up(&mut stream, REQUEST_TIMEOUT / 2).await
}

/// The numbers in front and the rest, which must be as long as the numbers say.
async fn ask(lookups: &Lookups, kind: i32, key: &str) -> (Vec<i32>, Vec<u8>) {
    let reply = raw(lookups, &request(kind, format!("{key}\0").as_bytes())).await;
    let count = match kind {
        USER_BY_NAME | USER_BY_ID => 9,
        GROUP_BY_NAME | GROUP_BY_ID => 6,
        _ => 3,
    };
    let (numbers, rest) = reply.split_at(4 * count);
    let numbers: Vec<i32> = numbers
        .as_chunks::<4>()
        .0
        .iter()
        .map(|number| i32::from_ne_bytes(*number))
        .collect();
    assert_eq!(numbers[0], 2, "the version");
    if numbers[1] != 1 {
        assert!(rest.is_empty());
    }
    (numbers, rest.to_vec())
}

fn texts(mut bytes: &[u8], lengths: &[i32]) -> Vec<String> {
    let mut texts = Vec::new();
    for length in lengths {
        let (text, rest) = bytes.split_at(usize::try_from(*length).unwrap());
        let (nul, text) = text.split_last().unwrap();
        assert_eq!(*nul, 0);
        texts.push(String::from_utf8(text.to_vec()).unwrap());
        bytes = rest;
    }
    assert!(bytes.is_empty());
    texts
}

/// A passwd line, or why there is none.
async fn user(lookups: &Lookups, kind: i32, key: &str) -> Result<String, i32> {
    let (numbers, rest) = ask(lookups, kind, key).await;
    if numbers[1] != 1 {
        return Err(numbers[1]);
    }
    let lengths = [numbers[2], numbers[3], numbers[6], numbers[7], numbers[8]];
    let texts = texts(&rest, &lengths);
    let [name, password, gecos, home, shell] = texts.try_into().unwrap();
    let (uid, gid) = (numbers[4].cast_unsigned(), numbers[5].cast_unsigned());
    Ok(format!(
        "{name}:{password}:{uid}:{gid}:{gecos}:{home}:{shell}"
    ))
}

/// A group line, or why there is none.
async fn group(lookups: &Lookups, kind: i32, key: &str) -> Result<String, i32> {
    let (numbers, rest) = ask(lookups, kind, key).await;
    if numbers[1] != 1 {
        return Err(numbers[1]);
    }
    let members = usize::try_from(numbers[5]).unwrap();
    let (lengths, rest) = rest.split_at(4 * members);
    let mut all = vec![numbers[2], numbers[3]];
    all.extend(
        lengths
            .as_chunks::<4>()
            .0
            .iter()
            .map(|length| i32::from_ne_bytes(*length)),
    );
    let texts = texts(rest, &all);
    let gid = numbers[4].cast_unsigned();
    Ok(format!(
        "{}:{}:{gid}:{}",
        texts[0],
        texts[1],
        texts[2..].join(",")
    ))
}

async fn groups_of(lookups: &Lookups, name: &str) -> Result<Vec<u32>, i32> {
    let (numbers, rest) = ask(lookups, GROUPS_OF, name).await;
    if numbers[1] != 1 {
        return Err(numbers[1]);
    }
    let (ids, rest) = rest.as_chunks::<4>();
    assert!(rest.is_empty() && ids.len() == usize::try_from(numbers[2]).unwrap());
    Ok(ids.iter().map(|id| u32::from_ne_bytes(*id)).collect())
}

fn write_etc(lookups: &Lookups, name: &str, text: &str) {
    std::fs::write(lookups.host.paths.etc.join(name), text).unwrap();
}

/// Two people, and local accounts one of which has a person as a member.
async fn host() -> Lookups {
    let lookups = Lookups::new(vec![person(1), person(2)]).await;
    write_etc(
        &lookups,
        "passwd",
        "root:x:0:0:root:/root:/bin/sh\nbob:x:1001:1001:Bob,,,:/home/bob:/bin/bash\n",
    );
    write_etc(
        &lookups,
        "group",
        "root:x:0:\ndocker:x:998:bob,user1\nbob:x:1001:\naudio:x:29:bob\n",
    );
    lookups
}

#[tokio::test]
async fn people_and_local_users_are_found_by_name_and_by_id() {
    if !has_root() {
        return;
    }
    let lookups = host().await;
    let alice = Ok("user1:x:71001:71001:A Person:/home/user1:/bin/sh".to_owned());
    assert_eq!(user(&lookups, USER_BY_NAME, "user1").await, alice);
    assert_eq!(user(&lookups, USER_BY_ID, "71001").await, alice);
    let bob = Ok("bob:x:1001:1001:Bob,,,:/home/bob:/bin/bash".to_owned());
    assert_eq!(user(&lookups, USER_BY_NAME, "bob").await, bob);
    assert_eq!(user(&lookups, USER_BY_ID, "1001").await, bob);
    let engineers = Ok("engineers:x:70500:user1,user2".to_owned());
    assert_eq!(group(&lookups, GROUP_BY_NAME, "engineers").await, engineers);
    assert_eq!(group(&lookups, GROUP_BY_ID, "70500").await, engineers);
    let docker = Ok("docker:x:998:bob,user1".to_owned());
    assert_eq!(group(&lookups, GROUP_BY_NAME, "docker").await, docker);
    assert_eq!(group(&lookups, GROUP_BY_ID, "998").await, docker);
    assert_eq!(
        group(&lookups, GROUP_BY_ID, "71001").await,
        Ok("user1:x:71001:".to_owned())
    );
}

#[tokio::test]
async fn a_group_list_is_made_of_the_files_and_the_map() {
    if !has_root() {
        return;
    }
    let lookups = host().await;
    assert_eq!(
        groups_of(&lookups, "user1").await,
        Ok(vec![998, 70_001, 70_500])
    );
    assert_eq!(groups_of(&lookups, "bob").await, Ok(vec![29, 998]));
    // An empty list is said as "none": a client reads nothing of it otherwise.
    assert_eq!(groups_of(&lookups, "root").await, Err(0));
    assert_eq!(groups_of(&lookups, "of-a-container").await, Err(0));
}

#[tokio::test]
async fn id_01_the_files_are_asked_first() {
    if !has_root() {
        return;
    }
    let lookups = host().await;
    // Made after the map was: the map itself leaves such people out.
    write_etc(
        &lookups,
        "passwd",
        "user1:x:5:5::/:/bin/false\nlocal:x:71002:5::/:/bin/false\n",
    );
    let local = Ok("user1:x:5:5::/:/bin/false".to_owned());
    assert_eq!(user(&lookups, USER_BY_NAME, "user1").await, local);
    let local = Ok("local:x:71002:5::/:/bin/false".to_owned());
    assert_eq!(user(&lookups, USER_BY_ID, "71002").await, local);
}

#[tokio::test]
async fn not_found_is_said_only_when_nobody_else_could_know() {
    if !has_root() {
        return;
    }
    let lookups = host().await;
    let unknown = |lookups| async move {
        [
            user(lookups, USER_BY_NAME, "nobody-here")
                .await
                .unwrap_err(),
            user(lookups, USER_BY_ID, "1234").await.unwrap_err(),
            group(lookups, GROUP_BY_NAME, "nobody-here")
                .await
                .unwrap_err(),
            group(lookups, GROUP_BY_ID, "1234").await.unwrap_err(),
            groups_of(lookups, "nobody-here").await.unwrap_err(),
        ]
    };
    write_etc(
        &lookups,
        "nsswitch.conf",
        "passwd: files cloudid\ngroup: files cloudid\n",
    );
    assert_eq!(unknown(&lookups).await, [0; 5]);
    // An id of the directory's ranges: only the cacher could know, and it does not answer yet.
    assert_eq!(user(&lookups, USER_BY_ID, "72000").await, Err(-1));

    write_etc(
        &lookups,
        "nsswitch.conf",
        "passwd: files cloudid systemd\ngroup: files cloudid [SUCCESS=merge] systemd\n",
    );
    assert_eq!(unknown(&lookups).await, [-1, -1, -1, -1, 0]);
    assert!(user(&lookups, USER_BY_NAME, "user1").await.is_ok());

    write_etc(
        &lookups,
        "nsswitch.conf",
        "passwd: files sss cloudid\ngroup: files sss cloudid\n",
    );
    assert_eq!(unknown(&lookups).await, [-1; 5]);
    assert_eq!(user(&lookups, USER_BY_NAME, "user1").await, Err(-1));
    assert_eq!(groups_of(&lookups, "bob").await, Err(-1));
}

#[tokio::test]
async fn without_a_readable_map_local_users_are_found_and_nobody_is_said_not_to_exist() {
    if !has_root() {
        return;
    }
    let lookups = host().await;
    std::fs::write(lookups.host.paths.published_map(), "no map").unwrap();
    assert!(user(&lookups, USER_BY_NAME, "bob").await.is_ok());
    assert!(group(&lookups, GROUP_BY_ID, "998").await.is_ok());
    assert_eq!(groups_of(&lookups, "bob").await, Ok(vec![29, 998]));
    assert_eq!(user(&lookups, USER_BY_NAME, "user1").await, Err(-1));
    assert_eq!(user(&lookups, USER_BY_ID, "1234").await, Err(-1));
    assert_eq!(group(&lookups, GROUP_BY_NAME, "nobody-here").await, Err(-1));
    assert_eq!(groups_of(&lookups, "user1").await, Err(-1));
    std::fs::remove_file(lookups.host.paths.etc.join("group")).unwrap();
    assert_eq!(
        user(&lookups, USER_BY_NAME, "bob").await,
        Err(-1),
        "files that cannot be read"
    );
}

#[tokio::test]
async fn what_is_not_served_is_said_so_and_memory_is_not_shared() {
    if !has_root() {
        return;
    }
    let lookups = host().await;
    // Hosts by name and address, getaddrinfo, services, netgroups: length of the reply.
    for (kind, numbers) in [
        (4, 8),
        (5, 8),
        (6, 8),
        (7, 8),
        (14, 6),
        (16, 6),
        (17, 6),
        (19, 4),
        (20, 3),
    ] {
        let reply = raw(&lookups, &request(kind, b"key\0")).await;
        let told: Vec<i32> = reply
            .as_chunks::<4>()
            .0
            .iter()
            .map(|number| i32::from_ne_bytes(*number))
            .collect();
        assert_eq!(
            (reply.len(), told[0], told[1]),
            (4 * numbers, 2, -1),
            "request {kind}"
        );
    }
    // Commands, and descriptors of memory: hung up on, as by an nscd that does not share.
    for kind in [8, 9, 10, 11, 12, 13, 18, 21, 22, 99, -1] {
        assert!(
            raw(&lookups, &request(kind, b"passwd\0")).await.is_empty(),
            "request {kind}"
        );
    }
}

#[tokio::test]
async fn pf_02_whoever_does_not_speak_the_protocol_is_hung_up_on_and_nobody_else_notices() {
    if !has_root() {
        return;
    }
    let lookups = host().await;
    let mut other_version = request(USER_BY_NAME, b"bob\0");
    other_version[..4].copy_from_slice(&1_i32.to_ne_bytes());
    let mut swapped = request(USER_BY_NAME, b"bob\0");
    swapped[..12]
        .as_chunks_mut::<4>()
        .0
        .iter_mut()
        .for_each(|number| number.reverse());
    let mut endless = request(USER_BY_NAME, b"bob\0");
    endless[8..12].copy_from_slice(&i32::MAX.to_ne_bytes());
    let broken = [
        other_version,
        swapped,
        endless,
        request(USER_BY_NAME, b""),
        request(USER_BY_NAME, b"bob"),
        request(USER_BY_NAME, b"b\0b\0"),
        request(USER_BY_NAME, &[b'a'; 1025]),
        request(USER_BY_ID, b"bob\0"),
        request(USER_BY_ID, b"-1\0"),
        request(GROUP_BY_ID, b"4294967296\0"),
    ];
    for bytes in broken {
        assert!(raw(&lookups, &bytes).await.is_empty(), "{bytes:?}");
    }
    let long_name = "a".repeat(1023);
    assert_eq!(user(&lookups, USER_BY_NAME, &long_name).await, Err(0));

    let mut half = lookups.nscd().await;
    half.write_all(&request(USER_BY_NAME, b"bob\0")[..14])
        .await
        .unwrap();
    let limit = REQUEST_TIMEOUT + Duration::from_secs(2);
    assert!(until_hung_up(&mut half, limit).await.is_empty());
    assert!(user(&lookups, USER_BY_NAME, "bob").await.is_ok());
}

#[tokio::test]
async fn pf_03_one_user_cannot_keep_others_from_nscd() {
    if !has_root() {
        return;
    }
    let lookups = host().await;
    one_user_cannot_take_all_places(&lookups.host.paths.nscd_socket()).await;
}

#[tokio::test]
async fn nobody_listens_unless_it_is_switched_on() {
    if !has_root() {
        return;
    }
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    std::fs::create_dir_all(&host.paths.lookups).unwrap();
    let names = cacher_daemon::lookups::Names::of(&host.paths);
    let _running = cacher_daemon::lookups::start(names, &host.config()).unwrap();
    assert!(host.paths.userdb_socket().exists());
    assert!(!host.paths.nscd_socket().exists());
}

async fn userdb(stream: &mut UnixStream, method: &str, mut parameters: Value) -> Value {
    parameters["service"] = cacher_daemon::userdb::SERVICE.into();
    let method = format!("io.systemd.UserDatabase.{method}");
    let call = json!({ "method": method, "parameters": parameters });
    stream
        .write_all(format!("{call}\0").as_bytes())
        .await
        .unwrap();
    let mut message = Vec::new();
    loop {
        match stream.read_u8().await.unwrap() {
            0 => break,
            byte => message.push(byte),
        }
    }
    serde_json::from_slice::<Value>(&message).unwrap()["parameters"]["record"].take()
}

#[tokio::test]
async fn the_map_the_user_database_and_nscd_tell_the_same() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new((1..=40).map(person).collect()).await;
    let map = lookups.names().map().unwrap();
    let mut stream = lookups.userdb().await;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for uid in (70_990..71_060).filter(|uid| map.user_by_id(*uid).unwrap().is_some()) {
        let User {
            name,
            uid,
            gid,
            gecos,
            home,
            shell,
            ..
        } = map.user_by_id(uid).unwrap().unwrap();
        let name = text(&name);
        let line = format!(
            "{name}:x:{uid}:{gid}:{}:{}:{}",
            text(&gecos),
            text(&home),
            text(&shell)
        );
        assert_eq!(user(&lookups, USER_BY_NAME, &name).await, Ok(line.clone()));
        assert_eq!(user(&lookups, USER_BY_ID, &uid.to_string()).await, Ok(line));
        let record = userdb(&mut stream, "GetUserRecord", json!({ "uid": uid })).await;
        assert_eq!(record["userName"], name);
        assert_eq!((&record["uid"], &record["gid"]), (&json!(uid), &json!(gid)));
        assert_eq!(record["homeDirectory"], text(&home));
        assert_eq!(
            (&record["realName"], &record["shell"]),
            (&text(&gecos).into(), &text(&shell).into())
        );
        let mut ids = map.groups_of(name.as_bytes()).unwrap().unwrap();
        let names: Vec<_> = ids
            .iter()
            .map(|gid| text(&map.group_name(*gid).unwrap().unwrap()))
            .collect();
        assert_eq!(record["memberOf"], json!(names));
        ids.sort_unstable();
        assert_eq!(groups_of(&lookups, &name).await, Ok(ids));
    }
    for gid in (70_000..71_060).filter(|gid| map.group_by_id(*gid).unwrap().is_some()) {
        let Group {
            name, gid, members, ..
        } = map.group_by_id(gid).unwrap().unwrap();
        let members: Vec<_> = members.iter().map(|name| text(name)).collect();
        let line = format!("{}:x:{gid}:{}", text(&name), members.join(","));
        assert_eq!(
            group(&lookups, GROUP_BY_NAME, &text(&name)).await,
            Ok(line.clone())
        );
        assert_eq!(
            group(&lookups, GROUP_BY_ID, &gid.to_string()).await,
            Ok(line)
        );
        let record = userdb(&mut stream, "GetGroupRecord", json!({ "gid": gid })).await;
        assert_eq!(
            (&record["groupName"], &record["gid"]),
            (&text(&name).into(), &json!(gid))
        );
        let told = record.get("members").cloned().unwrap_or_else(|| json!([]));
        assert_eq!(told, json!(members));
    }
}
