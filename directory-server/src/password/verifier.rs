//! Compares a password with its verifier: Argon2id, and the crypt kinds that imports bring along.
//! A verifier that would ask for unbearable work is not computed.

use argon2::{Argon2, PasswordVerifier};
use sha_crypt::ShaCrypt;
use yescrypt::Yescrypt;

const ARGON2_MEMORY_KIB_MAX: u32 = 1_048_576;
const ARGON2_PASSES_MAX: u32 = 64;
const ARGON2_LANES_MAX: u32 = 16;
const SHA_CRYPT_ROUNDS_MAX: u32 = 1_000_000;
const BCRYPT_COST_MAX: u32 = 14;
/// The logarithm of N as yescrypt writes it; distributions use `j9` and `jC`.
const YESCRYPT_COST_MAX: u8 = b'D';
const VERIFIER_LENGTH_MAX: usize = 512;

/// How a comparison ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The password fits.
    Right,
    /// It does not.
    Wrong,
    /// The verifier cannot be used: not the person's fault.
    CannotTell,
}

/// What nobody's password matches, at the cost of somebody's.
pub(super) fn nobody(parameters: &str) -> String {
    format!(
        "$argon2id$v=19${parameters}$Y2xvdWRpZC1ub2JvZHk$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    )
}

/// Compares; without a verifier it takes the same time and is wrong.
pub(super) fn compare(verifier: Option<&str>, nobody: &str, password: &[u8]) -> Checked {
    // No password at all costs nothing, whoever it would be: the time says nothing.
    if password.is_empty() {
        return Checked::Wrong;
    }
    let Some(verifier) = verifier else {
        let _ = answered(Argon2::default().verify_password(password, nobody));
        return Checked::Wrong;
    };
    if !importable(verifier) {
        return Checked::CannotTell;
    }
    match kind(verifier) {
        "argon2id" => answered(Argon2::default().verify_password(password, verifier)),
        "6" => answered(ShaCrypt::default().verify_password(password, verifier)),
        "y" => answered(Yescrypt::default().verify_password(password, verifier)),
        "2b" => match bcrypt::verify(password, verifier) {
            Ok(true) => Checked::Right,
            Ok(false) => Checked::Wrong,
            Err(_) => Checked::CannotTell,
        },
        _ => Checked::CannotTell,
    }
}

/// Whether a verifier is of a kind that can be taken over, at a cost that can be borne.
#[must_use]
pub fn importable(verifier: &str) -> bool {
    let sound = verifier.len() <= VERIFIER_LENGTH_MAX
        && verifier
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b':');
    sound
        && match kind(verifier) {
            "argon2id" => argon2_is_bearable(verifier),
            "6" => sha_crypt_is_bearable(verifier),
            "y" => field(verifier, 2)
                .as_bytes()
                .get(1)
                .is_some_and(|cost| *cost <= YESCRYPT_COST_MAX),
            "2b" => field(verifier, 2)
                .parse()
                .is_ok_and(|cost: u32| cost <= BCRYPT_COST_MAX),
            _ => false,
        }
}

fn kind(verifier: &str) -> &str {
    field(verifier, 1)
}

fn field(verifier: &str, number: usize) -> &str {
    verifier.split('$').nth(number).unwrap_or_default()
}

fn argon2_is_bearable(verifier: &str) -> bool {
    let limits = [
        ("m", ARGON2_MEMORY_KIB_MAX),
        ("t", ARGON2_PASSES_MAX),
        ("p", ARGON2_LANES_MAX),
    ];
    limits.iter().all(|(name, limit)| {
        field(verifier, 3)
            .split(',')
            .filter_map(|cost| cost.split_once('='))
            .find(|(found, _)| found == name)
            .and_then(|(_, cost)| cost.parse::<u32>().ok())
            .is_some_and(|cost| cost <= *limit)
    })
}

fn sha_crypt_is_bearable(verifier: &str) -> bool {
    match field(verifier, 2).strip_prefix("rounds=") {
        None => true,
        Some(rounds) => rounds
            .parse()
            .is_ok_and(|rounds: u32| rounds <= SHA_CRYPT_ROUNDS_MAX),
    }
}

fn answered(result: Result<(), argon2::password_hash::Error>) -> Checked {
    match result {
        Ok(()) => Checked::Right,
        Err(argon2::password_hash::Error::PasswordInvalid) => Checked::Wrong,
        Err(_) => Checked::CannotTell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `crypt(3)` of libxcrypt for `correct horse`.
    const IMPORTED: [&str; 3] = [
        "$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv\
         /uamSo5z0",
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$zwtVrjrUCmXcyLTs6oxLTQlzifSUkF8RHJ./tK5KU79",
        "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2",
    ];

    fn against(verifier: Option<&str>, password: &str) -> Checked {
        compare(verifier, &nobody("m=19456,t=2,p=1"), password.as_bytes())
    }

    #[test]
    fn imported_verifiers_know_right_from_wrong() {
        for verifier in IMPORTED {
            assert!(importable(verifier));
            assert_eq!(against(Some(verifier), "correct horse"), Checked::Right);
            assert_eq!(against(Some(verifier), "correct hors"), Checked::Wrong);
            assert_eq!(against(Some(verifier), ""), Checked::Wrong);
        }
    }

    #[test]
    fn verifiers_that_are_weak_or_unbearable_are_not_taken_over() {
        for verifier in [
            "",
            "x",
            "$1$salt$hash",
            "$6$rounds=999999999$salt$hash",
            "$y$jZT$salt$hash",
            "$2b$31$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2",
            "$argon2id$v=19$m=99999999,t=2,p=1$c2FsdA$aGFzaA",
            "$6$salt$hash:0:0\n",
        ] {
            assert!(!importable(verifier), "{verifier:?} was accepted");
        }
    }

    #[test]
    fn nobody_has_no_password() {
        assert_eq!(against(None, ""), Checked::Wrong);
        assert_eq!(against(None, "anything"), Checked::Wrong);
    }
}
