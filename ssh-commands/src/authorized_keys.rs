//! `cloudid-authorized-keys`: the keys of a user, from the cacher to sshd.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use local_protocol::{Client, ClientError, Reply, Request, Trust};

use crate::offer::{BadOffer, Offer};

/// sshd waits for us, and the client for sshd.
const BUDGET: Duration = Duration::from_secs(2);
/// What sshd is given at most; more than fits into a reply of the cacher.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// Why there are no keys. sshd logs the status of a command that fails and accepts nothing it
/// printed, so every failure is closed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// sshd is to be configured otherwise, or somebody tries something.
    #[error(transparent)]
    Offer(#[from] BadOffer),
    /// The cacher does not answer.
    #[error("cloudid-cacher gave no answer: {0}")]
    Cacher(#[from] ClientError),
    /// The cacher answers, but not with keys.
    #[error("cloudid-cacher does not tell keys: {0}")]
    NoKeys(String),
    /// sshd does not take them.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// Writes the keys to `output`, one each line.
///
/// # Errors
/// The arguments are wrong or the cacher does not answer; then nothing was written.
pub fn authorized_keys(
    arguments: &[String],
    socket: &Path,
    trust: Trust,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let Offer::Key(question) = Offer::parse(arguments)? else {
        return Ok(());
    };
    let mut client = Client::connect_trusting(socket, BUDGET, trust)?;
    match client.ask(&Request::AuthorizedKeys(question))? {
        Reply::Keys(lines) => Ok(print(&lines, output)?),
        Reply::Unavailable(reason) => Err(Failure::NoKeys(reason.escape_debug().to_string())),
        Reply::Refused => Err(Failure::NoKeys("refused".to_owned())),
        Reply::Prompt(_)
        | Reply::Say(_)
        | Reply::Done(_)
        | Reply::SessionOpened(_)
        | Reply::Owner(_)
        | Reply::Status(_)
        | Reply::Explained(_)
        | Reply::IdentityMemory
        | Reply::IdentityMap => Err(Failure::NoKeys("another answer".to_owned())),
    }
}

/// sshd closes its end as soon as it has found the key: that is no failure, or the key would not
/// count.
fn print(lines: &[String], output: &mut impl Write) -> io::Result<()> {
    let text = text_of(lines);
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whole lines only: half a key could be another one, and a line within a line a further one.
fn text_of(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        let printable = line.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if printable && text.len() + line.len() < OUTPUT_BYTES_MAX {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}
