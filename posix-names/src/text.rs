//! Text of people, made safe to print and to store in colon-separated records.

use serde::{Deserialize, Serialize};

const GECOS_BYTES_MAX: usize = 256;

/// The comment field of a passwd record: one line, no colon, at most 256 bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Gecos(String);

impl Gecos {
    /// Takes any text and keeps what a passwd record can hold.
    #[must_use]
    pub fn cleaned(text: &str) -> Self {
        Self(clean_line(&text.replace([':', ','], " "), GECOS_BYTES_MAX))
    }

    /// The field as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Gecos {
    fn from(text: String) -> Self {
        Self::cleaned(&text)
    }
}

impl From<Gecos> for String {
    fn from(gecos: Gecos) -> Self {
        gecos.0
    }
}

/// One printable line: control characters and direction marks become spaces, the rest is cut at a
/// character boundary so that at most `bytes_max` bytes remain.
#[must_use]
pub fn clean_line(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    for character in text.chars() {
        let kept = if is_unprintable(character) {
            ' '
        } else {
            character
        };
        if line.len() + kept.len_utf8() > bytes_max {
            break;
        }
        line.push(kept);
    }
    line.trim().to_owned()
}

fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_10_text_becomes_one_harmless_line() {
        let gecos = Gecos::cleaned("Alice:0:0\n\u{1b}[31mroot\u{202e}x\0");
        assert_eq!(gecos.as_str(), "Alice 0 0  [31mroot x");
        assert!(Gecos::cleaned(&"é".repeat(10_000)).as_str().len() <= GECOS_BYTES_MAX);
    }
}
