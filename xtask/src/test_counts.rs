//! How many tests a run counted, read from what cargo-nextest and `cargo test` print.

/// What a test prints that finds only when it runs that it cannot.
const SKIPPED: &str = "SKIPPED: ";

/// Tests passed, failed and skipped.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Counts {
    /// Adds up every summary line in what a run printed. Tests left out by a filter of ours are
    /// counted where they run, so nextest's "skipped" is not added.
    pub(crate) fn of_run(said: &str) -> Self {
        let (mut counts, mut said_skipped) = (Self::default(), 0);
        for line in said.lines() {
            if line.contains("tests run:") || line.contains("test run:") {
                counts.passed += before(line, " passed");
                counts.failed += before(line, " failed") + before(line, " timed out");
            } else if line.starts_with("test result:") {
                counts.passed += before(line, " passed");
                counts.failed += before(line, " failed");
                counts.skipped += before(line, " ignored");
            } else if line.trim_start().starts_with(SKIPPED) {
                said_skipped += 1;
            }
        }
        counts.passed = counts.passed.saturating_sub(said_skipped);
        counts.skipped += said_skipped;
        counts
    }

    /// A step without tests counts as one; a run that failed before its tests has failed once.
    pub(crate) fn of_step(mut self, succeeded: bool) -> Self {
        if succeeded && self.passed == 0 {
            self.passed = 1;
        }
        if !succeeded && self.failed == 0 {
            self.failed = 1;
        }
        self
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The number that stands before a word.
fn before(line: &str, word: &str) -> u32 {
    let number = line
        .find(word)
        .and_then(|at| line.get(..at))
        .and_then(|left| left.rsplit(|c: char| !c.is_ascii_digit()).next());
    number.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_nextest_is_counted() {
        let line = "     Summary [   1.5s] 12 tests run: 9 passed (1 slow), 2 failed, 1 timed out, 3 skipped";
        assert_eq!(
            Counts::of_run(line),
            Counts {
                passed: 9,
                failed: 3,
                skipped: 0
            }
        );
    }

    #[test]
    fn summaries_of_cargo_test_are_added_up() {
        let said = "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured\n\
                    test result: FAILED. 1 passed; 4 failed; 0 ignored; 0 measured";
        assert_eq!(
            Counts::of_run(said),
            Counts {
                passed: 3,
                failed: 4,
                skipped: 1
            }
        );
    }

    #[test]
    fn a_test_that_says_it_was_skipped_is_not_counted_as_passed() {
        let said = "    SKIPPED: needs root\n\
                    Summary [   1.5s] 3 tests run: 3 passed, 0 skipped";
        let counts = Counts::of_run(said);
        assert_eq!((counts.passed, counts.skipped), (2, 1));
    }

    #[test]
    fn a_run_that_fails_before_its_tests_counts_as_a_failure() {
        assert_eq!(
            Counts::of_run("error: could not compile")
                .of_step(false)
                .failed,
            1
        );
    }
}
