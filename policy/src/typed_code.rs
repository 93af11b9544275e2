//! What somebody typed as a second factor, told apart by its shape alone. Only ASCII counts: a digit
//! of another script is no digit, so that one code has one form and one counter.

/// A typed code in its one normal form. Has no `Debug`: codes do not belong in logs.
#[derive(Clone, PartialEq, Eq)]
pub enum TypedCode {
    /// Six digits of a time-based code.
    OneTime(String),
    /// The password of a YubiKey, in lower case.
    YubikeyOtp(String),
    /// Sixteen characters of a backup code, in upper case, without hyphens.
    BackupCode(String),
}

const ONE_TIME_DIGITS: usize = 6;
const YUBIKEY_LETTERS: usize = 44;
const PUBLIC_ID_LETTERS: usize = 12;
const BACKUP_CODE_LETTERS: usize = 16;
/// What a YubiKey types on any keyboard.
const MODHEX: &[u8] = b"cbdefghijklnrtuv";
/// Base 32 without letters that are taken for digits or for each other (Crockford's).
pub const BACKUP_CODE_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Longer texts are no code.
const TYPED_BYTES_MAX: usize = 64;

impl TypedCode {
    /// Reads what was typed; `None` when it has the shape of no code. Spaces do not count, and in
    /// backup codes neither do hyphens nor case.
    #[must_use]
    pub fn read(typed: &str) -> Option<Self> {
        if typed.len() > TYPED_BYTES_MAX || !typed.is_ascii() {
            return None;
        }
        let typed: String = typed.chars().filter(|letter| *letter != ' ').collect();
        if typed.len() == ONE_TIME_DIGITS && typed.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::OneTime(typed));
        }
        yubikey_otp(&typed).or_else(|| backup_code(&typed))
    }

    /// The public id of the YubiKey that made a password.
    #[must_use]
    pub fn yubikey_id(otp: &str) -> Option<&str> {
        otp.get(..PUBLIC_ID_LETTERS)
    }
}

fn yubikey_otp(typed: &str) -> Option<TypedCode> {
    let otp = typed.to_ascii_lowercase();
    let fits = otp.len() == YUBIKEY_LETTERS && otp.bytes().all(|byte| MODHEX.contains(&byte));
    fits.then_some(TypedCode::YubikeyOtp(otp))
}

fn backup_code(typed: &str) -> Option<TypedCode> {
    let letters = typed.bytes().filter(|byte| *byte != b'-');
    let code: Option<String> = letters
        .map(|byte| {
            let letter = match byte.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                letter => letter,
            };
            let known = BACKUP_CODE_ALPHABET.contains(&letter);
            known.then_some(char::from(letter))
        })
        .collect();
    code.filter(|code| code.len() == BACKUP_CODE_LETTERS)
        .map(TypedCode::BackupCode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(typed: &str, code: TypedCode) -> bool {
        TypedCode::read(typed) == Some(code)
    }

    #[test]
    fn codes_are_told_apart_by_their_shape() {
        assert!(is("012345", TypedCode::OneTime("012345".to_owned())));
        assert!(is("012 345 ", TypedCode::OneTime("012345".to_owned())));
        let otp = "cccccckdvvulgjvtkjdhtlrbjjctggdihuevikehtlil";
        assert!(is(otp, TypedCode::YubikeyOtp(otp.to_owned())));
        assert!(is(
            &otp.to_uppercase(),
            TypedCode::YubikeyOtp(otp.to_owned())
        ));
        let backup = TypedCode::BackupCode("0123456789ABCDEF".to_owned());
        assert!(is("0123-4567-89ab-cdef", backup.clone()));
        assert!(is("oL23 4567 89AB CDEF", backup));
    }

    #[test]
    fn mfa_06_digits_of_other_scripts_and_other_variants_are_no_code() {
        for typed in [
            "",
            "12345",
            "1234567",
            "+12345",
            "-12345",
            "12345\u{a0}",
            "\u{a0}123456",
            "\u{ff11}23456",
            "\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
            "123456\n",
            "123456\0",
            "12\t3456",
            "0x1234",
            "cccccckdvvulgjvtkjdhtlrbjjctggdihuevikehtli",
            "0123-4567-89AB-CDEU",
            "0123-4567-89AB-CDE",
        ] {
            assert!(TypedCode::read(typed).is_none(), "{typed:?}");
        }
    }

    #[test]
    fn a_yubikey_is_known_by_its_first_twelve_letters() {
        let otp = "cccccckdvvulgjvtkjdhtlrbjjctggdihuevikehtlil";
        assert_eq!(TypedCode::yubikey_id(otp), Some("cccccckdvvul"));
        assert_eq!(TypedCode::yubikey_id("short"), None);
    }
}
