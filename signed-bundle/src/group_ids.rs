//! The groups of one person.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// Ids of groups, sorted, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "BTreeSet<String>")]
pub struct GroupIds(Box<[Arc<str>]>);

impl GroupIds {
    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|id| &**id)
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

impl<T: Into<Arc<str>>> FromIterator<T> for GroupIds {
    fn from_iter<I: IntoIterator<Item = T>>(ids: I) -> Self {
        let ids: BTreeSet<Arc<str>> = ids.into_iter().map(Into::into).collect();
        Self(ids.into_iter().collect())
    }
}
