//! The bytes of every message. A module loaded a year ago speaks them still: a line here may be
//! added, never changed.

use std::fmt::{Debug, Write};

use local_protocol::{
    Begin, BeginAfterKey, FrameError, HEADER_BYTES, HostStatus, IdQuestion, KeyQuestion, Login,
    MakeHome, NameQuestion, Outcome, Owner, Prompt, Purpose, Reply, Request, Secret, SessionId,
    SyncNow, Verb, VerbResult, decode, encode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

const RECORDED: &str = include_str!("encoding.txt");

fn login() -> Login {
    Login {
        user: "alice".to_owned(),
        service: "sshd".to_owned(),
        remote_host: "192.0.2.7".to_owned(),
        remote_user: "bob".to_owned(),
        terminal: "pts/3".to_owned(),
        process: 4711,
    }
}

fn begin(purpose: Purpose) -> Request {
    Request::Begin(Begin {
        purpose,
        login: login(),
        known_elsewhere: true,
    })
}

pub(crate) fn requests() -> Vec<Request> {
    vec![
        begin(Purpose::Authenticate),
        begin(Purpose::ChangePassword),
        begin(Purpose::MayChangePassword),
        Request::Answer(Secret::new(b"secret".to_vec())),
        Request::Account(login()),
        Request::OpenSession(login()),
        Request::CloseSession(SessionId([7; 16])),
        Request::AuthorizedKeys(KeyQuestion {
            user: "alice".to_owned(),
            key_type: "ssh-ed25519".to_owned(),
            key: "AAAA".to_owned(),
        }),
        Request::OwnerOfId(IdQuestion::User(70_001)),
        Request::OwnerOfId(IdQuestion::Group(70_002)),
        Request::Status,
        Request::SyncNow(SyncNow {
            accept_shrink: true,
        }),
        Request::Explain(login()),
        Request::IdentityMemory,
        Request::OwnerOfName(NameQuestion::User("alice".to_owned())),
        Request::OwnerOfName(NameQuestion::Group("staff".to_owned())),
        Request::BeginAfterKey(BeginAfterKey {
            begin: Begin {
                purpose: Purpose::Authenticate,
                login: login(),
                known_elsewhere: true,
            },
            proven: "publickey ssh-ed25519 AAAA\n".to_owned(),
        }),
        Request::IdentityMap,
    ]
}

pub(crate) fn replies() -> Vec<Reply> {
    let outcomes = [
        Outcome::Allowed,
        Outcome::WrongAnswer,
        Outcome::Denied,
        Outcome::Expired,
        Outcome::TooManyTries,
        Outcome::PasswordMustChange,
        Outcome::NotOurs,
        Outcome::CannotTell,
        Outcome::PasswordUnchanged,
    ];
    let mut replies = vec![
        Reply::Prompt(Prompt {
            text: "Password: ".to_owned(),
            echo: false,
        }),
        Reply::Say("Hello.".to_owned()),
    ];
    replies.extend(outcomes.map(Reply::Done));
    replies.extend([
        Reply::SessionOpened(SessionId([7; 16])),
        Reply::Keys(vec!["ssh-ed25519 AAAA".to_owned()]),
        Reply::Owner(Owner::User {
            name: "alice".to_owned(),
            uid: 70_001,
            gid: 70_001,
        }),
        Reply::Owner(Owner::Group {
            name: "staff".to_owned(),
            gid: 70_002,
        }),
        Reply::Owner(Owner::Nobody),
        Reply::Status(status()),
        Reply::Explained("{}".to_owned()),
        Reply::Refused,
        Reply::Unavailable("no bundle yet".to_owned()),
        Reply::IdentityMemory,
        Reply::IdentityMap,
    ]);
    replies
}

fn status() -> HostStatus {
    HostStatus {
        host_id: "hst_1".to_owned(),
        host_name: "web-1".to_owned(),
        directory: "https://directory.example".to_owned(),
        online: true,
        bundle_version: 300,
        bundle_issued_at_ms: 1_800_000_000_000,
        newest_signed_time_ms: 1_800_000_000_001,
        people: 2,
        groups: 3,
        sessions: 4,
        events_waiting: 5,
        last_error: "none".to_owned(),
    }
}

pub(crate) fn verbs() -> Vec<Verb> {
    vec![
        Verb::MakeHome(MakeHome {
            home: "/home/alice".to_owned(),
            uid: 70_001,
            gid: 70_001,
            umask: 0o077,
        }),
        Verb::EndSessions { uid: 70_001 },
        Verb::ForgetNameCache,
    ]
}

fn verb_results() -> Vec<VerbResult> {
    vec![
        VerbResult::Done(3),
        VerbResult::Failed("no such home root".to_owned()),
    ]
}

/// One line for each message: the bytes of its body, and what it says.
fn record<T: Serialize + DeserializeOwned + Debug + PartialEq>(lines: &mut String, messages: &[T]) {
    for message in messages {
        let frame = encode(message).unwrap();
        let body = &frame[HEADER_BYTES..];
        assert_eq!(&decode::<T>(body).unwrap(), message);
        for byte in body {
            write!(lines, "{byte:02x}").unwrap();
        }
        writeln!(lines, " {message:?}").unwrap();
    }
}

#[test]
fn every_message_is_encoded_as_it_always_was() {
    let mut lines = String::new();
    record(&mut lines, &requests());
    record(&mut lines, &replies());
    record(&mut lines, &verbs());
    record(&mut lines, &verb_results());
    for (now, recorded) in lines.lines().zip(RECORDED.lines()) {
        assert_eq!(now, recorded);
    }
    assert_eq!(lines.lines().count(), RECORDED.lines().count(), "{lines}");
}

/// The number of the last kind of message.
fn last_of<T: Serialize>(messages: &[T]) -> u8 {
    let number = |message: &T| encode(message).unwrap()[HEADER_BYTES];
    messages.iter().map(number).max().unwrap()
}

#[test]
fn upg_01_a_message_that_only_a_newer_side_knows_is_refused_whatever_it_carries() {
    for carried in [&[][..], &[0], &[0; 64]] {
        let newer = |last: u8| [&[last + 1], carried].concat();
        let request = decode::<Request>(&newer(last_of(&requests())));
        assert_eq!(request, Err(FrameError::Malformed));
        let reply = decode::<Reply>(&newer(last_of(&replies())));
        assert_eq!(reply, Err(FrameError::Malformed));
        let verb = decode::<Verb>(&newer(last_of(&verbs())));
        assert_eq!(verb, Err(FrameError::Malformed));
    }
}

#[test]
fn upg_01_a_known_message_with_a_field_of_a_newer_side_is_refused() {
    for request in requests() {
        let frame = encode(&request).unwrap();
        let longer = [&frame[HEADER_BYTES..], &[0]].concat();
        let read = decode::<Request>(&longer);
        assert_eq!(read, Err(FrameError::Malformed), "{request:?}");
    }
}
