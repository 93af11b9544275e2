//! `/hosts` and `/tags`.

mod edit;
mod enforcement;
mod list;
mod removals;
mod row;
mod states;
mod tags;

use axum::Router;
use axum::routing::{get, post};

use crate::state::AppState;

pub(super) use row::HostRow;
pub(super) use tags::checked_tags;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/tags", get(tags::list))
        .route("/hosts", get(list::list))
        .route("/hosts/tags", post(tags::change))
        .route("/hosts/{id}", get(list::show).patch(edit::edit))
        .route("/hosts/{id}/approve", post(states::approve))
        .route("/hosts/{id}/reject", post(states::reject))
        .route("/hosts/{id}/quarantine", post(states::quarantine))
        .route("/hosts/{id}/unquarantine", post(states::unquarantine))
        .route("/hosts/{id}/retire", post(states::retire))
        .route("/hosts/{id}/sync", post(states::sync))
        .route("/hosts/{id}/confirm-removals", post(removals::confirm))
        .route("/hosts/{id}/users", get(list::users))
        .route("/hosts/{id}/facts", get(list::facts))
        .route("/hosts/{id}/enforcement", get(enforcement::of_host))
        .route("/users/{id}/enforcement", get(enforcement::of_user))
}
