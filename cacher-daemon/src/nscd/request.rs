//! A request: three numbers in the byte order of the host, then a key with a NUL behind it.

/// The only version of the protocol.
pub const VERSION: i32 = 2;
/// Version, kind of request, length of the key.
pub const HEADER_BYTES: usize = 12;
/// Longest key, the NUL behind it included.
pub const KEY_BYTES_MAX: usize = 1024;

/// Numbers of the requests, as every nscd has them.
mod kind {
    pub(super) const USER_BY_NAME: i32 = 0;
    pub(super) const USER_BY_ID: i32 = 1;
    pub(super) const GROUP_BY_NAME: i32 = 2;
    pub(super) const GROUP_BY_ID: i32 = 3;
    pub(super) const HOSTS: std::ops::RangeInclusive<i32> = 4..=7;
    pub(super) const ADDRESSES: i32 = 14;
    pub(super) const GROUPS_OF_USER: i32 = 15;
    pub(super) const SERVICES: std::ops::RangeInclusive<i32> = 16..=17;
    pub(super) const NETGROUP: i32 = 19;
    pub(super) const IN_NETGROUP: i32 = 20;
}

/// What a client wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A user by name.
    UserByName(Vec<u8>),
    /// A user by id.
    UserById(u32),
    /// A group by name.
    GroupByName(Vec<u8>),
    /// A group by id.
    GroupById(u32),
    /// The further groups of a user.
    GroupsOf(Vec<u8>),
    /// Something that is not served here.
    Unserved(Unserved),
}

/// What an nscd may be told not to serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unserved {
    /// Hosts.
    Hosts,
    /// Hosts, as `getaddrinfo` asks.
    Addresses,
    /// Services.
    Services,
    /// A netgroup.
    Netgroup,
    /// Membership in a netgroup.
    InNetgroup,
}

/// Not a request that gets an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another version, or another byte order: an nscd hangs up, and clients know what it means.
    #[error("protocol version {0}")]
    Version(i32),
    /// Commands to the daemon, a wish for its memory, or something new: an nscd without shared
    /// memory hangs up.
    #[error("request {0} is not served")]
    Kind(i32),
    /// No key, a longer one than allowed, or one that is no text or number.
    #[error("not a key")]
    Key,
}

/// The numbers in front of a request, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    kind: i32,
    key_bytes: usize,
}

impl Header {
    /// Checks the numbers, before anything is allocated for the key.
    ///
    /// # Errors
    /// Another version, or a key of a length that is not allowed.
    pub fn read(bytes: [u8; HEADER_BYTES]) -> Result<Self, Refused> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        let version = i32::from_ne_bytes([a, b, c, d]);
        if version != VERSION {
            return Err(Refused::Version(version));
        }
        let key_bytes = i32::from_ne_bytes([i, j, k, l]);
        let key_bytes = usize::try_from(key_bytes).map_err(|_| Refused::Key)?;
        if !(1..=KEY_BYTES_MAX).contains(&key_bytes) {
            return Err(Refused::Key);
        }
        Ok(Self {
            kind: i32::from_ne_bytes([e, f, g, h]),
            key_bytes,
        })
    }

    /// Bytes of the key that follow.
    #[must_use]
    pub fn key_bytes(&self) -> usize {
        self.key_bytes
    }

    /// The question, with its key.
    ///
    /// # Errors
    /// Not served, or the key is none.
    pub fn question(&self, key: &[u8]) -> Result<Question, Refused> {
        let unserved = match self.kind {
            kind::USER_BY_NAME => return text(key).map(Question::UserByName),
            kind::USER_BY_ID => return number(key).map(Question::UserById),
            kind::GROUP_BY_NAME => return text(key).map(Question::GroupByName),
            kind::GROUP_BY_ID => return number(key).map(Question::GroupById),
            kind::GROUPS_OF_USER => return text(key).map(Question::GroupsOf),
            hosts if kind::HOSTS.contains(&hosts) => Unserved::Hosts,
            kind::ADDRESSES => Unserved::Addresses,
            services if kind::SERVICES.contains(&services) => Unserved::Services,
            kind::NETGROUP => Unserved::Netgroup,
            kind::IN_NETGROUP => Unserved::InNetgroup,
            other => return Err(Refused::Kind(other)),
        };
        Ok(Question::Unserved(unserved))
    }
}

/// A text with one NUL, at its end.
fn text(key: &[u8]) -> Result<Vec<u8>, Refused> {
    match key.split_last() {
        Some((0, text)) if !text.is_empty() && !text.contains(&0) => Ok(text.to_vec()),
        _ => Err(Refused::Key),
    }
}

/// Decimal digits and nothing else.
fn number(key: &[u8]) -> Result<u32, Refused> {
    let digits = text(key)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Refused::Key);
    }
    let digits = std::str::from_utf8(&digits).map_err(|_| Refused::Key)?;
    digits.parse().map_err(|_| Refused::Key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: i32, kind: i32, key_bytes: i32) -> Result<Header, Refused> {
        let mut bytes = [0; HEADER_BYTES];
        for (place, number) in bytes
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .zip([version, kind, key_bytes])
        {
            *place = number.to_ne_bytes();
        }
        Header::read(bytes)
    }

    fn question(kind: i32, key: &[u8]) -> Result<Question, Refused> {
        header(VERSION, kind, i32::try_from(key.len()).unwrap())?.question(key)
    }

    #[test]
    fn requests_are_told_apart_by_their_numbers() {
        assert_eq!(
            question(0, b"bob\0"),
            Ok(Question::UserByName(b"bob".to_vec()))
        );
        assert_eq!(
            question(1, b"4294967295\0"),
            Ok(Question::UserById(u32::MAX))
        );
        assert_eq!(
            question(2, b"w\0"),
            Ok(Question::GroupByName(b"w".to_vec()))
        );
        assert_eq!(question(3, b"0\0"), Ok(Question::GroupById(0)));
        assert_eq!(
            question(15, b"bob\0"),
            Ok(Question::GroupsOf(b"bob".to_vec()))
        );
        // A host by its address has a binary key.
        assert_eq!(
            question(6, &[127, 0, 0, 1]),
            Ok(Question::Unserved(Unserved::Hosts))
        );
        assert_eq!(
            question(14, b"h\0"),
            Ok(Question::Unserved(Unserved::Addresses))
        );
        for kind in [8, 9, 10, 11, 12, 13, 18, 21, 22, -1, i32::MAX] {
            assert_eq!(question(kind, b"passwd\0"), Err(Refused::Kind(kind)));
        }
    }

    #[test]
    fn other_versions_and_keys_without_measure_are_refused() {
        for version in [0, 1, 3, VERSION.swap_bytes()] {
            assert_eq!(header(version, 0, 4), Err(Refused::Version(version)));
        }
        for key_bytes in [0, -1, i32::MIN, i32::MAX, 1025] {
            assert_eq!(
                header(VERSION, 0, key_bytes),
                Err(Refused::Key),
                "{key_bytes}"
            );
        }
        assert!(header(VERSION, 0, 1024).is_ok());
        for key in [b"bob".as_slice(), b"\0", b"b\0b\0", b"bob\0\0"] {
            assert_eq!(question(0, key), Err(Refused::Key));
        }
        for key in [
            b"-1\0".as_slice(),
            b"+1\0",
            b" 1\0",
            b"0x1\0",
            b"4294967296\0",
            b"bob\0",
        ] {
            assert_eq!(question(1, key), Err(Refused::Key));
        }
    }
}
