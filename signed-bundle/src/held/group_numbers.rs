//! Numbers that stand for ids of groups in packed records: the same few ids stand in nearly all of
//! them. A number keeps its meaning for as long as there are records that were packed with it.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// So many ids may be out of use before it is worth to begin anew.
const SPARE: usize = 4096;

/// Ids of groups by number.
#[derive(Debug, Default)]
pub struct GroupNumbers(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    ids: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
    /// So many there were after the first bundle.
    at_first: Option<usize>,
}

impl GroupNumbers {
    /// The id that a number stands for.
    #[must_use]
    pub fn id(&self, number: u32) -> Option<Arc<str>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.ids.get(number as usize).cloned()
    }

    /// The number of an id that stands in some record.
    #[must_use]
    pub fn number(&self, id: &str) -> Option<u32> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.numbers.get(id).copied()
    }

    /// The number of an id; it gets one where it has none.
    pub(super) fn assigned(&self, id: &str) -> u32 {
        if let Some(number) = self.number(id) {
            return number;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let id: Arc<str> = id.into();
        let next = u32::try_from(known.ids.len()).unwrap_or(u32::MAX);
        let number = *known.numbers.entry(Arc::clone(&id)).or_insert(next);
        if number == next {
            known.ids.push(id);
        }
        number
    }

    /// A bundle was read. Says whether so many ids have been added by bundles since that most of
    /// them may be out of use.
    pub(crate) fn is_worn(&self) -> bool {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let now = known.ids.len();
        let at_first = *known.at_first.get_or_insert(now);
        now > at_first * 2 + SPARE
    }
}
