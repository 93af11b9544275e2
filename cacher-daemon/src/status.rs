//! What `cloudid host-status` shows.

use local_protocol::HostStatus;

use crate::cacher::Cacher;

/// The state of the host at this moment.
#[must_use]
pub(crate) fn of(cacher: &Cacher) -> HostStatus {
    let tables = cacher.tables();
    let health = cacher.health();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    HostStatus {
        host_id: cacher
            .identity()
            .map(|one| one.host_id.clone())
            .unwrap_or_default(),
        host_name: cacher
            .identity()
            .map(|one| one.hostname.clone())
            .unwrap_or_default(),
        directory: cacher
            .config()
            .directory
            .url
            .first()
            .cloned()
            .unwrap_or_default(),
        online: health.online,
        bundle_version: tables.version,
        bundle_issued_at_ms: tables.issued.as_millisecond(),
        newest_signed_time_ms: cacher.newest_signed().as_millisecond(),
        people: count(tables.people()),
        groups: count(tables.groups),
        sessions: count(cacher.sessions.count()),
        events_waiting: cacher.events_waiting(),
        last_error: health.last_error,
    }
}
