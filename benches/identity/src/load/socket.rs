//! Times one exchange over a Unix socket, a connection for each as the modules make it: with the
//! cacher, and with a peer that does nothing but answer.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use identity_bench::{Outcome, median};
use local_protocol::{Client, IdQuestion, NSS_SOCKET, Reply, Request};

use crate::Failure;
use crate::clock::now;

/// About what the question and the answer about an owner take.
const QUESTION_BYTES: usize = 16;
const ANSWER_BYTES: usize = 64;
const ECHO: &str = "/tmp/echo.sock";
/// Far beyond the 50 ms of the name service module, so that a busy machine shows in the figure.
const DEADLINE: Duration = Duration::from_secs(1);

/// A thread for each connection, nothing looked at.
pub(crate) fn echo(time: Duration) -> Result<Outcome, Failure> {
    let _ = std::fs::remove_file(ECHO);
    let listener = UnixListener::bind(ECHO)?;
    let server = thread::spawn(move || serve(&listener));
    let outcome = timed(time, || {
        let mut peer = UnixStream::connect(ECHO)?;
        peer.write_all(&[1; QUESTION_BYTES])?;
        let mut answer = [0; ANSWER_BYTES];
        peer.read_exact(&mut answer)?;
        Ok(true)
    });
    // A connection without a question ends the server.
    drop(UnixStream::connect(ECHO)?);
    server.join().map_err(|_| "the echoing thread failed")??;
    outcome
}

fn serve(listener: &UnixListener) -> std::io::Result<()> {
    for peer in listener.incoming() {
        let mut peer = peer?;
        let mut question = [0; QUESTION_BYTES];
        if peer.read_exact(&mut question).is_err() {
            break;
        }
        peer.write_all(&[2; ANSWER_BYTES])?;
    }
    Ok(())
}

/// The question the module asks for an id of the directory that the map lacks.
pub(crate) fn owner(id: u32, time: Duration) -> Result<Outcome, Failure> {
    timed(time, || {
        let mut cacher = Client::connect(Path::new(NSS_SOCKET), DEADLINE)?;
        let reply = cacher.ask(&Request::OwnerOfId(IdQuestion::User(id)))?;
        Ok(matches!(reply, Reply::Owner(_) | Reply::Unavailable(_)))
    })
}

fn timed(
    time: Duration,
    mut exchange: impl FnMut() -> Result<bool, Failure>,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let mut samples = Vec::new();
    let until = now() + time;
    while now() < until || samples.is_empty() {
        let begun = now();
        let right = exchange()?;
        samples.push(begun.elapsed().as_secs_f64() * 1e9);
        outcome.count(right);
    }
    outcome.nanoseconds = median(&mut samples);
    Ok(outcome)
}
