//! Looks names up as every program does: through glibc, in a fresh process.

use super::programs;
use crate::error::Failure;

const GETENT: &str = "/usr/bin/getent";

/// One record, or `None` when the name is not there.
pub(super) async fn record(database: &str, name: &str) -> Result<Option<String>, Failure> {
    let finished = programs::run(GETENT, &[database, "--", name]).await?;
    let record = finished.output.trim_end().to_owned();
    Ok((finished.success && !record.is_empty()).then_some(record))
}

/// The members of a group.
pub(super) async fn members(group: &str) -> Result<Vec<String>, Failure> {
    let record = record("group", group).await?.unwrap_or_default();
    let members = record
        .rsplit_once(':')
        .map(|(_, members)| members)
        .unwrap_or_default();
    Ok(members
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}
