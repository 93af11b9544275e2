//! The one word that `/etc/nsswitch.conf` gets on its lines `passwd` and `group`, and how exactly
//! that word is taken out again. Everything else of the file stays byte for byte.

const DATABASES: [&str; 2] = ["passwd", "group"];
const WORD: &str = "cloudid";

/// Why the file cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("there is no line \"{0}:\"")]
    NoLine(&'static str),
    #[error("the line \"{0}:\" has neither \"files\" nor \"compat\"")]
    NoFiles(&'static str),
}

/// The file with our word right after `files`.
pub(super) fn inserted(file: &[u8]) -> Result<Vec<u8>, Unusable> {
    for database in DATABASES {
        let mut lines = lines(file)
            .filter_map(|line| services(line, database))
            .peekable();
        if lines.peek().is_none() {
            return Err(Unusable::NoLine(database));
        }
        if !lines.all(|services| place(services).is_some() || has_word(services)) {
            return Err(Unusable::NoFiles(database));
        }
    }
    Ok(each_line(file, |services| {
        let place = place(services).filter(|_| !has_word(services))?;
        let (before, after) = services.split_at_checked(place)?;
        Some(format!("{before} {WORD}{after}"))
    }))
}

/// The file without our word.
pub(super) fn removed(file: &[u8]) -> Vec<u8> {
    each_line(file, |services| {
        let word = words(services).find(|word| word.text == WORD)?;
        let before = services.get(..word.start)?;
        let after = services.get(word.start + word.text.len()..)?;
        let before = before.strip_suffix([' ', '\t']).unwrap_or(before);
        Some(format!("{before}{after}"))
    })
}

/// What undoing makes of the file: the original, unless somebody edited it since; then only our
/// word goes.
pub(super) fn undone(original: &[u8], present: &[u8]) -> Vec<u8> {
    if inserted(original).is_ok_and(|edited| edited == present) {
        original.to_vec()
    } else if lines(original).any(|line| {
        DATABASES
            .iter()
            .any(|database| services(line, database).is_some_and(has_word))
    }) {
        // The word was there before us: it is not ours to take out.
        present.to_vec()
    } else {
        removed(present)
    }
}

/// The sources that a line of the file names, in their order, without actions in brackets.
pub(super) fn sources(file: &[u8], database: &str) -> Vec<String> {
    lines(file)
        .filter_map(|line| services(line, database))
        .flat_map(words)
        .filter(|word| !word.text.starts_with('['))
        .map(|word| word.text.to_owned())
        .collect()
}

struct Word<'a> {
    start: usize,
    text: &'a str,
}

/// Right after `files` (or `compat`). An action in brackets that follows then belongs to us, which
/// keeps its meaning, except where it says what happens after a find: such a one stays with
/// `files`.
fn place(services: &str) -> Option<usize> {
    let mut words = words(services).skip_while(|word| !["files", "compat"].contains(&word.text));
    let files = words.next()?;
    let end = files.start + files.text.len();
    match words.next() {
        Some(action) if goes_on_after_success(action.text) => {
            Some(action.start + action.text.len())
        }
        Some(_) | None => Some(end),
    }
}

fn goes_on_after_success(action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let action = action.trim_start_matches('[').trim_end_matches(']');
    action
        .split_whitespace()
        .any(|part| part == "success=merge" || part == "success=continue")
}

fn has_word(services: &str) -> bool {
    words(services).any(|word| word.text == WORD)
}

/// Words and bracketed actions, up to a comment.
fn words(services: &str) -> impl Iterator<Item = Word<'_>> {
    let services = services.split('#').next().unwrap_or_default();
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = services.get(at..)?;
        let start = at + (rest.len() - rest.trim_start().len());
        let rest = services.get(start..).filter(|rest| !rest.is_empty())?;
        let length = if rest.starts_with('[') {
            rest.find(']').map_or(rest.len(), |end| end + 1)
        } else {
            rest.find(|c: char| c.is_whitespace() || c == '[')
                .unwrap_or(rest.len())
        };
        at = start + length;
        Some(Word {
            start,
            text: services.get(start..at)?,
        })
    })
}

fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    file.split_inclusive(|byte| *byte == b'\n')
}

/// What follows the colon on a line of this database; a line that is not text is not one.
fn services<'a>(line: &'a [u8], database: &str) -> Option<&'a str> {
    let line = std::str::from_utf8(line).ok()?;
    let (name, services) = line.split_once(':')?;
    (name.trim() == database).then_some(services)
}

fn each_line(file: &[u8], edit: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let mut edited = Vec::with_capacity(file.len() + 2 * (WORD.len() + 1));
    for line in lines(file) {
        let found = DATABASES
            .iter()
            .find_map(|database| services(line, database));
        let new = found.and_then(|services| Some((services.len(), edit(services)?)));
        match new {
            Some((length, services)) => {
                edited.extend_from_slice(line.get(..line.len() - length).unwrap_or_default());
                edited.extend_from_slice(services.as_bytes());
            }
            None => edited.extend_from_slice(line),
        }
    }
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(passwd: &str) -> Vec<u8> {
        format!("# head\npasswd:{passwd}\ngroup: files\nshadow: files\nhosts: files dns\n").into()
    }

    fn passwd_line(file: &[u8]) -> String {
        let text = String::from_utf8(file.to_vec()).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("passwd:"))
            .unwrap();
        line["passwd:".len()..].to_owned()
    }

    #[test]
    fn the_word_stands_right_after_files_and_nothing_else_changes() {
        let cases = [
            ("         files systemd", "         files cloudid systemd"),
            (
                "\tfiles\tsystemd\t# local first",
                "\tfiles cloudid\tsystemd\t# local first",
            ),
            (" files", " files cloudid"),
            ("files", "files cloudid"),
            (" compat systemd", " compat cloudid systemd"),
            (" db files sss", " db files cloudid sss"),
            (
                " files [NOTFOUND=return] nis",
                " files cloudid [NOTFOUND=return] nis",
            ),
            (
                " files [!UNAVAIL=return] nis",
                " files cloudid [!UNAVAIL=return] nis",
            ),
            (
                " files[NOTFOUND=return] nis",
                " files cloudid[NOTFOUND=return] nis",
            ),
            (
                " files [SUCCESS=merge] systemd",
                " files [SUCCESS=merge] cloudid systemd",
            ),
            (
                " files [ success=continue ] x",
                " files [ success=continue ] cloudid x",
            ),
            (" files   ", " files cloudid   "),
            (" files #cloudid", " files cloudid #cloudid"),
            (" files cloudid systemd", " files cloudid systemd"),
        ];
        for (before, after) in cases {
            let original = pair(before);
            let edited = inserted(&original).unwrap();
            assert_eq!(passwd_line(&edited), after);
            assert_eq!(undone(&original, &edited), original, "{before}");
        }
    }

    #[test]
    fn only_the_lines_passwd_and_group_are_touched() {
        let file = b"passwd: files\n group : files systemd\nshadow: files\ngshadow: files\n\
                     #passwd: files\ninitgroups: files\nnetgroup: nis";
        let edited = String::from_utf8(inserted(file).unwrap()).unwrap();
        assert_eq!(
            edited,
            "passwd: files cloudid\n group : files cloudid systemd\nshadow: files\n\
             gshadow: files\n#passwd: files\ninitgroups: files\nnetgroup: nis"
        );
    }

    #[test]
    fn a_file_without_a_last_newline_stays_so() {
        let file = b"group: files\npasswd: files";
        let edited = inserted(file).unwrap();
        assert_eq!(edited, b"group: files cloudid\npasswd: files cloudid");
        assert_eq!(undone(file, &edited), file);
    }

    #[test]
    fn carriage_returns_and_bytes_that_are_no_text_survive() {
        let file = b"# caf\xe9\r\npasswd: files\r\ngroup: files\r\n";
        let edited = inserted(file).unwrap();
        assert_eq!(
            edited,
            b"# caf\xe9\r\npasswd: files cloudid\r\ngroup: files cloudid\r\n"
        );
        assert_eq!(undone(file, &edited), file);
    }

    #[test]
    fn an_edit_of_the_administrator_meanwhile_is_kept() {
        let original = b"passwd: files\ngroup: files\n";
        let present = b"# mine\npasswd: files cloudid sss\ngroup:\tfiles sss cloudid # x\n";
        assert_eq!(
            undone(original, present),
            b"# mine\npasswd: files sss\ngroup:\tfiles sss # x\n"
        );
    }

    #[test]
    fn a_word_that_was_there_before_us_stays() {
        let original = b"passwd: files cloudid\ngroup: files cloudid\n";
        assert_eq!(undone(original, original), original);
        let present = b"passwd: files cloudid\ngroup: files cloudid\n# mine\n";
        assert_eq!(undone(original, present), present);
    }

    #[test]
    fn a_file_that_cannot_be_edited_is_refused_by_line() {
        assert_eq!(inserted(b"group: files\n"), Err(Unusable::NoLine("passwd")));
        assert_eq!(
            inserted(b"passwd: files\ngroup: sss\n"),
            Err(Unusable::NoFiles("group"))
        );
        assert_eq!(
            inserted(b"passwd: filesystem\ngroup: files\n"),
            Err(Unusable::NoFiles("passwd"))
        );
    }
}
