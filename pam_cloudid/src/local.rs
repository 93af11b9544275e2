//! Is this name a local account? Answered from the file itself, before any socket is opened and
//! without NSS, so that nothing of ours stands between root and a login.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, ErrorKind, Read, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const PASSWD: &str = "/etc/passwd";
/// More than any host has; a file without end is no list of accounts.
const PASSWD_BYTES_MAX: u64 = 64 * 1024 * 1024;
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Whether the name is in `/etc/passwd`. When that cannot be told it counts as local: the other
/// modules know local accounts, and whoever is none is refused by them.
pub(crate) fn is_local(name: &str) -> bool {
    name == "root" || listed(Path::new(PASSWD), name).unwrap_or(true)
}

fn listed(file: &Path, name: &str) -> Result<bool> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(file)?;
    let mut lines = BufReader::new(file.take(PASSWD_BYTES_MAX));
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == LINE_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        if name_of(&line) == Some(name.as_bytes()) {
            return Ok(true);
        }
    }
    if lines.get_ref().limit() == 0 {
        return Err(ErrorKind::InvalidData.into());
    }
    Ok(false)
}

/// The first field. A line that glibc would skip for another reason still takes its name: better
/// a name of the directory that does not log in than a local one that is not recognised.
fn name_of(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_start();
    let end = line.iter().position(|&byte| byte == b':')?;
    line.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_file(content: &[u8], name: &str) -> Result<bool> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        listed(file.path(), name)
    }

    const USUAL: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n\
        # a comment:x:1:1::/:/bin/sh\n\
        \n\
        bob:x:1000:1000:alice:/home/alice:/bin/bash\n\
        \x20carol:x:1001:1001::/:/bin/sh\n\
        dave:broken\n\
        last:x:1002:1002::/:/bin/sh";

    #[test]
    fn safe_1_a_name_in_the_file_is_local() {
        for name in ["root", "bob", "carol", "dave", "last"] {
            assert!(in_file(USUAL, name).unwrap(), "{name}");
        }
    }

    #[test]
    fn a_name_that_only_looks_like_one_in_the_file_is_not_local() {
        for name in [
            "alice",
            "bo",
            "bobb",
            "BOB",
            "",
            "x",
            "a comment",
            "# a comment:x",
            "dave:broken",
        ] {
            assert!(!in_file(USUAL, name).unwrap(), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_an_error_and_counts_as_local() {
        assert!(listed(Path::new("/nonexistent/passwd"), "alice").is_err());
        assert!(listed(Path::new("/"), "alice").is_err());
        assert!(in_file(&vec![b'a'; 1 << 17], "alice").is_err());
        assert!(listed(Path::new("/dev/zero"), "alice").is_err());
    }

    #[test]
    fn safe_1_root_is_local_whatever_the_file_says() {
        assert!(is_local("root"));
    }
}
