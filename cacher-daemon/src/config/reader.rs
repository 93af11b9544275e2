//! Takes values out of the parsed files key by key and gathers everything that is wrong. What is
//! left over at the end is a key that does not exist.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use toml::{Table, Value};

use super::{duration, file_text};

struct Setting {
    key: String,
    value: Value,
    file: String,
}

#[derive(Default)]
pub(super) struct Reader {
    settings: Vec<Setting>,
    known: Vec<String>,
    problems: Vec<String>,
}

impl Reader {
    pub(super) fn add_file(&mut self, path: &Path) {
        match file_text(path) {
            Ok(Some(text)) => self.add_text(&path.display().to_string(), &text),
            Ok(None) => {}
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Later files win, key by key.
    pub(super) fn add_text(&mut self, file: &str, text: &str) {
        let table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let error: toml::de::Error = error;
                self.problems.push(format!("{file}: {error}"));
                return;
            }
        };
        for (section, value) in table {
            let Value::Table(values) = value else {
                self.problems.push(format!(
                    "{file}: \"{section}\" stands outside every [section]"
                ));
                continue;
            };
            for (name, value) in values {
                let key = format!("{section}.{name}");
                self.settings.retain(|earlier| earlier.key != key);
                self.settings.push(Setting {
                    key,
                    value,
                    file: file.to_owned(),
                });
            }
        }
    }

    /// Whether there was something, and all of it TOML in sections.
    pub(super) fn understood(&self) -> bool {
        self.problems.is_empty() && !self.settings.is_empty()
    }

    pub(super) fn text(&mut self, key: &str, default: &str) -> String {
        self.parsed(key, default.to_owned(), "a text", |value| {
            value.as_str().map(str::to_owned)
        })
    }

    pub(super) fn texts(&mut self, key: &str, default: &[&str]) -> Vec<String> {
        let default = default.iter().map(|&text| text.to_owned()).collect();
        self.parsed(key, default, "a list of texts", |value| {
            value
                .as_array()?
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect()
        })
    }

    /// Some of a few words; all of them are the default.
    pub(super) fn some_of(&mut self, key: &str, all: &[&str]) -> Vec<String> {
        let default = all.iter().map(|&text| text.to_owned()).collect();
        let wanted = format!("a list with nothing but {}", all.join(", "));
        self.parsed(key, default, &wanted, |value| {
            let known = |item: &Value| {
                let text = item.as_str()?;
                all.contains(&text).then(|| text.to_owned())
            };
            value.as_array()?.iter().map(known).collect()
        })
    }

    pub(super) fn addresses(&mut self, key: &str) -> Vec<String> {
        self.parsed(key, Vec::new(), "a list of https:// addresses", |value| {
            value
                .as_array()?
                .iter()
                .map(|item| {
                    let address = item.as_str()?.trim_end_matches('/');
                    address.starts_with("https://").then(|| address.to_owned())
                })
                .collect()
        })
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        self.parsed(key, default, "true or false", Value::as_bool)
    }

    /// One of a few values by its name; the first is the default.
    pub(super) fn named<T: Copy + Default>(&mut self, key: &str, names: &[(&str, T)]) -> T {
        let choices: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let chosen = self.choice(key, &choices);
        let found = names.iter().find(|(name, _)| *name == chosen);
        found.map(|(_, value)| *value).unwrap_or_default()
    }

    /// The first of the choices is the default.
    pub(super) fn choice(&mut self, key: &str, choices: &[&str]) -> String {
        let default = choices.first().copied().unwrap_or_default().to_owned();
        let wanted = format!("one of {}", choices.join(", "));
        self.parsed(key, default, &wanted, |value| {
            let text = value.as_str()?;
            choices.contains(&text).then(|| text.to_owned())
        })
    }

    pub(super) fn number<N>(&mut self, key: &str, default: N, allowed: RangeInclusive<N>) -> N
    where
        N: TryFrom<i64> + PartialOrd + Display + Copy,
    {
        let wanted = format!("a number from {} to {}", allowed.start(), allowed.end());
        self.parsed(key, default, &wanted, |value| {
            let number = N::try_from(value.as_integer()?).ok()?;
            allowed.contains(&number).then_some(number)
        })
    }

    pub(super) fn share(&mut self, key: &str, default: f64) -> f64 {
        self.parsed(key, default, "a number from 0 to 1", |value| {
            let share = value.as_float()?;
            (0.0..=1.0).contains(&share).then_some(share)
        })
    }

    pub(super) fn duration(&mut self, key: &str, default: &str) -> Duration {
        let default = duration::duration(default).unwrap_or_default();
        self.parsed(
            key,
            default,
            "a duration such as \"90s\", \"10m\" or \"8h\"",
            |value| duration::duration(value.as_str()?).filter(|duration| !duration.is_zero()),
        )
    }

    pub(super) fn duration_up_to(&mut self, key: &str, default: &str, most: &str) -> Duration {
        let default = duration::duration(default).unwrap_or_default();
        let limit = duration::duration(most).unwrap_or(default);
        let wanted = format!("a duration of at most {most}");
        self.parsed(key, default, &wanted, |value| {
            duration::duration(value.as_str()?)
                .filter(|duration| !duration.is_zero() && *duration <= limit)
        })
    }

    pub(super) fn size(&mut self, key: &str, default: &str) -> u64 {
        let default = duration::size(default).unwrap_or_default();
        self.parsed(key, default, "a size such as \"16MiB\"", |value| {
            duration::size(value.as_str()?)
        })
    }

    pub(super) fn umask(&mut self, key: &str, default: &str) -> u32 {
        let octal = |text: &str| {
            u32::from_str_radix(text, 8)
                .ok()
                .filter(|bits| *bits <= 0o777)
        };
        let default = octal(default).unwrap_or(0o077);
        self.parsed(key, default, "an octal text such as \"0077\"", |value| {
            octal(value.as_str()?)
        })
    }

    /// Everything that is wrong, unknown keys included.
    pub(super) fn finish(mut self) -> Vec<String> {
        for setting in &self.settings {
            let proposal = nearest(&setting.key, &self.known)
                .map(|known| format!("; did you mean {known}?"))
                .unwrap_or_default();
            self.problems.push(format!(
                "{}: there is no setting {}{proposal}",
                setting.file, setting.key
            ));
        }
        self.problems
    }

    fn parsed<T>(
        &mut self,
        key: &str,
        default: T,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> T {
        self.known.push(key.to_owned());
        let Some(at) = self.settings.iter().position(|setting| setting.key == key) else {
            return default;
        };
        let setting = self.settings.swap_remove(at);
        read(&setting.value).unwrap_or_else(|| {
            self.problems.push(format!(
                "{}: {key} = {} must be {wanted}",
                setting.file, setting.value
            ));
            default
        })
    }
}

/// The known key that needs the fewest changes, if it is near at all.
fn nearest<'a>(key: &str, known: &'a [String]) -> Option<&'a String> {
    known
        .iter()
        .map(|candidate| (changes(key, candidate), candidate))
        .filter(|(changes, _)| *changes <= 4)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn changes(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (above, left) in from.chars().enumerate() {
        let mut next = vec![above + 1];
        for (at, right) in to.chars().enumerate() {
            let replaced = row.get(at).copied().unwrap_or_default() + usize::from(left != right);
            let removed = row.get(at + 1).copied().unwrap_or_default() + 1;
            let added = next.last().copied().unwrap_or_default() + 1;
            next.push(replaced.min(removed).min(added));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
