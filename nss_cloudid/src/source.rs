//! Where the answer to a question comes from: the memory file that this process holds, or the published
//! file, opened for this lookup and closed after it.

use std::path::Path;

use identity_map::{Bytes, LastHeader, Map, MapFile, PUBLISHED_MAP, ReadError};

use crate::answer::Failure;
use crate::held;
use crate::thread::{seconds, uncancelled};

/// What can be asked of a map, wherever its bytes are. It is put to memory and to a file by code of
/// its own: what is asked of memory has nothing in it that only files need.
pub(crate) trait Question {
    type Answer;

    /// Asks once. It may be asked again, of another map.
    fn ask<B: Bytes>(&mut self, map: &Map<B>) -> Result<Self::Answer, Failure>;
}

/// The answer of the map. One in memory that cannot tell, because its owner has spoilt it, is not
/// the last word: the published file is.
#[inline]
pub(crate) fn answer<Q: Question>(mut question: Q) -> Result<Q::Answer, Failure> {
    if let Some(held) = held::map() {
        let told = question.ask(&held.map);
        if !matches!(told, Err(Failure::Unavailable)) {
            return told;
        }
    }
    answer_of_file(&mut question)
}

#[cold]
#[inline(never)]
fn answer_of_file<Q: Question>(question: &mut Q) -> Result<Q::Answer, Failure> {
    uncancelled(|| question.ask(&published()?))
}

/// The published map, to be closed before this thread can be cancelled.
pub(crate) fn published() -> Result<Map<MapFile>, ReadError> {
    static LAST: LastHeader = LastHeader::new();
    Map::open_file_again(Path::new(PUBLISHED_MAP), &LAST, seconds)
}
