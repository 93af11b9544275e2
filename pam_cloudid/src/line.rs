//! The line to the cacher: a budget for each reply, and a word in the log when there is none.

use std::path::Path;
use std::time::Duration;

use local_protocol::{Client, ClientError, PAM_SOCKET, Reply, Request};

use crate::dialogue::Cacher;
use crate::log::Log;
use crate::options::Options;

/// How much longer a reply to what was typed may take. A password is compared after those of
/// others, or changed in the directory, and the cacher has just shown that it is there.
const PATIENCE_AFTER_TYPING: u32 = 4;

/// An open line.
pub(crate) struct Line<'a, L> {
    client: Client,
    budget: Duration,
    log: &'a L,
}

impl<'a, L: Log> Line<'a, L> {
    /// Connects; `None`, and a word in the log, when nobody to be trusted is there.
    pub(crate) fn open(options: &Options, log: &'a L) -> Option<Self> {
        let budget = options.budget;
        match connect(options, budget) {
            Ok(client) => Some(Self {
                client,
                budget,
                log,
            }),
            Err(error) => {
                log.warning(&error.to_string());
                None
            }
        }
    }

    fn heard<T>(&self, result: Result<T, ClientError>) -> Option<T> {
        result
            .map_err(|error| self.log.warning(&error.to_string()))
            .ok()
    }
}

impl<L: Log> Cacher for Line<'_, L> {
    fn send(&mut self, request: &Request) -> Option<()> {
        let typed = matches!(request, Request::Answer(_));
        self.client.renew(if typed {
            self.budget.saturating_mul(PATIENCE_AFTER_TYPING)
        } else {
            self.budget
        });
        let sent = self.client.send(request);
        self.heard(sent)
    }

    fn receive(&mut self) -> Option<Reply> {
        let received = self.client.receive();
        self.heard(received)
    }
}

#[cfg(not(feature = "test-socket-path"))]
fn connect(_: &Options, budget: Duration) -> Result<Client, ClientError> {
    Client::connect(Path::new(PAM_SOCKET), budget)
}

#[cfg(feature = "test-socket-path")]
fn connect(options: &Options, budget: Duration) -> Result<Client, ClientError> {
    use local_protocol::Trust;
    use std::os::unix::fs::MetadataExt;

    let path = options.socket.as_deref();
    let trust = std::fs::metadata("/proc/self")
        .map_or(Trust::System, |myself| Trust::AlsoUser(myself.uid()));
    Client::connect_trusting(path.unwrap_or(Path::new(PAM_SOCKET)), budget, trust)
}
