//! Records in a bundle that is signed correctly: each bad one is dropped, the others apply.

use serde_json::{Value, json};
use signed_bundle::*;

use crate::world::*;

/// The hostile names of acceptance row ID-02.
const HOSTILE: &[&str] = &[
    "-rf",
    "a:b",
    "a\nb",
    "../x",
    "$(id)",
    "rооt",
    "ad\u{200b}min",
    "\u{202e}toor",
    "x.",
    "x ",
    " x",
    "x$",
    "a\0b",
    "0day",
    "123",
    "#0",
    "+",
    "-1",
    "@g",
    "%wheel",
    "ALL",
    "root@R",
    "",
    "a b",
    "a\tb",
    "a/b",
    "/",
    "..",
    ".",
    "a;b",
    "a|b",
    "a&b",
    "`id`",
    "a\\b",
    "a'b",
    "a\"b",
    "*",
    "?",
    "a*",
    "~root",
    "!x",
    "a,b",
    "a=b",
    "a<b",
    "a>b",
    "a(b",
    "a)b",
    "{x}",
    "[x]",
    "Root",
    "ALICE",
    "ａlice",
    "alice\u{301}",
    "é",
    "😀",
    "\u{feff}alice",
    "alice\r",
    "a%0ab",
    "-o ProxyCommand=x",
    "--help",
    "*)(uid=*",
    "' OR 1=1--",
    "%",
    "a\u{7f}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "root",
    "daemon",
    "www-data",
    "cloudid",
    "cloudid-x",
    "sshd",
    "nobody",
];

const BAD_IDS: &[u64] = &[
    0,
    1,
    999,
    1_000,
    61_184,
    65_519,
    65_534,
    65_535,
    69_999,
    100_000,
    165_535,
    524_288,
    1_879_048_191,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 32) + 71_000,
    u64::MAX,
];

fn json_of(number: u32) -> Value {
    serde_json::to_value(person(number)).unwrap()
}

fn with(mut record: Value, field: &str, value: Value) -> String {
    record[field] = value;
    record.to_string()
}

fn good(number: u32) -> String {
    json_of(number).to_string()
}

fn ids(read: &ReadSlice) -> Vec<&str> {
    read.slice
        .people
        .iter()
        .map(|person| person.view().id)
        .collect()
}

#[test]
fn id_02_hostile_names_in_a_signed_bundle_are_dropped() {
    assert!(HOSTILE.len() >= 60);
    for name in HOSTILE {
        let lines = [good(1), with(json_of(2), "username", json!(name)), good(3)];
        let read = World::new().read_lines(ChunkKind::People, &lines);
        assert_eq!(ids(&read), ["usr_1", "usr_3"], "{name:?}");
        assert_eq!(read.dropped.len(), 1, "{name:?}");
        assert_eq!(read.dropped[0].id, "usr_2");
        let group = json!({"id": "grp_9", "name": name, "gid": 70_900}).to_string();
        let read = World::new().read_lines(ChunkKind::Groups, &[group]);
        assert_eq!(read.slice.groups.len(), 1, "{name:?}");
    }
}

#[test]
fn id_04_ids_of_the_system_in_a_signed_bundle_are_dropped() {
    for id in BAD_IDS {
        for field in ["uid", "gid"] {
            let lines = [with(json_of(1), field, json!(id)), good(2)];
            let read = World::new().read_lines(ChunkKind::People, &lines);
            assert_eq!(ids(&read), ["usr_2"], "{field} {id}");
            assert_eq!(read.dropped.len(), 1);
        }
    }
    let mut missing = json_of(1);
    missing.as_object_mut().unwrap().remove("gid");
    let read = World::new().read_lines(ChunkKind::People, &[missing.to_string()]);
    assert_eq!(ids(&read), [] as [&str; 0]);
}

#[test]
fn id_04_ids_outside_what_root_allows_are_dropped() {
    let mut world = World::new();
    world.root.limits.id_ranges = vec![IdRange {
        first: 71_000,
        last: 71_001,
    }];
    let mut given = slice(vec![person(1), person(2)]);
    given.groups.clear();
    let manifest = world.manifest(&given);
    let read = world.read(&manifest).unwrap();
    assert_eq!(ids(&read), ["usr_1"]);
    assert!(read.slice.host.virtual_groups.is_empty());
    let reasons: Vec<_> = read
        .dropped
        .iter()
        .map(|record| record.reason.clone())
        .collect();
    assert!(reasons.contains(&DropReason::OutsideLimits(71_002)));
    assert!(reasons.contains(&DropReason::OutsideLimits(70_001)));
}

#[test]
fn id_01_names_that_root_protects_are_dropped() {
    let mut world = World::new();
    world
        .root
        .limits
        .protected_names
        .extend(["user1".to_owned(), "engineers".to_owned()]);
    let manifest = world.manifest(&slice(vec![person(1), person(2)]));
    let read = world.read(&manifest).unwrap();
    assert_eq!(ids(&read), ["usr_2"]);
    assert_eq!(read.slice.groups, []);
    assert_eq!(
        read.dropped[0].reason,
        DropReason::ProtectedName("user1".to_owned())
    );
}

#[test]
fn no_id_and_no_name_has_two_owners() {
    for (field, value) in [
        ("id", json!("usr_1")),
        ("username", json!("user1")),
        ("uid", json!(71_001)),
        ("gid", json!(71_001)),
        ("username", json!("engineers")),
    ] {
        let mut world = World::new();
        let second = with(json_of(2), field, value.clone());
        let read = world.read_lines(ChunkKind::People, &[good(1), second]);
        assert_eq!(
            read.slice.people[0].record(),
            Some(person(1)),
            "{field} {value}"
        );
        assert_eq!(read.dropped.len(), 1, "{field} {value}");
    }
}

#[test]
fn a_group_cannot_take_the_place_of_a_private_group() {
    for group in [
        json!({"id": "grp_9", "name": "user1", "gid": 70_900}),
        json!({"id": "grp_9", "name": "free", "gid": 71_001}),
        json!({"id": "grp_9", "name": "free", "gid": 70_001}),
        json!({"id": "grp_9", "name": "engineers", "gid": 70_900}),
    ] {
        let mut world = World::new();
        let mut manifest = world.manifest(&slice(vec![person(1)]));
        manifest
            .chunks
            .push(world.store_lines(ChunkKind::Groups, &[group.to_string()]));
        let read = world.read(&manifest).unwrap();
        assert_eq!(read.slice.groups.len(), 1, "{group}");
        assert_eq!(read.dropped.len(), 1, "{group}");
    }
}

#[test]
fn a_primary_group_must_exist() {
    let lines = [
        with(json_of(1), "gid", json!(70_500)),
        with(json_of(2), "gid", json!(70_501)),
    ];
    let read = World::new().read_lines(ChunkKind::People, &lines);
    assert_eq!(ids(&read), ["usr_1"]);
    assert_eq!(read.dropped[0].reason, DropReason::NoSuchGroup(70_501));
}

#[test]
fn id_03_one_bad_record_among_a_thousand_leaves_the_others() {
    let mut lines: Vec<String> = (0..1000).map(good).collect();
    lines[500] = with(json_of(500), "uid", json!(0));
    let read = World::new().read_lines(ChunkKind::People, &lines);
    assert_eq!(read.slice.people.len(), 999);
    assert_eq!(read.dropped.len(), 1);
}

#[test]
fn id_08_bad_homes_and_shells_are_dropped() {
    for (field, value) in [
        ("home", "/"),
        ("home", ""),
        ("home", "home/x"),
        ("home", "/home/../etc"),
        ("home", "/root"),
        ("home", "/etc"),
        ("shell", ""),
        ("shell", "bash"),
        ("shell", "/bin/bash -i"),
    ] {
        let read =
            World::new().read_lines(ChunkKind::People, &[with(json_of(1), field, json!(value))]);
        assert_eq!(ids(&read), [] as [&str; 0], "{field} {value}");
    }
}

#[test]
fn people_who_do_not_belong_on_hosts_are_dropped() {
    for state in ["staged", "deleted", "root"] {
        let read = World::new().read_lines(
            ChunkKind::People,
            &[with(json_of(1), "state", json!(state))],
        );
        assert_eq!(ids(&read), [] as [&str; 0], "{state}");
    }
}

#[test]
fn syn_18_an_unreadable_rule_is_reported_and_denies() {
    let mut broken = rule_json("acc_2");
    broken["effect"] = json!("deny");
    broken["new_condition"] = json!(true);
    let lines = [
        rule_json("acc_3").to_string(),
        broken.to_string(),
        "{{{".to_owned(),
    ];
    let read = World::new().read_lines(ChunkKind::AccessRules, &lines);
    assert_eq!(read.slice.access_rules.len(), 2);
    assert_eq!(read.dropped.len(), 2);
    let unreadable: Vec<_> = read.unreadable_rules.iter().map(|rule| rule.id()).collect();
    assert_eq!(unreadable, ["acc_2", "(unknown)"]);
    let person = policy::Person {
        id: "usr_1".to_owned(),
        username: "user1".to_owned(),
        state: policy::UserState::Active,
        expires_at: None,
        locked_until: None,
        groups: ["grp_1".to_owned()].into(),
    };
    let host = policy::Host {
        id: HOST.to_owned(),
        name: "web-1".to_owned(),
        state: policy::HostState::Active,
        project: "web".to_owned(),
        tags: ["env=prod".to_owned()].into(),
        mirror_age: None,
        mirror_age_max: hours(1),
    };
    let question = policy::Question {
        person: &person,
        host: &host,
        service: "sshd",
        source: None,
        now: now(),
    };
    let rules = &read.slice.access_rules;
    assert!(policy::decide(&question, rules).allowed);
    let unreadable = &read.unreadable_rules;
    assert!(!policy::decide_with_unreadable(&question, rules, unreadable).allowed);
}

#[test]
fn syn_18_a_manifest_of_a_newer_format_is_refused_as_a_whole() {
    let mut world = World::new();
    let manifest = world.manifest(&slice(vec![person(1)]));
    let mut bytes = world.sign(&manifest);
    bytes[0] += 1;
    assert_eq!(why(world.accept(&bytes, None)), "malformed");
}

#[test]
fn a_nesting_bomb_is_dropped_before_it_is_decoded() {
    let deep = |depth: usize| {
        let bomb = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        good(1).replacen('{', &format!("{{\"x\":{bomb},"), 1)
    };
    let read = World::new().read_lines(ChunkKind::People, &[deep(15)]);
    assert_eq!(ids(&read), ["usr_1"]);
    for depth in [16, 100_000] {
        let read = World::new().read_lines(ChunkKind::People, &[deep(depth), good(2)]);
        assert_eq!(ids(&read), ["usr_2"]);
        assert_eq!(read.dropped[0].reason, DropReason::TooDeep);
    }
}

#[test]
fn ssh_keys_that_are_not_one_clean_line_are_dropped() {
    let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8zTl4T7qsyzRU0k1K5z0kqGDKyTFmFtCyFCv0TnBzq";
    let blob = base64_decode(line.split_once(' ').unwrap().1);
    let fingerprint = fingerprint(&blob);
    let keys = |line: &str, fingerprint: &str| {
        let keys = json!([{"fingerprint": fingerprint, "line": line}]);
        with(json_of(1), "ssh_keys", keys)
    };
    let read = World::new().read_lines(ChunkKind::People, &[keys(line, &fingerprint)]);
    assert_eq!(read.slice.unpacked().people[0].ssh_keys.len(), 1);
    let second_line = format!("{line}\nssh-rsa AAAA");
    let options = format!("command=\"x\" {line}");
    let comment = format!("{line} alice@example");
    for (line, fingerprint) in [
        (second_line.as_str(), fingerprint.as_str()),
        (&options, &fingerprint),
        (&comment, &fingerprint),
        ("", &fingerprint),
        (line, "SHA256:AAAA"),
        (line, ""),
    ] {
        let read = World::new().read_lines(ChunkKind::People, &[keys(line, fingerprint)]);
        assert_eq!(read.slice.unpacked().people[0].ssh_keys, [], "{line}");
        assert_eq!(read.dropped.len(), 1);
    }
}

#[test]
fn verifiers_of_strangers_and_misshapen_ones_are_dropped() {
    let mut world = World::new();
    let mut given = slice(vec![person(1), person(2)]);
    given.credentials = vec![credential(1)];
    let mut manifest = world.manifest(&given);
    let lines = [
        json!({"user": "usr_1", "password_verifier": "$6$other"}),
        json!({"user": "usr_2", "password_verifier": "!"}),
        json!({"user": "usr_2", "password_verifier": "$6$a\nroot::0:0"}),
        json!({"user": "usr_9", "password_verifier": "$6$a"}),
        json!({"user": "usr_2", "password_verifier": {"secret": 1}}),
    ];
    let lines = lines.map(|line| line.to_string());
    manifest
        .chunks
        .push(world.store_lines(ChunkKind::Credentials, &lines));
    let read = world.read(&manifest).unwrap();
    assert_eq!(read.slice.unpacked().credentials, [credential(1)]);
    assert_eq!(read.dropped.len(), 5);
    assert!(!format!("{:?}", read.dropped).contains("secret"));
}

#[test]
fn the_host_record_must_be_there_once_and_be_this_host() {
    let mut world = World::new();
    let good = world.manifest(&slice(vec![person(1)]));
    let mut missing = good.clone();
    missing.chunks.remove(0);
    assert_eq!(why(world.read(&missing)), "malformed");
    let mut other = slice(Vec::new());
    other.host.id = "hst_2".to_owned();
    let other = world.manifest(&other);
    assert_eq!(why(world.read(&other)), "malformed");
    let mut twice = good;
    twice.chunks.push(other.chunks[0]);
    assert_eq!(why(world.read(&twice)), "malformed");
}

fn base64_decode(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::prelude::BASE64_STANDARD, text).unwrap()
}

fn fingerprint(blob: &[u8]) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(blob);
    let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD_NO_PAD, digest);
    format!("SHA256:{encoded}")
}

#[test]
fn second_factors_of_nobody_here_and_misshapen_ones_are_dropped() {
    let code = |verifier| json!([{ "id": "bkc_1", "verifier": verifier }]);
    let factors = |user, verifier| json!({ "user": user, "enrolled": ["totp"], "backup_codes": code(verifier) });
    let stock = |device, user, bits: &str| json!({ "device": device, "user": user, "first_step": 7, "bits": bits });
    let lines =
        |records: Vec<Value>| -> Vec<String> { records.iter().map(ToString::to_string).collect() };
    let people = vec![person(1), person(2), person(3)];
    let mut world = World::new();
    let mut manifest = world.manifest(&slice(people));
    let long = "A".repeat(1 << 16);
    let kept = [
        (
            ChunkKind::Factors,
            lines(vec![
                factors("usr_1", "$argon2id$one"),
                factors("usr_2", "two lines\n"),
                factors("usr_9", "$argon2id$one"),
            ]),
        ),
        (
            ChunkKind::CheckBits,
            lines(vec![
                stock("mfa_1", "usr_1", "AAAA"),
                stock("mfa_1", "usr_2", "AAAA"),
                stock("mfa_2", "usr_2", &long),
                stock("mfa_3", "usr_9", "AAAA"),
            ]),
        ),
    ];
    for (kind, lines) in &kept {
        manifest.chunks.push(world.store_lines(*kind, lines));
    }
    let read = world.read(&manifest).unwrap();
    assert_eq!(read.slice.factors.len(), 1);
    assert_eq!(read.slice.check_bits.len(), 1);
    assert_eq!(read.slice.check_bits[0].user, "usr_1");
    let reasons: Vec<_> = read
        .dropped
        .iter()
        .map(|one| (one.id.as_str(), &one.reason))
        .collect();
    assert_eq!(
        reasons,
        [
            ("usr_2", &DropReason::Misshapen),
            ("usr_9", &DropReason::NobodyHere),
            ("mfa_1", &DropReason::Duplicate("device")),
            ("mfa_2", &DropReason::Misshapen),
            ("mfa_3", &DropReason::NobodyHere),
        ]
    );
    let shown = format!("{:?}", read.slice);
    assert!(
        !shown.contains("argon2id") && !shown.contains("AAAA"),
        "secrets stay out of logs"
    );
}
