//! Tries at somebody's second factor, all hosts and pages together. A try is on disk before anything
//! is compared; a right code takes back its own try and no other; a lock doubles with each further
//! one and falls back by one step a quiet day. After a lock there is one try, not a round of them:
//! whoever guesses, fast or patiently, has no more than nine a day.

use directory_api::rest::Time;
use sqlx::SqliteConnection;

use crate::reach::moment;

/// Wrong codes count together for so long: who stays below the limit has few tries a day as well.
const WINDOW_MS: i64 = 8 * 3600 * 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;
const LOCK_S_MAX: u64 = 24 * 3600;

/// How many tries, and how long the first lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Wrong codes in eight hours before a lock; 0 means none at all.
    pub tries: u32,
    /// How long the first lock lasts.
    pub lock_seconds: u64,
}

impl Default for Limit {
    fn default() -> Self {
        let standard = policy::Factors::standard();
        Self {
            tries: standard.code_tries,
            lock_seconds: standard.code_lock_seconds,
        }
    }
}

/// A try that was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    /// It was the last one that was left: the lock is in force until this try proves right.
    pub(super) lock: Option<Lock>,
}

/// A lock that a try brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) until_ms: i64,
    /// How many there were before it.
    pub(super) earlier: i64,
    /// Wrong codes before this one.
    pub(super) tries: i64,
}

/// No try is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Locked {
    pub(super) retry_after_s: u64,
}

#[derive(Debug, Clone, Copy, Default, sqlx::FromRow)]
struct Row {
    window_began: i64,
    tries: i64,
    locked_until: i64,
    locks: i64,
    locked_at: i64,
}

/// Counts a try. The caller's transaction must be the only writer and must be committed before the
/// code is looked at.
pub(super) async fn count(
    database: &mut SqliteConnection,
    user: &str,
    limit: Limit,
    now: i64,
) -> Result<Result<Counted, Locked>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT window_began, tries, locked_until, locks, locked_at FROM factor_tries
         WHERE user_id = $1",
    )
    .bind(user)
    .fetch_optional(&mut *database)
    .await?;
    let (row, counted) = match next(row.unwrap_or_default(), limit, now) {
        Ok(counted) => counted,
        Err(locked) => return Ok(Err(locked)),
    };
    sqlx::query(
        "INSERT INTO factor_tries (user_id, window_began, tries, locked_until, locks, locked_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (user_id) DO UPDATE SET window_began = $2, tries = $3, locked_until = $4,
           locks = $5, locked_at = $6",
    )
    .bind(user)
    .bind(row.window_began)
    .bind(row.tries)
    .bind(row.locked_until)
    .bind(row.locks)
    .bind(row.locked_at)
    .execute(database)
    .await?;
    Ok(Ok(counted))
}

fn next(mut row: Row, limit: Limit, now: i64) -> Result<(Row, Counted), Locked> {
    if row.locked_until > now {
        return Err(Locked {
            retry_after_s: seconds(row.locked_until - now),
        });
    }
    if limit.tries == 0 {
        return Err(Locked {
            retry_after_s: limit.lock_seconds.clamp(1, LOCK_S_MAX),
        });
    }
    // A clock that went back gives nobody new tries.
    if row.tries == 0 || now.saturating_sub(row.window_began) >= WINDOW_MS {
        row.window_began = now;
        row.tries = 0;
    }
    let tries = row.tries;
    row.tries += 1;
    let quiet_days = now.saturating_sub(row.locked_at).max(0) / DAY_MS;
    let earlier = row.locks.saturating_sub(quiet_days).max(0);
    let allowed = if earlier > 0 { 1 } else { limit.tries };
    let mut lock = None;
    if row.tries >= i64::from(allowed) {
        let until_ms = now.saturating_add(lock_ms(limit, earlier));
        row.locked_until = until_ms;
        row.locked_at = now;
        row.locks = earlier + 1;
        row.tries = 0;
        lock = Some(Lock {
            until_ms,
            earlier,
            tries,
        });
    }
    Ok((row, Counted { lock }))
}

fn lock_ms(limit: Limit, earlier: i64) -> i64 {
    let doubled = u32::try_from(earlier)
        .ok()
        .and_then(|times| 2_u64.checked_pow(times))
        .and_then(|times| limit.lock_seconds.max(1).checked_mul(times))
        .unwrap_or(LOCK_S_MAX)
        .min(LOCK_S_MAX);
    i64::try_from(doubled.saturating_mul(1000)).unwrap_or(i64::MAX)
}

fn seconds(milliseconds: i64) -> u64 {
    milliseconds.max(0).unsigned_abs().div_ceil(1000)
}

/// The try was right, or nothing was compared: it alone is taken back.
pub(super) async fn take_back(
    database: &mut SqliteConnection,
    user: &str,
    counted: Counted,
) -> Result<(), sqlx::Error> {
    match counted.lock {
        None => sqlx::query("UPDATE factor_tries SET tries = MAX(tries - 1, 0) WHERE user_id = $1")
            .bind(user)
            .execute(database)
            .await
            .map(drop),
        // A lock that was set anew meanwhile stays.
        Some(lock) => sqlx::query(
            "UPDATE factor_tries SET locked_until = 0, locks = $3, tries = $4
             WHERE user_id = $1 AND locked_until = $2",
        )
        .bind(user)
        .bind(lock.until_ms)
        .bind(lock.earlier)
        .bind(lock.tries)
        .execute(database)
        .await
        .map(drop),
    }
}

/// What stands against somebody's codes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// They are refused until then.
    pub(crate) until: Option<Time>,
    /// When one of them was seen a second time.
    pub(crate) used_twice_at: Option<Time>,
}

/// What stands against somebody's codes now.
///
/// # Errors
/// The database fails.
pub(crate) async fn standing(
    database: &mut SqliteConnection,
    user: &str,
) -> Result<Standing, sqlx::Error> {
    let row: Option<(Option<i64>, Option<i64>)> = sqlx::query_as(
        "SELECT NULLIF(locked_until, 0), used_twice_at FROM factor_tries WHERE user_id = $1",
    )
    .bind(user)
    .fetch_optional(database)
    .await?;
    Ok(
        row.map_or_else(Standing::default, |(until, used_twice)| Standing {
            until: moment(until).map(Time),
            used_twice_at: moment(used_twice).map(Time),
        }),
    )
}

/// Lifts a lock, and takes the mark of a code that was used twice away; an administrator's act.
///
/// # Errors
/// The database fails.
pub async fn unlock(database: &mut SqliteConnection, user: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE factor_tries SET tries = 0, locked_until = 0, locks = 0, used_twice_at = NULL
         WHERE user_id = $1",
    )
    .bind(user)
    .execute(database)
    .await
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        tries: 3,
        lock_seconds: 900,
    };
    const START: i64 = 1_800_000_000_000;

    /// Tries at full speed for a while; how many got through.
    fn tries_until(row: &mut Row, limit: Limit, from: i64, until: i64) -> u32 {
        let mut through = 0;
        let mut now = from;
        while now < until {
            if let Ok((after, _)) = next(*row, limit, now) {
                *row = after;
                through += 1;
            }
            now += 1000;
        }
        through
    }

    #[test]
    fn mfa_03_three_wrong_codes_and_after_each_lock_one_and_the_lock_doubles() {
        let mut row = Row::default();
        let minute = 60_000;
        assert_eq!(tries_until(&mut row, LIMIT, START, START + 15 * minute), 3);
        let lock_of = |row: Row| row.locked_until - row.locked_at;
        assert_eq!(lock_of(row), 15 * minute);
        for minutes in [30, 60, 120, 240, 480, 960, 1440, 1440] {
            let from = row.locked_until;
            assert_eq!(tries_until(&mut row, LIMIT, from, from + 10_000), 1);
            assert_eq!(lock_of(row), minutes * minute);
        }
    }

    #[test]
    fn mfa_13_a_day_of_guessing_has_no_more_than_9_tries() {
        let mut row = Row::default();
        assert_eq!(tries_until(&mut row, LIMIT, START, START + DAY_MS), 9);
    }

    #[test]
    fn mfa_13_who_guesses_patiently_and_is_never_locked_has_fewer() {
        let mut row = Row::default();
        let mut through = 0;
        for minute in 0..24 * 60 {
            let now = START + minute * 60_000;
            let is_old = now - row.window_began >= WINDOW_MS;
            if row.tries < 2 || is_old {
                let (after, counted) = next(row, LIMIT, now).unwrap();
                assert_eq!(counted.lock, None);
                row = after;
                through += 1;
            }
        }
        assert_eq!(through, 6);
    }

    #[test]
    fn a_right_code_after_a_lock_leaves_the_next_lock_as_long_as_it_was() {
        let mut row = Row::default();
        tries_until(&mut row, LIMIT, START, START + 10_000);
        let (_, counted) = next(row, LIMIT, row.locked_until).unwrap();
        let lock = counted.lock.unwrap();
        assert_eq!((lock.earlier, lock.tries), (1, 0));
    }

    #[test]
    fn mfa_03_a_limit_of_zero_means_zero() {
        let none = Limit { tries: 0, ..LIMIT };
        assert!(next(Row::default(), none, START).is_err());
    }

    #[test]
    fn a_quiet_day_takes_one_step_off_the_lock() {
        let mut row = Row::default();
        for _ in 0..3 {
            let from = row.locked_until.max(START);
            tries_until(&mut row, LIMIT, from, from + 10_000);
        }
        assert_eq!(row.locks, 3);
        let later = row.locked_at + 2 * DAY_MS;
        tries_until(&mut row, LIMIT, later, later + 10_000);
        assert_eq!(row.locks, 2);
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_new_tries() {
        let mut row = Row::default();
        assert_eq!(tries_until(&mut row, LIMIT, START, START + 2000), 2);
        assert_eq!(
            tries_until(&mut row, LIMIT, START - DAY_MS, START - DAY_MS + 9000),
            1
        );
    }
}
