//! How long a password would withstand guessing, as zxcvbn estimates it.

use zxcvbn::zxcvbn;

/// The estimate takes time with the square of the length; what comes later makes nothing weaker.
const CHARACTERS_MAX: usize = 72;

/// An estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strength {
    /// 0 to 4.
    pub score: u8,
    /// Against somebody who has the verifier, in words.
    pub withstands: String,
}

/// Estimates; `known` is what a guesser knows of the person.
#[must_use]
pub fn strength(password: &str, known: &[&str]) -> Strength {
    let beginning: String = password.chars().take(CHARACTERS_MAX).collect();
    let estimate = zxcvbn(&beginning, known);
    Strength {
        score: estimate.score().into(),
        withstands: estimate
            .crack_times()
            .offline_slow_hashing_1e4_per_second()
            .to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn story_1_a_name_and_a_year_are_weak_and_words_apart_are_strong() {
        assert!(strength("alice2024", &["alice"]).score < 3);
        assert!(strength("Password2024!", &[]).score < 3);
        assert_eq!(strength("tangled marble ferry", &["alice"]).score, 4);
    }

    #[test]
    fn web_15_a_very_long_password_costs_no_more_than_a_long_one() {
        let long = "abc1".repeat(1_000_000);
        let cut: String = long.chars().take(CHARACTERS_MAX).collect();
        assert_eq!(strength(&long, &[]), strength(&cut, &[]));
    }
}
