//! `/groups`.

mod edit;
mod members;
mod row;

use axum::Router;
use axum::routing::get;

use crate::state::AppState;

pub(crate) use members::add_user;
pub(crate) use row::GroupRow;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/groups", get(edit::list).post(edit::create))
        .route(
            "/groups/{id}",
            get(edit::show).patch(edit::edit).delete(edit::delete),
        )
        .route(
            "/groups/{id}/members",
            get(members::list).post(members::change),
        )
}
