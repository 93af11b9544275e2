//! Public keys for sshd: those of an active person that may still be used, and that are enough here
//! or will be followed by a code. Whether the person may in is decided afterwards, in the account
//! step.

use local_protocol::KeyQuestion;
use policy::UserState;

use crate::cacher::Cacher;
use crate::factors::ssh_keys::KeyRule;

/// Longest answer, well below a frame and sshd's own limit.
const ANSWER_BYTES_MAX: usize = 60 * 1024;

/// The lines for `AuthorizedKeysCommand`. With an offered key in the question, at most that one.
#[must_use]
pub fn lines(cacher: &Cacher, question: &KeyQuestion) -> Vec<String> {
    let tables = cacher.tables();
    let now = cacher.now();
    let Some(person) = tables.person(&question.user) else {
        return Vec::new();
    };
    let ended = person.expires_at.is_some_and(|end| end <= now);
    if person.state != UserState::Active || ended {
        return Vec::new();
    }
    let rule = KeyRule::of(tables.factor_policies());
    let lines = person.ssh_keys.iter().map(|key| key.line.as_str());
    let asks = !tables.key_and_code.is_empty() && rule.code_follows(lines);
    let offered = format!("{} {}", question.key_type, question.key);
    let mut left = ANSWER_BYTES_MAX;
    person
        .ssh_keys
        .iter()
        .filter(|key| key.expires_at.is_none_or(|end| end > now))
        .filter(|key| question.key.is_empty() || key.line == offered)
        .filter_map(|key| rule.line(key, asks))
        .take_while(|line| {
            let fits = line.len() < left;
            left = left.saturating_sub(line.len() + 1);
            fits
        })
        .collect()
}
