//! Local names and ids that the directory's would meet. Nothing local is ever changed: the local
//! account stays, and the directory's is not shown on this host.

use posix_names::{Gid, Uid};

use super::places::{GROUP, PASSWD, SUBORDINATE};
use crate::error::Failure;

/// Local records inside the directory's ranges, one line for each.
pub(super) fn overlaps() -> Result<Vec<String>, Failure> {
    let mut found = ids_in_range(PASSWD, &read(PASSWD)?, "user", |id| Uid::new(id).is_ok());
    found.extend(ids_in_range(GROUP, &read(GROUP)?, "group", |id| {
        Gid::new(id).is_ok()
    }));
    for file in SUBORDINATE {
        // Machines without subordinate ids have no such file.
        let text = std::fs::read_to_string(file).unwrap_or_default();
        found.extend(subordinate_in_range(file, &text));
    }
    Ok(found)
}

/// Names that exist here as well; the local ones win.
pub(super) fn clashes(names: &[String]) -> Result<Vec<String>, Failure> {
    let passwd = read(PASSWD)?;
    let local: std::collections::BTreeSet<_> = names_in(&passwd).collect();
    Ok(names
        .iter()
        .filter(|name| local.contains(name.as_str()))
        .cloned()
        .collect())
}

/// Whether a system user is there, such as the one the cacher runs as.
pub(super) fn exists(name: &str) -> Result<bool, Failure> {
    Ok(names_in(&read(PASSWD)?).any(|local| local == name))
}

/// The id of an account of this machine.
pub(super) fn uid_of(name: &str) -> Option<u32> {
    id_of(&read(PASSWD).ok()?, name)
}

/// The id of a group of this machine.
pub(super) fn gid_of(name: &str) -> Option<u32> {
    id_of(&read(GROUP).ok()?, name)
}

fn id_of(text: &str, name: &str) -> Option<u32> {
    let record = |line: &str| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    };
    text.lines().find_map(record)
}

fn read(file: &str) -> Result<String, Failure> {
    std::fs::read(file)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|error| Failure::file("read", std::path::Path::new(file), &error))
}

fn names_in(passwd: &str) -> impl Iterator<Item = &str> {
    passwd.lines().filter_map(|line| line.split(':').next())
}

fn ids_in_range(file: &str, text: &str, kind: &str, ours: impl Fn(u64) -> bool) -> Vec<String> {
    let record = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id: u64 = fields.nth(1)?.parse().ok()?;
        ours(id).then(|| format!("{file}: {kind} {name} has id {id}"))
    };
    text.lines().filter_map(record).collect()
}

fn subordinate_in_range(file: &str, text: &str) -> Vec<String> {
    let record = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let first: u64 = fields.next()?.trim().parse().ok()?;
        let count: u64 = fields.next()?.trim().parse().ok()?;
        let last = first.checked_add(count.checked_sub(1)?)?;
        let ranges = [posix_names::FIRST_RANGE, posix_names::SECOND_RANGE];
        let meets = |range: &std::ops::RangeInclusive<u32>| {
            first <= u64::from(*range.end()) && last >= u64::from(*range.start())
        };
        ranges
            .iter()
            .any(meets)
            .then(|| format!("{file}: {name} has subordinate ids {first}-{last}"))
    };
    text.lines().filter_map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pkg_06_local_ids_in_the_directorys_ranges_are_found() {
        let passwd = "root:x:0:0::/root:/bin/sh\nold:x:70005:70005::/:/bin/sh\n+::::::\nbad:x:abc\n\
                      far:x:1879048192:1::/:/bin/sh\nnear:x:69999:1::/:/bin/sh\n";
        let found = ids_in_range("/etc/passwd", passwd, "user", |id| Uid::new(id).is_ok());
        assert_eq!(
            found,
            [
                "/etc/passwd: user old has id 70005",
                "/etc/passwd: user far has id 1879048192"
            ]
        );
    }

    #[test]
    fn pkg_06_subordinate_ids_that_reach_into_a_range_are_found() {
        let text = "a:100000:65536\nb:60000:10001\nc:60000:10000\nd:1879048191:1\ne:1:0\nf:x:y\n\
                    g:2147483647:1\n";
        let found = subordinate_in_range("/etc/subuid", text);
        assert_eq!(
            found,
            [
                "/etc/subuid: b has subordinate ids 60000-70000",
                "/etc/subuid: g has subordinate ids 2147483647-2147483647"
            ]
        );
    }
}
