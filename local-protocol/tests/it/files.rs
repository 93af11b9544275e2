//! A file that comes with a reply.

use std::fs::File;
use std::io::{IoSlice, Read, Seek, SeekFrom, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
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
        let question = encode(&Request::IdentityMemory).unwrap();
        let mut read = vec![0; question.len()];
        stream.read_exact(&mut read).unwrap();
        assert_eq!(read, *question);
        act(stream);
    })
}

fn frame() -> Vec<u8> {
    encode(&Reply::IdentityMemory).unwrap().to_vec()
}

#[test]
fn the_file_of_a_reply_is_handed_over_close_on_exec() {
    let peer = answering(|stream| {
        send_with(&stream, &frame(), &[file_with("the map").as_fd()]);
    });
    let mut client = peer.connect(BUDGET).unwrap();
    let (reply, file) = client.ask_for_file(&Request::IdentityMemory).unwrap();
    assert_eq!(reply, Reply::IdentityMemory);
    let file = file.unwrap();
    assert!(fcntl_getfd(&file).unwrap().contains(FdFlags::CLOEXEC));
    let mut text = String::new();
    File::from(file).read_to_string(&mut text).unwrap();
    assert_eq!(text, "the map");
    peer.finish();
}

#[test]
fn of_many_files_one_is_kept_and_the_others_are_closed() {
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
    let (_, file) = client.ask_for_file(&Request::IdentityMemory).unwrap();
    let kept = file.unwrap();
    drop(client);
    peer.finish();
    let same = |number: i32| {
        let (one, other) = (
            std::fs::read_link(format!("/proc/self/fd/{number}")),
            std::fs::read_link(format!("/proc/self/fd/{}", kept.as_raw_fd())),
        );
        one.is_ok_and(|one| Some(one) == other.ok())
    };
    let held: Vec<i32> = (3..256).filter(|number| same(*number)).collect();
    assert_eq!(held, [kept.as_raw_fd()]);
    let mut text = String::new();
    File::from(kept).read_to_string(&mut text).unwrap();
    assert_eq!(text, "0");
}

#[test]
fn a_reply_without_a_file_has_none() {
    for reply in [Reply::IdentityMemory, Reply::Unavailable(String::new())] {
        let bytes = encode(&reply).unwrap().to_vec();
        let peer = answering(move |mut stream| stream.write_all(&bytes).unwrap());
        let mut client = peer.connect(BUDGET).unwrap();
        let (said, file) = client.ask_for_file(&Request::IdentityMemory).unwrap();
        assert!(said == reply && file.is_none());
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
    let answer = client.ask_for_file(&Request::IdentityMemory);
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
    let reply = client.ask(&Request::IdentityMemory).unwrap();
    assert_eq!(reply, Reply::IdentityMemory);
    peer.finish();
    assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), 0);
}
