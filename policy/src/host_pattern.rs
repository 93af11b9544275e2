//! Host-name patterns: `*` stands for any text, also none. Matching takes time linear in the name,
//! whatever the pattern, and knows no case, as host names know none.

/// A pattern, cut at its stars; always at least one star.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPattern {
    first: String,
    middle: Vec<String>,
    last: String,
}

impl HostPattern {
    /// Takes a word with at least one `*`; `None` without.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let lower = word.to_ascii_lowercase();
        let (first, rest) = lower.split_once('*')?;
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        Some(Self {
            first: first.to_owned(),
            middle: middle
                .split('*')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
            last: last.to_owned(),
        })
    }

    /// Whether the whole name fits. Each part is taken where it first occurs: a later place could
    /// only leave less for the parts after it.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        let Some(mut rest) = lower.strip_prefix(self.first.as_str()) else {
            return false;
        };
        for part in &self.middle {
            let Some((_, after)) = rest.split_once(part.as_str()) else {
                return false;
            };
            rest = after;
        }
        rest.ends_with(self.last.as_str())
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}*", self.first)?;
        for part in &self.middle {
            write!(f, "{part}*")?;
        }
        write!(f, "{}", self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        HostPattern::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_star_stands_for_any_text_and_for_none() {
        assert!(fits("web-*", "web-1") && fits("web-*", "web-") && !fits("web-*", "db-1"));
        assert!(fits("*", "") && fits("*", "anything"));
        assert!(fits("*.example.org", "a.b.example.org") && !fits("*.example.org", "example.org"));
        assert!(fits("a*b*c", "abc") && fits("a*b*c", "axxbxbc") && !fits("a*b*c", "acb"));
        assert!(!fits("ab*ba", "aba"), "the same letter is not used twice");
        assert!(fits("*ab*ab*", "abab") && !fits("*ab*ab*", "abb"));
    }

    #[test]
    fn a_deny_rule_is_not_evaded_by_the_case_of_a_host_name() {
        assert!(fits("Web-*", "wEB-1"));
    }

    #[test]
    fn a_pattern_made_to_explode_costs_no_more_than_another() {
        let pattern = "*a".repeat(1000) + "*b";
        assert!(!fits(&pattern, &"a".repeat(4000)));
    }
}
