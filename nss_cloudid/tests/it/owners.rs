//! Ids of the directory's ranges that the map lacks: the cacher is asked, and whatever is not a
//! clear answer in time is *cannot tell*.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use identity_map::{MapContent, Owners};
use local_protocol::{HEADER_BYTES, IdQuestion, NameQuestion, Owner, Reply, Request};
use local_protocol::{body_length, decode, encode};

use crate::cacher::Cacher;
use crate::ffi::{Guarded, Key, NOT_FOUND, SUCCESS, TRY_AGAIN, UNAVAILABLE};
use crate::ffi::{child_says, group, on, process_on, user};
use crate::host::Host;
use crate::people::{ALICE, three};

const STRANGER: u32 = 80_000;

/// Answers one question on the host's socket while the work runs; tells what was asked.
fn answering<T: Send>(
    host: &Host,
    reply: Option<Reply>,
    work: impl FnOnce() -> T + Send,
) -> (T, Request) {
    let listener = UnixListener::bind(host.socket()).unwrap();
    std::thread::scope(|scope| {
        let cacher = scope.spawn(|| {
            let mut header = [0; HEADER_BYTES];
            let (mut peer, body) = loop {
                let (mut peer, _) = listener.accept().unwrap();
                peer.read_exact(&mut header).unwrap();
                let mut body = vec![0; body_length(header).unwrap()];
                peer.read_exact(&mut body).unwrap();
                // Other tests of this process may have made it ask for the map in memory.
                if decode::<Request>(&body).unwrap() != Request::IdentityMap {
                    break (peer, body);
                }
            };
            match reply {
                Some(reply) => peer.write_all(&encode(&reply).unwrap()).unwrap(),
                None => assert_eq!(peer.read(&mut header).unwrap_or(0), 0, "asked again"),
            }
            decode(&body).unwrap()
        });
        let result = on(host, work);
        (result, cacher.join().unwrap())
    })
}

fn owner(name: &str, uid: u32, gid: u32) -> Option<Reply> {
    let name = name.to_owned();
    Some(Reply::Owner(Owner::User { name, uid, gid }))
}

fn owning_group(name: &str, gid: u32) -> Option<Reply> {
    let name = name.to_owned();
    Some(Reply::Owner(Owner::Group { name, gid }))
}

#[test]
fn the_owner_of_a_file_without_rights_here_has_a_name() {
    let host = Host::knowing(&three());
    let ask = || user(&Guarded::new(), Key::Id(STRANGER), 1024);
    let (said, asked) = answering(&host, owner("zoe", STRANGER, STRANGER), ask);
    assert_eq!(asked, Request::OwnerOfId(IdQuestion::User(STRANGER)));
    assert_eq!(said.status, SUCCESS);
    let line = "zoe:x:80000:80000::/home/zoe:/usr/sbin/nologin";
    assert_eq!(said.entry.unwrap().line, line);
}

#[test]
fn a_group_that_does_not_appear_here_has_a_name_and_no_members() {
    let host = Host::knowing(&three());
    let ask = || group(&Guarded::new(), Key::Id(STRANGER), 1024);
    let (said, asked) = answering(&host, owning_group("artists", STRANGER), ask);
    assert_eq!(asked, Request::OwnerOfId(IdQuestion::Group(STRANGER)));
    let entry = said.entry.unwrap();
    assert_eq!(
        (entry.name.as_str(), entry.gid, entry.members.len()),
        ("artists", STRANGER, 0)
    );
}

#[test]
fn a_small_buffer_for_an_owner_is_erange() {
    let host = Host::knowing(&three());
    let ask = || user(&Guarded::new(), Key::Id(STRANGER), 20);
    let (said, _) = answering(&host, owner("zoe", STRANGER, STRANGER), ask);
    assert_eq!((said.status, said.errno), (TRY_AGAIN, libc::ERANGE));
}

#[test]
fn only_a_clear_word_of_the_cacher_is_not_found() {
    let host = Host::knowing(&three());
    let ask = || user(&Guarded::new(), Key::Id(STRANGER), 1024);
    let (said, _) = answering(&host, Some(Reply::Owner(Owner::Nobody)), ask);
    assert_eq!((said.status, said.errno), (NOT_FOUND, libc::ENOENT));
}

#[test]
fn nss_22_no_clear_answer_is_never_not_found() {
    let replies = [
        Some(Reply::Unavailable("directory answers 500".to_owned())),
        Some(Reply::Refused),
        owner("zoe", STRANGER + 1, STRANGER),
        owner("root", STRANGER, STRANGER),
        owner("zoe:x:0:0", STRANGER, STRANGER),
        owner("zoe", STRANGER, 0),
        owning_group("artists", STRANGER),
    ];
    for reply in replies {
        let host = Host::knowing(&three());
        let shown = format!("{reply:?}");
        let ask = || user(&Guarded::new(), Key::Id(STRANGER), 1024);
        let (said, _) = answering(&host, reply, ask);
        let expected = (UNAVAILABLE, libc::EAGAIN);
        assert_eq!((said.status, said.errno), expected, "{shown}");
    }
}

#[test]
fn nss_22_silence_is_never_not_found() {
    let host = Host::knowing(&three());
    // In a process of its own: this one remembers that the cacher said nothing.
    let (unavailable, _) = answering(&host, None, || {
        child_says(|| {
            let said = user(&Guarded::new(), Key::Id(STRANGER), 1024);
            (said.status, said.errno) == (UNAVAILABLE, libc::EAGAIN)
        })
    });
    assert!(unavailable);
}

#[test]
fn nss_22_without_a_cacher_an_id_of_ours_is_unavailable() {
    let host = Host::knowing(&three());
    on(&host, || {
        let memory = Guarded::new();
        for _ in 0..3 {
            let said = user(&memory, Key::Id(STRANGER), 1024);
            assert_eq!((said.status, said.errno), (UNAVAILABLE, libc::EAGAIN));
            let said = group(&memory, Key::Id(STRANGER), 1024);
            assert_eq!((said.status, said.errno), (UNAVAILABLE, libc::EAGAIN));
        }
        assert_eq!(user(&memory, Key::Id(ALICE), 1024).status, SUCCESS);
    });
}

#[test]
fn ids_of_others_are_not_found_and_nobody_is_asked() {
    let host = Host::knowing(&three());
    let cacher = Cacher::on(&host);
    on(&host, || {
        let memory = Guarded::new();
        for id in [
            0,
            1,
            999,
            1_000,
            65_534,
            69_999,
            100_000,
            0x8000_0000,
            u32::MAX,
        ] {
            let said = user(&memory, Key::Id(id), 1024);
            assert_eq!((said.status, said.errno), (NOT_FOUND, libc::ENOENT), "{id}");
            assert_eq!(group(&memory, Key::Id(id), 1024).status, NOT_FOUND, "{id}");
        }
        for name in ["mallory", "root"] {
            assert_eq!(user(&memory, Key::Name(name), 1024).status, NOT_FOUND);
            assert_eq!(group(&memory, Key::Name(name), 1024).status, NOT_FOUND);
        }
    });
    assert!(cacher.asked().is_empty(), "{:?}", cacher.asked());
}

fn asking(owners: Owners) -> Host {
    Host::knowing(&MapContent { owners, ..three() })
}

#[test]
fn nobody_is_asked_when_the_map_says_so() {
    let host = asking(Owners::Off);
    let cacher = Cacher::on(&host);
    let not_found = process_on(&host, || {
        let memory = Guarded::new();
        user(&memory, Key::Id(STRANGER), 1024).status == NOT_FOUND
            && group(&memory, Key::Id(STRANGER), 1024).status == NOT_FOUND
            && user(&memory, Key::Name("zoe"), 1024).status == NOT_FOUND
            && group(&memory, Key::Name("artists"), 1024).status == NOT_FOUND
    });
    assert!(not_found && cacher.asked().is_empty());
}

#[test]
fn names_are_asked_when_the_map_says_so() {
    let host = asking(Owners::All);
    let cacher = Cacher::on(&host);
    let [zoe, artists] = ["zoe", "artists"].map(str::to_owned);
    let (uid, gid) = (STRANGER, STRANGER);
    let other = Owner::User {
        name: "other".to_owned(),
        uid,
        gid,
    };
    cacher.knows([
        Owner::User {
            name: zoe,
            uid,
            gid,
        },
        Owner::Group { name: artists, gid },
        Owner::Nobody,
        other,
    ]);
    let answered = process_on(&host, || {
        let memory = Guarded::new();
        let zoe = user(&memory, Key::Name("zoe"), 1024).entry.unwrap();
        let artists = group(&memory, Key::Name("artists"), 1024).entry.unwrap();
        zoe.line == "zoe:x:80000:80000::/home/zoe:/usr/sbin/nologin"
            && (artists.gid, artists.members.len()) == (STRANGER, 0)
            && user(&memory, Key::Name("mallory"), 1024).status == NOT_FOUND
            // Somebody else, then no telling at all.
            && user(&memory, Key::Name("zoe"), 1024).status == UNAVAILABLE
            && user(&memory, Key::Name("zoe"), 1024).status == UNAVAILABLE
            // Names that the directory cannot have are nobody's.
            && ["root", "A", "", "x y"].iter().all(|name| {
                user(&memory, Key::Name(name), 1024).status == NOT_FOUND
            })
    });
    assert!(answered);
    let question = |name: &str| Request::OwnerOfName(NameQuestion::User(name.to_owned()));
    assert_eq!(cacher.asked()[0], question("zoe"));
    assert_eq!(cacher.asked().len(), 5);
}
