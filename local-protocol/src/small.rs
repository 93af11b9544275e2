//! The questions of `libnss_cloudid.so.2` in buffers of fixed size. They are the messages of
//! `message.rs`, byte for byte; but a name lookup may run where there is no memory left, and must
//! then fail, not end its process.

use std::os::fd::OwnedFd;

use crate::client::{Client, ClientError, Files, receive_with_files};
use crate::frame::{FrameError, HEADER_BYTES, PROTOCOL_VERSION, body_length};

/// Room for the longest of these messages: two numbers of at most five bytes and a name.
const BODY_BYTES_MAX: usize = 96;

const OWNER_OF_ID: u8 = 6;
const IDENTITY_MAP: u8 = 13;
const OWNER_OF_NAME: u8 = 11;
const OWNER: u8 = 5;
const IDENTITY_MAP_COMES: u8 = 11;

/// Who or what is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought<'a> {
    /// A user by id.
    UserOfId(u32),
    /// A group by id.
    GroupOfId(u32),
    /// A user by name.
    UserOfName(&'a str),
    /// A group by name.
    GroupOfName(&'a str),
}

/// Who it is: [`crate::Owner`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'a> {
    /// A user without rights here.
    User {
        /// Login name.
        name: &'a str,
        /// User id.
        uid: u32,
        /// Primary group.
        gid: u32,
    },
    /// A group that does not appear here.
    Group {
        /// Group name.
        name: &'a str,
        /// Group id.
        gid: u32,
    },
    /// Known to belong to nobody.
    Nobody,
}

/// A frame of its own.
#[derive(Debug)]
pub struct SmallFrame {
    bytes: [u8; HEADER_BYTES + BODY_BYTES_MAX],
    used: usize,
}

impl Client {
    /// Asks for the identity map as a sealed memory file, and for the file that marks which map is in
    /// force; `None` when there is none.
    ///
    /// # Errors
    /// No reply in time, or none that can be understood.
    pub fn ask_for_identity_map(&mut self) -> Result<Option<[OwnedFd; 2]>, ClientError> {
        self.send_bytes(SmallFrame::of(&[IDENTITY_MAP])?.sent())?;
        let mut files = Files::default();
        let mut room = SmallFrame::new();
        let body = self.fill_small(&mut room, |socket, buffer| {
            receive_with_files(socket, buffer, &mut files)
        })?;
        match (files, body) {
            ([Some(map), Some(mark)], [IDENTITY_MAP_COMES]) => Ok(Some([map, mark])),
            _ => Ok(None),
        }
    }

    /// Asks who has an id or a name; `None` when the cacher cannot tell.
    ///
    /// # Errors
    /// No reply in time, or none that can be understood.
    pub fn ask_owner<'a>(
        &mut self,
        sought: Sought<'_>,
        room: &'a mut SmallFrame,
    ) -> Result<Option<Known<'a>>, ClientError> {
        self.send_bytes(SmallFrame::asking(sought)?.sent())?;
        let body = self.fill_small(room, Self::receive_some)?;
        Ok(owner(body))
    }

    /// Reads a reply; one that is longer than any that is hoped for holds nothing of use.
    fn fill_small<'a>(
        &self,
        room: &'a mut SmallFrame,
        mut some: impl crate::client::ReceiveSome,
    ) -> Result<&'a [u8], ClientError> {
        let mut header = [0; HEADER_BYTES];
        self.fill(&mut header, &mut some)?;
        let length = body_length(header)?;
        let Some(body) = room.bytes.get_mut(..length) else {
            return Ok(&[]);
        };
        self.fill(body, &mut some)?;
        Ok(body)
    }
}

impl SmallFrame {
    /// An empty one, as room for a reply.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: [0; HEADER_BYTES + BODY_BYTES_MAX],
            used: 0,
        }
    }

    /// A question as it is sent.
    ///
    /// # Errors
    /// The name is longer than any name.
    pub fn asking(sought: Sought<'_>) -> Result<Self, FrameError> {
        match sought {
            Sought::UserOfId(id) => Self::of(&[OWNER_OF_ID, 0]).and_then(|frame| frame.number(id)),
            Sought::GroupOfId(id) => Self::of(&[OWNER_OF_ID, 1]).and_then(|frame| frame.number(id)),
            Sought::UserOfName(name) => Self::of(&[OWNER_OF_NAME, 0])?.text(name),
            Sought::GroupOfName(name) => Self::of(&[OWNER_OF_NAME, 1])?.text(name),
        }
    }

    /// Header and body.
    #[must_use]
    pub fn sent(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }

    fn of(body: &[u8]) -> Result<Self, FrameError> {
        let mut frame = Self::new();
        if let Some(version) = frame.bytes.first_mut() {
            *version = PROTOCOL_VERSION;
        }
        frame.used = HEADER_BYTES;
        frame.and(body)
    }

    fn text(self, text: &str) -> Result<Self, FrameError> {
        let length = u32::try_from(text.len()).map_err(|_| FrameError::Malformed)?;
        self.number(length)?.and(text.as_bytes())
    }

    /// A number as postcard writes it: seven bits at a time, the low ones first.
    fn number(mut self, mut number: u32) -> Result<Self, FrameError> {
        loop {
            let [low, ..] = number.to_le_bytes();
            number >>= 7;
            if number == 0 {
                return self.and(&[low & 0x7f]);
            }
            self = self.and(&[low | 0x80])?;
        }
    }

    /// Adds to the body, whose length stands in the header's second byte.
    fn and(mut self, bytes: &[u8]) -> Result<Self, FrameError> {
        let end = self.used + bytes.len();
        let place = self.bytes.get_mut(self.used..end);
        place
            .ok_or(FrameError::TooLong(end))?
            .copy_from_slice(bytes);
        self.used = end;
        let length = u8::try_from(end - HEADER_BYTES).map_err(|_| FrameError::TooLong(end))?;
        if let Some(place) = self.bytes.get_mut(1) {
            *place = length;
        }
        Ok(self)
    }
}

impl Default for SmallFrame {
    fn default() -> Self {
        Self::new()
    }
}

/// The owner that a reply names, if it is such a reply and nothing more.
#[must_use]
pub fn owner(body: &[u8]) -> Option<Known<'_>> {
    let (owner, rest) = match body {
        [OWNER, 0, rest @ ..] => {
            let (name, rest) = text(rest)?;
            let (uid, rest) = number(rest)?;
            let (gid, rest) = number(rest)?;
            (Known::User { name, uid, gid }, rest)
        }
        [OWNER, 1, rest @ ..] => {
            let (name, rest) = text(rest)?;
            let (gid, rest) = number(rest)?;
            (Known::Group { name, gid }, rest)
        }
        [OWNER, 2, rest @ ..] => (Known::Nobody, rest),
        _ => return None,
    };
    rest.is_empty().then_some(owner)
}

fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = number(bytes)?;
    let (text, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((str::from_utf8(text).ok()?, rest))
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let rest = bytes.get(index + 1..)?;
            return Some((u32::try_from(number).ok()?, rest));
        }
    }
    None
}
