//! From the cacher to sshd, in one round trip.

use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use local_protocol::{
    ClientError, HEADER_BYTES, KeyQuestion, Outcome, Reply, Request, Trust, body_length, decode,
    encode,
};
use ssh_commands::{Failure, authorized_keys};

const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGZ5bHZzZ2hqa2xwb2l1eXRyZXdxYXNkZmdoamts";

fn arguments() -> Vec<String> {
    ["alice", "ssh-ed25519", KEY].map(str::to_owned).to_vec()
}

fn myself() -> Trust {
    Trust::AlsoUser(rustix::process::geteuid().as_raw())
}

fn read_request(stream: &mut UnixStream) -> Request {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).unwrap();
    let mut body = vec![0; body_length(header).unwrap()];
    stream.read_exact(&mut body).unwrap();
    decode(&body).unwrap()
}

/// Asks a cacher that gives this reply to the one question it expects.
fn ask(reply: &Reply, output: &mut impl Write) -> Result<(), Failure> {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("keys.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::scope(|scope| {
        let cacher = scope.spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let question = read_request(&mut stream);
            stream.write_all(&encode(reply).unwrap()).unwrap();
            let mut more = Vec::new();
            stream.read_to_end(&mut more).unwrap();
            assert!(more.is_empty(), "more than one round trip");
            question
        });
        let result = authorized_keys(&arguments(), &socket, myself(), output);
        let question = KeyQuestion {
            user: "alice".to_owned(),
            key_type: "ssh-ed25519".to_owned(),
            key: KEY.to_owned(),
        };
        assert_eq!(cacher.join().unwrap(), Request::AuthorizedKeys(question));
        result
    })
}

fn printed(lines: &[&str]) -> String {
    let lines = lines.iter().map(|&line| line.to_owned()).collect();
    let mut output = Vec::new();
    ask(&Reply::Keys(lines), &mut output).unwrap();
    String::from_utf8(output).unwrap()
}

#[test]
fn the_keys_are_printed_one_each_line() {
    let one = format!("ssh-ed25519 {KEY}");
    let two = format!("verify-required {one}");
    assert_eq!(printed(&[&one, &two]), format!("{one}\n{two}\n"));
    assert_eq!(printed(&[]), "");
}

#[test]
fn ssh_11_a_line_within_a_line_is_not_printed() {
    let hidden = format!("ssh-ed25519 AAAA\nssh-ed25519 {KEY}");
    assert_eq!(printed(&[&hidden, "ssh-rsa BBBB"]), "ssh-rsa BBBB\n");
    assert_eq!(printed(&["ssh-rsa \u{1b}[2J"]), "");
}

#[test]
fn ssh_10_without_a_cacher_there_is_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("keys.sock");
    let mut output = Vec::new();
    let answer = authorized_keys(&arguments(), &socket, myself(), &mut output);
    assert!(matches!(
        answer,
        Err(Failure::Cacher(ClientError::Unreachable(_)))
    ));
    assert!(output.is_empty());
}

#[test]
fn ssh_10_an_answer_without_keys_is_no_key() {
    for reply in [
        Reply::Refused,
        Reply::Unavailable("no bundle yet".to_owned()),
        Reply::Done(Outcome::Allowed),
        Reply::Say(format!("ssh-ed25519 {KEY}")),
    ] {
        let mut output = Vec::new();
        let answer = ask(&reply, &mut output);
        assert!(matches!(answer, Err(Failure::NoKeys(_))), "{reply:?}");
        assert!(output.is_empty());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the claim is about time")]
fn ssh_11_a_hung_cacher_is_given_up_after_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("keys.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let begin = Instant::now();
    let mut output = Vec::new();
    let answer = authorized_keys(&arguments(), &socket, myself(), &mut output);
    assert!(matches!(answer, Err(Failure::Cacher(ClientError::TooLate))));
    assert!(begin.elapsed() < Duration::from_millis(2500));
    assert!(output.is_empty());
}

#[test]
fn ssh_11_a_type_that_nobody_has_costs_no_round_trip() {
    let arguments = ["alice", "ssh-dss", KEY].map(str::to_owned);
    let mut output = Vec::new();
    let nowhere = Path::new("/nonexistent/keys.sock");
    authorized_keys(&arguments, nowhere, myself(), &mut output).unwrap();
    assert!(output.is_empty());
}

/// sshd, which has found the key and closes the pipe; or a disk that is full.
struct Closed(ErrorKind);

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> Result<usize, Error> {
        Err(self.0.into())
    }
    fn flush(&mut self) -> Result<(), Error> {
        Err(self.0.into())
    }
}

#[test]
fn ssh_11_a_pipe_that_sshd_closes_early_is_no_failure() {
    let keys = Reply::Keys(vec![format!("ssh-ed25519 {KEY}")]);
    ask(&keys, &mut Closed(ErrorKind::BrokenPipe)).unwrap();
    let full = ask(&keys, &mut Closed(ErrorKind::StorageFull));
    assert!(matches!(full, Err(Failure::Output(_))));
}
