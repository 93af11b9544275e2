//! How a verb fails: what happened, why, what to do next, and the exit code a script sees.

use std::fmt;
use std::path::Path;

use directory_api::rest::Problem;
use posix_names::clean_line;

const TEXT_BYTES_MAX: usize = 2048;

/// What an exit code stands for. The numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Failed = 1,
    Usage = 2,
    NotSignedIn = 3,
    Refused = 4,
    NotFound = 5,
    ChangedMeanwhile = 6,
    Unreachable = 9,
    InPart = 10,
}

/// A failure told so that the person knows what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    what: String,
    why: String,
    next: String,
    request_id: String,
    /// What the directory said, where it was the directory that refused.
    pub(crate) problem: Option<Box<Problem>>,
}

impl Failure {
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            why: String::new(),
            next: String::new(),
            request_id: String::new(),
            problem: None,
        }
    }

    pub(crate) fn failed(what: impl Into<String>) -> Self {
        Self::new(Kind::Failed, what)
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }

    /// Never a file problem without the file.
    pub(crate) fn file(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::failed(format!("cannot {doing} {}", path.display())).because(error.to_string())
    }

    /// The same, where more is known of who must act.
    pub(crate) fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }

    pub(crate) fn request(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = request_id.into();
        self
    }

    pub(crate) fn problem(mut self, problem: &Problem) -> Self {
        self.problem = Some(Box::new(problem.clone()));
        self
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cloudid: {}", shown(&self.what))?;
        let further = [
            ("why", &self.why),
            ("do", &self.next),
            ("request", &self.request_id),
        ];
        for (label, text) in further {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                write!(f, "\n  {:9}{}", format!("{label}:"), shown(line))?;
            }
        }
        Ok(())
    }
}

fn shown(text: &str) -> String {
    clean_line(text, TEXT_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_why_what_to_do_and_the_request() {
        let failure = Failure::new(Kind::Refused, "user alice was not suspended")
            .because("you are read-only")
            .next("ask an owner")
            .request("01JH");
        assert_eq!(
            failure.to_string(),
            "cloudid: user alice was not suspended\n  why:     you are read-only\n  \
             do:      ask an owner\n  request: 01JH"
        );
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        let failure = Failure::failed("a\u{1b}[2Jb").because("c\u{202e}d\u{9b}e");
        assert!(
            !failure
                .to_string()
                .chars()
                .any(|c| c != '\n' && c.is_control())
        );
        assert!(!failure.to_string().contains('\u{202e}'));
    }
}
