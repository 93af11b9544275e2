//! Invitations: a link that works once, for one person, for 72 hours. Only its hash is stored.
//! Whoever opens it goes on with a cookie; the link is good again until the enrolment is finished.

mod factors;
mod steps;

use axum::http::StatusCode;
use directory_api::rest::EventObject;
use jiff::Timestamp;

pub use factors::{add_yubikey, begin_totp, confirm_totp, keep_backup_codes, make_backup_codes};
pub use steps::{
    add_ssh_key, finish, progress, set_password, strength_of_password, test_everything,
};

use crate::act::Act;
use crate::api::too_many;
use crate::api::users::UserRow;
use crate::audit::Draft;
use crate::http::{Origin, Refused, new_token, token_hash};
use crate::id::Kind;
use crate::limiter::source_key;
use crate::state::AppState;

/// Begins the codes in links.
pub const CODE_PREFIX: &str = "cle_";
/// Begins the tokens of those who have opened one.
pub const VISIT_PREFIX: &str = "clv_";
const GOOD_FOR_MS: i64 = 72 * 3_600_000;
const TOKEN_LENGTH_MAX: usize = 64;

/// An invitation that is open, whose it is, and where the call comes from.
#[derive(Debug, Clone)]
pub struct Enrolling {
    pub(crate) invitation: Row,
    pub(crate) user: UserRow,
    pub(crate) origin: Origin,
}

/// One row of `invitations`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) id: String,
    user_id: String,
    pub(crate) codes_kept_at: Option<i64>,
    pub(crate) tested_at: Option<i64>,
    pub(crate) expires_at: i64,
}

/// Makes an invitation; those before it end. Returns its id, code and end.
///
/// # Errors
/// The user is beyond inviting, or the database fails.
pub(crate) async fn make(
    act: &mut Act<'_>,
    state: &AppState,
    user: &UserRow,
) -> Result<(String, String, i64), Refused> {
    refuse_who_needs_none(act, user).await?;
    let (code, hash) = new_token(CODE_PREFIX, &state.random)?;
    let id = act.new_id(Kind::Invitation)?;
    let (now, actor) = (act.now_ms(), act.actor_id());
    let expires_at = now.saturating_add(GOOD_FOR_MS);
    sqlx::query("DELETE FROM invitations WHERE user_id = $1 AND finished_at IS NULL")
        .bind(&user.id)
        .execute(act.database())
        .await?;
    sqlx::query(
        "INSERT INTO invitations (id, user_id, code_hash, expires_at, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&id)
    .bind(&user.id)
    .bind(hash)
    .bind(expires_at)
    .bind(now)
    .bind(actor)
    .execute(act.database())
    .await?;
    act.record(
        Draft::new("user.invited")
            .target("user", &user.id, &user.username)
            .detail("invitation", id.clone()),
    )
    .await?;
    Ok((id, code, expires_at))
}

/// An invitation must not be a way into an account that somebody uses already.
async fn refuse_who_needs_none(act: &mut Act<'_>, user: &UserRow) -> Result<(), Refused> {
    let hint = "To help somebody who is locked out: reset-password.";
    let in_use = match user.state.as_str() {
        "staged" => false,
        "active" => {
            let keys: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM ssh_keys WHERE user_id = $1")
                .bind(&user.id)
                .fetch_one(act.database())
                .await?;
            user.password_verifier.is_some() || keys > 0
        }
        _ => true,
    };
    if in_use {
        let detail = "This user is enrolled already, or suspended.";
        return Err(Refused::conflict(detail).hint(hint));
    }
    Ok(())
}

impl Enrolling {
    /// By the code of a link, or by the cookie of somebody who has opened it.
    ///
    /// # Errors
    /// The code is wrong, used or too old; all three look the same.
    pub async fn of_code(state: &AppState, origin: Origin, code: &str) -> Result<Self, Refused> {
        match code.strip_prefix(VISIT_PREFIX) {
            Some(_) => Self::found(state, origin, code, Token::Visit).await,
            None => Self::found(state, origin, code, Token::Code).await,
        }
    }

    async fn found(
        state: &AppState,
        mut origin: Origin,
        given: &str,
        token: Token,
    ) -> Result<Self, Refused> {
        let mut snapshot = state.store.snapshot().await?;
        let (prefix, query) = token.looked_up();
        let row: Option<Row> = if given.starts_with(prefix) && given.len() <= TOKEN_LENGTH_MAX {
            sqlx::query_as(query)
                .bind(token_hash(given))
                .bind(origin.now.as_millisecond())
                .fetch_optional(&mut *snapshot)
                .await?
        } else {
            None
        };
        let Some(invitation) = row else {
            // Guessing is hopeless; this keeps it from being loud as well.
            state
                .logins_by_source
                .take(&source_key(origin.source), origin.now)
                .map_err(too_many)?;
            return Err(gone());
        };
        let user = UserRow::find(&mut snapshot, &invitation.user_id).await?;
        if !matches!(user.state.as_str(), "staged" | "active") {
            return Err(gone());
        }
        origin.actor = EventObject {
            kind: "user".to_owned(),
            id: user.id.clone(),
            name: user.username.clone(),
        };
        Ok(Self {
            invitation,
            user,
            origin,
        })
    }

    /// Opens it for a browser: a new token for its cookie, and the one before is dead.
    ///
    /// # Errors
    /// The invitation has ended meanwhile, or the database fails.
    pub async fn open(&self, state: &AppState) -> Result<String, Refused> {
        let (visit, hash) = new_token(VISIT_PREFIX, &state.random)?;
        let mut act = self.begin(state).await?;
        sqlx::query("UPDATE invitations SET visit_hash = $2 WHERE id = $1")
            .bind(&self.invitation.id)
            .bind(hash)
            .execute(act.database())
            .await?;
        let draft = Draft::new("user.enrollment_started");
        act.record(draft.target("user", &self.user.id, &self.user.username))
            .await?;
        act.finish_empty().await?;
        Ok(visit)
    }

    /// A change by whoever is enrolling; the invitation must still be open.
    pub(crate) async fn begin<'a>(&'a self, state: &'a AppState) -> Result<Act<'a>, Refused> {
        let mut act = Act::begin(state, &self.origin).await?;
        let open: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM invitations JOIN users ON users.id = user_id
             WHERE invitations.id = $1 AND finished_at IS NULL AND invitations.expires_at > $2
               AND state IN ('staged', 'active')",
        )
        .bind(&self.invitation.id)
        .bind(self.origin.now.as_millisecond())
        .fetch_one(act.database())
        .await?;
        if open == 1 { Ok(act) } else { Err(gone()) }
    }

    /// What was tested before must be tested again.
    async fn untested(&self, act: &mut Act<'_>) -> Result<(), Refused> {
        sqlx::query("UPDATE invitations SET tested_at = NULL WHERE id = $1")
            .bind(&self.invitation.id)
            .execute(act.database())
            .await?;
        Ok(())
    }

    /// When the link ends.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        Timestamp::from_millisecond(self.invitation.expires_at).unwrap_or_default()
    }

    /// Whose it is.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.user.id
    }

    /// Their login name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.user.username
    }

    /// Where the call comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

#[derive(Clone, Copy)]
enum Token {
    Code,
    Visit,
}

impl Token {
    fn looked_up(self) -> (&'static str, &'static str) {
        match self {
            Self::Code => (
                CODE_PREFIX,
                "SELECT * FROM invitations
                 WHERE code_hash = $1 AND finished_at IS NULL AND expires_at > $2",
            ),
            Self::Visit => (
                VISIT_PREFIX,
                "SELECT * FROM invitations
                 WHERE visit_hash = $1 AND finished_at IS NULL AND expires_at > $2",
            ),
        }
    }
}

fn gone() -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        "invitation_gone",
        "This link is wrong, was used already, or is older than three days.",
    )
    .hint("Ask whoever invited you for a new one.")
}
