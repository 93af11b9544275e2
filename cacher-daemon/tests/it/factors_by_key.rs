//! SSH keys where codes are demanded: which keys sshd is told, whom it must ask for a code, and what
//! holds when it does not ask.

use std::sync::Arc;

use cacher_daemon::access::Entrance;
use cacher_daemon::account;
use cacher_daemon::cacher::Cacher;
use cacher_daemon::connection::Connection;
use cacher_daemon::conversation::authenticate_after_key;
use cacher_daemon::keys;
use identity_map::{GroupHead, ReadError};
use local_protocol::{BeginAfterKey, KeyQuestion, Login, Outcome};
use policy::{AuthMethod, FactorFields};
use posix_names::Gid;
use signed_bundle::{Slice, SshKeyRecord, VirtualGroup};
use tokio::net::UnixStream;

use crate::factors::{asking, code_now, policy_of};
use crate::logins::{Heard, answers, begin, login};
use crate::world::*;

const HARDWARE_KEY: &str = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1AAAABHNzaDo=";

/// user1 has a plain key and a device, user2 a hardware key alone.
fn slice_asking(fields: FactorFields) -> Slice {
    let mut slice = asking(fields);
    slice.people[1].ssh_keys = vec![SshKeyRecord {
        fingerprint: fingerprint(HARDWARE_KEY),
        line: HARDWARE_KEY.to_owned(),
        expires_at: None,
    }];
    let gid = Gid::new(70_002).unwrap();
    slice
        .host
        .virtual_groups
        .insert(VirtualGroup::KeyAndCode, gid);
    slice
}

async fn host_with(slice: &Slice) -> (TestHost, Arc<Cacher>) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, slice)).await.unwrap();
    (host, cacher)
}

fn served(cacher: &Cacher, user: &str) -> Vec<String> {
    let question = KeyQuestion {
        user: user.to_owned(),
        key_type: String::new(),
        key: String::new(),
    };
    keys::lines(cacher, &question)
}

/// sshd has accepted a key and begins keyboard-interactive; then comes its account step.
async fn after_key(cacher: &Cacher, user: &str, key: &str, typed: &[&str]) -> (Heard, Outcome) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let typed = typed.iter().map(|text| text.as_bytes().to_vec()).collect();
    let module = tokio::spawn(answers(theirs, typed));
    let mut connection = Connection::new(ours, Entrance::Pam).unwrap();
    let after = BeginAfterKey {
        begin: begin(user, true),
        proven: format!("publickey {key}\n"),
    };
    let outcome = authenticate_after_key(cacher, &mut connection, &after).await;
    let process = connection.peer.pid;
    drop(connection);
    let login = Login {
        process,
        ..login(user)
    };
    let account = account::decide(cacher, &login).await.outcome;
    ((module.await.unwrap(), outcome.ok()), account)
}

/// Whom sshd sees in the group: by their own list of groups.
fn members(host: &TestHost) -> Vec<&'static str> {
    let bytes = host.map_bytes();
    let map = identity_map::Map::open(bytes.as_slice(), bytes.len() as u64).unwrap();
    let gid_of = |group: &GroupHead<'_>| Ok::<_, ReadError>(group.gid());
    let Some(group) = map.group_by_name(b"cloudid-key-code", gid_of).unwrap() else {
        return Vec::new();
    };
    let is_in = |name: &str| {
        let found = map.groups_of(name.as_bytes(), |list| {
            let mut gids = vec![0; list.bytes()];
            map.read_group_list(list, &mut gids)?;
            Ok::<_, ReadError>(gids.chunks_exact(4).any(|gid| gid == group.to_le_bytes()))
        });
        found.unwrap().unwrap()
    };
    ["user1", "user2"]
        .into_iter()
        .filter(|name| is_in(name))
        .collect()
}

#[tokio::test]
async fn after_a_plain_key_a_code_alone_is_asked_for() {
    let (_host, cacher) = host_with(&slice_asking(FactorFields::default())).await;
    assert_eq!(served(&cacher, "user1"), [KEY]);
    let code = code_now();
    let ((heard, outcome), account) = after_key(&cacher, "user1", KEY, &[&code]).await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].starts_with("? Verification code"), "{heard:?}");
    assert_eq!(
        (outcome, account),
        (Some(Outcome::Allowed), Outcome::Allowed)
    );
}

#[tokio::test]
async fn a_plain_key_without_a_code_ends_in_the_account_step() {
    let (_host, cacher) = host_with(&slice_asking(FactorFields::default())).await;
    let verdict = account::decide(&cacher, &login("user1")).await;
    assert_eq!(verdict.outcome, Outcome::Denied);
    let ((_, outcome), account) = after_key(&cacher, "user1", KEY, &["000001"]).await;
    assert_eq!(outcome, Some(Outcome::WrongAnswer));
    assert_eq!(account, Outcome::Denied);
}

#[tokio::test]
async fn a_hardware_key_is_served_with_verification_and_is_enough() {
    let (_host, cacher) = host_with(&slice_asking(FactorFields::default())).await;
    let line = format!("verify-required {HARDWARE_KEY}");
    assert_eq!(served(&cacher, "user2"), [line]);
    let verdict = account::decide(&cacher, &login("user2")).await;
    assert_eq!(verdict.outcome, Outcome::Allowed);
}

#[tokio::test]
async fn where_sshd_cannot_see_the_group_plain_keys_are_not_served() {
    let mut slice = slice_asking(FactorFields::default());
    slice.host.virtual_groups.remove(&VirtualGroup::KeyAndCode);
    let (_host, cacher) = host_with(&slice).await;
    assert!(served(&cacher, "user1").is_empty());
}

#[tokio::test]
async fn mfa_17_where_a_hardware_key_is_demanded_a_plain_one_is_not_served() {
    let (_host, cacher) = host_with(&slice_asking(FactorFields {
        auth_methods: Some([AuthMethod::HardwareKey].into()),
        ..FactorFields::default()
    }))
    .await;
    assert!(served(&cacher, "user1").is_empty());
    assert_eq!(served(&cacher, "user2").len(), 1);
}

#[tokio::test]
async fn those_whose_key_needs_a_code_are_in_the_group_that_sshd_looks_for() {
    let (host, _cacher) = host_with(&slice_asking(FactorFields::default())).await;
    assert_eq!(members(&host), ["user1"]);
    let mut without = slice_asking(FactorFields::default());
    without.host.policy.factor_policies.clear();
    let (host, cacher) = host_with(&without).await;
    assert!(members(&host).is_empty());
    assert_eq!(served(&cacher, "user1"), [KEY]);
    assert_eq!(served(&cacher, "user2"), [HARDWARE_KEY]);
}

#[tokio::test]
async fn from_an_excepted_network_a_key_is_enough_and_asks_nothing() {
    let mut slice = slice_asking(FactorFields::default());
    let mut office = policy_of(FactorFields::default());
    office.sources = vec!["10.0.0.0/8".parse().unwrap()];
    office.fields.mfa_required = Some(true);
    let mut rest = policy_of(FactorFields {
        mfa_required: Some(false),
        auth_methods: Some(
            [
                AuthMethod::HardwareKey,
                AuthMethod::PublicKey,
                AuthMethod::PublicKeyAndCode,
            ]
            .into(),
        ),
        ..FactorFields::default()
    });
    rest.id = "pol_2".to_owned();
    slice.host.policy.factor_policies = vec![office, rest];
    let (host, cacher) = host_with(&slice).await;
    assert_eq!(members(&host), ["user1"], "nobody knows the source yet");
    let ((heard, outcome), account) = after_key(&cacher, "user1", KEY, &[]).await;
    assert_eq!((heard.len(), outcome), (0, Some(Outcome::Allowed)));
    assert_eq!(account, Outcome::Allowed);
}

#[tokio::test]
async fn a_key_that_is_not_the_persons_stands_for_nothing() {
    let (_host, cacher) = host_with(&slice_asking(FactorFields::default())).await;
    for proven in [HARDWARE_KEY, "", "ssh-ed25519 AAAA"] {
        let ((heard, _), _) = after_key(&cacher, "user1", proven, &["wrong", "000001"]).await;
        assert_eq!(heard[0], "? Password: ", "{proven}");
    }
}
