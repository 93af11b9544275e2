//! Notices that two machines use one identity, as when an image was made of an enrolled host. Each
//! start of a host's daemon is a *run*, a random number that its calls carry. On one machine a run is
//! over before the next begins, so a restart, a reboot and a snapshot that is put back bring new runs,
//! and old ones do not return. Runs that keep taking turns are machines beside each other: the one that
//! came later is refused, for ever. A daemon that says no run is not judged.

use axum::http::{HeaderMap, StatusCode};
use directory_api::agent::{HOST_CLONED, RUN_HEADER};
use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use crate::audit::{self, Draft, Outcome, Severity};
use crate::http::{Origin, Refused};
use crate::state::AppState;
use crate::store::Writing;

/// How often each of two must have returned. A machine in memory that is put back once, or what is
/// late of a daemon that was killed, returns once or twice.
const RETURNS: i64 = 3;
/// What comes sooner after the last return is not counted: it may be the tail of the same calls.
const APART: SignedDuration = SignedDuration::from_secs(5);
/// Those that take turns do it more often than this; returns before a longer pause do not count.
const TOGETHER: SignedDuration = SignedDuration::from_hours(1);
/// Runs kept of a host beside those that are refused.
const KEPT: i64 = 16;
const RUN_LENGTH: usize = 32;

/// What is known of a run.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
struct Run {
    run: String,
    first_seen: i64,
    returns: i64,
    returned_at: i64,
    source: String,
    refused: i64,
}

/// How often a run has returned, as far as that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Returns {
    count: i64,
    at: i64,
}

/// What a call of another run than the last means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A daemon was started.
    New,
    /// It was here before.
    Returned(Returns),
    /// It takes turns with the last one; the later of both is refused from now on.
    Cloned { stays: Run, refused: Run },
    /// It was refused before.
    Refused,
}

/// The run of a call, if it says one.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let Some(run) = headers.get(RUN_HEADER) else {
        return Ok(None);
    };
    let run = run.to_str().unwrap_or_default();
    let proper = |letter: u8| matches!(letter, b'0'..=b'9' | b'a'..=b'f');
    if run.len() != RUN_LENGTH || !run.bytes().all(proper) {
        return Err(Refused::invalid(
            RUN_HEADER,
            "Not 32 digits of hexadecimal.",
        ));
    }
    Ok(Some(run))
}

/// A run calls that was not the last to call. Refuses the later of two machines.
pub(super) async fn takes_turn(
    app: &AppState,
    (host, hostname): (&str, &str),
    run: &str,
    origin: &Origin,
) -> Result<(), Refused> {
    if is_refused(app, host, run).await? {
        return Err(cloned());
    }
    let mut tx = app.store.write().await?;
    let current: String = sqlx::query_scalar("SELECT current_run FROM hosts WHERE id = $1")
        .bind(host)
        .fetch_one(&mut *tx)
        .await?;
    if current == run {
        return Ok(());
    }
    let known: Vec<Run> = sqlx::query_as(
        "SELECT run, first_seen, returns, returned_at, source, refused
         FROM host_runs WHERE host_id = $1",
    )
    .bind(host)
    .fetch_all(&mut *tx)
    .await?;
    let mut stays = run.to_owned();
    match judged(&known, &current, run, origin.now) {
        Verdict::Refused => return Err(cloned()),
        Verdict::New => begins(&mut tx, host, run, origin).await?,
        Verdict::Returned(returns) => returned(&mut tx, (host, run), returns, origin).await?,
        Verdict::Cloned {
            stays: first,
            refused,
        } => {
            refuse(&mut tx, host, &refused.run).await?;
            let draft = Draft::new("host.cloned")
                .outcome(Outcome::Denied)
                .severity(Severity::Critical)
                .host(host, hostname)
                .target("host", host, hostname)
                .detail("stays", first.source.as_str())
                .detail("refused", refused.source.as_str());
            audit::append(&mut tx, &app.organisation.id, draft, origin, &app.random).await?;
            stays = first.run;
        }
    }
    sqlx::query("UPDATE hosts SET current_run = $1 WHERE id = $2")
        .bind(&stays)
        .bind(host)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    if stays == run { Ok(()) } else { Err(cloned()) }
}

fn judged(known: &[Run], current: &str, run: &str, now: Timestamp) -> Verdict {
    let find = |wanted: &str| known.iter().find(|known| known.run == wanted);
    let Some(own) = find(run) else {
        return Verdict::New;
    };
    if own.refused != 0 {
        return Verdict::Refused;
    }
    let returns = own.with_this_return(now);
    match find(current) {
        Some(other) if returns.count.min(other.returns_lately(now)) >= RETURNS => {
            let own_is_later = own.first_seen >= other.first_seen;
            let (stays, refused) = if own_is_later {
                (other, own)
            } else {
                (own, other)
            };
            Verdict::Cloned {
                stays: stays.clone(),
                refused: refused.clone(),
            }
        }
        Some(_) | None => Verdict::Returned(returns),
    }
}

impl Run {
    fn since_return(&self, now: Timestamp) -> SignedDuration {
        SignedDuration::from_millis(now.as_millisecond().saturating_sub(self.returned_at))
    }

    fn returns_lately(&self, now: Timestamp) -> i64 {
        if self.since_return(now) > TOGETHER {
            0
        } else {
            self.returns
        }
    }

    /// One that is not counted moves no time: the next is measured from the last that was.
    fn with_this_return(&self, now: Timestamp) -> Returns {
        let lately = self.returns_lately(now);
        if lately > 0 && self.since_return(now) < APART {
            return Returns {
                count: lately,
                at: self.returned_at,
            };
        }
        Returns {
            count: lately.saturating_add(1),
            at: now.as_millisecond(),
        }
    }
}

async fn is_refused(app: &AppState, host: &str, run: &str) -> Result<bool, sqlx::Error> {
    let refused: Option<i64> =
        sqlx::query_scalar("SELECT refused FROM host_runs WHERE host_id = $1 AND run = $2")
            .bind(host)
            .bind(run)
            .fetch_optional(app.store.read())
            .await?;
    Ok(refused.is_some_and(|refused| refused != 0))
}

async fn begins(
    tx: &mut Writing,
    host: &str,
    run: &str,
    origin: &Origin,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO host_runs (host_id, run, first_seen, source) VALUES ($1, $2, $3, $4)")
        .bind(host)
        .bind(run)
        .bind(origin.now.as_millisecond())
        .bind(source(origin))
        .execute(&mut **tx)
        .await?;
    // Those that were here last stay: whoever came first must not be forgotten for one that starts
    // over and over.
    sqlx::query(
        "DELETE FROM host_runs WHERE host_id = $1 AND run IN
           (SELECT run FROM host_runs WHERE host_id = $1 AND refused = 0
            ORDER BY CASE WHEN returned_at > first_seen THEN returned_at ELSE first_seen END DESC
            LIMIT 1000 OFFSET $2)",
    )
    .bind(host)
    .bind(KEPT)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn returned(
    tx: &mut Writing,
    (host, run): (&str, &str),
    returns: Returns,
    origin: &Origin,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE host_runs SET returns = $3, returned_at = $4, source = $5
         WHERE host_id = $1 AND run = $2",
    )
    .bind(host)
    .bind(run)
    .bind(returns.count)
    .bind(returns.at)
    .bind(source(origin))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn refuse(tx: &mut Writing, host: &str, run: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE host_runs SET refused = 1 WHERE host_id = $1 AND run = $2")
        .bind(host)
        .bind(run)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn source(origin: &Origin) -> String {
    origin
        .source
        .map(|address| address.to_string())
        .unwrap_or_default()
}

fn cloned() -> Refused {
    Refused::new(
        StatusCode::FORBIDDEN,
        HOST_CLONED,
        "Another machine uses the identity of this host, and was here first.",
    )
    .hint("Enrol this machine anew, under a name of its own.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of a host, as they come to be known call by call.
    #[derive(Default)]
    struct Host {
        known: Vec<Run>,
        current: String,
        now: i64,
    }

    impl Host {
        /// A call after some seconds.
        fn called(&mut self, run: &str, after: i64) -> Verdict {
            self.now += after * 1000;
            let now = Timestamp::from_millisecond(self.now).unwrap();
            if run == self.current {
                return Verdict::Returned(Returns { count: 0, at: 0 });
            }
            let verdict = judged(&self.known, &self.current, run, now);
            let own = self.known.iter_mut().find(|known| known.run == run);
            match (&verdict, own) {
                (Verdict::Returned(returns), Some(own)) => {
                    (own.returns, own.returned_at) = (returns.count, returns.at);
                }
                (Verdict::New, None) => self.known.push(Run {
                    run: run.to_owned(),
                    first_seen: self.now,
                    returns: 0,
                    returned_at: 0,
                    source: String::new(),
                    refused: 0,
                }),
                (Verdict::Cloned { refused, .. }, Some(_)) => {
                    let refused = refused.run.clone();
                    let mut known = self.known.iter_mut();
                    known.find(|known| known.run == refused).unwrap().refused = 1;
                }
                other => assert!(matches!(other, (Verdict::Refused, Some(_)))),
            }
            match &verdict {
                Verdict::New | Verdict::Returned(_) => run.clone_into(&mut self.current),
                Verdict::Cloned { stays, .. } => stays.run.clone_into(&mut self.current),
                Verdict::Refused => {}
            }
            verdict
        }

        /// Calls in turn until one is refused; which, and after how many calls.
        fn refused_of(
            &mut self,
            runs: &[&str],
            apart: i64,
            calls: usize,
        ) -> Option<(String, usize)> {
            for (number, run) in runs.iter().cycle().take(calls).enumerate() {
                match self.called(run, apart) {
                    Verdict::Cloned { refused, .. } => return Some((refused.run, number + 1)),
                    Verdict::Refused => return Some(((*run).to_owned(), number + 1)),
                    Verdict::New | Verdict::Returned(_) => {}
                }
            }
            None
        }
    }

    #[test]
    fn two_machines_that_take_turns_are_noticed_and_the_later_is_refused() {
        for apart in [5, 30, 60, 1799] {
            let found = Host::default().refused_of(&["first", "second"], apart, 100);
            assert_eq!(found, Some(("second".to_owned(), 8)), "{apart} s apart");
        }
        let mut host = Host::default();
        let found = host.refused_of(&["first", "second", "second", "first"], 30, 100);
        assert_eq!(found.unwrap().0, "second");
        assert_eq!(
            host.called("second", 86_400 * 30),
            Verdict::Refused,
            "for ever"
        );
    }

    #[test]
    fn of_three_machines_one_stays() {
        let mut host = Host::default();
        let found = host.refused_of(&["first", "second", "third"], 30, 100);
        let (found, _) = found.unwrap();
        assert_ne!(found, "first");
        let rest: Vec<&str> = ["first", "second", "third"]
            .into_iter()
            .filter(|run| *run != found)
            .collect();
        let (next, _) = host.refused_of(&rest, 30, 100).unwrap();
        assert_ne!(next, "first");
    }

    #[test]
    fn starts_of_one_machine_are_never_taken_for_two() {
        let mut host = Host::default();
        for start in 0..1000 {
            let run = format!("run {start}");
            assert_eq!(host.called(&run, 1), Verdict::New);
            for _ in 0..3 {
                let again = host.called(&run, 1);
                assert!(matches!(again, Verdict::Returned(_)), "{again:?}");
            }
        }
    }

    #[test]
    fn a_machine_whose_memory_is_put_back_again_and_again_is_one_machine() {
        let mut host = Host::default();
        for round in 0..100 {
            for run in ["in memory", &format!("after {round}")] {
                let verdict = host.called(run, 20);
                let one = matches!(verdict, Verdict::New | Verdict::Returned(_));
                assert!(one, "{round}: {verdict:?}");
            }
        }
        // two states of a machine, put back in turn now and then
        let mut host = Host::default();
        assert_eq!(host.refused_of(&["one", "other"], 3601, 100), None);
    }

    #[test]
    fn the_tail_of_a_daemon_that_was_killed_is_no_machine() {
        let mut host = Host::default();
        let _ = (host.called("old", 1), host.called("new", 1));
        for _ in 0..20 {
            for run in ["old", "new"] {
                let verdict = host.called(run, 0);
                assert!(matches!(verdict, Verdict::Returned(_)), "{verdict:?}");
            }
        }
    }

    #[test]
    fn a_run_is_a_number_of_32_digits_or_not_said_at_all() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers).unwrap(), None);
        headers.insert(
            RUN_HEADER,
            "0123456789abcdef0123456789abcdef".parse().unwrap(),
        );
        assert!(of(&headers).unwrap().is_some());
        for wrong in [
            "",
            "0",
            "0123456789ABCDEF0123456789ABCDEF",
            "0123456789abcdef0123456789abcde'",
        ] {
            headers.insert(RUN_HEADER, wrong.parse().unwrap());
            assert!(of(&headers).is_err(), "{wrong}");
        }
    }
}
