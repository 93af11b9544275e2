//! Whom a transaction is about. The name is pinned when the transaction begins; a program or
//! another module that changes it afterwards changes it into somebody who has proved nothing.

use crate::codes::Ending;

/// The name a transaction began with, kept by libpam until its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pinned {
    pub(crate) name: String,
    /// Whether this module has said yes to this name.
    pub(crate) admitted: bool,
}

impl Pinned {
    /// As bytes for libpam.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.admitted)];
        bytes.extend_from_slice(self.name.as_bytes());
        bytes
    }

    /// From the bytes libpam has kept.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (admitted, name) = bytes.split_first()?;
        Some(Self {
            name: std::str::from_utf8(name).ok()?.to_owned(),
            admitted: *admitted == 1,
        })
    }
}

/// Whether a service is sudo, which names two people.
pub(crate) fn is_sudo(service: &str) -> bool {
    matches!(service, "sudo" | "sudo-i")
}

/// Who acts. In sudo's session step `PAM_USER` is the target, and with `rootpw`, `targetpw` or
/// `runaspw` in every step; the person is `PAM_RUSER` throughout.
pub(crate) fn actor<'a>(service: &str, user: &'a str, remote_user: &'a str) -> &'a str {
    if is_sudo(service) && !remote_user.is_empty() {
        remote_user
    } else {
        user
    }
}

/// Whether this name is for us to answer.
///
/// A local name is not, unless we let somebody else in before: then this is that person under a
/// borrowed name.
pub(crate) fn check(name: &str, local: bool, pinned: Option<&Pinned>) -> Result<(), Ending> {
    if let Some(pinned) = pinned
        && pinned.name != name
        && (pinned.admitted || !local)
    {
        return Err(Ending::AnotherPerson);
    }
    if local { Err(Ending::NotOurs) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(name: &str, admitted: bool) -> Pinned {
        Pinned {
            name: name.to_owned(),
            admitted,
        }
    }

    #[test]
    fn pam_05_an_admitted_person_cannot_become_another_not_even_a_local_one() {
        let alice = pinned("alice", true);
        assert_eq!(check("alice", false, Some(&alice)), Ok(()));
        for (name, local) in [("bob", false), ("Alice", false), ("root", true)] {
            let answer = check(name, local, Some(&alice));
            assert_eq!(answer, Err(Ending::AnotherPerson), "{name}");
        }
    }

    #[test]
    fn pam_05_nobody_can_become_a_person_of_the_directory() {
        for first in [pinned("root", false), pinned("alice", false)] {
            assert_eq!(
                check("bob", false, Some(&first)),
                Err(Ending::AnotherPerson)
            );
        }
    }

    #[test]
    fn pam_05_local_names_that_another_module_maps_are_none_of_our_business() {
        let principal = pinned("carol@REALM", false);
        assert_eq!(check("carol", true, Some(&principal)), Err(Ending::NotOurs));
        assert_eq!(check("root", true, None), Err(Ending::NotOurs));
    }

    #[test]
    fn in_sudo_the_person_is_the_one_who_called_it() {
        assert_eq!(actor("sudo", "root", "alice"), "alice");
        assert_eq!(actor("sudo-i", "root", "alice"), "alice");
        assert_eq!(actor("sudo", "alice", ""), "alice");
        assert_eq!(actor("su", "root", "alice"), "root");
        assert_eq!(actor("sshd", "alice", "mallory"), "alice");
        assert_eq!(actor("sudo-rs", "alice", "mallory"), "alice");
    }

    #[test]
    fn a_pinned_name_survives_libpam() {
        for person in [pinned("alice", true), pinned("alice", false)] {
            assert_eq!(Pinned::from_bytes(&person.to_bytes()), Some(person));
        }
        assert_eq!(Pinned::from_bytes(b""), None);
    }
}
