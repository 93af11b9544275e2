//! The passphrase of the root key: from a file, or typed twice on the terminal.

use std::path::Path;

use zeroize::Zeroizing;

use super::{CommandError, read_text};

const CHARACTERS_MIN: usize = 12;

/// A passphrase for a new root key.
pub(super) fn read(file: Option<&Path>) -> Result<Zeroizing<String>, CommandError> {
    let passphrase = match file {
        Some(path) => first_line(path)?,
        None => typed_twice()?,
    };
    if passphrase.chars().count() < CHARACTERS_MIN {
        let text = format!("the root key's passphrase needs at least {CHARACTERS_MIN} characters");
        return Err(CommandError::Operator(text));
    }
    Ok(passphrase)
}

/// The passphrase of a root key that exists.
pub(super) fn of_existing(file: Option<&Path>) -> Result<Zeroizing<String>, CommandError> {
    match file {
        Some(path) => first_line(path),
        None => typed("Passphrase of the root key: "),
    }
}

fn first_line(path: &Path) -> Result<Zeroizing<String>, CommandError> {
    let text = Zeroizing::new(read_text(path)?);
    let line = text.lines().next().unwrap_or_default();
    Ok(Zeroizing::new(line.to_owned()))
}

fn typed_twice() -> Result<Zeroizing<String>, CommandError> {
    let first = typed("Passphrase for the root key: ")?;
    if *first == *typed("The same again: ")? {
        return Ok(first);
    }
    Err(CommandError::Operator(
        "the two passphrases differ; nothing was made".to_owned(),
    ))
}

fn typed(prompt: &str) -> Result<Zeroizing<String>, CommandError> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|error| {
            CommandError::Operator(format!(
                "the passphrase cannot be asked for ({error}); give --root-passphrase-file"
            ))
        })
}
