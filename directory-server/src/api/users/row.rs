//! Users as they stand in the database.

use std::collections::BTreeMap;

use directory_api::rest::{PasswordStatus, Role, Time, User, UserSettings};
use posix_names::{HomeDirectory, LoginShell, Uid, UserName};
use sqlx::SqliteConnection;

use crate::factors::{self, Device};
use crate::http::{Caller, Refused};
use crate::id::Kind;
use crate::reach::{moment, user_state};
use crate::{access, api::time};

/// One row of `users`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct UserRow {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) uid: i64,
    pub(crate) state: String,
    display_name: String,
    email: String,
    description: String,
    home: Option<String>,
    shell: Option<String>,
    labels: String,
    expires_at: Option<i64>,
    locked_until: Option<i64>,
    last_login_at: Option<i64>,
    pub(crate) password_verifier: Option<String>,
    password_set_at: Option<i64>,
    password_must_change: i64,
    created_at: i64,
    created_by: String,
    updated_at: i64,
    pub(crate) version: i64,
}

impl UserRow {
    /// By id or login name; deleted ones only by id.
    pub(crate) async fn find(database: &mut SqliteConnection, name: &str) -> Result<Self, Refused> {
        let query = if Kind::User.is_id(name) {
            "SELECT * FROM users WHERE id = $1"
        } else {
            "SELECT * FROM users WHERE username = $1 AND state <> 'deleted'"
        };
        sqlx::query_as(query)
            .bind(name)
            .fetch_optional(database)
            .await?
            .ok_or_else(|| Refused::not_found("user"))
    }

    /// The same, for a change: who holds a role can be changed only by an owner, and the deleted by
    /// nobody.
    pub(crate) async fn find_to_change(
        database: &mut SqliteConnection,
        name: &str,
        caller: &Caller,
    ) -> Result<Self, Refused> {
        let user = Self::find(database, name).await?;
        if user.state == "deleted" {
            return Err(Refused::conflict("This user is deleted for ever."));
        }
        let roles = roles_of(database, &user.id).await?;
        access::may_change_person(caller, !roles.is_empty())?;
        Ok(user)
    }

    /// What a password of theirs must not consist of.
    pub(crate) fn names(&self) -> [&str; 3] {
        [&self.username, &self.display_name, &self.email]
    }

    /// What may be edited.
    pub(crate) fn settings(&self) -> Result<UserSettings, Refused> {
        let labels: BTreeMap<String, String> = serde_json::from_str(&self.labels)?;
        let broken = |what: &str| {
            tracing::error!(user = %self.id, what, "a stored value cannot be read");
            Refused::conflict(format!("The stored {what} of this user is unusable."))
        };
        let home = self.home.as_deref().map(HomeDirectory::parse).transpose();
        let shell = self.shell.as_deref().map(LoginShell::parse).transpose();
        Ok(UserSettings {
            display_name: self.display_name.clone(),
            email: self.email.clone(),
            description: self.description.clone(),
            home: home.map_err(|_| broken("home"))?,
            shell: shell.map_err(|_| broken("shell"))?,
            expires_at: moment(self.expires_at).map(Time),
            labels,
        })
    }

    /// Whether they may sign in to the directory at this moment.
    pub(crate) fn may_sign_in(&self, now_ms: i64) -> bool {
        self.state == "active"
            && self.expires_at.is_none_or(|end| end > now_ms)
            && self.locked_until.is_none_or(|end| end <= now_ms)
    }

    /// Whether somebody else has set their password.
    pub(crate) fn must_change_password(&self) -> bool {
        self.password_must_change != 0
    }

    /// As the API shows it.
    pub(crate) async fn shown(&self, database: &mut SqliteConnection) -> Result<User, Refused> {
        let broken = |_| Refused::conflict("The stored name or uid of this user is unusable.");
        let uid = Uid::new(self.uid.unsigned_abs());
        let uid = uid.map_err(|_| Refused::conflict("The stored uid of this user is unusable."))?;
        let groups = sqlx::query_scalar(
            "SELECT name FROM groups JOIN group_users ON group_id = groups.id
             WHERE user_id = $1 ORDER BY name",
        )
        .bind(&self.id)
        .fetch_all(&mut *database)
        .await?;
        let ssh_keys: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM ssh_keys WHERE user_id = $1")
            .bind(&self.id)
            .fetch_one(&mut *database)
            .await?;
        let devices = factors::devices_of(&mut *database, &self.id).await?;
        let codes = factors::standing(&mut *database, &self.id).await?;
        Ok(User {
            id: self.id.clone(),
            username: UserName::parse(&self.username).map_err(broken)?,
            uid,
            gid: uid.private_group().get(),
            state: user_state(&self.state)?,
            settings: self.settings()?,
            groups,
            roles: roles_of(database, &self.id).await?,
            locked_until: moment(self.locked_until).map(Time),
            last_login_at: moment(self.last_login_at).map(Time),
            password: PasswordStatus {
                set_at: moment(self.password_set_at).map(Time),
                must_change: self.password_must_change != 0,
            },
            ssh_keys: ssh_keys.unsigned_abs(),
            mfa: devices.iter().map(Device::shown).collect(),
            backup_codes: factors::backup_codes_of(&mut *database, &self.id).await?,
            codes_locked_until: codes.until,
            code_used_twice_at: codes.used_twice_at,
            created_at: time(self.created_at),
            created_by: self.created_by.clone(),
            updated_at: time(self.updated_at),
            version: self.version.unsigned_abs(),
        })
    }
}

async fn roles_of(database: &mut SqliteConnection, id: &str) -> Result<Vec<String>, Refused> {
    Ok(
        sqlx::query_scalar("SELECT role FROM role_assignments WHERE user_id = $1 ORDER BY role")
            .bind(id)
            .fetch_all(database)
            .await?,
    )
}

/// Refuses to take away the last active owner; one whose account ends some day does not count.
pub(crate) async fn keep_an_owner(
    database: &mut SqliteConnection,
    leaving: &str,
) -> Result<(), Refused> {
    let (leaves, others): (i64, i64) = sqlx::query_as(
        "SELECT COUNT(CASE WHEN user_id = $1 THEN 1 END),
                COUNT(CASE WHEN user_id <> $1 AND users.expires_at IS NULL THEN 1 END)
         FROM role_assignments JOIN users ON users.id = user_id
         WHERE role = $2 AND state = 'active'",
    )
    .bind(leaving)
    .bind(crate::api::roles::role_name(Role::Owner)?)
    .fetch_one(database)
    .await?;
    if leaves > 0 && others == 0 {
        return Err(Refused::new(
            axum::http::StatusCode::CONFLICT,
            "last_owner",
            "This is the last active owner of the directory.",
        )
        .hint("Make somebody else an owner first."));
    }
    Ok(())
}
