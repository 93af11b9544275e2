//! The host's own accounts, straight from `/etc/passwd` and `/etc/group`, read as glibc's `files`
//! reads them; and which further sources `/etc/nsswitch.conf` names. Never through NSS.

use std::path::Path;

use crate::disk::read_bounded;
use crate::lookups::map::{Group, Unavailable, User};

const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Local users and groups at this moment.
#[derive(Debug)]
pub struct LocalFiles {
    passwd: Vec<u8>,
    group: Vec<u8>,
}

/// Who else may know a name that neither the files nor the map know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherSources {
    /// Nobody: what is not found does not exist.
    None,
    /// systemd, with its transient users and what other programs tell it.
    Systemd,
    /// A source of which nothing is known here.
    Unknown,
}

impl LocalFiles {
    /// Reads both files.
    ///
    /// # Errors
    /// One of them is missing or cannot be read.
    pub fn read(etc: &Path) -> Result<Self, Unavailable> {
        let whole = |name: &str| match read_bounded(&etc.join(name), FILE_BYTES_MAX) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) | Err(_) => Err(Unavailable),
        };
        Ok(Self {
            passwd: whole("passwd")?,
            group: whole("group")?,
        })
    }

    /// The first entry of this name.
    #[must_use]
    pub fn user_by_name(&self, name: &[u8]) -> Option<User> {
        self.users().find(|user| user.name == name)
    }

    /// The first entry of this id.
    #[must_use]
    pub fn user_by_id(&self, uid: u32) -> Option<User> {
        self.users().find(|user| user.uid == uid)
    }

    /// The first entry of this name.
    #[must_use]
    pub fn group_by_name(&self, name: &[u8]) -> Option<Group> {
        self.groups().find(|group| group.name == name)
    }

    /// The first entry of this id.
    #[must_use]
    pub fn group_by_id(&self, gid: u32) -> Option<Group> {
        self.groups().find(|group| group.gid == gid)
    }

    /// Ids of the groups that list a name, local or not.
    #[must_use]
    pub fn groups_listing(&self, name: &[u8]) -> Vec<u32> {
        self.groups()
            .filter(|group| group.members.iter().any(|member| member == name))
            .map(|group| group.gid)
            .collect()
    }

    fn users(&self) -> impl Iterator<Item = User> {
        lines(&self.passwd).filter_map(user)
    }

    fn groups(&self) -> impl Iterator<Item = Group> {
        lines(&self.group).filter_map(group)
    }
}

impl OtherSources {
    /// What `nsswitch.conf` names for a database besides `files` and us. Without the file or the
    /// line, glibc asks the files only.
    #[must_use]
    pub fn of(etc: &Path, database: &str) -> Self {
        let text = match read_bounded(&etc.join("nsswitch.conf"), FILE_BYTES_MAX) {
            Ok(text) => text.unwrap_or_default(),
            Err(_) => return Self::Unknown,
        };
        let text = String::from_utf8_lossy(&text);
        let sources = text.lines().find_map(|line| {
            let line = line.split('#').next().unwrap_or_default();
            let (name, sources) = line.split_once(':')?;
            (name.trim() == database).then_some(sources)
        });
        sources.map_or(Self::None, Self::among)
    }

    fn among(sources: &str) -> Self {
        // `[NOTFOUND=return]` says what to do with an answer, not whom to ask.
        let mut words = sources
            .split('[')
            .enumerate()
            .flat_map(|(at, part)| {
                let names = if at == 0 {
                    part
                } else {
                    part.split_once(']').map_or("", |(_, names)| names)
                };
                names.split_whitespace()
            })
            .filter(|name| !matches!(*name, "files" | "cloudid"))
            .peekable();
        if words.peek().is_none() {
            Self::None
        } else if words.all(|name| name == "systemd") {
            Self::Systemd
        } else {
            Self::Unknown
        }
    }
}

/// Lines that are entries: no comment, and none of the `+` and `-` of another age.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_start)
        .filter(|line| !line.is_empty() && !matches!(line.first(), Some(b'#' | b'+' | b'-')))
        .filter(|line| !line.contains(&0))
}

fn user(line: &[u8]) -> Option<User> {
    let mut fields = line.splitn(7, |byte| *byte == b':');
    let mut text = || fields.next().map(<[u8]>::to_vec);
    let (name, password) = (text()?, text()?);
    let (uid, gid) = (number(&text()?)?, number(&text()?)?);
    let mut rest = || text().unwrap_or_default();
    Some(User {
        name,
        password,
        uid,
        gid,
        gecos: rest(),
        home: rest(),
        shell: rest(),
    })
}

fn group(line: &[u8]) -> Option<Group> {
    let mut fields = line.splitn(4, |byte| *byte == b':');
    let name = fields.next()?.to_vec();
    let password = fields.next()?.to_vec();
    let gid = number(fields.next()?)?;
    let members = fields
        .next()
        .unwrap_or_default()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    Some(Group {
        name,
        password,
        gid,
        members,
    })
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etc(passwd: &str, group: &str, nsswitch: &str) -> tempfile::TempDir {
        let etc = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("passwd", passwd),
            ("group", group),
            ("nsswitch.conf", nsswitch),
        ] {
            std::fs::write(etc.path().join(name), text).unwrap();
        }
        etc
    }

    #[test]
    fn the_files_are_read_as_glibc_reads_them() {
        let etc = etc(
            "# root\nroot:x:0:0:root:/root:/bin/sh\n+nis::::::\nbad\nodd:x:-1:0::/:/bin/sh\n \
             bob:x:1001:100:B\u{e9}, Room 1:/home/bob:/bin/sh:extra\nbob:x:9:9::/:/\nshort:x:5:6\n",
            "wheel:x:10: bob ,,root\nempty:x:11:\nnone:x:12\n",
            "",
        );
        let files = LocalFiles::read(etc.path()).unwrap();
        let bob = files.user_by_name(b"bob").unwrap();
        assert_eq!((bob.uid, bob.gid), (1001, 100));
        assert_eq!(bob.gecos, "B\u{e9}, Room 1".as_bytes());
        assert_eq!(bob.shell, b"/bin/sh:extra");
        assert_eq!(files.user_by_id(0).unwrap().home, b"/root");
        assert_eq!(files.user_by_name(b"short").unwrap().shell, b"");
        for nobody in ["odd", "+nis", "bad", "# root", ""] {
            assert!(files.user_by_name(nobody.as_bytes()).is_none(), "{nobody}");
        }
        let wheel = files.group_by_name(b"wheel").unwrap();
        assert_eq!(wheel.members, [b"bob".to_vec(), b"root".to_vec()]);
        assert!(files.group_by_id(12).unwrap().members.is_empty());
        assert_eq!(files.groups_listing(b"bob"), [10]);
    }

    #[test]
    fn a_missing_file_is_not_an_empty_one() {
        let etc = tempfile::tempdir().unwrap();
        std::fs::write(etc.path().join("passwd"), "").unwrap();
        assert!(LocalFiles::read(etc.path()).is_err());
    }

    #[test]
    fn whoever_else_is_asked_stands_in_nsswitch() {
        let expected = [
            ("passwd: files cloudid\n", OtherSources::None),
            ("group: sss\n", OtherSources::None),
            ("", OtherSources::None),
            (
                " passwd :  files [NOTFOUND=return] cloidid-not\n",
                OtherSources::Unknown,
            ),
            (
                "passwd: files [!SUCCESS=return] cloudid systemd # sss\n",
                OtherSources::Systemd,
            ),
            ("passwd: files systemd sss\n", OtherSources::Unknown),
            (
                "#passwd: sss\npasswd:files[SUCCESS=merge]cloudid\n",
                OtherSources::None,
            ),
        ];
        for (text, sources) in expected {
            let etc = etc("", "", text);
            assert_eq!(OtherSources::of(etc.path(), "passwd"), sources, "{text}");
        }
    }
}
