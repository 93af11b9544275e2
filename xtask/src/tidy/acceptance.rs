//! Every acceptance id has a test that carries it in its name, or a reason in `tests/not_yet.txt`
//! why it has none; never both.

use super::Source;
use std::collections::BTreeSet;
use std::fs;

const IDS: &str = "tests/acceptance.txt";
const NOT_YET: &str = "tests/not_yet.txt";

pub(super) fn complaints(sources: &[Source]) -> Vec<String> {
    let (listed, excused) = (first_words(IDS), first_words(NOT_YET));
    if listed.is_empty() {
        return vec![format!("{IDS}: missing or empty")];
    }
    let shown = ids_with_tests(sources, &listed);
    let mut found = Vec::new();
    for id in listed
        .iter()
        .filter(|id| !shown.contains(*id) && !excused.contains(*id))
    {
        found.push(format!("{NOT_YET}: {id} has neither a test nor a reason"));
    }
    for id in excused.iter().filter(|id| shown.contains(*id)) {
        found.push(format!("{NOT_YET}: {id} has a test now; take it out"));
    }
    for id in excused.difference(&listed) {
        found.push(format!("{NOT_YET}: {id} is not in {IDS}"));
    }
    found
}

/// The first word of each line that is not a comment: the ids.
fn first_words(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(crate::workspace().join(file)).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// The ids that appear in the name of a test function: `fn pam_20_a_hung_cacher...`.
fn ids_with_tests(sources: &[Source], listed: &BTreeSet<String>) -> BTreeSet<String> {
    let mut shown = BTreeSet::new();
    for name in sources
        .iter()
        .flat_map(|source| source.text.lines())
        .filter_map(function_name)
    {
        shown.extend(
            listed
                .iter()
                .filter(|id| name.starts_with(&as_prefix(id)))
                .cloned(),
        );
    }
    shown
}

fn function_name(line: &str) -> Option<&str> {
    let line = line.trim_start().trim_start_matches("async ");
    line.strip_prefix("fn ")
        .and_then(|rest| rest.split(['(', '<']).next())
}

/// `PAM-20` as the names of tests begin: `pam_20_`.
fn as_prefix(id: &str) -> String {
    format!("{}_", id.to_lowercase().replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn a_test_shows_the_id_its_name_begins_with() {
        let text = "    fn pam_20_a_hung_cacher_delays_nobody() {\nfn pam_2_nothing() {}\n";
        let sources = [Source {
            path: PathBuf::from("a.rs"),
            text: text.to_owned(),
        }];
        let listed = BTreeSet::from(["PAM-20".to_owned(), "PAM-02".to_owned()]);
        assert_eq!(
            ids_with_tests(&sources, &listed),
            BTreeSet::from(["PAM-20".to_owned()])
        );
    }
}
