//! Frames and their limits.

use local_protocol::{
    ClientError, FRAME_BYTES_MAX, FrameError, HEADER_BYTES, Reply, Request, Secret, body_length,
    decode, encode,
};
use proptest::prelude::*;
use std::time::Duration;

use crate::peer::{BUDGET, Peer};

fn header(version: u8, length: u32) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = length.to_le_bytes();
    [version, a, b, c, d]
}

#[test]
fn pf_02_a_length_above_the_limit_is_refused_from_the_header_alone() {
    for (length, refused) in [
        (0, false),
        (1, false),
        (65_535, false),
        (65_536, false),
        (65_537, true),
        (1 << 31, true),
        (u32::MAX, true),
    ] {
        let answer = body_length(header(1, length));
        if refused {
            assert_eq!(answer, Err(FrameError::TooLong(length as usize)));
        } else {
            assert_eq!(answer, Ok(length as usize));
        }
    }
}

#[test]
fn pf_02_a_client_hangs_up_at_once_on_a_length_above_the_limit() {
    for length in [65_537, 1 << 31, u32::MAX] {
        let peer = Peer::that_says(header(1, length).to_vec());
        let answer = peer.connect(BUDGET).unwrap().receive();
        assert!(
            matches!(answer, Err(ClientError::Frame(FrameError::TooLong(_)))),
            "{length}: {answer:?}"
        );
        peer.finish();
    }
}

#[test]
fn pf_02_a_promised_body_that_never_comes_ends_with_the_budget() {
    for length in [1, 65_535, 65_536] {
        let peer = Peer::that_says(header(1, length).to_vec());
        let answer = peer.connect(Duration::from_millis(50)).unwrap().receive();
        assert!(matches!(answer, Err(ClientError::TooLate)), "{answer:?}");
        peer.finish();
    }
}

#[test]
fn pf_02_a_frame_without_a_message_is_refused() {
    let peer = Peer::that_says(header(1, 0).to_vec());
    let answer = peer.connect(BUDGET).unwrap().receive();
    assert!(matches!(
        answer,
        Err(ClientError::Frame(FrameError::Malformed))
    ));
    peer.finish();
}

#[test]
fn another_generation_of_the_protocol_is_refused() {
    for version in [0, 2, 255] {
        assert_eq!(
            body_length(header(version, 1)),
            Err(FrameError::Version(version))
        );
    }
}

#[test]
fn two_messages_in_one_frame_are_refused() {
    let frame = encode(&Request::Status).unwrap();
    let twice = frame[HEADER_BYTES..].repeat(2);
    assert_eq!(decode::<Request>(&twice), Err(FrameError::Malformed));
}

#[test]
fn every_truncation_of_a_message_is_refused() {
    let frame = encode(&Reply::Say("Your account has ended.".to_owned())).unwrap();
    let body = &frame[HEADER_BYTES..];
    for length in 0..body.len() {
        assert_eq!(
            decode::<Reply>(&body[..length]),
            Err(FrameError::Malformed),
            "cut after {length} bytes"
        );
    }
}

#[test]
fn a_message_longer_than_a_frame_is_not_sent() {
    let longest = FRAME_BYTES_MAX - 4; // the number of the variant and the length in three bytes
    let fits = Request::Answer(Secret::new(vec![b'a'; longest]));
    assert_eq!(encode(&fits).unwrap().len(), HEADER_BYTES + FRAME_BYTES_MAX);
    let long = Request::Answer(Secret::new(vec![b'a'; longest + 1]));
    assert_eq!(encode(&long), Err(FrameError::TooLong(FRAME_BYTES_MAX + 1)));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange_to_be_refused(bytes: Vec<u8>) {
        // Either a message that is encoded alike, or an error; never a panic.
        if let Ok(request) = decode::<Request>(&bytes) {
            let again = encode(&request).unwrap();
            prop_assert_eq!(decode::<Request>(&again[HEADER_BYTES..]), Ok(request));
        }
        if let Ok(reply) = decode::<Reply>(&bytes) {
            let again = encode(&reply).unwrap();
            prop_assert_eq!(decode::<Reply>(&again[HEADER_BYTES..]), Ok(reply));
        }
    }
}
