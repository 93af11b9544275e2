//! Writes the seed corpus: a few right inputs for each target, named `seed-…`. Run with
//! `--cfg fuzzing`, as README.md says, so that the map has no sums.

use std::path::Path;
use std::{fs, io};

use fuzz_world::{HOST, ORGANISATION, now, root_document};
use identity_map::{MapContent, MapGroup, MapUser, MemberPolicy, Owners, write_map};
use jiff::SignedDuration;
use local_protocol::*;
use posix_names::{Gecos, Gid, GroupName, HomeDirectory, LoginShell, Uid, UserName};
use signed_bundle::{ChunkKind, ChunkReference, Manifest};

fn main() -> io::Result<()> {
    assert!(cfg!(fuzzing), "RUSTFLAGS='--cfg fuzzing' is missing");
    for (name, bytes) in messages() {
        seed("local_message", name, &bytes)?;
    }
    seed("identity_map", "small", &map())?;
    seed("root_chain", "payload", &encoded(&root_document()))?;
    seed("manifest", "payload", &encoded(&manifest()))?;
    let fast = (
        ORGANISATION,
        8_u64,
        now().as_millisecond(),
        "suspend_user",
        "usr_1",
    );
    seed("fast_lane", "suspend", &encoded(&fast))?;
    seed(
        "fast_lane",
        "time",
        &encoded(&(ORGANISATION, now().as_millisecond())),
    )?;
    for (target, name, text) in TEXTS {
        seed(target, name, text.as_bytes())?;
    }
    Ok(())
}

/// Target, name, content. A chunk begins with the number of its kind, a rule with a moment and the
/// last byte of an address.
const TEXTS: [(&str, &str, &str); 17] = [
    (
        "userdb_call",
        "user",
        "{\"method\":\"io.systemd.UserDatabase.GetUserRecord\",\"parameters\":{\"userName\":\"alice\",\"service\":\"io.cloudid.UserDatabase\"},\"more\":true}",
    ),
    (
        "nscd_request",
        "user",
        "\u{2}\0\0\0\0\0\0\0\u{6}\0\0\0alice\0",
    ),
    (
        "nscd_request",
        "gid",
        "\u{2}\0\0\0\u{3}\0\0\0\u{6}\0\0\x0070500\0",
    ),
    (
        "selector",
        "full",
        "env=prod,role in (web,api),!legacy,project=payments,web-*",
    ),
    ("selector", "every", "*"),
    ("selector", "tidy", " ! auto:os=debian , *-1.example.org "),
    (
        "access_rule",
        "allow",
        "\0\0\0pA{\"id\":\"acc_1\",\"effect\":\"allow\",\"subjects\":[{\"group\":\"grp_1\"}],\"hosts\":\"web-*\",\"valid_until\":\"2030-01-01T00:00:00Z\",\"schedule\":{\"days\":[\"mon\",\"sun\"],\"from\":\"22:00\",\"until\":\"02:30\",\"time_zone\":\"Europe/Berlin\"},\"sources\":[\"10.0.0.0/8\",\"fd00::/8\"]}",
    ),
    (
        "access_rule",
        "broken",
        "\0\0\0p\0{\"id\":\"acc_2\",\"effect\":\"deny\",\"subjects\":[{\"user\":\"usr_1\"}],\"hosts\":\"*\",\"mode\":\"jit\"}",
    ),
    (
        "chunk",
        "host",
        "\0{\"id\":\"hst_1\",\"name\":\"web-1\",\"project\":\"shop\",\"tags\":[\"env=prod\"],\"state\":\"active\",\"virtual_groups\":{\"cloudid-users\":70000},\"policy\":{\"offline_max_age_seconds\":604800,\"password_tries\":5,\"lock_seconds\":900}}",
    ),
    (
        "chunk",
        "people",
        "\u{1}{\"id\":\"usr_1\",\"username\":\"alice\",\"uid\":70001,\"gid\":70001,\"home\":\"/home/alice\",\"shell\":\"/bin/bash\",\"gecos\":\"Alice\",\"state\":\"active\",\"expires_at\":\"2030-01-01T00:00:00Z\",\"groups\":[\"grp_1\"],\"ssh_keys\":[{\"fingerprint\":\"SHA256:AAAA\",\"line\":\"ssh-ed25519 AAAA\"}]}\n{\"id\":\"usr_2\",\"username\":\"root\"}\n",
    ),
    (
        "chunk",
        "groups",
        "\u{2}{\"id\":\"grp_1\",\"name\":\"web\",\"gid\":70003}\n",
    ),
    (
        "chunk",
        "rules",
        "\u{3}{\"id\":\"acc_1\",\"effect\":\"allow\",\"subjects\":[{\"user\":\"usr_1\"}],\"hosts\":\"*\"}\n",
    ),
    (
        "chunk",
        "credentials",
        "\u{4}{\"user\":\"usr_1\",\"password_verifier\":\"$argon2id$v=19$m=65536,t=3,p=1$c2FsdHNhbHQ$aGFzaA\",\"must_change\":true}\n",
    ),
    (
        "event",
        "login",
        "{\"boot\":\"b1\",\"events\":[{\"boot\":\"b1\",\"sequence\":1,\"time_ms\":1800000000000,\"kind\":\"auth.login\",\"outcome\":\"success\",\"user\":\"alice\",\"details\":{\"service\":\"sshd\",\"took\":0.25},\"previous_hash\":\"\",\"hash\":\"00\"}]}",
    ),
    (
        "config",
        "sample",
        "[directory]\nurl = [\"https://directory.example.org\"]\npoll_interval = \"60s\"\npoll_jitter = 0.2\n[offline]\nmax_age = \"168h\"\n[events]\nspool_reserve = \"16MiB\"\n",
    ),
    (
        "ssh_key",
        "ed25519",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJPLE6ogqZ7yEBlmTtVF4EZUxbEBQkxODMUVCFoyaNmY alice@laptop",
    ),
    (
        "enrolment_token",
        "whole",
        "cloudid1.tok_1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ),
];

fn seed(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = Path::new("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("seed-{name}")), bytes)
}

fn encoded<T: serde::Serialize>(document: &T) -> Vec<u8> {
    postcard::to_allocvec(document).expect("documents can be encoded")
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let login = Login {
        user: String::from("alice"),
        service: String::from("sshd"),
        remote_host: String::from("10.0.0.1"),
        process: 4711,
        ..Login::default()
    };
    let begin = Begin {
        purpose: Purpose::Authenticate,
        login: login.clone(),
        known_elsewhere: false,
    };
    let key = KeyQuestion {
        user: String::from("alice"),
        key_type: String::from("ssh-ed25519"),
        key: String::from("AAAA"),
    };
    let home = MakeHome {
        home: String::from("/home/alice"),
        uid: 70_001,
        gid: 70_001,
        umask: 63,
    };
    let owner = Owner::User {
        name: String::from("alice"),
        uid: 70_001,
        gid: 70_001,
    };
    vec![
        ("begin", frame(&Request::Begin(begin))),
        ("account", frame(&Request::Account(login))),
        (
            "answer",
            frame(&Request::Answer(Secret::new(b"correct horse".to_vec()))),
        ),
        ("keys", frame(&Request::AuthorizedKeys(key))),
        (
            "owner",
            frame(&Request::OwnerOfId(IdQuestion::User(70_001))),
        ),
        ("owned", frame(&Reply::Owner(owner))),
        ("status", frame(&Reply::Status(HostStatus::default()))),
        (
            "lines",
            frame(&Reply::Keys(vec![String::from("ssh-ed25519 AAAA")])),
        ),
        ("home", frame(&Verb::MakeHome(home))),
        (
            "failed",
            frame(&VerbResult::Failed(String::from("no such folder"))),
        ),
    ]
}

fn frame<T: serde::Serialize>(message: &T) -> Vec<u8> {
    encode(message).expect("short messages fit").to_vec()
}

fn map() -> Vec<u8> {
    let user = |name: &str, id: u64, groups: &[u64]| MapUser {
        name: name.to_owned().into(),
        uid: Uid::new(id).expect("an id"),
        gid: Gid::new(id).expect("an id"),
        gecos: "A person".into(),
        home: format!("/home/{name}").into(),
        shell: "/bin/bash".into(),
        groups: groups
            .iter()
            .map(|id| Gid::new(*id).expect("an id"))
            .collect(),
    };
    let group = |name: &str, id: u64, members: &[&str]| MapGroup {
        name: name.to_owned().into(),
        gid: Gid::new(id).expect("an id"),
        members: members
            .iter()
            .map(|name| String::from(*name).into())
            .collect(),
    };
    let content = MapContent {
        version: 3,
        issued_at_ms: now().as_millisecond(),
        enumerate: true,
        member_policy: MemberPolicy::All,
        owners: Owners::All,
        users: vec![user("alice", 70_001, &[70_003]), user("bob", 70_002, &[])],
        groups: vec![
            group("alice", 70_001, &[]),
            group("bob", 70_002, &[]),
            group("web", 70_003, &["alice"]),
        ],
    };
    write_map(&content).expect("a small map")
}

fn manifest() -> Manifest {
    Manifest {
        organisation: ORGANISATION.to_owned(),
        host: HOST.to_owned(),
        version: 6,
        issued: now(),
        expires: now() + SignedDuration::from_hours(24),
        root_version: 1,
        fast_lane_sequence: 0,
        confirmed_removals: 0,
        chunks: vec![ChunkReference {
            kind: ChunkKind::People,
            sha256: [9; 32],
            length: 100,
        }],
    }
}
