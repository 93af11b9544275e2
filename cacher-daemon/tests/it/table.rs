//! PF-08: every request, over every socket, by every kind of peer, at every stage. A change of one
//! row of `access.rs` is seen here as one changed line.

use cacher_daemon::access::{Entrance, KnownUsers, Refusal, Stage, check};
use cacher_daemon::peer::Standing;
use local_protocol::{
    Begin, BeginAfterKey, IdQuestion, KeyQuestion, Login, NameQuestion, Purpose, Request, Secret,
    SessionId, SyncNow,
};

const OWNER: u32 = 71_001;
const OTHER: u32 = 1000;
const CLOUDID: u32 = 989;
const KEYS: u32 = 990;
const NOBODY: u32 = 65_533;

const PEERS: [(&str, u32); 6] = [
    ("root", 0),
    ("owner", OWNER),
    ("other", OTHER),
    ("cloudid", CLOUDID),
    ("cloudid-keys", KEYS),
    ("nobody", NOBODY),
];
const ENTRANCES: [(&str, Entrance); 5] = [
    ("pam", Entrance::Pam),
    ("nss", Entrance::Nss),
    ("user", Entrance::User),
    ("keys", Entrance::Keys),
    ("admin", Entrance::Admin),
];
const STAGES: [(&str, Stage); 3] = [
    ("fresh", Stage::Fresh),
    ("begun", Stage::Begun),
    ("served", Stage::Served),
];

fn requests() -> Vec<(&'static str, Request)> {
    let login = Login {
        user: "alice".to_owned(),
        ..Login::default()
    };
    let begin = Begin {
        purpose: Purpose::Authenticate,
        login: login.clone(),
        known_elsewhere: true,
    };
    let question = KeyQuestion {
        user: "alice".to_owned(),
        key_type: String::new(),
        key: String::new(),
    };
    vec![
        ("Begin", Request::Begin(begin.clone())),
        (
            "BeginAfterKey",
            Request::BeginAfterKey(BeginAfterKey {
                begin,
                proven: "publickey ssh-ed25519 AAAA".to_owned(),
            }),
        ),
        ("Answer", Request::Answer(Secret::new(b"x".to_vec()))),
        ("Account", Request::Account(login.clone())),
        ("OpenSession", Request::OpenSession(login.clone())),
        ("CloseSession", Request::CloseSession(SessionId([0; 16]))),
        ("AuthorizedKeys", Request::AuthorizedKeys(question)),
        ("OwnerOfId", Request::OwnerOfId(IdQuestion::User(OWNER))),
        (
            "OwnerOfName",
            Request::OwnerOfName(NameQuestion::User("alice".to_owned())),
        ),
        ("IdentityMemory", Request::IdentityMemory),
        ("IdentityMap", Request::IdentityMap),
        ("Status", Request::Status),
        (
            "SyncNow",
            Request::SyncNow(SyncNow {
                accept_shrink: true,
            }),
        ),
        ("Explain", Request::Explain(login)),
    ]
}

/// `request: socket(s) | peers | stages`; whatever is not listed is refused.
const EXPECTED: &str = "
Begin: pam | root owner | fresh
BeginAfterKey: pam | root | fresh
Answer: pam | root owner other cloudid cloudid-keys nobody | begun
Account: pam | root owner | fresh served
OpenSession: pam | root | fresh served
CloseSession: pam | root | fresh served
AuthorizedKeys: keys | root cloudid-keys | fresh
OwnerOfId: nss | root owner other cloudid cloudid-keys nobody | fresh
OwnerOfName: nss | root owner other cloudid cloudid-keys nobody | fresh
IdentityMemory: nss | root owner other cloudid cloudid-keys nobody | fresh
IdentityMap: nss | root owner other cloudid cloudid-keys nobody | fresh
Status: user admin | root owner other cloudid cloudid-keys nobody | fresh served
SyncNow: admin | root | fresh
Explain: user admin | root owner | fresh served
";

fn expected(request: &str, entrance: &str, peer: &str, stage: &str) -> bool {
    let line = EXPECTED
        .lines()
        .find_map(|line| line.strip_prefix(request)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("{request} has no row here"));
    let columns: Vec<Vec<&str>> = line
        .split('|')
        .map(|part| part.split_whitespace().collect())
        .collect();
    columns[0].contains(&entrance) && columns[1].contains(&peer) && columns[2].contains(&stage)
}

fn standing(uid: u32) -> Standing {
    Standing {
        uid,
        alive: true,
        of_this_host: true,
    }
}

const USERS: KnownUsers = KnownUsers {
    keys_command: Some(KEYS),
    named: Some(OWNER),
};

#[test]
fn pf_08_every_request_by_every_peer_is_as_the_table_says() {
    for (name, request) in requests() {
        for (entrance_name, entrance) in ENTRANCES {
            for (peer_name, uid) in PEERS {
                for (stage_name, stage) in STAGES {
                    let allowed = check(&request, entrance, standing(uid), stage, USERS).is_ok();
                    let wanted = expected(name, entrance_name, peer_name, stage_name);
                    assert_eq!(
                        allowed, wanted,
                        "{name} {entrance_name} {peer_name} {stage_name}"
                    );
                }
            }
        }
    }
}

#[test]
fn pf_08_a_peer_that_is_gone_or_of_another_namespace_gets_nothing() {
    for (name, request) in requests() {
        for (_, entrance) in ENTRANCES {
            for (_, stage) in STAGES {
                let gone = Standing {
                    alive: false,
                    ..standing(0)
                };
                let refusal = check(&request, entrance, gone, stage, USERS);
                assert_eq!(refusal, Err(Refusal::PeerGone), "{name}");
                let container_root = Standing {
                    of_this_host: false,
                    ..standing(0)
                };
                assert!(
                    check(&request, entrance, container_root, stage, USERS).is_err(),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn pf_08_a_name_that_is_nobodys_and_a_missing_keys_user_open_nothing() {
    let none = KnownUsers {
        keys_command: None,
        named: None,
    };
    for (name, request) in requests() {
        for (_, entrance) in ENTRANCES {
            let result = check(&request, entrance, standing(OWNER), Stage::Fresh, none);
            let open = matches!(
                name,
                "OwnerOfId" | "OwnerOfName" | "IdentityMemory" | "IdentityMap" | "Status"
            );
            assert!(open || result.is_err(), "{name}");
        }
    }
}
