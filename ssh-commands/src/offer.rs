//! The key a client offers, as sshd passes it on: `%u %t %k`. Text from the network that may only
//! ever be data.

use local_protocol::KeyQuestion;
use posix_names::UserName;

/// The base64 of an RSA key of 16384 bits has 2.8 KiB.
const KEY_BYTES_MAX: usize = 16 * 1024;
const TYPE_BYTES_MAX: usize = 64;

/// Key types a person can register; sshd knows more.
const KEY_TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// What one call of sshd is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Ask the cacher.
    Key(KeyQuestion),
    /// A certificate, say, or an older type: nobody has such a key here.
    UnknownType,
}

/// Arguments that sshd would not pass for one of our people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOffer {
    /// The line in `sshd_config` is not the one we ship.
    #[error("usage: cloudid-authorized-keys %u %t %k (as AuthorizedKeysCommand of sshd)")]
    Usage,
    /// No name of the directory.
    #[error("the user name is none the directory could have given")]
    User,
    /// Not the name of a key type.
    #[error("the key type is not one")]
    Type,
    /// Not base64, or too long.
    #[error("the key is not base64 of at most {KEY_BYTES_MAX} bytes")]
    Key,
}

impl Offer {
    /// Checks the arguments.
    ///
    /// # Errors
    /// What is wrong with the first that is.
    pub fn parse(arguments: &[String]) -> Result<Self, BadOffer> {
        let [user, key_type, key] = arguments else {
            return Err(BadOffer::Usage);
        };
        let user = UserName::parse(user).map_err(|_| BadOffer::User)?;
        if !is_type(key_type) {
            return Err(BadOffer::Type);
        }
        if !is_base64(key) {
            return Err(BadOffer::Key);
        }
        if !KEY_TYPES.contains(&key_type.as_str()) {
            return Ok(Self::UnknownType);
        }
        Ok(Self::Key(KeyQuestion {
            user: user.as_str().to_owned(),
            key_type: key_type.clone(),
            key: key.clone(),
        }))
    }
}

fn is_type(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'@');
    (1..=TYPE_BYTES_MAX).contains(&text.len()) && text.bytes().all(letter)
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    (1..=KEY_BYTES_MAX).contains(&text.len())
        && text.len() - digits.len() <= 2
        && text.len().is_multiple_of(4)
        && digits.bytes().all(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIGZ5bHZzZ2hqa2xwb2l1eXRyZXdxYXNkZmdoamts";

    fn parse(arguments: &[&str]) -> Result<Offer, BadOffer> {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
        Offer::parse(&arguments)
    }

    #[test]
    fn a_usual_key_becomes_a_question() {
        let question = KeyQuestion {
            user: "alice".to_owned(),
            key_type: "ssh-ed25519".to_owned(),
            key: KEY.to_owned(),
        };
        assert_eq!(
            parse(&["alice", "ssh-ed25519", KEY]),
            Ok(Offer::Key(question))
        );
    }

    #[test]
    fn a_type_nobody_can_register_is_no_question_and_no_error() {
        for key_type in [
            "ssh-dss",
            "ssh-ed25519-cert-v01@openssh.com",
            "ssh-mldsa-87",
        ] {
            assert_eq!(parse(&["alice", key_type, KEY]), Ok(Offer::UnknownType));
        }
    }

    #[test]
    fn ssh_11_hostile_names_are_refused() {
        let long = "a".repeat(33);
        for user in [
            "",
            "root",
            "-l",
            "--help",
            "a b",
            "a\nb",
            "$(id)",
            "a;id",
            "../a",
            "a/b",
            "Alice",
            "%u",
            "a\u{202e}b",
            &long,
        ] {
            assert_eq!(
                parse(&[user, "ssh-ed25519", KEY]),
                Err(BadOffer::User),
                "{user:?}"
            );
        }
    }

    #[test]
    fn ssh_11_hostile_types_are_refused() {
        let long = "a".repeat(65);
        for key_type in [
            "",
            "ssh ed25519",
            "ssh-ed25519\n",
            "%t",
            "a,b",
            "\"x\"",
            &long,
        ] {
            assert_eq!(
                parse(&["alice", key_type, KEY]),
                Err(BadOffer::Type),
                "{key_type:?}"
            );
        }
    }

    #[test]
    fn ssh_11_hostile_keys_are_refused() {
        let long = "A".repeat(KEY_BYTES_MAX + 4);
        for key in [
            "",
            "%k",
            "AAA",
            "AAAA\n",
            "AA AA",
            "AAAA AAAA",
            "A===",
            "====",
            "=AAA",
            "AAA\0",
            "AAAA; id",
            "\u{e9}AA",
            "AA-_",
            &long,
        ] {
            assert_eq!(
                parse(&["alice", "ssh-ed25519", key]),
                Err(BadOffer::Key),
                "{key:?}"
            );
        }
    }

    #[test]
    fn a_line_in_sshd_config_that_is_not_ours_is_told_how_it_should_be() {
        for arguments in [
            &[][..],
            &["alice"],
            &["alice", "ssh-rsa"],
            &["a", "b", "c", "d"],
        ] {
            assert_eq!(parse(arguments), Err(BadOffer::Usage));
        }
    }
}
