//! New users.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::{NewUser, UserSettings};
use posix_names::{Uid, UserName};

use super::UserRow;
use super::edit::check_settings;
use crate::act::{Act, changes_between};
use crate::api::groups::{GroupRow, add_user};
use crate::assign::{Space, claim_name, next_id, pin_id};
use crate::audit::Draft;
use crate::http::{Body, Call, Refused};
use crate::id::Kind;
use crate::state::AppState;

/// What a new row of `users` takes.
pub(crate) struct NewRow {
    pub(crate) username: UserName,
    pub(crate) uid: Option<Uid>,
    pub(crate) state: &'static str,
    pub(crate) settings: UserSettings,
}

pub(super) async fn create(
    State(state): State<AppState>,
    call: Call,
    Body(new): Body<NewUser>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let groups = new.groups.clone();
    let row = insert(&mut act, NewRow::of(new)).await?;
    for group in groups {
        let group = GroupRow::find(act.database(), &group).await?;
        add_user(&mut act, &group, &row.id, &row.username).await?;
    }
    let row = UserRow::find(act.database(), &row.id).await?;
    let user = row.shown(act.database()).await?;
    act.finish(StatusCode::CREATED, &user, Some(row.version))
        .await
}

impl NewRow {
    fn of(new: NewUser) -> Self {
        Self {
            username: new.username,
            uid: new.uid,
            state: if new.active { "active" } else { "staged" },
            settings: UserSettings {
                display_name: new.display_name,
                email: new.email,
                description: new.description,
                home: new.home,
                shell: new.shell,
                expires_at: new.expires_at,
                labels: new.labels,
            },
        }
    }
}

/// Makes a user: name and uid are taken for ever.
pub(crate) async fn insert(act: &mut Act<'_>, new: NewRow) -> Result<UserRow, Refused> {
    check_settings(&new.settings)?;
    let id = act.new_id(Kind::User)?;
    let name = new.username.as_str();
    claim_name(act.database(), Space::People, name, &id).await?;
    let uid = match new.uid {
        Some(uid) => {
            pin_id(act.database(), i64::from(uid.get()), &id).await?;
            i64::from(uid.get())
        }
        None => next_id(act.database(), &id).await?,
    };
    let (now, actor) = (act.now_ms(), act.actor_id());
    sqlx::query(
        "INSERT INTO users (id, username, uid, state, display_name, email, description, home, shell,
           labels, expires_at, failed_logins, password_must_change, created_at, created_by,
           updated_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, $12, $13, $12, 1)",
    )
    .bind(&id)
    .bind(name)
    .bind(uid)
    .bind(new.state)
    .bind(&new.settings.display_name)
    .bind(&new.settings.email)
    .bind(&new.settings.description)
    .bind(new.settings.home.as_ref().map(ToString::to_string))
    .bind(new.settings.shell.as_ref().map(ToString::to_string))
    .bind(serde_json::to_string(&new.settings.labels)?)
    .bind(new.settings.expires_at.map(directory_api::rest::Time::as_millisecond))
    .bind(now)
    .bind(actor)
    .execute(act.database())
    .await?;
    let changes = changes_between(&UserSettings::default(), &new.settings)?;
    act.record(
        Draft::new("user.created")
            .target("user", &id, name)
            .changes(changes)
            .detail("uid", uid)
            .detail("state", new.state),
    )
    .await?;
    act.touch_user(&id);
    UserRow::find(act.database(), &id).await
}
