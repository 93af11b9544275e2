//! A frame: one version byte, the length of the body as four little-endian bytes, the body in
//! postcard. One message per frame; the length is checked before anything is allocated.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// First byte of every frame.
pub const PROTOCOL_VERSION: u8 = 1;
/// Longest body.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
pub(crate) const HEADER_BYTES: usize = 5;

/// Why a frame was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another protocol, or another generation of this one.
    #[error("frame of protocol version {0}, this side speaks {PROTOCOL_VERSION}")]
    Version(u8),
    /// Longer than allowed.
    #[error("frame of {0} bytes, at most {FRAME_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Not a message, or more than one.
    #[error("frame does not hold exactly one message")]
    Malformed,
}

/// Packs a message into one frame.
///
/// # Errors
/// The message is longer than a frame may be.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let body = postcard::to_allocvec(message).map_err(|_| FrameError::Malformed)?;
    let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLong(body.len()))?;
    if body.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(body.len()));
    }
    let mut frame = Vec::with_capacity(HEADER_BYTES + body.len());
    frame.push(PROTOCOL_VERSION);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// The length of the body that follows a header.
///
/// # Errors
/// Another version, or longer than allowed.
pub fn body_length(header: [u8; HEADER_BYTES]) -> Result<usize, FrameError> {
    let [version, length @ ..] = header;
    if version != PROTOCOL_VERSION {
        return Err(FrameError::Version(version));
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        Err(FrameError::TooLong(length))
    } else {
        Ok(length)
    }
}

/// Reads the one message of a body; anything left over is an error.
///
/// # Errors
/// The body is not exactly one message.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        Ok(_) | Err(_) => Err(FrameError::Malformed),
    }
}
