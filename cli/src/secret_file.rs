//! Secrets on their way between files, terminals and this program. Never an argument, never the
//! environment.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use directory_api::rest::Secret;
use zeroize::Zeroizing;

use crate::error::Failure;

const SECRET_BYTES_MAX: u64 = 4096;

/// Reads a secret from a file, or from standard input for `-`, where a person is asked without
/// echo. The end of the last line is not part of it.
pub(crate) fn read(path: &Path) -> Result<Secret, Failure> {
    let failed = |error: io::Error| Failure::file("read", path, &error);
    let mut text = Zeroizing::new(Vec::new());
    if path == Path::new("-") && io::stdin().is_terminal() {
        let typed = rpassword::prompt_password("The secret (it is not shown): ");
        text.extend(Zeroizing::new(typed.map_err(failed)?).bytes());
    } else if path == Path::new("-") {
        io::stdin()
            .take(SECRET_BYTES_MAX + 1)
            .read_to_end(&mut text)
            .map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        file.take(SECRET_BYTES_MAX + 1)
            .read_to_end(&mut text)
            .map_err(failed)?;
    }
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(
            Failure::usage(format!("{} holds no secret", path.display()))
                .because(format!("it is longer than {SECRET_BYTES_MAX} bytes")),
        );
    }
    let text = std::str::from_utf8(&text).map_err(|_| {
        Failure::usage(format!("{} holds no secret", path.display())).because("it is not UTF-8")
    })?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::usage(format!("{} is empty", path.display())));
    }
    Ok(Secret::new(text.to_owned()))
}

/// Reads from the file where one is given, otherwise asks the person without echo.
pub(crate) fn read_or_ask(
    path: Option<&Path>,
    prompt: &str,
    option: &str,
) -> Result<Secret, Failure> {
    match path {
        Some(path) => read(path),
        None if io::stdin().is_terminal() => rpassword::prompt_password(prompt)
            .map(Secret::new)
            .map_err(|error| Failure::failed("cannot ask").because(error.to_string())),
        None => Err(Failure::usage("a password or code is needed")
            .because("nobody is here to type it: standard input is not a terminal")
            .next(format!(
                "give it in a file: {option} FILE, or {option} - for standard input"
            ))),
    }
}

/// Asks twice for something new, so that no slip of the finger becomes a password.
pub(crate) fn read_or_ask_twice(
    path: Option<&Path>,
    prompt: &str,
    option: &str,
) -> Result<Secret, Failure> {
    let first = read_or_ask(path, prompt, option)?;
    if path.is_none() {
        let again = read_or_ask(None, "Again: ", option)?;
        if again != first {
            return Err(Failure::failed("nothing was changed")
                .because("the two passwords are not the same"));
        }
    }
    Ok(first)
}

/// Writes a new secret to a file of mode 0600 that must not exist yet, or to standard output for
/// `-`.
pub(crate) fn write_new(path: &Path, secret: &Secret) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file("write", path, &error);
    let text = Zeroizing::new(format!("{}\n", secret.expose()));
    if path == Path::new("-") {
        return io::stdout().write_all(text.as_bytes()).map_err(failed);
    }
    let mut file = new_file(path).map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// Checks before anything is asked of the directory that [`write_new`] will be able to write.
pub(crate) fn check_writable(path: &Path) -> Result<(), Failure> {
    if path == Path::new("-") {
        return Ok(());
    }
    new_file(path)
        .and_then(|_| std::fs::remove_file(path))
        .map_err(|error| Failure::file("write", path, &error))
}

/// Puts a file of mode 0600 in place in one step.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let next = path.with_extension("new");
    let failed = |error: io::Error| Failure::file("write", path, &error);
    match std::fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file = new_file(&next).map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    std::fs::rename(&next, path).map_err(failed)
}

pub(crate) fn make_private_folder(folder: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Failure::file("make", folder, &error))
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_end_of_the_line_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (written, meant) in [(" a b \r\n", " a b "), ("x\n\n", "x\n"), ("é", "é")] {
            std::fs::write(&path, written).unwrap();
            assert_eq!(read(&path).unwrap().expose(), meant);
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for written in [b"".to_vec(), b"\n".to_vec(), vec![0xff], vec![b'a'; 5000]] {
            std::fs::write(&path, &written).unwrap();
            assert!(read(&path).is_err());
        }
    }

    #[test]
    fn cli_04_a_secret_is_written_for_its_owner_only_and_over_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let secret = Secret::new("s".to_owned());
        check_writable(&path).unwrap();
        write_new(&path, &secret).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(write_new(&path, &secret).is_err());
        assert!(check_writable(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "s\n");
    }
}
