//! What a new password must be: long enough, not one that everybody tries first, not the person's
//! own name. No composition rules.

use unicode_normalization::UnicodeNormalization;

const BYTES_MAX: usize = 256;
const NAME_LENGTH_MIN: usize = 4;

/// Pieces of the passwords that are tried first; a password that is little more than one of them
/// is refused.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "123456",
    "qwerty",
    "qwertz",
    "azerty",
    "letmein",
    "welcome",
    "admin",
    "iloveyou",
    "monkey",
    "dragon",
    "football",
    "baseball",
    "sunshine",
    "princess",
    "trustno1",
    "changeme",
    "secret",
    "abc123",
    "111111",
    "000000",
    "654321",
    "1q2w3e4r",
    "zaq12wsx",
    "hunter2",
    "summer",
    "winter",
    "spring",
    "autumn",
    "correcthorsebatterystaple",
    "cloudid",
    "default",
    "master",
    "superman",
    "batman",
    "login",
    "access",
    "shadow",
    "michael",
    "jennifer",
    "starwars",
];
/// How many characters a password must have besides a common piece.
const BESIDES_COMMON: usize = 7;

/// The form in which passwords are hashed and compared everywhere: NFC.
#[must_use]
pub fn normal_form(password: &str) -> String {
    password.nfc().collect()
}

/// The rules that a new password does not meet; `person` are the person's own names.
#[must_use]
pub fn unmet(password: &str, min_length: usize, person: &[&str]) -> Vec<String> {
    let normal = normal_form(password);
    let mut unmet = Vec::new();
    if normal.len() > BYTES_MAX {
        unmet.push(format!("at most {BYTES_MAX} bytes"));
    }
    if normal.chars().count() < min_length {
        unmet.push(format!("at least {min_length} characters"));
    }
    if normal
        .chars()
        .any(|character| character == '\0' || character == '\n')
    {
        unmet.push("no line breaks or NUL".to_owned());
    }
    if is_common(&normal) {
        unmet.push("not a password that everybody tries first".to_owned());
    }
    if holds_name(&normal, person) {
        unmet.push("not built on your own name".to_owned());
    }
    unmet
}

fn is_common(password: &str) -> bool {
    let plain: String = password.to_lowercase().split_whitespace().collect();
    let mut characters = plain.chars();
    let first = characters.next();
    let one_character = characters.all(|character| Some(character) == first);
    one_character
        || COMMON.iter().any(|common| {
            plain.contains(common) && plain.replace(common, "").chars().count() < BESIDES_COMMON
        })
}

fn holds_name(password: &str, person: &[&str]) -> bool {
    let plain = password.to_lowercase();
    person
        .iter()
        .flat_map(|name| name.split_whitespace())
        .map(str::to_lowercase)
        .filter(|name| name.chars().count() >= NAME_LENGTH_MIN)
        .any(|name| {
            plain.contains(&name) && plain.replace(&name, "").chars().count() < BESIDES_COMMON
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_and_long_ones_are_not() {
        for weak in [
            "",
            "short",
            "password1234",
            "aaaaaaaaaaaaaaaa",
            "alicealice12",
            "Summer2026!!",
        ] {
            assert!(
                !unmet(weak, 12, &["alice"]).is_empty(),
                "{weak:?} was accepted"
            );
        }
        for good in [
            "tangled marble ferry",
            "würfel über brücken",
            "k3#Zq9!vLm2x",
        ] {
            assert_eq!(
                unmet(good, 12, &["alice"]),
                Vec::<String>::new(),
                "{good:?}"
            );
        }
    }

    #[test]
    fn two_ways_to_write_the_same_letters_are_one_password() {
        assert_eq!(normal_form("u\u{308}ber"), normal_form("über"));
        assert!(!unmet(&"x".repeat(257), 12, &[]).is_empty());
    }
}
