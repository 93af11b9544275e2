//! One call as it came over the wire: bounded in length and in nesting before it is parsed.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest call, without the NUL behind it.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Objects and lists within each other.
pub const NESTING_MAX: usize = 16;

/// A method call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Call {
    /// Interface and name of the method, a dot between them.
    pub method: String,
    /// Arguments by name.
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
    /// More than one reply is welcome.
    #[serde(default)]
    pub more: bool,
    /// No reply is wanted.
    #[serde(default)]
    pub oneway: bool,
    /// Another protocol is wanted afterwards.
    #[serde(default)]
    pub upgrade: bool,
}

/// Not a call: whoever sent it does not speak varlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a call of bounded size")]
pub struct Malformed;

impl Call {
    /// Reads one message.
    ///
    /// # Errors
    /// It is no call, or larger or deeper than allowed.
    pub fn read(message: &[u8]) -> Result<Self, Malformed> {
        if message.len() > MESSAGE_BYTES_MAX || nesting(message) > NESTING_MAX {
            return Err(Malformed);
        }
        serde_json::from_slice(message).map_err(|_| Malformed)
    }
}

/// Deepest nesting outside of texts; of nonsense, at least as much as a parser would follow.
fn nesting(message: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in message {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_and_what_it_does_not_say_is_no() {
        let call = Call::read(br#"{"method":"a.B","parameters":{"service":"s"},"more":true}"#);
        let call = call.unwrap();
        assert_eq!(call.method, "a.B");
        assert!(call.more && !call.oneway && !call.upgrade);
        assert_eq!(
            Call::read(br#"{"method":"a.B","parameters":null}"#)
                .unwrap()
                .parameters,
            None
        );
        for nonsense in [
            "",
            "{}",
            "[]",
            "\"a\"",
            "{\"method\":1}",
            "{\"method\":\"a\"",
            "{\"method\":\"a\"} {}",
            "{\"method\":\"a\",\"parameters\":[]}",
            "{\"method\":\"a\",\"method\":\"b\"}",
            "\u{0}",
        ] {
            assert_eq!(
                Call::read(nonsense.as_bytes()),
                Err(Malformed),
                "{nonsense}"
            );
        }
    }

    #[test]
    fn nesting_is_bounded_and_brackets_in_texts_are_none() {
        let nested = |depth: usize| {
            let lists = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            format!("{{\"method\":\"a\",\"parameters\":{{\"x\":{lists}}}}}")
        };
        assert!(Call::read(nested(NESTING_MAX - 2).as_bytes()).is_ok());
        assert!(Call::read(nested(NESTING_MAX - 1).as_bytes()).is_err());
        assert!(Call::read(nested(20_000).as_bytes()).is_err());
        let text = format!(
            r#"{{"method":"a","parameters":{{"x":"\"{}"}}}}"#,
            "[{".repeat(99)
        );
        assert!(Call::read(text.as_bytes()).is_ok());
    }

    #[test]
    fn a_call_is_as_long_as_allowed_and_not_a_byte_longer() {
        let call = |length: usize| {
            let frame = "{\"method\":\"\"}".len();
            format!("{{\"method\":\"{}\"}}", "a".repeat(length - frame))
        };
        assert!(Call::read(call(MESSAGE_BYTES_MAX).as_bytes()).is_ok());
        assert!(Call::read(call(MESSAGE_BYTES_MAX + 1).as_bytes()).is_err());
    }
}
