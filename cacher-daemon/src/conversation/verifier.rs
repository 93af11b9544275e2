//! Compares a password with its verifier: Argon2id, and the crypt kinds that imports bring along.
//! Slow on purpose; the caller bounds how many run at once.

use argon2::{Argon2, PasswordVerifier};
use sha_crypt::ShaCrypt;
use yescrypt::Yescrypt;

/// Most memory an Argon2 verifier may ask for, in KiB.
const ARGON2_MEMORY_MAX: u32 = 256 * 1024;
const ARGON2_PASSES_MAX: u32 = 16;
const ARGON2_LANES_MAX: u32 = 16;
const SHA_CRYPT_ROUNDS_MAX: u32 = 1_000_000;
const BCRYPT_COST_MAX: u32 = 14;
/// `jF`: N = 2^18 with r = 32, 1 GiB; distributions use `j9` (16 MiB) and `jC`.
const YESCRYPT_COST_MAX: u8 = b'D';

/// What nobody's password matches: compared where there is no verifier, so that a name that does
/// not exist takes as long as one that does. Same cost as the directory's own verifiers.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$Y2xvdWRpZC1ub2JvZHk$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

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

/// Compares; without a verifier takes the same time and is wrong.
#[must_use]
pub fn compare(verifier: Option<&str>, password: &[u8]) -> Checked {
    let Some(verifier) = verifier else {
        let _ = argon2(NOBODY, password);
        return Checked::Wrong;
    };
    if password.is_empty() {
        return Checked::Wrong;
    }
    let kind = verifier.split('$').nth(1).unwrap_or_default();
    match kind {
        "argon2id" => argon2(verifier, password),
        "6" | "5" => sha_crypt(verifier, password),
        "y" => yescrypt(verifier, password),
        "2b" | "2a" | "2y" => bcrypt(verifier, password),
        _ => Checked::CannotTell,
    }
}

fn argon2(verifier: &str, password: &[u8]) -> Checked {
    let Some(costs) = verifier.split('$').nth(3) else {
        return Checked::CannotTell;
    };
    let cost = |name: &str| -> Option<u32> {
        let (_, number) = costs
            .split(',')
            .filter_map(|cost| cost.split_once('='))
            .find(|(found, _)| *found == name)?;
        number.parse().ok()
    };
    let bearable = cost("m").is_some_and(|cost| cost <= ARGON2_MEMORY_MAX)
        && cost("t").is_some_and(|cost| cost <= ARGON2_PASSES_MAX)
        && cost("p").is_some_and(|cost| cost <= ARGON2_LANES_MAX);
    if !bearable {
        return Checked::CannotTell;
    }
    answered(Argon2::default().verify_password(password, verifier))
}

fn sha_crypt(verifier: &str, password: &[u8]) -> Checked {
    let rounds = verifier
        .split('$')
        .nth(2)
        .and_then(|field| field.strip_prefix("rounds="))
        .map(str::parse::<u32>);
    match rounds {
        None => {}
        Some(Ok(rounds)) if rounds <= SHA_CRYPT_ROUNDS_MAX => {}
        Some(_) => return Checked::CannotTell,
    }
    answered(ShaCrypt::default().verify_password(password, verifier))
}

fn yescrypt(verifier: &str, password: &[u8]) -> Checked {
    // The second character of the parameters is the logarithm of N.
    let cost = verifier
        .split('$')
        .nth(2)
        .and_then(|field| field.as_bytes().get(1).copied());
    if cost.is_none_or(|cost| cost > YESCRYPT_COST_MAX) {
        return Checked::CannotTell;
    }
    answered(Yescrypt::default().verify_password(password, verifier))
}

fn bcrypt(verifier: &str, password: &[u8]) -> Checked {
    let cost = verifier
        .split('$')
        .nth(2)
        .and_then(|cost| cost.parse::<u32>().ok());
    if cost.is_none_or(|cost| cost > BCRYPT_COST_MAX) {
        return Checked::CannotTell;
    }
    match bcrypt::verify(password, verifier) {
        Ok(true) => Checked::Right,
        Ok(false) => Checked::Wrong,
        Err(_) => Checked::CannotTell,
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
    use argon2::PasswordHasher;

    /// Made by `crypt(3)` of libxcrypt for `correct horse`.
    const IMPORTED: [&str; 3] = [
        "$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv\
         /uamSo5z0",
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$zwtVrjrUCmXcyLTs6oxLTQlzifSUkF8RHJ./tK5KU79",
        "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2",
    ];

    #[test]
    fn imported_verifiers_know_right_from_wrong() {
        for verifier in IMPORTED {
            assert_eq!(
                compare(Some(verifier), b"correct horse"),
                Checked::Right,
                "{verifier}"
            );
            assert_eq!(
                compare(Some(verifier), b"correct hors"),
                Checked::Wrong,
                "{verifier}"
            );
            assert_eq!(compare(Some(verifier), b""), Checked::Wrong, "{verifier}");
        }
    }

    #[test]
    fn argon2id_knows_right_from_wrong() {
        let verifier = Argon2::default()
            .hash_password(b"correct horse")
            .unwrap()
            .to_string();
        assert_eq!(compare(Some(&verifier), b"correct horse"), Checked::Right);
        assert_eq!(compare(Some(&verifier), b"wrong"), Checked::Wrong);
        assert_eq!(compare(Some(&verifier), b""), Checked::Wrong);
    }

    #[test]
    fn nobody_has_no_password() {
        assert_eq!(compare(None, b""), Checked::Wrong);
        assert_eq!(compare(None, b"anything"), Checked::Wrong);
        assert_eq!(argon2(NOBODY, b"anything"), Checked::Wrong);
    }

    #[test]
    fn a_verifier_that_would_eat_the_host_is_not_tried() {
        for verifier in [
            "$argon2id$v=19$m=4194304,t=2,p=1$Y2xvdWRpZC1ub2JvZHk$AAAA",
            "$argon2id$v=19$m=19456,t=4000000,p=1$Y2xvdWRpZC1ub2JvZHk$AAAA",
            "$6$rounds=999999999$saltsalt$x",
            "$y$jZ5$salt$x",
            "$2b$31$abcdefghijklmnopqrstuv",
            "$1$salt$x",
            "plain",
            "$",
            "",
        ] {
            assert_eq!(
                compare(Some(verifier), b"x"),
                Checked::CannotTell,
                "{verifier}"
            );
        }
    }
}
