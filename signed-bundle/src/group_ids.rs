//! The groups of one person, kept small: a host holds one list for each of its people, and the
//! same few ids stand in nearly all of them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// Ids of groups, sorted, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeSet<String>")]
pub struct GroupIds(Box<[Arc<str>]>);

/// Ids of groups that are known already.
pub(crate) type KnownIds = HashSet<Arc<str>>;

impl GroupIds {
    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|id| &**id)
    }

    /// All of them point to the ids that are known; those that are not are from here on.
    pub(crate) fn share(&mut self, known: &mut KnownIds) {
        for id in &mut self.0 {
            if let Some(same) = known.get(id) {
                *id = Arc::clone(same);
            } else {
                known.insert(Arc::clone(id));
            }
        }
    }
}

impl Serialize for GroupIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl From<BTreeSet<String>> for GroupIds {
    fn from(ids: BTreeSet<String>) -> Self {
        Self(ids.into_iter().map(Arc::from).collect())
    }
}

impl<T: Into<String>> FromIterator<T> for GroupIds {
    fn from_iter<I: IntoIterator<Item = T>>(ids: I) -> Self {
        Self::from(
            ids.into_iter()
                .map(Into::into)
                .collect::<BTreeSet<String>>(),
        )
    }
}
