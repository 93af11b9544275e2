//! The client against peers that are slow, gone, or somebody else.

use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use local_protocol::{
    Client, ClientError, FRAME_BYTES_MAX, HEADER_BYTES, Outcome, Reply, Request, Secret, Trust,
    Untrusted, body_length, decode, encode,
};

use crate::peer::{BUDGET, Peer, myself};

fn read_request(stream: &mut impl Read) -> Request {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).unwrap();
    let mut body = vec![0; body_length(header).unwrap()];
    stream.read_exact(&mut body).unwrap();
    decode(&body).unwrap()
}

#[test]
fn a_question_is_answered() {
    let peer = Peer::new(|mut stream| {
        assert_eq!(read_request(&mut stream), Request::Status);
        let reply = encode(&Reply::Done(Outcome::Allowed)).unwrap();
        stream.write_all(&reply).unwrap();
    });
    let reply = peer.connect(BUDGET).unwrap().ask(&Request::Status).unwrap();
    assert_eq!(reply, Reply::Done(Outcome::Allowed));
    peer.finish();
}

#[test]
fn a_reply_in_single_bytes_is_read_whole() {
    let peer = Peer::new(|mut stream| {
        for byte in encode(&Reply::Refused).unwrap().iter() {
            stream.write_all(&[*byte]).unwrap();
        }
    });
    let reply = peer.connect(BUDGET).unwrap().receive().unwrap();
    assert_eq!(reply, Reply::Refused);
    peer.finish();
}

#[test]
fn two_replies_in_one_piece_are_read_one_by_one() {
    let mut both = encode(&Reply::Say("one".to_owned())).unwrap().to_vec();
    both.extend_from_slice(&encode(&Reply::Say("two".to_owned())).unwrap());
    let peer = Peer::that_says(both);
    let mut client = peer.connect(BUDGET).unwrap();
    assert_eq!(client.receive().unwrap(), Reply::Say("one".to_owned()));
    assert_eq!(client.receive().unwrap(), Reply::Say("two".to_owned()));
    drop(client);
    peer.finish();
}

#[test]
fn bytes_that_trickle_do_not_prolong_the_budget() {
    let peer = Peer::new(|mut stream| {
        stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        // A header that promises much, then one byte every 20 ms until the client has gone.
        stream.write_all(&[1, 0, 0, 1, 0]).unwrap();
        while stream.write_all(&[0]).is_ok() {
            if matches!(stream.read(&mut [0]), Ok(0)) {
                break;
            }
        }
    });
    let answer = peer.connect(Duration::from_millis(200)).unwrap().receive();
    assert!(matches!(answer, Err(ClientError::TooLate)), "{answer:?}");
    peer.finish();
}

#[test]
fn a_peer_that_takes_nothing_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("silent.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let mut client = Client::connect_trusting(&path, Duration::from_millis(100), myself()).unwrap();
    let long = Request::Answer(Secret::new(vec![0; FRAME_BYTES_MAX - 4]));
    let end = std::iter::repeat_with(|| client.send(&long)).find_map(Result::err);
    assert!(matches!(end, Some(ClientError::TooLate)), "{end:?}");
}

#[test]
fn a_full_queue_of_connections_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("busy.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let mut held = Vec::new();
    let end = loop {
        match Client::connect_trusting(&path, Duration::from_millis(50), myself()) {
            Ok(client) => held.push(client),
            Err(error) => break error,
        }
        assert!(held.len() < 100_000, "the queue has no end");
    };
    assert!(matches!(end, ClientError::TooLate), "{end:?}");
}

#[test]
fn pam_19_a_peer_that_hangs_up_is_an_error_and_no_signal() {
    let peer = Peer::new(drop);
    let mut client = peer.connect(BUDGET).unwrap();
    assert!(matches!(client.receive(), Err(ClientError::HungUp)));
    let sent = std::iter::repeat_with(|| client.send(&Request::Status))
        .take(3)
        .find_map(Result::err);
    assert!(matches!(sent, Some(ClientError::HungUp)), "{sent:?}");
    peer.finish();
}

#[test]
fn pam_19_a_reply_cut_in_the_middle_is_an_error() {
    let frame = encode(&Reply::Say("cut".to_owned())).unwrap();
    for length in 0..frame.len() {
        let part = frame[..length].to_vec();
        let peer = Peer::new(move |mut stream| stream.write_all(&part).unwrap());
        let answer = peer.connect(BUDGET).unwrap().receive();
        assert!(matches!(answer, Err(ClientError::HungUp)), "{answer:?}");
        peer.finish();
    }
}

#[test]
fn nobody_there_is_told_apart_from_somebody_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        folder.path().join("absent.sock"),
        folder.path().join("no").join("folder.sock"),
    ] {
        let answer = Client::connect_trusting(&path, BUDGET, myself());
        assert!(
            matches!(answer, Err(ClientError::Unreachable(_))),
            "{answer:?}"
        );
    }
}

#[test]
fn pam_15_a_folder_that_others_may_write_to_is_not_trusted() {
    for mode in [0o770, 0o702, 0o777] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cacher.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(mode)).unwrap();
        let answer = Client::connect_trusting(&path, BUDGET, myself());
        assert!(
            matches!(
                answer,
                Err(ClientError::Untrusted(Untrusted::FolderMode(_)))
            ),
            "{mode:o}: {answer:?}"
        );
    }
}

#[test]
fn pam_15_a_folder_that_is_a_symbolic_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("real");
    std::fs::create_dir(&real).unwrap();
    let _listener = UnixListener::bind(real.join("cacher.sock")).unwrap();
    let link = folder.path().join("link");
    symlink(&real, &link).unwrap();
    let answer = Client::connect_trusting(&link.join("cacher.sock"), BUDGET, myself());
    assert!(
        matches!(answer, Err(ClientError::Unreachable(_))),
        "{answer:?}"
    );
}

#[test]
fn pam_15_a_folder_of_a_person_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cacher.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let me = rustix::process::geteuid();
    // Root gives the folder away; anybody else is already a person.
    let owner = if me.is_root() { 70_001 } else { me.as_raw() };
    if me.is_root() {
        std::os::unix::fs::chown(folder.path(), Some(owner), None).unwrap();
    } else if owner < 1000 {
        return; // a system user cannot make this folder
    }
    let answer = Client::connect(&path, BUDGET);
    assert!(
        matches!(
            answer,
            Err(ClientError::Untrusted(Untrusted::FolderOwner(found))) if found == owner
        ),
        "{answer:?}"
    );
    let stranger = Client::connect_trusting(&path, BUDGET, Trust::AlsoUser(owner + 1));
    assert!(stranger.is_err());
}

#[test]
fn secrets_do_not_print() {
    let request = Request::Answer(Secret::new(b"correct horse".to_vec()));
    assert_eq!(format!("{request:?}"), "Answer(Secret(…))");
}
