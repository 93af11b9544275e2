//! What somebody typed, checked before it is told to anyone. The cacher checks the same again.

use local_protocol::Secret;
use zeroize::Zeroizing;

/// A password has at most 256 bytes after normalisation, which makes a text shorter by at most
/// two thirds; codes are shorter.
const ANSWER_BYTES_MAX: usize = 3 * 256;

/// What can be a password or a code: UTF-8 of bounded length without NUL. `None` for all else;
/// above all, an empty answer is none.
pub(crate) fn possible(typed: &Zeroizing<Vec<u8>>) -> Option<Secret> {
    let text = std::str::from_utf8(typed).ok()?;
    let fits = (1..=ANSWER_BYTES_MAX).contains(&text.len());
    (fits && !text.contains('\0')).then(|| Secret::new(typed.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(typed: &[u8]) -> bool {
        possible(&Zeroizing::new(typed.to_vec())).is_some()
    }

    #[test]
    fn pam_06_what_can_be_no_password_is_refused() {
        assert!(!accepted(b""));
        assert!(!accepted(&[b'a'; ANSWER_BYTES_MAX + 1]));
        assert!(!accepted(&vec![b'a'; 1 << 20]));
        assert!(!accepted(b"nul\0in it"));
        assert!(!accepted(b"latin-1 \xe9"));
    }

    #[test]
    fn pam_06_passwords_up_to_the_limit_are_relayed_as_typed() {
        for typed in [
            "x".as_bytes(),
            b" spaces kept ",
            "p\u{e9}niche".as_bytes(),
            b"ends with a newline\n",
            &[b'a'; ANSWER_BYTES_MAX],
        ] {
            let answer = possible(&Zeroizing::new(typed.to_vec())).unwrap();
            assert_eq!(answer.expose(), typed);
        }
    }
}
