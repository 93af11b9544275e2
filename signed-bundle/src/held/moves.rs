//! What two bundles have in common, record by record, and how orders follow from the bundle before.

use std::collections::HashMap;

/// Which chunk a record lies in, and where. As long as both are held, the same is the same record.
pub type Lies = (usize, u32);

/// A record that is held where it lies.
pub trait Placed {
    /// Where.
    fn lies(&self) -> Lies;
}

/// Where the records of one bundle stand in the next. Those of one chunk stand together in both, in the
/// order of the chunk.
#[derive(Debug, Clone, Default)]
pub struct Moves {
    /// By the place before.
    to: Vec<Option<u32>>,
    /// Places of those that were not there.
    fresh: Vec<u32>,
}

impl Moves {
    /// From one list to the next.
    #[must_use]
    pub fn between<R: Placed>(old: &[R], new: &[R]) -> Self {
        let mut begins = HashMap::new();
        for (place, record) in (0_usize..).zip(old) {
            begins.entry(record.lies().0).or_insert(place);
        }
        let mut moves = Self {
            to: vec![None; old.len()],
            fresh: Vec::new(),
        };
        let (mut chunk, mut rest) = (None, old.len());
        for (place, record) in (0_u32..).zip(new) {
            let lies = record.lies();
            if chunk != Some(lies.0) {
                chunk = Some(lies.0);
                rest = begins.get(&lies.0).copied().unwrap_or(old.len());
            }
            let behind = old.iter().skip(rest);
            let before = |record: &&R| record.lies().0 == lies.0 && record.lies().1 < lies.1;
            rest += behind.take_while(before).count();
            let is_same = old.get(rest).is_some_and(|record| record.lies() == lies);
            match moves.to.get_mut(rest).filter(|_| is_same) {
                Some(to) => *to = Some(place),
                None => moves.fresh.push(place),
            }
        }
        moves
    }

    /// Where the record from a place before stands now; `None` if it is gone.
    #[must_use]
    pub fn to(&self, before: u32) -> Option<u32> {
        *self.to.get(before as usize)?
    }

    /// Places of those that were not there before.
    #[must_use]
    pub fn fresh(&self) -> &[u32] {
        &self.fresh
    }

    /// Places before of those that are not there any more.
    pub fn gone(&self) -> impl Iterator<Item = u32> {
        let all = (0_u32..).zip(&self.to);
        all.filter(|(_, to)| to.is_none()).map(|(place, _)| place)
    }

    /// An order of places, as it is now: what has stayed keeps its order, what has come is put between.
    pub(crate) fn ordered<'a, R, K: Ord>(
        &self,
        before: &[u32],
        records: &'a [R],
        key: impl Fn(&'a R) -> K,
    ) -> Vec<u32> {
        let at = |place: u32| records.get(place as usize).map(&key);
        let mut fresh: Vec<(Option<K>, u32)> = self
            .fresh
            .iter()
            .map(|place| (at(*place), *place))
            .collect();
        fresh.sort_unstable();
        let stayed: Vec<u32> = before.iter().filter_map(|place| self.to(*place)).collect();
        let mut order = Vec::with_capacity(records.len());
        let mut rest = stayed.as_slice();
        for (key, place) in fresh {
            let (lower, higher) = rest.split_at(rest.partition_point(|one| at(*one) < key));
            order.extend_from_slice(lower);
            order.push(place);
            rest = higher;
        }
        order.extend_from_slice(rest);
        order
    }
}

/// All places in the order of a key.
pub(crate) fn sorted<'a, R, K: Ord>(records: &'a [R], key: impl Fn(&'a R) -> K) -> Vec<u32> {
    let mut keyed: Vec<(K, u32)> = records.iter().map(key).zip(0_u32..).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, place)| place).collect()
}
