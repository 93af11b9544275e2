//! Which tags a host begins with: those of its token, those made from its facts (`auto:`), and
//! those it gives itself (`host:`), which count in no allow rule.

use std::collections::BTreeMap;

use directory_api::agent::{EnrollRequest, HostFacts};
use policy::OWN_TAG_PREFIX;
use posix_names::clean_line;

use crate::http::Refused;

const FACT_BYTES_MAX: usize = 256;
const OWN_TAGS_MAX: usize = 64;
const TAG_BYTES_MAX: usize = 128;

/// Tags and where they come from.
pub(super) fn tags_of(
    token_tags: &str,
    request: &EnrollRequest,
) -> Result<BTreeMap<String, &'static str>, Refused> {
    if request.tags.len() > OWN_TAGS_MAX {
        let detail = format!("A host can give itself at most {OWN_TAGS_MAX} tags.");
        return Err(Refused::invalid("tags", detail));
    }
    let mut tags = BTreeMap::new();
    for tag in &request.tags {
        if !is_tag(tag) {
            let detail = format!("\"{}\" is no tag.", clean_line(tag, TAG_BYTES_MAX));
            return Err(Refused::invalid("tags", detail)
                .hint("key=value or a bare word of letters, digits and ._-"));
        }
        tags.insert(format!("{OWN_TAG_PREFIX}{tag}"), "host");
    }
    for (key, fact) in [
        ("os", &request.facts.os),
        ("arch", &request.facts.architecture),
    ] {
        let word = fact.split_whitespace().next().unwrap_or_default();
        let word = word.to_ascii_lowercase();
        if is_tag(&word) && !word.contains('=') {
            tags.insert(format!("auto:{key}={word}"), "auto");
        }
    }
    let given: Vec<String> = serde_json::from_str(token_tags)?;
    tags.extend(given.into_iter().map(|tag| (tag, "admin")));
    Ok(tags)
}

/// What a host says of itself, bounded and harmless to print.
pub(super) fn clean_facts(facts: &HostFacts) -> HostFacts {
    let clean = |text: &str| clean_line(text, FACT_BYTES_MAX);
    HostFacts {
        os: clean(&facts.os),
        architecture: clean(&facts.architecture),
        kernel: clean(&facts.kernel),
        agent_version: clean(&facts.agent_version),
    }
}

fn is_tag(tag: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let (key, value) = tag.split_once('=').unwrap_or((tag, "x"));
    tag.len() <= TAG_BYTES_MAX && is_word(key) && is_word(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_cannot_give_itself_a_tag_of_another_kind() {
        let mut request = EnrollRequest {
            token_id: String::new(),
            hostname: String::new(),
            certificate_request: String::new(),
            sealing_key: String::new(),
            nonce: String::new(),
            facts: HostFacts {
                os: "Debian GNU/Linux 12".to_owned(),
                ..HostFacts::default()
            },
            tags: vec!["env=prod".to_owned()],
            proof: String::new(),
        };
        let tags = tags_of(r#"["env=test"]"#, &request).unwrap();
        let expected = [
            ("auto:os=debian", "auto"),
            ("env=test", "admin"),
            ("host:env=prod", "host"),
        ];
        let found: Vec<_> = tags
            .iter()
            .map(|(tag, source)| (tag.as_str(), *source))
            .collect();
        assert_eq!(found, expected);
        for bad in ["auto:x=y", "a b", "a,b", "!a", "", "a=b=c", "*"] {
            request.tags = vec![bad.to_owned()];
            assert!(tags_of("[]", &request).is_err(), "{bad}");
        }
    }
}
