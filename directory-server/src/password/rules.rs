//! What a new password must be: long enough, not one that everybody tries first, not the person's
//! own name, not the organisation's words; composition only where the policy asks for it.

use unicode_normalization::UnicodeNormalization;

use super::policy::{LETTERS_AND_DIGITS, Policy, at_least};

pub(super) const NOT_COMMON: &str = "not a password that everybody tries first";
pub(super) const NOT_YOUR_NAME: &str = "not built on your own name";
const NOT_A_WORD_OF_OURS: &str = "not built on a word of the organisation";
const BYTES_MAX: usize = 256;
const NAME_LENGTH_MIN: usize = 3;

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

/// The rules that a new password does not meet; `person` are the person's own names, `words` those
/// of the organisation.
#[must_use]
pub fn unmet(password: &str, policy: &Policy, person: &[&str], words: &[&str]) -> Vec<String> {
    let normal = normal_form(password);
    let mut unmet = Vec::new();
    if normal.len() > BYTES_MAX {
        unmet.push(format!("at most {BYTES_MAX} bytes"));
    }
    if normal.chars().count() < policy.min_length {
        unmet.push(at_least(policy.min_length));
    }
    if normal
        .chars()
        .any(|character| character == '\0' || character == '\n')
    {
        unmet.push("no line breaks or NUL".to_owned());
    }
    if policy.letters_and_digits && !has_letters_and_digits(&normal) {
        unmet.push(LETTERS_AND_DIGITS.to_owned());
    }
    if is_common(&normal) {
        unmet.push(NOT_COMMON.to_owned());
    }
    if holds_name(&normal, person) {
        unmet.push(NOT_YOUR_NAME.to_owned());
    }
    if holds_name(&normal, words) {
        unmet.push(NOT_A_WORD_OF_OURS.to_owned());
    }
    unmet
}

fn has_letters_and_digits(password: &str) -> bool {
    password.chars().any(char::is_alphabetic) && password.chars().any(char::is_numeric)
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
    use directory_api::rest::{PasswordPolicySettings, PasswordProfile};

    use super::*;

    #[test]
    fn weak_passwords_are_refused_and_long_ones_are_not() {
        let nist = Policy::of(&PasswordPolicySettings::default(), 12);
        for weak in [
            "",
            "short",
            "password1234",
            "aaaaaaaaaaaaaaaa",
            "alicealice12",
            "Summer2026!!",
            "example2026!",
        ] {
            assert!(
                !unmet(weak, &nist, &["alice"], &["Example"]).is_empty(),
                "{weak:?} was accepted"
            );
        }
        for good in [
            "tangled marble ferry",
            "würfel über brücken",
            "k3#Zq9!vLm2x",
        ] {
            assert_eq!(
                unmet(good, &nist, &["alice"], &["Example"]),
                Vec::<String>::new(),
                "{good:?}"
            );
        }
    }

    #[test]
    fn two_ways_to_write_the_same_letters_are_one_password() {
        assert_eq!(normal_form("u\u{308}ber"), normal_form("über"));
        let nist = Policy::of(&PasswordPolicySettings::default(), 12);
        assert!(!unmet(&"x".repeat(257), &nist, &[], &[]).is_empty());
    }

    #[test]
    fn the_profile_pci_wants_letters_and_digits() {
        let settings = PasswordPolicySettings {
            profile: PasswordProfile::Pci,
            ..PasswordPolicySettings::default()
        };
        let pci = Policy::of(&settings, 12);
        for (password, wanted) in [
            ("tangled marble ferry", vec![LETTERS_AND_DIGITS.to_owned()]),
            ("tangled marble ferry 7", Vec::new()),
        ] {
            assert_eq!(unmet(password, &pci, &[], &[]), wanted);
        }
    }
}
