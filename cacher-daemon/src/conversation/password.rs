//! What counts as a password: the same everywhere, online and offline.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Longest password after normalisation.
pub(crate) const PASSWORD_BYTES_MAX: usize = 256;

/// The typed bytes as a password, in NFC; `None` for what never is one: empty, too long, with a
/// NUL or another control character, or not UTF-8.
pub(crate) fn normalised(typed: &[u8]) -> Option<Zeroizing<String>> {
    // Bounded before anything is done with it: NFC makes a text at most three times as long.
    if typed.len() > PASSWORD_BYTES_MAX * 3 {
        return None;
    }
    let text = std::str::from_utf8(typed).ok()?;
    if text.chars().any(char::is_control) {
        return None;
    }
    let mut password = Zeroizing::new(String::with_capacity(PASSWORD_BYTES_MAX * 9));
    password.extend(text.nfc());
    let length = password.len();
    (1..=PASSWORD_BYTES_MAX)
        .contains(&length)
        .then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pam_06_odd_input_is_no_password() {
        let long = "x".repeat(257);
        let huge = "x".repeat(1024 * 1024);
        for typed in [
            b"".as_slice(),
            b"a\0b",
            b"secret\n",
            b"\xff\xfe",
            long.as_bytes(),
            huge.as_bytes(),
        ] {
            assert!(normalised(typed).is_none(), "{:?}", typed.get(..8));
        }
        assert!(normalised("x".repeat(256).as_bytes()).is_some());
    }

    #[test]
    fn pam_06_both_ways_to_write_an_umlaut_are_one_password() {
        let composed = normalised("p\u{e4}ss".as_bytes()).unwrap();
        let decomposed = normalised("pa\u{308}ss".as_bytes()).unwrap();
        assert_eq!(*composed, *decomposed);
    }
}
