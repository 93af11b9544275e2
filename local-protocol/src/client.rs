//! A blocking client with one deadline for the whole exchange.

use crate::frame::FrameError;

/// A connection to one of the cacher's sockets.
#[derive(Debug)]
pub struct Client;

/// Why an exchange with the cacher came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The other side speaks another language.
    #[error(transparent)]
    Frame(#[from] FrameError),
}
