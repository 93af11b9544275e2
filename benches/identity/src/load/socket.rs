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

/// What the question about an owner and the cacher's usual answer take.
const QUESTION_BYTES: usize = 10;
const ANSWER_BYTES: usize = 33;
const ECHO: &str = "/tmp/echo.sock";
/// Far beyond the 50 ms of the name service module, so that a busy machine shows in the figure.
const DEADLINE: Duration = Duration::from_secs(1);

/// Listens, and answers as long as this process lives: a thread that accepts, reads and writes, and
/// looks at nothing.
pub(crate) fn serve_echo() -> Result<(), Failure> {
    let _ = std::fs::remove_file(ECHO);
    let listener = UnixListener::bind(ECHO)?;
    thread::spawn(move || {
        for peer in listener.incoming().flatten() {
            // Whoever leaves early is not missed.
            let _ = answer(peer);
        }
    });
    Ok(())
}

fn answer(mut peer: UnixStream) -> std::io::Result<()> {
    peer.read_exact(&mut [0; QUESTION_BYTES])?;
    peer.write_all(&[2; ANSWER_BYTES])
}

/// Asks the peer that only answers.
pub(crate) fn echo(time: Duration) -> Result<Outcome, Failure> {
    timed(time, || {
        let mut peer = UnixStream::connect(ECHO)?;
        peer.write_all(&[1; QUESTION_BYTES])?;
        peer.read_exact(&mut [0; ANSWER_BYTES])?;
        Ok(true)
    })
}

/// The question the module asks for an id of the directory that the map lacks.
pub(crate) fn owner(id: u32, time: Duration) -> Result<Outcome, Failure> {
    timed(time, || {
        let mut cacher = Client::connect(Path::new(NSS_SOCKET), DEADLINE)?;
        let reply = cacher.ask(&Request::OwnerOfId(IdQuestion::User(id)))?;
        Ok(matches!(reply, Reply::Owner(_) | Reply::Unavailable(_)))
    })
}

/// The median of what fits into a time; the first quarter does not count, as others have just had
/// their turn.
fn timed(
    time: Duration,
    mut exchange: impl FnMut() -> Result<bool, Failure>,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let mut samples = Vec::new();
    let (counts_from, until) = (now() + time / 4, now() + time);
    while now() < until || samples.is_empty() {
        let begun = now();
        let right = exchange()?;
        outcome.count(right);
        if begun >= counts_from {
            samples.push(begun.elapsed().as_secs_f64() * 1e9);
        }
    }
    outcome.nanoseconds = median(&mut samples);
    Ok(outcome)
}
