//! Files that come with a reply.

use std::fs::File;
use std::io::{IoSlice, Read, Seek, SeekFrom, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use local_protocol::{ClientError, HEADER_BYTES, Reply, Request, encode};
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::peer::{BUDGET, Peer};

fn file_with(text: &str) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

fn text_of(file: OwnedFd) -> String {
    let mut text = String::new();
    File::from(file).read_to_string(&mut text).unwrap();
    text
}

/// Sends bytes and with the first of them files.
fn send_with(stream: &UnixStream, bytes: &[u8], files: &[BorrowedFd<'_>]) {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut messages = SendAncillaryBuffer::new(&mut room);
    assert!(messages.push(SendAncillaryMessage::ScmRights(files)));
    let sent = sendmsg(
        stream,
        &[IoSlice::new(bytes)],
        &mut messages,
        SendFlags::empty(),
    );
    assert_eq!(sent.unwrap(), bytes.len());
}

/// A peer that reads the question and then acts.
fn answering(act: impl FnOnce(UnixStream) + Send + 'static) -> Peer {
    Peer::new(move |mut stream| {
        let question = encode(&Request::IdentityMap).unwrap();
        let mut read = vec![0; question.len()];
        stream.read_exact(&mut read).unwrap();
        assert_eq!(read, *question);
        act(stream);
    })
}

fn frame() -> Vec<u8> {
    encode(&Reply::IdentityMap).unwrap().to_vec()
}

#[test]
fn the_files_of_a_reply_are_handed_over_close_on_exec() {
    let peer = answering(|stream| {
        let [map, mark] = [file_with("the map"), file_with("the mark")];
        send_with(&stream, &frame(), &[map.as_fd(), mark.as_fd()]);
    });
    let mut client = peer.connect(BUDGET).unwrap();
    let (reply, files) = client.ask_for_files(&Request::IdentityMap).unwrap();
    assert_eq!(reply, Reply::IdentityMap);
    for (file, said) in files.into_iter().zip(["the map", "the mark"]) {
        let file = file.unwrap();
        assert!(fcntl_getfd(&file).unwrap().contains(FdFlags::CLOEXEC));
        assert_eq!(text_of(file), said);
    }
    peer.finish();
}

#[test]
fn of_many_files_two_are_kept_and_the_others_are_closed() {
    let peer = answering(|stream| {
        let files: Vec<File> = (0..5).map(|n| file_with(&format!("{n}"))).collect();
        let borrowed: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
        let frame = frame();
        let (header, body) = frame.split_at(HEADER_BYTES);
        send_with(&stream, header, &borrowed);
        send_with(&stream, body, &borrowed);
    });
    let mut client = peer.connect(BUDGET).unwrap();
    // Other tests open files meanwhile: what counts is what lies behind the numbers.
    let (_, files) = client.ask_for_files(&Request::IdentityMap).unwrap();
    drop(client);
    peer.finish();
    let behind = |number: i32| std::fs::read_link(format!("/proc/self/fd/{number}"));
    for (file, said) in files.into_iter().zip(["0", "1"]) {
        let kept = file.unwrap();
        let name = behind(kept.as_raw_fd()).unwrap();
        let same = |number: &i32| behind(*number).is_ok_and(|other| other == name);
        let held: Vec<i32> = (3..256).filter(same).collect();
        assert_eq!(held, [kept.as_raw_fd()]);
        assert_eq!(text_of(kept), said);
    }
}

#[test]
fn a_reply_without_a_file_has_none() {
    for reply in [Reply::IdentityMap, Reply::Unavailable(String::new())] {
        let bytes = encode(&reply).unwrap().to_vec();
        let peer = answering(move |mut stream| stream.write_all(&bytes).unwrap());
        let mut client = peer.connect(BUDGET).unwrap();
        let (said, files) = client.ask_for_files(&Request::IdentityMap).unwrap();
        assert!(said == reply && files.iter().all(Option::is_none));
        peer.finish();
    }
}

#[test]
fn a_file_with_half_a_reply_is_closed() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let peer = answering(move |stream| {
        send_with(&stream, &frame()[..HEADER_BYTES], &[writer.as_fd()]);
    });
    let mut client = peer.connect(BUDGET).unwrap();
    let answer = client.ask_for_files(&Request::IdentityMap);
    assert!(matches!(answer, Err(ClientError::HungUp)), "{answer:?}");
    peer.finish();
    // Ends only when nobody holds the other end any more.
    assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn a_file_nobody_asked_for_is_never_seen() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let peer = answering(move |stream| send_with(&stream, &frame(), &[writer.as_fd()]));
    let mut client = peer.connect(BUDGET).unwrap();
    let reply = client.ask(&Request::IdentityMap).unwrap();
    assert_eq!(reply, Reply::IdentityMap);
    peer.finish();
    assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), 0);
}
