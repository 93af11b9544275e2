//! Rules for each source file: it opens by saying what it is, `unsafe` stays in `ffi.rs`, it is
//! short or says why not, and nothing in it waits to be finished.

use super::Source;

/// A longer file says why.
const LINES_MAX: usize = 500;
/// The line that says it.
const REASON: &str = "// over 500 lines: ";

pub(super) fn complaints(sources: &[Source]) -> Vec<String> {
    let rules = [
        opens_with_a_sentence,
        unsafe_only_in_ffi,
        short_or_with_a_reason,
        finished,
    ];
    sources
        .iter()
        .flat_map(|source| rules.iter().flat_map(move |rule| rule(source)))
        .collect()
}

fn opens_with_a_sentence(source: &Source) -> Vec<String> {
    let opens = source.text.starts_with("//! ") || source.text.starts_with("#!");
    let complaint = || source.complaint(1, "opens without a `//!` sentence");
    (!opens).then(complaint).into_iter().collect()
}

fn unsafe_only_in_ffi(source: &Source) -> Vec<String> {
    if source.path.file_name().is_some_and(|name| name == "ffi.rs") {
        return Vec::new();
    }
    lines_with(source, "unsafe outside ffi.rs", |code| {
        [
            "unsafe {",
            "unsafe fn",
            "unsafe impl",
            "unsafe extern",
            "unsafe(",
        ]
        .iter()
        .any(|word| code.contains(word))
    })
}

fn short_or_with_a_reason(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let excused = source
        .text
        .lines()
        .any(|line| line.trim_start().starts_with(REASON));
    let complaint = || source.complaint(lines, &format!("{lines} lines and no `{REASON}...`"));
    (lines > LINES_MAX && !excused)
        .then(complaint)
        .into_iter()
        .collect()
}

fn finished(source: &Source) -> Vec<String> {
    // written in two parts, so that this file does not find itself
    let markers = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("to", "do!("),
        concat!("unimplemen", "ted!("),
    ];
    let found = |line: &str| markers.iter().any(|marker| line.contains(marker));
    let numbered = source.text.lines().enumerate();
    let unfinished = numbered.filter(|(_, line)| found(line));
    unfinished
        .map(|(at, _)| source.complaint(at + 1, "a place that waits to be finished"))
        .collect()
}

/// Lines whose code, without comments and strings, answers true.
fn lines_with(source: &Source, what: &str, is_found: impl Fn(&str) -> bool) -> Vec<String> {
    let numbered = source.text.lines().enumerate();
    let code = numbered.map(|(at, line)| (at, line.split("//").next().unwrap_or_default()));
    let code = code.filter(|(_, code)| !code.contains('"'));
    code.filter(|(_, code)| is_found(code))
        .map(|(at, _)| source.complaint(at + 1, what))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn complaints_about(path: &str, text: &str) -> Vec<String> {
        complaints(&[Source {
            path: PathBuf::from(path),
            text: text.to_owned(),
        }])
    }

    #[test]
    fn a_file_says_what_it_is_in_its_first_line() {
        assert_eq!(
            complaints_about("a.rs", "//! Does one thing.\n"),
            Vec::<String>::new()
        );
        assert_eq!(complaints_about("a.rs", "use std::fs;\n").len(), 1);
    }

    #[test]
    fn unsafe_is_found_in_code_and_only_outside_ffi() {
        let text = concat!(
            "//! One.\n// unsafe { in a comment }\nfn f() { uns",
            "afe { g() } }\n"
        );
        assert_eq!(
            complaints_about("a/src/map.rs", text),
            ["a/src/map.rs:3: unsafe outside ffi.rs"]
        );
        assert_eq!(complaints_about("a/src/ffi.rs", text), Vec::<String>::new());
    }

    #[test]
    fn a_long_file_needs_its_reason() {
        let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(LINES_MAX));
        assert_eq!(complaints_about("a.rs", &long).len(), 1);
        let excused = format!("{long}{REASON}one table\n");
        assert_eq!(complaints_about("a.rs", &excused), Vec::<String>::new());
    }

    #[test]
    fn unfinished_places_are_found() {
        let text = concat!("//! One.\n// TO", "DO later\n");
        assert_eq!(complaints_about("a.rs", text).len(), 1);
    }
}
