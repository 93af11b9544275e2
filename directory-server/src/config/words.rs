//! The nearest known word to one that was mistyped.

const EDITS_MAX: usize = 3;

/// The known word that takes the fewest edits, when that is few.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(edits, _)| *edits <= EDITS_MAX)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, one row at a time.
fn edits(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (index, left) in left.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(index + 1);
        for (pair, right) in row.windows(2).zip(right.chars()) {
            let [diagonal, above] = pair else { continue };
            let before = next.last().copied().unwrap_or_default();
            let replaced = diagonal + usize::from(left != right);
            next.push(replaced.min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_find_their_word() {
        let known = || ["bundle_ttl", "signing_ttl", "ca_key"].into_iter();
        assert_eq!(nearest("bundel_ttl", known()), Some("bundle_ttl"));
        assert_eq!(nearest("completely_else", known()), None);
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
