//! The HTTP side: how requests are read, refused and answered, and the whole router.

mod call;
mod caller;
mod filter;
mod idempotency;
mod json;
mod list;
mod problem;
mod query;
mod request_id;
mod router;
mod standing;

pub use call::{Call, Origin, Visit, etag};
pub(crate) use caller::unauthenticated;
pub use caller::{Caller, SESSION_PREFIX, TOKEN_PREFIX, new_token, token_hash};
pub use filter::{Column, Field, field};
pub use idempotency::{IdempotencyKey, Kept};
pub use json::{Body, OptionalBody, merge_patch, strict, typed};
pub use list::{Asked, Listing, NoShortForms};
pub use problem::Refused;
pub use query::{Filters, answer_object};
pub use request_id::RequestId;
pub use router::router;
