//! Password and code in one answer, for tools that show a single prompt: the code comes last, after
//! a space, a comma or nothing. A backup code is written with its hyphens.

use local_protocol::Secret;

pub(super) const PROMPT: &str = "Password, then verification code in the same line: ";

type Fits = fn(&[u8]) -> bool;

/// Length and letters of each kind of code.
const SHAPES: [(usize, Fits); 3] = [
    (19, |code| {
        code.iter().enumerate().all(|(place, byte)| {
            if place % 5 == 4 {
                *byte == b'-'
            } else {
                byte.is_ascii_alphanumeric()
            }
        })
    }),
    (44, |code| {
        code.iter().all(|byte| b"cbdefghijklnrtuv".contains(byte))
    }),
    (6, |code| code.iter().all(u8::is_ascii_digit)),
];

/// What one line holds.
pub(super) struct OneLine {
    pub(super) password: Secret,
    pub(super) code: Option<Secret>,
}

/// Tells password and code apart; a line without a code is a password.
pub(super) fn split(typed: &Secret) -> OneLine {
    let line = typed.expose();
    let found = SHAPES.iter().find_map(|(length, fits)| {
        let (password, code) = line.split_at_checked(line.len().checked_sub(*length)?)?;
        fits(code).then_some((password, code))
    });
    let Some((password, code)) = found else {
        return OneLine {
            password: typed.clone(),
            code: None,
        };
    };
    let password = match password.split_last() {
        Some((b' ' | b',', password)) => password,
        Some(_) | None => password,
    };
    OneLine {
        password: Secret::new(password.to_vec()),
        code: Some(Secret::new(code.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> (String, Option<String>) {
        let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).unwrap();
        let OneLine { password, code } = split(&Secret::new(line.as_bytes().to_vec()));
        (text(&password), code.as_ref().map(text))
    }

    #[test]
    fn a_line_is_a_password_and_then_a_code() {
        let otp = "cccccckdvvulgjvtkjdhtlrbjjctggdihuevikehtlil";
        let backup = "0123-4567-89AB-CDEF";
        for code in ["123456", otp, backup] {
            for between in ["", " ", ","] {
                let line = format!("correct horse{between}{code}");
                let expected = ("correct horse".to_owned(), Some(code.to_owned()));
                assert_eq!(parts(&line), expected);
            }
        }
        assert_eq!(parts("correct horse"), ("correct horse".to_owned(), None));
        assert_eq!(parts("123456"), (String::new(), Some("123456".to_owned())));
        assert_eq!(parts(""), (String::new(), None));
    }
}
