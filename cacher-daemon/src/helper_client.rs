//! Asks `cloudid-helper` for the few things that need root. The helper checks each again.

use std::path::PathBuf;
use std::time::Duration;

use local_protocol::{Verb, VerbResult, body_length, decode, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Longest time for a home or a word to nscd.
const QUICK: Duration = Duration::from_secs(2);
/// Longest time to end every process of somebody: those that ignore a polite signal included.
const THOROUGH: Duration = Duration::from_secs(20);

/// Why the helper did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelperError {
    /// It is not there.
    #[error("the helper cannot be reached: {0}")]
    Away(#[from] std::io::Error),
    /// It took too long.
    #[error("the helper took too long")]
    TooSlow,
    /// It said something else than an answer.
    #[error("the helper's answer cannot be read: {0}")]
    Nonsense(#[from] local_protocol::FrameError),
    /// It refused or failed.
    #[error("{0}")]
    Failed(String),
}

/// The way to the helper.
#[derive(Debug, Clone)]
pub(crate) struct Helper {
    socket: PathBuf,
}

impl Helper {
    /// The helper behind a socket.
    #[must_use]
    pub(crate) fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Asks for one verb.
    ///
    /// # Errors
    /// It was not done.
    pub(crate) async fn ask(&self, verb: &Verb) -> Result<u32, HelperError> {
        let patience = match verb {
            Verb::MakeHome(_) | Verb::ForgetNameCache => QUICK,
            Verb::EndSessions { .. } => THOROUGH,
        };
        match timeout(patience, self.exchange(verb)).await {
            Ok(Ok(VerbResult::Done(count))) => Ok(count),
            Ok(Ok(VerbResult::Failed(why))) => Err(HelperError::Failed(why)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(HelperError::TooSlow),
        }
    }

    async fn exchange(&self, verb: &Verb) -> Result<VerbResult, HelperError> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        stream.write_all(&encode(verb)?).await?;
        let mut header = [0; local_protocol::HEADER_BYTES];
        stream.read_exact(&mut header).await?;
        let mut body = vec![0; body_length(header)?];
        stream.read_exact(&mut body).await?;
        Ok(decode(&body)?)
    }
}
