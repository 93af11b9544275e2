//! The very first administrator: made with the one-time secret that `init` left on the server.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::{BootstrapRequest, Role, UserSettings, same};

use super::{Opening, count, open_session};
use crate::act::Act;
use crate::api::roles::assign;
use crate::api::users::{NewRow, Stored, UserRow, insert, store_verifier};
use crate::commands::bootstrap_hash;
use crate::http::{Body, Refused, Visit};
use crate::password::{Wish, verifier_for};
use crate::state::AppState;

/// The first owner, by the secret that only the server's own administrator can read; it works once.
pub(super) async fn bootstrap(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Body(request): Body<BootstrapRequest>,
) -> Result<Response, Refused> {
    count(&state, &origin, "bootstrap")?;
    let given = bootstrap_hash(request.secret.expose());
    let stored: Option<String> = sqlx::query_scalar("SELECT bootstrap_hash FROM organisation")
        .fetch_one(state.store.read())
        .await?;
    if !stored.is_some_and(|stored| same(&stored, &given)) {
        return Err(wrong_secret());
    }
    let names = [
        request.username.as_str(),
        &request.display_name,
        &request.email,
    ];
    let wish = Wish {
        user: "",
        names: &names,
        password: request.password.expose(),
    };
    let verifier = verifier_for(&state, wish).await?;
    let mut act = Act::begin(&state, &origin).await?;
    let used = sqlx::query(
        "UPDATE organisation SET bootstrap_hash = NULL, bootstrap_used_at = $2
         WHERE bootstrap_hash = $1",
    )
    .bind(&given)
    .bind(origin.now.as_millisecond())
    .execute(act.database())
    .await?
    .rows_affected();
    if used != 1 {
        return Err(wrong_secret());
    }
    let user = first_owner(&mut act, request, &verifier).await?;
    let created = open_session(&mut act, &user, Opening::default()).await?;
    act.finish_with_secret(StatusCode::CREATED, &created).await
}

fn wrong_secret() -> Refused {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "The one-time secret is wrong or was used already.",
    )
    .hint("It is in the file that `cloudid-directory init` wrote on the server.")
}

async fn first_owner(
    act: &mut Act<'_>,
    request: BootstrapRequest,
    verifier: &str,
) -> Result<UserRow, Refused> {
    let new = NewRow {
        username: request.username,
        uid: None,
        state: "active",
        settings: UserSettings {
            display_name: request.display_name,
            email: request.email,
            ..UserSettings::default()
        },
    };
    let user = insert(act, new).await?;
    let stored = Stored {
        user: &user.id,
        verifier,
        must_change: false,
        keep_session: "",
    };
    store_verifier(act, &stored).await?;
    assign(act, Role::Owner, &user).await?;
    UserRow::find(act.database(), &user.id).await
}
