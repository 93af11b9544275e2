//! Reads what people paste as their SSH key: a public key of a kind and size that is worth having.
//! A private key is refused loudly, and is never repeated.

use axum::http::StatusCode;
use posix_names::clean_line;
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, PublicKey};

use crate::http::Refused;

const TEXT_BYTES_MAX: usize = 16 * 1024;
const COMMENT_BYTES_MAX: usize = 256;
const RSA_BITS_MIN: u32 = 3072;
const RSA_BITS_MAX: u32 = 16_384;

/// A public key that was read and found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadKey {
    /// `ssh-ed25519`, …
    pub kind: String,
    /// `SHA256:…`
    pub fingerprint: String,
    /// `type base64`
    pub line: String,
    /// The comment, cleaned.
    pub comment: String,
    /// Lives in a hardware token.
    pub hardware: bool,
}

/// Reads one line of an `id_….pub` file.
///
/// # Errors
/// It is a private key, no key, one with options, or one that is too weak.
pub fn read(text: &str) -> Result<ReadKey, Refused> {
    refuse_private(text)?;
    let text = text.trim();
    if text.len() > TEXT_BYTES_MAX || text.lines().count() != 1 {
        return Err(refused("Give exactly one line of an id_….pub file."));
    }
    let key = PublicKey::from_openssh(text).map_err(|_| {
        refused(
            "This is no public SSH key. It is one line, such as \"ssh-ed25519 AAAA… comment\", \
             without options in front.",
        )
    })?;
    let hardware = match key.key_data() {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) => false,
        KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => true,
        KeyData::Rsa(rsa) if (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&rsa.key_size()) => false,
        KeyData::Rsa(_) => {
            let text =
                format!("RSA keys need at least {RSA_BITS_MIN} bits; better make an Ed25519 key.");
            return Err(refused(&text));
        }
        KeyData::Dsa(_) => return Err(refused("DSA keys are broken; make an Ed25519 key.")),
        KeyData::Certificate(_) => return Err(refused("This is a certificate, not a key.")),
        KeyData::Other(_) | _ => {
            return Err(refused(
                "Keys of this kind are not accepted; make an Ed25519 key.",
            ));
        }
    };
    let comment = key.comment().to_string();
    let mut bare = key;
    bare.set_comment("");
    let line = bare
        .to_openssh()
        .map_err(|_| refused("The key cannot be written."))?;
    Ok(ReadKey {
        kind: bare.algorithm().as_str().to_owned(),
        fingerprint: bare.fingerprint(HashAlg::Sha256).to_string(),
        line: line.trim().to_owned(),
        comment: clean_line(&comment, COMMENT_BYTES_MAX),
        hardware,
    })
}

/// A comment as it is stored.
#[must_use]
pub fn comment(text: &str) -> String {
    clean_line(text, COMMENT_BYTES_MAX)
}

fn refuse_private(text: &str) -> Result<(), Refused> {
    let marks = [
        "PRIVATE KEY",
        "PuTTY-User-Key-File",
        "openssh-key-v1",
        "b3BlbnNzaC1rZXktdjE",
    ];
    if marks.iter().any(|mark| text.contains(mark)) {
        return Err(Refused::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "private_key_sent",
            "This is a PRIVATE key. It was not stored, but it has left your machine: take it as lost.",
        )
        .hint("Make a new key, and send only the file that ends in .pub.")
        .field("public_key", "private_key_sent"));
    }
    Ok(())
}

fn refused(detail: &str) -> Refused {
    Refused::invalid("public_key", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti alice@laptop";

    #[test]
    fn a_public_key_is_read() {
        let key = read(GOOD).unwrap();
        assert_eq!(key.kind, "ssh-ed25519");
        assert!(key.fingerprint.starts_with("SHA256:"));
        assert_eq!(key.comment, "alice@laptop");
        assert_eq!(key.line.split(' ').count(), 2);
    }

    #[test]
    fn a_private_key_is_refused_and_not_repeated() {
        let text = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n";
        let refused = read(text).unwrap_err();
        assert_eq!(refused.code(), "private_key_sent");
        assert!(!refused.detail().contains("b3Blbn"));
    }

    #[test]
    fn options_further_lines_and_garbage_are_refused() {
        for text in [
            "",
            "alice",
            &format!("command=\"id\" {GOOD}"),
            &format!("{GOOD}\n{GOOD}"),
            &format!("{GOOD}\nssh-rsa x"),
            "ssh-ed25519 AAAA",
        ] {
            assert!(read(text).is_err(), "{text:?} was accepted");
        }
    }
}
