//! A frame: one version byte, the length of the body as four little-endian bytes, the body in
//! postcard. One message per frame; the length is checked before anything is allocated.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// First byte of every frame.
pub const PROTOCOL_VERSION: u8 = 1;
/// Longest body.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// The version byte and the length of the body.
pub const HEADER_BYTES: usize = 5;

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

/// Packs a message into one frame. It may hold a secret, so it is written once, into memory of
/// the right size, and wiped when dropped.
///
/// # Errors
/// The message is longer than a frame may be.
pub fn encode<T: Serialize>(message: &T) -> Result<Zeroizing<Vec<u8>>, FrameError> {
    let size =
        postcard::experimental::serialized_size(message).map_err(|_| FrameError::Malformed)?;
    if size > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong(size));
    }
    let length = u32::try_from(size).map_err(|_| FrameError::TooLong(size))?;
    let mut frame = Zeroizing::new(vec![0; HEADER_BYTES + size]);
    let (header, body) = frame.split_at_mut(HEADER_BYTES);
    let (version, length_field) = header.split_at_mut(1);
    version.fill(PROTOCOL_VERSION);
    length_field.copy_from_slice(&length.to_le_bytes());
    postcard::to_slice(message, body).map_err(|_| FrameError::Malformed)?;
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
