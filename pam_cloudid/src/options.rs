//! What may stand behind `pam_cloudid.so` in a file of `/etc/pam.d`.

use std::time::Duration;

use crate::log::Log;

/// Longer than the 2 s that the cacher has for the directory and the helper, and shorter than the
/// 3 s after which a login is to go on without a cacher.
const TRANSPORT_BUDGET: Duration = Duration::from_millis(2700);
const TIMEOUT_SECONDS_MAX: u64 = 30;

/// The options of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Log each decision, never a secret.
    pub(crate) debug: bool,
    /// Say nothing but prompts and refusals.
    pub(crate) quiet: bool,
    /// How long the cacher may take for a reply; longer only when somebody has typed something.
    pub(crate) budget: Duration,
    /// Another socket than the compiled-in one.
    #[cfg(feature = "test-socket-path")]
    pub(crate) socket: Option<std::path::PathBuf>,
    /// Panic in every hook.
    #[cfg(feature = "test-socket-path")]
    pub(crate) panic: bool,
}

impl Options {
    /// Reads the options. A word that is not understood changes nothing and is logged: a slip in
    /// a file of `/etc/pam.d` must not decide who gets in.
    pub(crate) fn parse(words: &[String], log: &impl Log) -> Self {
        let mut options = Self::usual();
        for word in words {
            if !options.take(word) {
                log.warning(&format!(
                    "option \"{}\" is not understood",
                    word.escape_debug()
                ));
            }
        }
        options
    }

    fn usual() -> Self {
        Self {
            debug: false,
            quiet: false,
            budget: TRANSPORT_BUDGET,
            #[cfg(feature = "test-socket-path")]
            socket: None,
            #[cfg(feature = "test-socket-path")]
            panic: false,
        }
    }

    fn take(&mut self, word: &str) -> bool {
        match word.split_once('=') {
            None if word == "debug" => self.debug = true,
            None if word == "quiet" => self.quiet = true,
            Some(("timeout", seconds)) => match seconds.parse() {
                Ok(seconds @ 1..=TIMEOUT_SECONDS_MAX) => self.budget = Duration::from_secs(seconds),
                Ok(_) | Err(_) => return false,
            },
            #[cfg(feature = "test-socket-path")]
            Some(("socket", path)) => self.socket = Some(path.into()),
            #[cfg(feature = "test-socket-path")]
            None if word == "panic" => self.panic = true,
            None | Some(_) => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Default)]
    struct Warnings(RefCell<Vec<String>>);

    impl Log for Warnings {
        fn warning(&self, text: &str) {
            self.0.borrow_mut().push(text.to_owned());
        }
        fn notice(&self, _: &str) {}
        fn debug(&self, _: &str) {}
    }

    fn parse(words: &[&str]) -> (Options, usize) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let warnings = Warnings::default();
        let options = Options::parse(&words, &warnings);
        (options, warnings.0.into_inner().len())
    }

    #[test]
    fn options_are_read() {
        let (options, warnings) = parse(&["debug", "quiet", "timeout=5"]);
        assert!(options.debug && options.quiet);
        assert_eq!(options.budget, Duration::from_secs(5));
        assert_eq!(warnings, 0);
    }

    #[test]
    fn words_that_are_not_understood_change_nothing_and_are_logged() {
        let words = [
            "timeout=0",
            "timeout=31",
            "timeout=x",
            "timeout",
            "debug=1",
            "",
            "Debug",
        ];
        let (options, warnings) = parse(&words);
        assert_eq!(options, Options::usual());
        assert_eq!(warnings, words.len());
    }
}
