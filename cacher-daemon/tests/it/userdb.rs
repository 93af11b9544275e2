//! systemd's user database as a well-behaved client speaks it.

use cacher_daemon::keys;
use cacher_daemon::userdb::SERVICE;
use local_protocol::KeyQuestion;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::lookups::*;
use crate::world::*;

pub(crate) const USER: &str = "io.systemd.UserDatabase.GetUserRecord";
const GROUP: &str = "io.systemd.UserDatabase.GetGroupRecord";
const MEMBERSHIPS: &str = "io.systemd.UserDatabase.GetMemberships";

async fn send(stream: &mut UnixStream, call: &Value) {
    let mut bytes = call.to_string().into_bytes();
    bytes.push(0);
    stream.write_all(&bytes).await.unwrap();
}

async fn reply(stream: &mut UnixStream) -> Value {
    let mut message = Vec::new();
    loop {
        match stream.read_u8().await.unwrap() {
            0 => return serde_json::from_slice(&message).unwrap(),
            byte => message.push(byte),
        }
    }
}

fn call(method: &str, mut parameters: Value) -> Value {
    parameters["service"] = SERVICE.into();
    json!({ "method": method, "parameters": parameters })
}

pub(crate) async fn ask(stream: &mut UnixStream, method: &str, parameters: Value) -> Value {
    send(stream, &call(method, parameters)).await;
    reply(stream).await
}

async fn ask_for_all(stream: &mut UnixStream, method: &str, parameters: Value) -> Vec<Value> {
    let mut call = call(method, parameters);
    call["more"] = true.into();
    send(stream, &call).await;
    let mut rows = Vec::new();
    loop {
        let row = reply(stream).await;
        let last = row.get("continues").is_none();
        rows.push(row);
        if last {
            return rows;
        }
    }
}

fn error(reply: &Value) -> &str {
    reply["error"].as_str().unwrap_or_default()
}

fn fault(name: &str) -> String {
    format!("io.systemd.UserDatabase.{name}")
}

pub(crate) fn two() -> Vec<signed_bundle::PersonRecord> {
    vec![person(1), person(2)]
}

#[tokio::test]
async fn a_user_is_found_by_name_and_by_id_and_says_where_it_comes_from() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    let mut stream = lookups.userdb().await;
    let by_name = ask(&mut stream, USER, json!({ "userName": "user1" })).await;
    let expected = json!({
        "userName": "user1", "uid": 71_001, "gid": 71_001, "realName": "A Person",
        "homeDirectory": "/home/user1", "shell": "/bin/sh", "disposition": "regular",
        "service": SERVICE, "memberOf": ["cloudid-users", "engineers"],
        "privileged": { "sshAuthorizedKeys": [KEY] },
    });
    assert_eq!(by_name["parameters"]["record"], expected);
    assert_eq!(by_name["parameters"]["incomplete"], false);
    for other_way in [
        json!({ "uid": 71_001 }),
        json!({ "uid": 71_001, "userName": "user1" }),
        json!({ "uid": 71_001, "userName": null }),
        json!({ "uid": 71_001, "uidMin": 70_000, "uidMax": 72_000, "dispositionMask": ["regular"] }),
        json!({ "userName": "user1", "fuzzyNames": ["nobody", "PERS"] }),
    ] {
        assert_eq!(ask(&mut stream, USER, other_way).await, by_name);
    }
    let group = ask(&mut stream, GROUP, json!({ "groupName": "engineers" })).await;
    let expected = json!({
        "groupName": "engineers", "gid": 70_500, "disposition": "regular", "service": SERVICE,
        "members": ["user1", "user2"],
    });
    assert_eq!(
        group["parameters"],
        json!({ "record": expected, "incomplete": false })
    );
    assert_eq!(
        ask(&mut stream, GROUP, json!({ "gid": 70_500 })).await,
        group
    );
}

#[tokio::test]
async fn what_is_not_found_says_why() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    let mut stream = lookups.userdb().await;
    let expected = [
        (USER, json!({ "userName": "nobody-here" }), "NoRecordFound"),
        (USER, json!({ "userName": "root" }), "NoRecordFound"),
        (
            USER,
            json!({ "userName": "x".repeat(300) }),
            "NoRecordFound",
        ),
        (USER, json!({ "userName": "user1\u{0}" }), "NoRecordFound"),
        (USER, json!({ "uid": 0 }), "NoRecordFound"),
        (
            USER,
            json!({ "uid": 71_001, "userName": "user2" }),
            "ConflictingRecordFound",
        ),
        (
            USER,
            json!({ "uid": 71_001, "userName": "nobody-here" }),
            "ConflictingRecordFound",
        ),
        (
            USER,
            json!({ "uid": 5, "userName": "user1" }),
            "ConflictingRecordFound",
        ),
        (
            USER,
            json!({ "uid": 71_001, "uidMin": 71_002 }),
            "NonMatchingRecordFound",
        ),
        (
            USER,
            json!({ "uid": 71_001, "dispositionMask": ["system"] }),
            "NonMatchingRecordFound",
        ),
        (
            USER,
            json!({ "uid": 71_001, "fuzzyNames": ["other"] }),
            "NonMatchingRecordFound",
        ),
        (GROUP, json!({ "groupName": "wheel" }), "NoRecordFound"),
        (
            GROUP,
            json!({ "gid": 70_500, "groupName": "user1" }),
            "ConflictingRecordFound",
        ),
        (
            MEMBERSHIPS,
            json!({ "userName": "user1", "groupName": "user2" }),
            "NoRecordFound",
        ),
        (MEMBERSHIPS, json!({ "userName": "root" }), "NoRecordFound"),
        (USER, json!({}), "EnumerationNotSupported"),
        (GROUP, json!({}), "EnumerationNotSupported"),
        (MEMBERSHIPS, json!({}), "EnumerationNotSupported"),
    ];
    for (method, parameters, name) in expected {
        let reply = ask(&mut stream, method, parameters.clone()).await;
        assert_eq!(error(&reply), fault(name), "{method} {parameters}");
    }
}

#[tokio::test]
async fn a_wrong_argument_is_told_by_its_name() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    let mut stream = lookups.userdb().await;
    for (parameters, name) in [
        (json!({ "uid": -1 }), "uid"),
        (json!({ "uid": 4_294_967_296_u64 }), "uid"),
        (json!({ "uid": "71001" }), "uid"),
        (json!({ "userName": 1 }), "userName"),
        (json!({ "fuzzyNames": [1] }), "fuzzyNames"),
        (json!({ "somethingNew": true }), "somethingNew"),
    ] {
        let reply = ask(&mut stream, USER, parameters).await;
        assert_eq!(error(&reply), "org.varlink.service.InvalidParameter");
        assert_eq!(reply["parameters"]["parameter"], name);
    }
}

#[tokio::test]
async fn a_call_for_another_service_is_none_of_ours() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    let mut stream = lookups.userdb().await;
    for service in [
        json!("io.systemd.Multiplexer"),
        json!(""),
        json!(7),
        Value::Null,
    ] {
        let parameters = json!({ "userName": "user1", "service": service });
        for method in [USER, GROUP, MEMBERSHIPS] {
            send(
                &mut stream,
                &json!({ "method": method, "parameters": parameters }),
            )
            .await;
            assert_eq!(error(&reply(&mut stream).await), fault("BadService"));
        }
    }
    send(&mut stream, &json!({ "method": USER })).await;
    assert_eq!(error(&reply(&mut stream).await), fault("BadService"));
}

#[tokio::test]
async fn keys_are_told_to_root_as_sshd_gets_them_and_to_nobody_else() {
    if !has_root() {
        return;
    }
    let mut lookups = Lookups::new(two()).await;
    let mut stream = lookups.userdb().await;
    let question = KeyQuestion {
        user: "user1".to_owned(),
        key_type: String::new(),
        key: String::new(),
    };
    let told = |reply: &Value| reply["parameters"]["record"]["privileged"].clone();
    let as_root = ask(&mut stream, USER, json!({ "userName": "user1" })).await;
    let sshd = keys::lines(&lookups.cacher, &question);
    assert_eq!(told(&as_root), json!({ "sshAuthorizedKeys": sshd }));
    assert_eq!(sshd.len(), 1);

    let socket = lookups.host.paths.userdb_socket();
    for uid in [STRANGER, 71_001, 71_002] {
        let mut stranger = connect_as(uid, &socket);
        let reply = ask(&mut stranger, USER, json!({ "userName": "user1" })).await;
        assert_eq!(told(&reply), Value::Null);
        assert_eq!(reply["parameters"]["incomplete"], true);
        assert_eq!(reply["parameters"]["record"]["uid"], 71_001);
    }

    revoke(&lookups.cacher, lookups.organisation.suspension(1, "usr_1"))
        .await
        .unwrap();
    assert!(keys::lines(&lookups.cacher, &question).is_empty());
    let suspended = ask(&mut stream, USER, json!({ "userName": "user1" })).await;
    assert_eq!(told(&suspended), Value::Null);
    assert_eq!(
        suspended["parameters"]["incomplete"], false,
        "told that there are none"
    );

    lookups.daemon = None;
    let alone = ask(&mut stream, USER, json!({ "userName": "user2" })).await;
    assert_eq!(told(&alone), Value::Null);
    assert_eq!(alone["parameters"]["incomplete"], true, "nobody told");
}

#[tokio::test]
async fn people_are_listed_where_the_settings_say_so() {
    if !has_root() {
        return;
    }
    let people = (1..=300).map(person).collect();
    let lookups = Lookups::with_settings(people, "[nss]\nenumerate = true").await;
    let mut stream = lookups.userdb().await;
    let rows = ask_for_all(&mut stream, USER, json!({})).await;
    let uids: Vec<_> = rows
        .iter()
        .map(|row| row["parameters"]["record"]["uid"].as_u64().unwrap())
        .collect();
    assert_eq!(uids, (71_001..=71_300).collect::<Vec<_>>());
    let told: String = rows.iter().map(Value::to_string).collect();
    assert!(!told.contains("ssh-ed25519"), "a list holds no keys");

    let some = ask_for_all(
        &mut stream,
        USER,
        json!({ "uidMin": 71_010, "uidMax": 71_012 }),
    )
    .await;
    assert_eq!(some.len(), 3);
    let none = ask_for_all(&mut stream, USER, json!({ "uidMin": 99_000 })).await;
    assert_eq!(error(&none[0]), fault("NoRecordFound"));

    let groups = ask_for_all(&mut stream, GROUP, json!({})).await;
    assert_eq!(
        groups.len(),
        302,
        "a private one each, one shared, everybody"
    );
    let memberships = ask_for_all(&mut stream, MEMBERSHIPS, json!({})).await;
    assert_eq!(memberships.len(), 600);

    for method in [USER, GROUP, MEMBERSHIPS] {
        let one = ask(&mut stream, method, json!({})).await;
        assert_eq!(error(&one), "org.varlink.service.ExpectedMore");
    }
}

#[tokio::test]
async fn memberships_are_told_from_both_sides() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    let mut stream = lookups.userdb().await;
    let pair = |user: &str, group: &str| json!({ "userName": user, "groupName": group });
    let told = |rows: Vec<Value>| -> Vec<Value> {
        rows.iter().map(|row| row["parameters"].clone()).collect()
    };
    let of_user = ask_for_all(&mut stream, MEMBERSHIPS, json!({ "userName": "user1" })).await;
    let expected = [pair("user1", "cloudid-users"), pair("user1", "engineers")];
    assert_eq!(told(of_user), expected);
    let of_group = ask_for_all(
        &mut stream,
        MEMBERSHIPS,
        json!({ "groupName": "engineers" }),
    )
    .await;
    assert_eq!(
        told(of_group),
        [pair("user1", "engineers"), pair("user2", "engineers")]
    );
    let both = ask(&mut stream, MEMBERSHIPS, pair("user2", "engineers")).await;
    assert_eq!(both["parameters"], pair("user2", "engineers"));
    let one = ask(&mut stream, MEMBERSHIPS, json!({ "userName": "user1" })).await;
    assert_eq!(error(&one), "org.varlink.service.ExpectedMore");
}

#[tokio::test]
async fn without_a_readable_map_nobody_is_said_not_to_exist() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    let mut stream = lookups.userdb().await;
    let map = lookups.host.paths.published_map();
    let whole = std::fs::read(&map).unwrap();
    let damages: [&dyn Fn(); 3] = [
        &|| std::fs::write(&map, &whole[..whole.len() / 2]).unwrap(),
        &|| std::fs::write(&map, "").unwrap(),
        &|| std::fs::remove_file(&map).unwrap(),
    ];
    for damage in damages {
        damage();
        for (method, parameters) in [
            (USER, json!({ "userName": "user1" })),
            (USER, json!({ "uid": 5 })),
            (GROUP, json!({ "groupName": "nobody-here" })),
            (MEMBERSHIPS, json!({ "userName": "user1" })),
            (USER, json!({})),
        ] {
            let reply = ask(&mut stream, method, parameters).await;
            assert_eq!(error(&reply), fault("ServiceNotAvailable"));
        }
    }
    std::fs::write(&map, &whole).unwrap();
    let again = ask(&mut stream, USER, json!({ "userName": "user1" })).await;
    assert_eq!(again["parameters"]["record"]["uid"], 71_001);
}

#[tokio::test]
async fn nss_22_owners_whom_only_the_cacher_knows_are_asked_for_as_the_policy_says() {
    if !has_root() {
        return;
    }
    let unknown_id = json!({ "uid": 72_000 });
    let unknown_name = json!({ "userName": "carol" });
    for (policy, by_id, by_name) in [
        ("off", "NoRecordFound", "NoRecordFound"),
        ("ids", "ServiceNotAvailable", "NoRecordFound"),
        ("all", "ServiceNotAvailable", "ServiceNotAvailable"),
    ] {
        let settings = format!("[nss]\nowners = \"{policy}\"");
        let lookups = Lookups::with_settings(two(), &settings).await;
        let mut stream = lookups.userdb().await;
        let reply = ask(&mut stream, USER, unknown_id.clone()).await;
        assert_eq!(error(&reply), fault(by_id), "{policy}");
        let reply = ask(&mut stream, USER, unknown_name.clone()).await;
        assert_eq!(error(&reply), fault(by_name), "{policy}");
        let reply = ask(&mut stream, USER, json!({ "uid": 1_000 })).await;
        assert_eq!(error(&reply), fault("NoRecordFound"), "{policy}");
        let reply = ask(&mut stream, USER, json!({ "userName": "No Name" })).await;
        assert_eq!(error(&reply), fault("NoRecordFound"), "{policy}");
    }
}

#[tokio::test]
async fn the_service_describes_itself() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    let mut stream = lookups.userdb().await;
    send(
        &mut stream,
        &json!({ "method": "org.varlink.service.GetInfo" }),
    )
    .await;
    let info = reply(&mut stream).await;
    let interfaces = info["parameters"]["interfaces"].as_array().unwrap().clone();
    assert_eq!(interfaces.len(), 2);
    for interface in interfaces {
        let describe = json!({
            "method": "org.varlink.service.GetInterfaceDescription",
            "parameters": { "interface": interface },
        });
        send(&mut stream, &describe).await;
        let told = reply(&mut stream).await;
        let text = told["parameters"]["description"].as_str().unwrap();
        assert!(text.contains(&format!("interface {}\n", interface.as_str().unwrap())));
    }
    for (method, name) in [
        ("io.systemd.UserDatabase.SetUserRecord", "MethodNotFound"),
        ("org.varlink.service.Other", "MethodNotFound"),
        ("org.example.Other", "InterfaceNotFound"),
        ("", "InterfaceNotFound"),
    ] {
        send(&mut stream, &json!({ "method": method })).await;
        let told = reply(&mut stream).await;
        assert_eq!(
            error(&told),
            format!("org.varlink.service.{name}"),
            "{method}"
        );
    }
    let mut upgrade = call(USER, json!({ "userName": "user1" }));
    upgrade["upgrade"] = true.into();
    send(&mut stream, &upgrade).await;
    let told = reply(&mut stream).await;
    assert_eq!(error(&told), "org.varlink.service.MethodNotImplemented");
}

#[tokio::test]
async fn calls_may_follow_each_other_closely_and_some_want_no_reply() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    let mut stream = lookups.userdb().await;
    let mut silent = call(USER, json!({ "userName": "user1" }));
    silent["oneway"] = true.into();
    let calls = [
        call(USER, json!({ "userName": "user1" })),
        silent,
        call(USER, json!({ "userName": "user2" })),
    ];
    let bytes: Vec<u8> = calls
        .iter()
        .flat_map(|call| [call.to_string().into_bytes(), vec![0]].concat())
        .collect();
    for byte in bytes {
        stream.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(
        reply(&mut stream).await["parameters"]["record"]["uid"],
        71_001
    );
    assert_eq!(
        reply(&mut stream).await["parameters"]["record"]["uid"],
        71_002
    );
}
