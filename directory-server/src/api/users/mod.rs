//! `/users`.

mod create;
mod edit;
mod list;
mod passwords;
mod resets;
mod row;
mod states;

use axum::Router;
use axum::routing::{delete, get, post};

use crate::state::AppState;

pub(crate) use create::{NewRow, insert};
pub(crate) use passwords::{Stored, store_chosen, store_verifier};
pub(crate) use resets::{FACTORS_TAKEN, take_factors};
pub(crate) use row::{UserRow, keep_an_owner};
pub(crate) use states::{lift_locks, set_state, suspend_at_once};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/users", get(list::list).post(create::create))
        .route(
            "/users/{id}",
            get(list::show).patch(edit::edit).delete(states::delete),
        )
        .route("/users/{id}/activate", post(states::activate))
        .route("/users/{id}/suspend", post(states::suspend))
        .route("/users/{id}/unlock", post(states::unlock))
        .route("/users/{id}/offboard", post(states::offboard))
        .route("/users/{id}/reset-password", post(passwords::reset))
        .route("/users/{id}/reset-mfa", post(resets::reset_mfa))
        .route("/me/resets", delete(resets::object))
        .route("/users/{id}/access", get(list::access))
}
