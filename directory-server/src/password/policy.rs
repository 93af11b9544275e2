//! The organisation's rules for new passwords: a profile, and what an administrator made stricter.

use directory_api::rest::{Lifetime, PasswordPolicySettings, PasswordProfile};
use sqlx::SqliteConnection;

use crate::http::Refused;

const LENGTH: std::ops::RangeInclusive<u32> = 8..=128;
const STRENGTH_MAX: u8 = 4;
const HISTORY_MAX: u32 = 24;
const WORDS_MAX: usize = 200;
const WORD_LENGTH: std::ops::RangeInclusive<usize> = 3..=64;
const DAY_S: i64 = 86_400;

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Fewest characters.
    pub min_length: usize,
    /// Letters and digits must both be there.
    pub letters_and_digits: bool,
    /// Least zxcvbn score.
    pub min_strength: u8,
    /// How many passwords, the present one among them, must not come back.
    pub history: u32,
    /// Seconds after which a password must be changed.
    pub max_age_s: Option<i64>,
    /// What no password may be built on.
    pub blocked_words: Vec<String>,
    /// Seconds without a sign of life after which people are suspended.
    pub suspend_inactive_after_s: Option<i64>,
}

/// What is stored: the settings with their version, 0 while nothing was set.
#[derive(Debug, Clone, Default)]
pub struct StoredPolicy {
    /// As an administrator wrote them.
    pub settings: PasswordPolicySettings,
    /// When.
    pub updated_at: Option<i64>,
    /// For `If-Match`.
    pub version: i64,
}

impl StoredPolicy {
    /// Reads what is set.
    ///
    /// # Errors
    /// The database fails.
    pub async fn load(database: &mut SqliteConnection) -> Result<Self, Refused> {
        let row: Option<(String, i64, i64)> =
            sqlx::query_as("SELECT settings, updated_at, version FROM password_policy")
                .fetch_optional(database)
                .await?;
        let Some((settings, updated_at, version)) = row else {
            return Ok(Self::default());
        };
        Ok(Self {
            settings: serde_json::from_str(&settings)?,
            updated_at: Some(updated_at),
            version,
        })
    }

    /// Writes the settings.
    ///
    /// # Errors
    /// The database fails.
    pub async fn store(
        settings: &PasswordPolicySettings,
        database: &mut SqliteConnection,
        now_ms: i64,
    ) -> Result<(), Refused> {
        sqlx::query(
            "INSERT INTO password_policy (one, settings, updated_at, version) VALUES (1, $1, $2, 1)
             ON CONFLICT (one) DO UPDATE SET settings = $1, updated_at = $2, version = version + 1",
        )
        .bind(serde_json::to_string(settings)?)
        .bind(now_ms)
        .execute(database)
        .await?;
        Ok(())
    }
}

impl Policy {
    /// The rules of these settings; `floor` is what the server's configuration asks for at least.
    #[must_use]
    pub fn of(settings: &PasswordPolicySettings, floor: usize) -> Self {
        let seconds = |lifetime: Lifetime| lifetime.seconds();
        let start = Self::of_profile(settings.profile, floor);
        let strict = settings.profile != PasswordProfile::Custom;
        let at_least = |start: u32, set: Option<u32>| match set {
            Some(set) if strict => set.max(start),
            Some(set) => set,
            None => start,
        };
        let length = u32::try_from(start.min_length).unwrap_or(u32::MAX);
        let min_length = at_least(length, settings.min_length);
        Self {
            min_length: usize::try_from(min_length).unwrap_or(floor).max(floor),
            letters_and_digits: start.letters_and_digits
                || settings.letters_and_digits.unwrap_or(false),
            min_strength: match settings.min_strength {
                Some(set) if strict => set.max(start.min_strength),
                Some(set) => set,
                None => start.min_strength,
            },
            history: at_least(start.history, settings.history),
            max_age_s: match (start.max_age_s, settings.max_age.map(seconds)) {
                (Some(start), Some(set)) => Some(start.min(set)),
                (start, set) => set.or(start),
            },
            blocked_words: settings.blocked_words.clone(),
            suspend_inactive_after_s: settings.suspend_inactive_after.map(seconds),
        }
    }

    fn of_profile(profile: PasswordProfile, floor: usize) -> Self {
        let nist = Self {
            min_length: floor.max(12),
            letters_and_digits: false,
            min_strength: 3,
            history: 1,
            max_age_s: None,
            blocked_words: Vec::new(),
            suspend_inactive_after_s: None,
        };
        match profile {
            PasswordProfile::Nist => nist,
            PasswordProfile::Pci => Self {
                letters_and_digits: true,
                history: 4,
                max_age_s: Some(90 * DAY_S),
                ..nist
            },
            PasswordProfile::Custom => Self {
                min_length: floor,
                min_strength: 0,
                history: 0,
                ..nist
            },
        }
    }

    /// The rules in words, for whoever has to choose a password.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let mut rules = vec![at_least(self.min_length)];
        if self.letters_and_digits {
            rules.push(LETTERS_AND_DIGITS.to_owned());
        }
        rules.push(super::rules::NOT_COMMON.to_owned());
        rules.push(super::rules::NOT_YOUR_NAME.to_owned());
        if self.min_strength > 0 {
            rules.push(HARD_TO_GUESS.to_owned());
        }
        if self.history > 0 {
            rules.push(not_among_the_last(self.history));
        }
        if let Some(age) = self.max_age_s {
            rules.push(format!("changed after {} days", (age / DAY_S).max(1)));
        }
        rules
    }
}

pub(super) const LETTERS_AND_DIGITS: &str = "letters and digits";
pub(super) const HARD_TO_GUESS: &str = "hard to guess";

pub(super) fn at_least(characters: usize) -> String {
    format!("at least {characters} characters")
}

pub(super) fn not_among_the_last(passwords: u32) -> String {
    if passwords == 1 {
        "not the present password".to_owned()
    } else {
        format!("none of your last {passwords} passwords")
    }
}

/// Whether settings can be kept.
///
/// # Errors
/// Names the field that cannot.
pub fn check(settings: &PasswordPolicySettings) -> Result<(), Refused> {
    let refuse = |field: &str, text: String| Err(Refused::invalid(field, text));
    if settings
        .min_length
        .is_some_and(|length| !LENGTH.contains(&length))
    {
        return refuse("min_length", "Between 8 and 128 characters.".to_owned());
    }
    if settings
        .min_strength
        .is_some_and(|score| score > STRENGTH_MAX)
    {
        return refuse("min_strength", format!("Between 0 and {STRENGTH_MAX}."));
    }
    if settings
        .history
        .is_some_and(|history| history > HISTORY_MAX)
    {
        return refuse("history", format!("At most {HISTORY_MAX} passwords."));
    }
    if settings.blocked_words.len() > WORDS_MAX {
        return refuse("blocked_words", format!("At most {WORDS_MAX} words."));
    }
    for word in &settings.blocked_words {
        crate::assign::check_text("blocked_words", word)?;
        if !WORD_LENGTH.contains(&word.chars().count()) {
            return refuse("blocked_words", "Words of 3 to 64 characters.".to_owned());
        }
    }
    if settings
        .suspend_inactive_after
        .is_some_and(|after| after.seconds() < DAY_S)
    {
        return refuse("suspend_inactive_after", "At least 1d.".to_owned());
    }
    if settings.max_age.is_some_and(|age| age.seconds() < DAY_S) {
        return refuse("max_age", "At least 1d.".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_make_a_named_profile_stricter_and_never_looser() {
        let looser = PasswordPolicySettings {
            profile: PasswordProfile::Pci,
            min_length: Some(8),
            letters_and_digits: Some(false),
            min_strength: Some(0),
            history: Some(0),
            max_age: Lifetime::parse("365d").ok(),
            ..PasswordPolicySettings::default()
        };
        let plain = PasswordPolicySettings {
            profile: PasswordProfile::Pci,
            ..PasswordPolicySettings::default()
        };
        assert_eq!(Policy::of(&looser, 12), Policy::of(&plain, 12));
        let custom = PasswordPolicySettings {
            profile: PasswordProfile::Custom,
            ..looser
        };
        assert_eq!(Policy::of(&custom, 8).history, 0);
        assert_eq!(Policy::of(&custom, 8).min_length, 8);
        assert_eq!(Policy::of(&custom, 14).min_length, 14);
    }
}
