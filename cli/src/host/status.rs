//! `cloudid host-status`: what the cacher says of itself.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{cacher, must_be_root};
use crate::context::Context;
use crate::error::Failure;

pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    must_be_root("host-status")?;
    let status = cacher::status()?;
    let time = |milliseconds: i64| match Timestamp::from_millisecond(milliseconds) {
        Ok(moment) if milliseconds > 0 => Value::from(format!("{moment:.3}")),
        Ok(_) | Err(_) => Value::Null,
    };
    let age = context.now.timestamp().as_millisecond() - status.newest_signed_time_ms;
    let age = (status.newest_signed_time_ms > 0).then_some(age / 1000);
    context.output.object(&json!({
        "host_id": status.host_id,
        "host_name": status.host_name,
        "directory": status.directory,
        "online": status.online,
        "bundle_version": status.bundle_version,
        "bundle_issued_at": time(status.bundle_issued_at_ms),
        "newest_signed_time": time(status.newest_signed_time_ms),
        "mirror_age_seconds": age,
        "people": status.people,
        "groups": status.groups,
        "sessions": status.sessions,
        "events_waiting": status.events_waiting,
        "last_error": status.last_error,
    }))
}
