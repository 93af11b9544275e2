//! The place where a page ends: order, key and id of its last object, in one opaque word.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::http::Refused;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    pub(super) sort: String,
    pub(super) key: Key,
    pub(super) id: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Key {
    Number(i64),
    Text(String),
}

impl Cursor {
    /// A cursor belongs to the order that it was made in: in another it would skip and repeat.
    pub(super) fn read(text: &str, sort: &str) -> Result<Self, Refused> {
        URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok())
            .filter(|cursor| cursor.sort == sort)
            .ok_or_else(|| {
                Refused::malformed("The cursor is not one of this list in this order.")
                    .field("cursor", "malformed")
                    .hint("Begin again without a cursor.")
            })
    }

    pub(super) fn written(&self) -> Result<String, Refused> {
        Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(self)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_only_in_its_order() {
        let cursor = Cursor {
            sort: "-uid".to_owned(),
            key: Key::Number(70_001),
            id: "usr_1".to_owned(),
        };
        let text = cursor.written().unwrap();
        assert_eq!(Cursor::read(&text, "-uid").unwrap(), cursor);
        assert!(Cursor::read(&text, "uid").is_err());
        for other in ["", "usr_1", "e30", "%", "A"] {
            assert!(Cursor::read(other, "").is_err(), "{other}");
        }
    }
}
