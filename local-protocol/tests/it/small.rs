//! The messages of the NSS module are those of everybody else.

use std::io::{Read, Write};

use local_protocol::{
    Client, HEADER_BYTES, IdQuestion, Known, NameQuestion, Owner, Reply, Request, SmallFrame,
    Sought, encode, owner,
};
use proptest::prelude::*;

use crate::peer::{BUDGET, Peer};

const IDS: [u32; 8] = [0, 1, 127, 128, 70_001, 0x7000_0000, 0x7fff_ffff, u32::MAX];

#[test]
fn questions_are_encoded_alike() {
    let mut pairs = Vec::new();
    for id in IDS {
        let [user, group] = [IdQuestion::User(id), IdQuestion::Group(id)];
        pairs.push((Sought::UserOfId(id), Request::OwnerOfId(user)));
        pairs.push((Sought::GroupOfId(id), Request::OwnerOfId(group)));
    }
    for name in ["", "a", "alice", "a-name-of-32-bytes-which-is-most"] {
        let [user, group] = [NameQuestion::User, NameQuestion::Group].map(|of| of(name.to_owned()));
        pairs.push((Sought::UserOfName(name), Request::OwnerOfName(user)));
        pairs.push((Sought::GroupOfName(name), Request::OwnerOfName(group)));
    }
    for (sought, request) in pairs {
        let small = SmallFrame::asking(sought).unwrap();
        assert_eq!(small.sent(), encode(&request).unwrap().as_slice());
    }
}

#[test]
fn a_name_that_is_too_long_is_not_asked() {
    let long = "n".repeat(200);
    assert!(SmallFrame::asking(Sought::UserOfName(&long)).is_err());
}

fn told(reply: &Reply) -> Vec<u8> {
    encode(reply).unwrap()[HEADER_BYTES..].to_vec()
}

#[test]
fn owners_are_understood_alike() {
    for id in IDS {
        let name = "alice".to_owned();
        let user = told(&Reply::Owner(Owner::User {
            name,
            uid: id,
            gid: !id,
        }));
        let expected = Known::User {
            name: "alice",
            uid: id,
            gid: !id,
        };
        assert_eq!(owner(&user), Some(expected));
        let name = "staff".to_owned();
        let group = told(&Reply::Owner(Owner::Group { name, gid: id }));
        assert_eq!(
            owner(&group),
            Some(Known::Group {
                name: "staff",
                gid: id
            })
        );
    }
    assert_eq!(
        owner(&told(&Reply::Owner(Owner::Nobody))),
        Some(Known::Nobody)
    );
}

#[test]
fn what_is_no_owner_is_none() {
    let others = [
        Reply::Refused,
        Reply::IdentityMemory,
        Reply::IdentityMap,
        Reply::Unavailable("the directory is away".to_owned()),
        Reply::Keys(vec!["ssh-ed25519 AAAA".to_owned()]),
    ];
    for reply in others {
        assert_eq!(owner(&told(&reply)), None, "{reply:?}");
    }
    let name = "alice".to_owned();
    let whole = told(&Reply::Owner(Owner::User {
        name,
        uid: 70_001,
        gid: 70_001,
    }));
    for length in 0..whole.len() {
        assert_eq!(owner(&whole[..length]), None, "cut after {length} bytes");
    }
    assert_eq!(owner(&[&whole[..], b"x"].concat()), None, "one byte more");
}

fn asked(peer: &Peer) -> Client {
    peer.connect(BUDGET).unwrap()
}

#[test]
fn a_reply_too_long_for_the_room_cannot_tell() {
    let reply = Reply::Unavailable("w".repeat(1000));
    let frame = encode(&reply).unwrap().to_vec();
    let peer = Peer::new(move |mut stream| {
        stream.read_exact(&mut [0; HEADER_BYTES + 5]).unwrap();
        stream.write_all(&frame).unwrap();
    });
    let mut room = SmallFrame::new();
    let told = asked(&peer).ask_owner(Sought::UserOfId(70_001), &mut room);
    assert_eq!(told.unwrap(), None);
    peer.finish();
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes: Vec<u8>) {
        let strict = local_protocol::decode::<Reply>(&bytes);
        match (owner(&bytes), strict) {
            (Some(Known::Nobody), Ok(told)) => prop_assert_eq!(told, Reply::Owner(Owner::Nobody)),
            (Some(Known::User { name, uid, gid }), Ok(told)) => {
                let name = name.to_owned();
                prop_assert_eq!(told, Reply::Owner(Owner::User { name, uid, gid }));
            }
            (Some(Known::Group { name, gid }), Ok(told)) => {
                let name = name.to_owned();
                prop_assert_eq!(told, Reply::Owner(Owner::Group { name, gid }));
            }
            (Some(known), Err(_)) => prop_assert!(false, "{known:?} of what is no message"),
            (None, told) => prop_assert!(!matches!(told, Ok(Reply::Owner(_)))),
        }
    }
}
