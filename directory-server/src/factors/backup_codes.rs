//! Backup codes: ten of 80 bits, each good once. Only their Argon2id verifiers are kept, and only
//! the person sees them, once.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use directory_api::rest::{BackupCodes, Time};
use policy::{BACKUP_CODE_ALPHABET, TypedCode};
use sqlx::SqliteConnection;
use zeroize::Zeroizing;

use super::Whose;
use crate::act::Act;
use crate::audit::{Draft, Severity};
use crate::clock::Random;
use crate::http::Refused;
use crate::id::Kind;
use crate::notices;
use crate::password::Passwords;
use crate::reach::moment;
use crate::state::AppState;

const CODES: usize = 10;
const CODE_LETTERS: usize = 16;
/// The least that OWASP names: 80 random bits cannot be guessed at any cost, and a host that compares
/// with ten of them has two seconds.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;

/// Ten codes that are not stored yet.
pub struct NewBackupCodes {
    codes: Vec<Zeroizing<String>>,
    verifiers: Vec<String>,
}

impl NewBackupCodes {
    /// Draws and hashes: slow, so outside of any transaction.
    ///
    /// # Errors
    /// No randomness, or the machine cannot do the work.
    pub async fn make(state: &AppState) -> Result<Self, Refused> {
        let mut codes = Vec::with_capacity(CODES);
        let mut salts = Vec::with_capacity(CODES);
        for _ in 0..CODES {
            codes.push(drawn(&state.random)?);
            salts.push(state.random.bytes::<16>()?);
        }
        let hashed = codes.clone();
        let verifiers = state
            .passwords
            .slowly(move || {
                let pairs = hashed.iter().zip(&salts);
                pairs.map(|(code, salt)| verifier(code, salt)).collect()
            })
            .await?;
        let verifiers: Option<Vec<String>> = verifiers;
        Ok(Self {
            codes,
            verifiers: verifiers.ok_or_else(crate::password::cannot_tell)?,
        })
    }

    /// Puts them in the place of all earlier ones, and shows them for the first and last time.
    ///
    /// # Errors
    /// The database fails.
    pub async fn store(
        self,
        act: &mut Act<'_>,
        user: Whose<'_>,
    ) -> Result<Vec<Zeroizing<String>>, Refused> {
        let now = act.now_ms();
        sqlx::query("DELETE FROM backup_codes WHERE user_id = $1")
            .bind(user.id)
            .execute(act.database())
            .await?;
        for verifier in &self.verifiers {
            let id = act.new_id(Kind::BackupCode)?;
            sqlx::query(
                "INSERT INTO backup_codes (id, user_id, verifier, created_at)
                 VALUES ($1, $2, $3, $4)",
            )
            .bind(id)
            .bind(user.id)
            .bind(verifier)
            .bind(now)
            .execute(act.database())
            .await?;
        }
        let draft = Draft::new("user.backup_codes_created").severity(Severity::Notice);
        act.record(draft.target("user", user.id, user.name)).await?;
        act.touch_user(user.id);
        notices::tell(act, user.id, "new backup codes were made").await?;
        Ok(self.codes.iter().map(|code| spaced(code)).collect())
    }
}

/// How many somebody has left.
///
/// # Errors
/// The database fails.
pub(crate) async fn backup_codes_of(
    database: &mut SqliteConnection,
    user: &str,
) -> Result<BackupCodes, sqlx::Error> {
    let (left, created_at, confirmed_at): (i64, Option<i64>, Option<i64>) = sqlx::query_as(
        "SELECT COUNT(CASE WHEN used_at IS NULL THEN 1 END), MAX(created_at), MAX(confirmed_at)
         FROM backup_codes WHERE user_id = $1",
    )
    .bind(user)
    .fetch_one(database)
    .await?;
    Ok(BackupCodes {
        left: u32::try_from(left).unwrap_or_default(),
        created_at: moment(created_at).map(Time),
        confirmed_at: moment(confirmed_at).map(Time),
    })
}

/// Their owner says that they are kept.
///
/// # Errors
/// There are none.
pub(crate) async fn confirm_backup_codes(act: &mut Act<'_>, user: &str) -> Result<(), Refused> {
    let now = act.now_ms();
    let confirmed = sqlx::query(
        "UPDATE backup_codes SET confirmed_at = $2 WHERE user_id = $1 AND used_at IS NULL",
    )
    .bind(user)
    .bind(now)
    .execute(act.database())
    .await?;
    if confirmed.rows_affected() == 0 {
        return Err(Refused::not_found("backup code"));
    }
    Ok(())
}

/// Whether this is one of somebody's unused codes; it stays unused.
///
/// # Errors
/// The database fails, or the machine cannot do the work.
pub(crate) async fn is_backup_code(
    state: &AppState,
    user: &str,
    typed: &str,
) -> Result<bool, Refused> {
    let Some(TypedCode::BackupCode(code)) = TypedCode::read(typed) else {
        return Ok(false);
    };
    let verifiers: Vec<(String, String)> = sqlx::query_as(
        "SELECT id, verifier FROM backup_codes WHERE user_id = $1 AND used_at IS NULL",
    )
    .bind(user)
    .fetch_all(state.store.read())
    .await?;
    let found = matching(&state.passwords, verifiers, &code).await?;
    Ok(found.is_some())
}

/// Whichever of these the code is; all are compared, so that the time does not tell which.
pub(super) async fn matching(
    passwords: &Passwords,
    verifiers: Vec<(String, String)>,
    code: &str,
) -> Result<Option<String>, Refused> {
    let code = Zeroizing::new(code.to_owned());
    passwords
        .slowly(move || {
            let fitting = verifiers.into_iter().filter(|(_, verifier)| {
                Argon2::default()
                    .verify_password(code.as_bytes(), verifier.as_str())
                    .is_ok()
            });
            fitting.fold(None, |_, (id, _)| Some(id))
        })
        .await
}

fn drawn(random: &Random) -> Result<Zeroizing<String>, Refused> {
    let bytes = Zeroizing::new(random.bytes::<CODE_LETTERS>()?);
    let letters = bytes
        .iter()
        .filter_map(|byte| BACKUP_CODE_ALPHABET.get(usize::from(byte % 32)));
    Ok(Zeroizing::new(
        letters.map(|letter| char::from(*letter)).collect(),
    ))
}

fn verifier(code: &str, salt: &[u8]) -> Option<String> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).ok()?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_with_salt(code.as_bytes(), salt)
        .map(|hash| hash.to_string())
        .ok()
}

/// In groups of four.
fn spaced(code: &str) -> Zeroizing<String> {
    let letters: Vec<char> = code.chars().collect();
    let groups: Vec<String> = letters
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    Zeroizing::new(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_eighty_bits_and_reads_back_as_it_was_shown() {
        let code = drawn(&Random::of_system()).unwrap();
        let shown = spaced(&code);
        assert_eq!(shown.len(), 19);
        for typed in [
            shown.to_lowercase(),
            shown.replace('-', " "),
            shown.to_string(),
        ] {
            let read = TypedCode::read(&typed);
            assert!(read == Some(TypedCode::BackupCode(code.to_string())));
        }
        assert!(drawn(&Random::of_system()).unwrap() != code);
    }

    #[test]
    fn a_verifier_knows_its_code_and_no_other() {
        let made = verifier("0123456789ABCDEF", &[1; 16]).unwrap();
        assert!(made.starts_with("$argon2id$"));
        let fits = |code: &str| Argon2::default().verify_password(code.as_bytes(), made.as_str());
        assert!(fits("0123456789ABCDEF").is_ok());
        assert!(fits("0123456789ABCDEG").is_err());
    }
}
