//! What the host itself already uses: names and ids of its own accounts, subordinate ids, shells.
//! Read from the files, never through NSS, which would ask us in return.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use crate::disk::read_bounded;

const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Names and ids that belong to the host. Files win over us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalNames {
    /// Local accounts with their uid.
    pub users: BTreeMap<String, u32>,
    /// Local groups with their gid.
    pub groups: BTreeMap<String, u32>,
    /// Uids and gids in use, primary groups included.
    pub uids: BTreeSet<u32>,
    /// Gids in use.
    pub gids: BTreeSet<u32>,
    /// Ids handed out to containers of local users.
    pub subordinate: Vec<Range<u64>>,
    /// Shells that are listed and installed.
    pub shells: BTreeSet<String>,
}

impl LocalNames {
    /// Reads the files below `etc`. A missing or unreadable file counts as empty: what is not
    /// known to be taken is not guessed.
    #[must_use]
    pub fn read(etc: &Path) -> Self {
        let mut local = Self::default();
        for fields in records(&etc.join("passwd")) {
            let number = |at: usize| fields.get(at).and_then(|field| field.parse().ok());
            if let (Some(name), Some(uid)) = (fields.first(), number(2)) {
                local.users.insert(name.clone(), uid);
                local.uids.insert(uid);
                local.gids.extend(number(3));
            }
        }
        for fields in records(&etc.join("group")) {
            let gid = fields.get(2).and_then(|field| field.parse().ok());
            if let (Some(name), Some(gid)) = (fields.first(), gid) {
                local.groups.insert(name.clone(), gid);
                local.gids.insert(gid);
            }
        }
        for file in ["subuid", "subgid"] {
            local.subordinate.extend(subordinate(&etc.join(file)));
        }
        local.shells = shells(&etc.join("shells"));
        local
    }

    /// Whether an id is a local user's or lies in a subordinate range.
    #[must_use]
    pub fn has_uid(&self, uid: u32) -> bool {
        self.uids.contains(&uid) || self.is_subordinate(uid)
    }

    /// Whether an id is a local group's or lies in a subordinate range.
    #[must_use]
    pub fn has_gid(&self, gid: u32) -> bool {
        self.gids.contains(&gid) || self.is_subordinate(gid)
    }

    fn is_subordinate(&self, id: u32) -> bool {
        let id = u64::from(id);
        self.subordinate.iter().any(|range| range.contains(&id))
    }
}

fn records(path: &Path) -> Vec<Vec<String>> {
    text(path)
        .lines()
        .filter(|line| !line.starts_with(['#', '+', '-']))
        .map(|line| line.split(':').map(str::to_owned).collect())
        .collect()
}

fn subordinate(path: &Path) -> Vec<Range<u64>> {
    records(path)
        .iter()
        .filter_map(|fields| {
            let first: u64 = fields.get(1)?.trim().parse().ok()?;
            let count: u64 = fields.get(2)?.trim().parse().ok()?;
            Some(first..first.checked_add(count)?)
        })
        .collect()
}

fn shells(path: &Path) -> BTreeSet<String> {
    text(path)
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with('/') && Path::new(line).exists())
        .map(str::to_owned)
        .collect()
}

fn text(path: &Path) -> String {
    match read_bounded(path, FILE_BYTES_MAX) {
        Ok(bytes) => String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot be read");
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_read_and_odd_lines_skipped() {
        let etc = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(etc.path().join(name), text).unwrap();
        write(
            "passwd",
            "root:x:0:0::/root:/bin/sh\n+nis\n\nbad\nbob:x:70005:100::/:/bin/sh\n",
        );
        write("group", "wheel:x:10:bob\n#x:x:9:\n");
        write("subuid", "bob:80000:1000\nodd:1\n");
        write("shells", "# comment\n/bin/sh\n/no/such/shell\n");
        let local = LocalNames::read(etc.path());
        assert_eq!(local.users.get("bob"), Some(&70_005));
        assert!(local.has_uid(70_005) && local.has_uid(80_000) && !local.has_uid(81_000));
        assert!(local.has_gid(100) && local.has_gid(10) && !local.has_gid(9));
        assert!(local.shells.contains("/bin/sh") && local.shells.len() == 1);
    }

    #[test]
    fn missing_files_are_empty() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(LocalNames::read(empty.path()), LocalNames::default());
    }
}
