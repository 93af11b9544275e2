//! The HTTP side: how requests are read, refused and answered, and the whole router.

mod problem;
mod request_id;
mod router;

pub use problem::Refused;
pub use request_id::RequestId;
pub use router::router;
