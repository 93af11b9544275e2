//! A change: one transaction that holds the change, its events and the answer for repeats. Nothing
//! of it is there unless all of it is. With `dry_run` it is played through and taken back.

use std::collections::BTreeSet;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use directory_api::rest::{Change, Preview, Reach};
use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::audit::{self, Draft};
use crate::dirty::Touched;
use crate::factors::Proofs;
use crate::http::{Kept, Origin, Refused, etag, unauthenticated};
use crate::id::Kind;
use crate::mail::{self, Letter};
use crate::reach::World;
use crate::state::AppState;
use crate::store::Writing;

const PAIRS_SHOWN_MAX: usize = 200;
const PROOFS_SHOWN_MAX: usize = 200;

/// A change in the making; dropped, it never was.
pub struct Act<'a> {
    state: &'a AppState,
    origin: &'a Origin,
    tx: Writing,
    touched: Touched,
    changes: Vec<Change>,
    letters: Vec<Letter>,
    before: Option<Standing>,
}

/// What a preview is compared with.
struct Standing {
    reach: BTreeSet<Reach>,
    proofs: Proofs,
}

impl<'a> Act<'a> {
    /// Begins; other writers wait until it ends.
    ///
    /// # Errors
    /// The database fails, or the caller has lost what the call takes since it began.
    pub async fn begin(state: &'a AppState, origin: &'a Origin) -> Result<Self, Refused> {
        let mut tx = state.store.write().await?;
        if let Some(caller) = &origin.caller
            && !caller.still_stands(&mut tx, state.clock.now()).await?
        {
            return Err(unauthenticated());
        }
        let before = if origin.dry_run {
            Some(Standing::load(&mut tx, origin).await?)
        } else {
            None
        };
        Ok(Self {
            state,
            origin,
            tx,
            touched: Touched::default(),
            changes: Vec::new(),
            letters: Vec::new(),
            before,
        })
    }

    /// What the server works with.
    #[must_use]
    pub fn state(&self) -> &'a AppState {
        self.state
    }

    /// The database within the change.
    pub fn database(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

    /// The moment of the change.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.origin.now
    }

    /// The same in milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.origin.now.as_millisecond()
    }

    /// Who makes it.
    #[must_use]
    pub fn actor_id(&self) -> &'a str {
        &self.origin.actor.id
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> &'a Origin {
        self.origin
    }

    /// Sends a letter once the change is on disk; if it never is, nobody hears of it.
    pub fn post_after(&mut self, letter: Letter) {
        self.letters.push(letter);
    }

    /// The session or token by which it is made; empty for the directory itself.
    #[must_use]
    pub fn own_credential(&self) -> &'a str {
        let caller = self.origin.caller.as_ref();
        caller.map_or("", |caller| caller.credential_id.as_str())
    }

    /// A new id.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new_id(&self, kind: Kind) -> Result<String, Refused> {
        Ok(kind.new_id(self.origin.now, &self.state.random)?)
    }

    /// Writes down what happens.
    ///
    /// # Errors
    /// The log cannot be written, and so the change does not happen.
    pub async fn record(&mut self, draft: Draft) -> Result<(), Refused> {
        self.changes.extend_from_slice(draft.changed_fields());
        let (organisation, random) = (&self.state.organisation.id, &self.state.random);
        audit::append(&mut self.tx, organisation, draft, self.origin, random)
            .await
            .map(drop)
    }

    /// Hosts that this user can or could reach get new bundles.
    pub fn touch_user(&mut self, id: &str) {
        self.touched.users.insert(id.to_owned());
    }

    /// This host gets a new bundle.
    pub fn touch_host(&mut self, id: &str) {
        self.touched.hosts.insert(id.to_owned());
    }

    /// All hosts get new bundles where those differ.
    pub fn touch_everything(&mut self) {
        self.touched.everything = true;
    }

    /// A revocation that must not wait for bundles. The time is the floor of its number: after an
    /// old backup was restored, hosts would take a smaller one for one they know.
    ///
    /// # Errors
    /// The database fails.
    pub async fn send_at_once(&mut self, verb: &str, subject: &str) -> Result<(), Refused> {
        sqlx::query(
            "INSERT INTO fast_lane (sequence, verb, subject, message, created_at)
             SELECT CASE WHEN COALESCE(MAX(sequence), 0) >= $3 THEN MAX(sequence) + 1 ELSE $3 END,
                    $1, $2, NULL, $3
             FROM fast_lane",
        )
        .bind(verb)
        .bind(subject)
        .bind(self.origin.now.as_millisecond())
        .execute(&mut *self.tx)
        .await?;
        self.touched.fast_lane = true;
        Ok(())
    }

    /// Ends with an object as the answer; `version` becomes its `ETag`.
    ///
    /// # Errors
    /// The database fails; nothing has changed.
    pub async fn finish<T: Serialize>(
        self,
        status: StatusCode,
        answer: &T,
        version: Option<i64>,
    ) -> Result<Response, Refused> {
        let body = serde_json::to_string(answer)?;
        self.end(status, Kept::Body(&body.clone()), body, version)
            .await
    }

    /// Ends with an answer that holds a secret, which is kept nowhere.
    ///
    /// # Errors
    /// The database fails; nothing has changed.
    pub async fn finish_with_secret<T: Serialize>(
        self,
        status: StatusCode,
        answer: &T,
    ) -> Result<Response, Refused> {
        let body = serde_json::to_string(answer)?;
        self.end(status, Kept::Secret, body, None).await
    }

    /// Ends without an answer.
    ///
    /// # Errors
    /// The database fails; nothing has changed.
    pub async fn finish_empty(self) -> Result<Response, Refused> {
        self.end(StatusCode::NO_CONTENT, Kept::Body(""), String::new(), None)
            .await
    }

    async fn end(
        mut self,
        status: StatusCode,
        kept: Kept<'_>,
        body: String,
        version: Option<i64>,
    ) -> Result<Response, Refused> {
        if let Some(before) = self.before.take() {
            return self.preview(before).await;
        }
        if let Some(key) = &self.origin.idempotency {
            let now_ms = self.origin.now.as_millisecond();
            key.keep(&mut self.tx, status, kept, now_ms).await?;
        }
        self.tx.commit().await?;
        self.state.dirty.mark(self.touched);
        for letter in self.letters {
            mail::post(self.state, letter);
        }
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::NO_CONTENT {
            headers.remove(header::CONTENT_TYPE);
        } else {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        if let Some(tag) = version.and_then(|version| HeaderValue::from_str(&etag(version)).ok()) {
            headers.insert(header::ETAG, tag);
        }
        Ok(response)
    }

    async fn preview(mut self, before: Standing) -> Result<Response, Refused> {
        let after = Standing::load(&mut self.tx, self.origin).await?;
        let gained = after.reach.difference(&before.reach);
        let lost = before.reach.difference(&after.reach);
        let mut proofs = before.proofs.changes_to(&after.proofs, &after.reach)?;
        let (proofs_count, loosened) = (proofs.len(), proofs.iter().filter(|one| one.loosened));
        let loosened_count = loosened.count() as u64;
        proofs.truncate(PROOFS_SHOWN_MAX);
        let preview = Preview {
            dry_run: true,
            gained_count: gained.clone().count() as u64,
            lost_count: lost.clone().count() as u64,
            gained: gained.take(PAIRS_SHOWN_MAX).cloned().collect(),
            lost: lost.take(PAIRS_SHOWN_MAX).cloned().collect(),
            changes: self.changes,
            proofs,
            proofs_count: proofs_count as u64,
            loosened_count,
        };
        self.tx.rollback().await?;
        Ok(Json(preview).into_response())
    }
}

impl Standing {
    async fn load(database: &mut SqliteConnection, origin: &Origin) -> Result<Self, Refused> {
        let world = World::load(database).await?;
        Ok(Self {
            reach: world.reach(origin.now),
            proofs: Proofs::load(database, world.hosts).await?,
        })
    }
}

/// What differs between two forms of an object, field by field.
///
/// # Errors
/// One of them cannot be written as JSON.
pub fn changes_between<T: Serialize>(before: &T, after: &T) -> Result<Vec<Change>, Refused> {
    use serde_json::Value;
    let (before, after) = (serde_json::to_value(before)?, serde_json::to_value(after)?);
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return Ok(Vec::new());
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    Ok(names
        .into_iter()
        .map(|name| Change {
            field: name.clone(),
            from: before.get(name).cloned().unwrap_or_default(),
            to: after.get(name).cloned().unwrap_or_default(),
        })
        .filter(|change| change.from != change.to)
        .collect())
}
