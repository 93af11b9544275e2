//! Reads the text of a selector, once, from left to right; every refusal names its place.

use crate::host_pattern::HostPattern;
use crate::selector::{Term, Test};

/// Longest text of a selector.
pub const SELECTOR_BYTES_MAX: usize = 4096;

/// Most terms of a selector, each value of `in (…)` counted.
pub const SELECTOR_TERMS_MAX: usize = 64;

/// How much of a refused text an error repeats.
const SHOWN_CHARACTERS: usize = 100;

/// Why a selector was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("selector \"{text}\": {problem} at character {at}")]
pub struct BadSelector {
    /// The selector as given, shortened if it is long.
    pub text: String,
    /// What is wrong.
    pub problem: String,
    /// Where, counted from one.
    pub at: usize,
}

/// The terms of a selector, or the first thing wrong with it.
pub(crate) fn parse(text: &str) -> Result<Vec<Term>, BadSelector> {
    let mut reader = Reader {
        characters: text.chars().take(SELECTOR_BYTES_MAX + 1).collect(),
        at: 0,
        terms: 0,
    };
    let outcome = if text.len() > SELECTOR_BYTES_MAX {
        reader.at = SELECTOR_BYTES_MAX;
        Err(format!("longer than {SELECTOR_BYTES_MAX} bytes"))
    } else {
        reader.selector()
    };
    outcome.map_err(|problem| BadSelector {
        text: posix_names::clean_line(
            &text.chars().take(SHOWN_CHARACTERS).collect::<String>(),
            SELECTOR_BYTES_MAX,
        ),
        problem,
        at: reader.at + 1,
    })
}

struct Reader {
    characters: Vec<char>,
    at: usize,
    terms: usize,
}

impl Reader {
    fn selector(&mut self) -> Result<Vec<Term>, String> {
        self.skip_spaces();
        if self.peek().is_none() {
            return Err("it is empty; write * for every host".to_owned());
        }
        let mut terms = vec![self.term()?];
        while self.take(',') {
            terms.push(self.term()?);
        }
        match self.peek() {
            None => Ok(terms),
            Some(other) => Err(format!(
                "expected a comma, found '{}'",
                other.escape_debug()
            )),
        }
    }

    fn term(&mut self) -> Result<Term, String> {
        self.skip_spaces();
        let negated = self.take('!');
        let start = self.at;
        let word = self.word("a tag, key=value or host-name pattern")?;
        if let Some(pattern) = HostPattern::parse(&word) {
            return match self.peek() {
                Some('=') => self.refuse_at(start, "* stands in host-name patterns only"),
                _ => Ok(Term {
                    negated,
                    test: Test::Name(pattern),
                }),
            };
        }
        let test = if self.take('=') {
            Test::Equals(word, self.value()?)
        } else if self.take_in() {
            Test::OneOf(word, self.list()?)
        } else {
            Test::Word(word)
        };
        Ok(Term { negated, test })
    }

    /// `(value,…)`, after `in`.
    fn list(&mut self) -> Result<Vec<String>, String> {
        if !self.take('(') {
            return Err("expected ( after in".to_owned());
        }
        let mut values = vec![self.value()?];
        while self.take(',') {
            values.push(self.value()?);
        }
        if self.take(')') {
            self.skip_spaces();
            Ok(values)
        } else {
            Err("expected , or ) in the list".to_owned())
        }
    }

    fn value(&mut self) -> Result<String, String> {
        let start = self.at;
        let value = self.word("a value")?;
        if value.contains('*') {
            return self.refuse_at(start, "* stands in host-name patterns only");
        }
        Ok(value)
    }

    /// A word and the spaces around it.
    fn word(&mut self, wanted: &str) -> Result<String, String> {
        self.terms += 1;
        if self.terms > SELECTOR_TERMS_MAX {
            return Err(format!("more than {SELECTOR_TERMS_MAX} terms"));
        }
        self.skip_spaces();
        let word: String = self
            .characters
            .iter()
            .skip(self.at)
            .take_while(|character| is_word(**character))
            .collect();
        if word.is_empty() {
            return Err(match self.peek() {
                None => format!("expected {wanted}, found the end"),
                Some(other) => format!("expected {wanted}, found '{}'", other.escape_debug()),
            });
        }
        self.at += word.len();
        self.skip_spaces();
        Ok(word)
    }

    /// The word `in` after a key. A tag called `in` stays a tag.
    fn take_in(&mut self) -> bool {
        let rest = self.characters.get(self.at..).unwrap_or_default();
        let follows =
            rest.starts_with(&['i', 'n']) && !rest.get(2).is_some_and(|next| is_word(*next));
        if follows {
            self.at += 2;
            self.skip_spaces();
        }
        follows
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += 1;
        }
        found
    }

    fn skip_spaces(&mut self) {
        while self.take(' ') {}
    }

    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn refuse_at<T>(&mut self, at: usize, problem: &str) -> Result<T, String> {
        self.at = at;
        Err(problem.to_owned())
    }
}

/// ASCII only, so that a tag cannot look like another.
fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "._-:/@+*".contains(character)
}

#[cfg(test)]
mod tests {
    use crate::Selector;

    fn refused(text: &str) -> (usize, String) {
        let error = text.parse::<Selector>().expect_err(text);
        (error.at, error.problem)
    }

    #[test]
    fn a_refusal_names_the_place() {
        for (text, at) in [
            ("", 1),
            ("   ", 4),
            ("env=prod,", 10),
            ("env=prod,,web", 10),
            ("env=", 5),
            ("=prod", 1),
            ("!", 2),
            ("!!legacy", 2),
            ("role in", 8),
            ("role in web", 9),
            ("role in ()", 10),
            ("role in (web", 13),
            ("role in (web,)", 14),
            ("role in (web) x", 15),
            ("env=pr*", 5),
            ("e*v=prod", 1),
            ("role in (w*b)", 10),
            ("env=prod;x", 9),
            ("env==prod", 5),
            ("a b", 3),
            ("env=pröd", 7),
            ("we\nb", 3),
            ("a=b=c", 4),
        ] {
            assert_eq!(refused(text).0, at, "{text:?}: {}", refused(text).1);
        }
    }

    #[test]
    fn limits_hold() {
        assert!("a".repeat(4096).parse::<Selector>().is_ok());
        assert!(refused(&"a".repeat(4097)).1.contains("4096 bytes"));
        assert!(vec!["a"; 64].join(",").parse::<Selector>().is_ok());
        assert!(refused(&vec!["a"; 65].join(",")).1.contains("64 terms"));
        let values = format!("role in ({})", vec!["a"; 64].join(","));
        assert!(refused(&values).1.contains("64 terms"));
    }

    #[test]
    fn an_error_does_not_carry_control_characters_to_a_terminal() {
        let error = "\u{1b}[31m"
            .parse::<Selector>()
            .expect_err("escape")
            .to_string();
        assert!(!error.contains('\u{1b}'), "{error}");
    }
}
