//! A rule that cannot be read. It never allows. It might have been a deny, so it refuses everybody
//! whom it might concern, and nobody else: what is still legible of it (effect, subjects, hosts)
//! narrows whom it might concern, what is not legible counts as *might be*. A legible `allow` thus
//! gives nothing and takes nothing. The caller raises the alarm (`rule.unreadable`).

use std::collections::BTreeSet;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::rule::concerns;
use crate::{Effect, Host, Person, Selector, Subject};

/// Longest id that is repeated in answers and events.
const ID_BYTES_MAX: usize = 64;

/// What is left of a rule that is broken, or newer than this program. Deserialize it from the same
/// text that failed as an [`AccessRule`](crate::AccessRule); where even that fails, it is
/// [`UnreadableRule::illegible`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRule {
    id: String,
    effect: Option<Effect>,
    subjects: Option<BTreeSet<Subject>>,
    hosts: Option<Selector>,
}

impl UnreadableRule {
    /// A rule of which nothing can be told but that it was there: it might concern everybody.
    #[must_use]
    pub fn illegible() -> Self {
        Self {
            id: String::from("(unknown)"),
            effect: None,
            subjects: None,
            hosts: None,
        }
    }

    /// The rule's id as far as it can be told.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it might be a deny rule for this person on this host.
    #[must_use]
    pub fn might_deny(&self, person: &Person, host: &Host) -> bool {
        let person_concerned = self
            .subjects
            .as_ref()
            .is_none_or(|subjects| concerns(subjects, &person.id, &person.groups));
        let host_concerned = self.hosts.as_ref().is_none_or(|hosts| hosts.matches(host));
        self.effect != Some(Effect::Allow) && person_concerned && host_concerned
    }
}

impl<'de> Deserialize<'de> for UnreadableRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let remains = Remains::deserialize(deserializer)?;
        let subjects = remains.subjects.legible();
        Ok(Self {
            id: remains.id.legible().map_or_else(
                || Self::illegible().id,
                |id: String| posix_names::clean_line(&id, ID_BYTES_MAX),
            ),
            effect: remains.effect.legible(),
            // One illegible subject might be anybody.
            subjects: subjects.and_then(|all| all.into_iter().map(Perhaps::legible).collect()),
            hosts: remains.hosts.legible(),
        })
    }
}

#[derive(Deserialize)]
struct Remains {
    #[serde(default)]
    id: Perhaps<String>,
    #[serde(default)]
    effect: Perhaps<Effect>,
    #[serde(default)]
    subjects: Perhaps<Vec<Perhaps<Subject>>>,
    #[serde(default)]
    hosts: Perhaps<Selector>,
}

/// A field that is what it should be, or anything else.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Perhaps<T> {
    Legible(T),
    Illegible(IgnoredAny),
    #[default]
    Missing,
}

impl<T> Perhaps<T> {
    fn legible(self) -> Option<T> {
        match self {
            Self::Legible(value) => Some(value),
            Self::Illegible(_) | Self::Missing => None,
        }
    }
}
