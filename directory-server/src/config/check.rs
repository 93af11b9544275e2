//! From text to checked settings. The defaults say which keys there are and of which type.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use directory_api::rest::{Lifetime, Secret};
use jiff::SignedDuration;
use toml::de::DeTable;
use toml::{Table, Value};

use super::raw::{Raw, RawMail};
use super::words::nearest;
use super::{
    Auth, Config, DEFAULTS, Keys, Limits, Mail, Override, Password, Publish, Server, Yubico,
};
use crate::mail;

const ARGON2_MEMORY_KIB_MIN: i64 = 19_456;
const ARGON2_MEMORY_KIB_MAX: i64 = 1_048_576;
const PASSWORD_LENGTH_MIN: i64 = 8;

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct BadConfig(pub Vec<ConfigProblem>);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Line in the file, from 1; absent for the environment.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub text: String,
}

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            match problem.line {
                Some(line) => write!(f, "{newline}line {line}: {}", problem.text)?,
                None => write!(f, "{newline}{}", problem.text)?,
            }
        }
        Ok(())
    }
}

pub(super) fn read(text: &str, overrides: &[Override]) -> Result<Config, BadConfig> {
    let table: Table = text.parse().map_err(|error| not_toml(text, &error))?;
    let mut merging = Merging::begin(text)?;
    for (section, keys) in table {
        merging.section(&section, keys);
    }
    for setting in overrides {
        merging.overridden(setting);
    }
    let mut checking = Checking {
        lines: Lines(text),
        problems: merging.problems,
    };
    let raw: Raw = Value::Table(merging.merged)
        .try_into()
        .map_err(|error: toml::de::Error| not_toml(text, &error))?;
    let config = checking.config(&raw);
    match config {
        Some(config) if checking.problems.is_empty() => Ok(config),
        Some(_) | None => {
            checking.problems.sort_by_key(|problem| problem.line);
            Err(BadConfig(checking.problems))
        }
    }
}

fn not_toml(text: &str, error: &toml::de::Error) -> BadConfig {
    let line = error.span().map(|span| line_at(text, span.start));
    BadConfig(vec![ConfigProblem {
        line,
        text: error.message().to_owned(),
    }])
}

fn line_at(text: &str, position: usize) -> usize {
    text.bytes()
        .take(position)
        .filter(|byte| *byte == b'\n')
        .count()
        + 1
}

/// Finds the lines of keys.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    fn of(&self, section: &str, key: Option<&str>) -> Option<usize> {
        let document = DeTable::parse(self.0).ok()?;
        let (name, value) = document
            .get_ref()
            .iter()
            .find(|(name, _)| name.get_ref().as_ref() == section)?;
        let Some(key) = key else {
            return Some(line_at(self.0, name.span().start));
        };
        let (name, _) = value
            .get_ref()
            .as_table()?
            .iter()
            .find(|(name, _)| name.get_ref().as_ref() == key)?;
        Some(line_at(self.0, name.span().start))
    }
}

/// Lays the file over the defaults.
struct Merging<'a> {
    lines: Lines<'a>,
    merged: Table,
    problems: Vec<ConfigProblem>,
}

impl<'a> Merging<'a> {
    fn begin(text: &'a str) -> Result<Self, BadConfig> {
        Ok(Self {
            lines: Lines(text),
            merged: DEFAULTS
                .parse()
                .map_err(|error| not_toml(DEFAULTS, &error))?,
            problems: Vec::new(),
        })
    }

    fn section(&mut self, section: &str, keys: Value) {
        let line = self.lines.of(section, None);
        let Some(Value::Table(known)) = self.merged.get_mut(section) else {
            let proposal = proposal(nearest(section, self.merged.keys().map(String::as_str)));
            let text = format!("[{section}] is not a section{proposal}");
            return self.problems.push(ConfigProblem { line, text });
        };
        let Value::Table(keys) = keys else {
            let text = format!("{section} must be a section: [{section}]");
            return self.problems.push(ConfigProblem { line, text });
        };
        for (key, value) in keys {
            let problem = match known.get_mut(&key) {
                Some(default) if default.type_str() == value.type_str() => {
                    *default = value;
                    continue;
                }
                Some(default) => format!("must be a {}", default.type_str()),
                None => {
                    let near = nearest(&key, known.keys().map(String::as_str));
                    format!("is not a setting{}", proposal(near))
                }
            };
            self.problems.push(ConfigProblem {
                line: self.lines.of(section, Some(&key)),
                text: format!("{section}.{key} {problem}"),
            });
        }
    }

    fn overridden(&mut self, setting: &Override) {
        let Override {
            section,
            key,
            value,
        } = setting;
        let default = self
            .merged
            .get_mut(section)
            .and_then(|keys| keys.get_mut(key));
        let problem = match default {
            None => "is not a setting",
            Some(Value::String(text)) => {
                value.clone_into(text);
                return;
            }
            Some(Value::Integer(number)) => match value.parse() {
                Ok(parsed) => {
                    *number = parsed;
                    return;
                }
                Err(_) => "must be an integer",
            },
            Some(
                Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Array(_)
                | Value::Table(_),
            ) => "cannot be set outside the file",
        };
        self.problems.push(ConfigProblem {
            line: None,
            text: format!("{section}.{key} (set outside the file) {problem}"),
        });
    }
}

/// Answers are signed, but a password that somebody reads on its way could be used by them first.
fn is_on_this_machine(url: &str) -> bool {
    url.starts_with("http://127.0.0.1:") || url.starts_with("http://[::1]:")
}

fn proposal(near: Option<&str>) -> String {
    near.map_or_else(String::new, |word| format!("; did you mean {word}?"))
}

/// Checks values, noting what is wrong instead of stopping.
struct Checking<'a> {
    lines: Lines<'a>,
    problems: Vec<ConfigProblem>,
}

impl Checking<'_> {
    fn config(&mut self, raw: &Raw) -> Option<Config> {
        let listen = self.parsed("server", "listen", &raw.server.listen, "ADDRESS:PORT");
        let database = self.database(&raw.storage.url);
        let public_url = self.public_url(&raw.server.public_url);
        let keys = self.keys(raw);
        let publish = self.publish(raw);
        let auth = self.auth(raw);
        let password = self.password(raw);
        let mail = self.mail(raw);
        let yubico = self.yubico(raw);
        let packages = self.packages(&raw.packages.folder);
        let limits = self.limits(raw);
        Some(Config {
            server: Server {
                listen: listen?,
                public_url: public_url?,
                tls_cert: PathBuf::from(&raw.server.tls_cert),
                tls_key: PathBuf::from(&raw.server.tls_key),
            },
            database: database?,
            keys: keys?,
            publish: publish?,
            auth: auth?,
            password: password?,
            mail: mail?,
            yubico: yubico?,
            packages: packages?,
            limits: limits?,
        })
    }

    fn keys(&mut self, raw: &Raw) -> Option<Keys> {
        let keys = &raw.keys;
        let signing_ttl = self.lifetime("keys", "signing_ttl", &keys.signing_ttl);
        let bundle_ttl = self.lifetime("keys", "bundle_ttl", &keys.bundle_ttl);
        let host_ttl = self.lifetime("keys", "host_certificate_ttl", &keys.host_certificate_ttl);
        Some(Keys {
            root_chain: PathBuf::from(&keys.root_chain),
            signing_key: PathBuf::from(&keys.signing_key),
            signing_ttl: signing_ttl?,
            bundle_ttl: bundle_ttl?,
            ca_cert: PathBuf::from(&keys.ca_cert),
            ca_key: PathBuf::from(&keys.ca_key),
            host_certificate_ttl: host_ttl?,
            totp_key_file: PathBuf::from(&keys.totp_key_file),
        })
    }

    fn publish(&mut self, raw: &Raw) -> Option<Publish> {
        let publish = &raw.publish;
        let canaries = if publish.canaries.is_empty() {
            Some(None)
        } else {
            self.parsed(
                "publish",
                "canaries",
                &publish.canaries,
                "a selector of hosts",
            )
            .map(Some)
        };
        let canary_wait = self.lifetime("publish", "canary_wait", &publish.canary_wait);
        Some(Publish {
            canaries: canaries?,
            canary_wait: canary_wait?,
        })
    }

    fn auth(&mut self, raw: &Raw) -> Option<Auth> {
        let auth = &raw.auth;
        let session_max = self.lifetime("auth", "session_max", &auth.session_max);
        let idle = self.lifetime("auth", "idle", &auth.idle);
        let lock_after = self.number(("auth", "lock_after"), auth.lock_after, 1..=1_000);
        let lock_window = self.lifetime("auth", "lock_window", &auth.lock_window);
        let lock_for = self.lifetime("auth", "lock_for", &auth.lock_for);
        Some(Auth {
            session_max: session_max?,
            idle: idle?,
            lock_after: lock_after?,
            lock_window: lock_window?,
            lock_for: lock_for?,
        })
    }

    fn password(&mut self, raw: &Raw) -> Option<Password> {
        let password = &raw.password;
        let length = PASSWORD_LENGTH_MIN..=128;
        let min_length = self.number(("password", "min_length"), password.min_length, length);
        let memory = ARGON2_MEMORY_KIB_MIN..=ARGON2_MEMORY_KIB_MAX;
        let argon2_memory_kib = self.number(
            ("password", "argon2_memory_kib"),
            password.argon2_memory_kib,
            memory,
        );
        let argon2_passes = self.number(
            ("password", "argon2_passes"),
            password.argon2_passes,
            2..=64,
        );
        Some(Password {
            min_length: usize::try_from(min_length?).ok()?,
            argon2_memory_kib: argon2_memory_kib?,
            argon2_passes: argon2_passes?,
        })
    }

    /// Without a relay there is no mail; with one there is a sender.
    #[expect(
        clippy::option_option,
        reason = "the outer one says whether the settings are sound"
    )]
    fn mail(&mut self, raw: &Raw) -> Option<Option<Mail>> {
        let RawMail { smtp, from } = &raw.mail;
        if smtp.is_empty() {
            return Some(None);
        }
        if !mail::is_relay(smtp) {
            self.problem("mail", "smtp", "must be smtp://HOST or smtps://HOST");
            return None;
        }
        if !mail::is_address(from) {
            self.problem(
                "mail",
                "from",
                "must be an address: cloudid <cloudid@example.org>",
            );
            return None;
        }
        Some(Some(Mail {
            smtp: Secret::new(smtp.clone()),
            from: from.clone(),
        }))
    }

    fn yubico(&mut self, raw: &Raw) -> Option<Yubico> {
        let yubico = &raw.yubico;
        let sound = |url: &String| url.starts_with("https://") || is_on_this_machine(url);
        if !yubico.urls.iter().all(sound) {
            self.problem(
                "yubico",
                "urls",
                "must be https://… (http:// only for 127.0.0.1)",
            );
            return None;
        }
        Some(Yubico {
            client_id: yubico.client_id.clone(),
            secret_file: PathBuf::from(&yubico.secret_file),
            urls: yubico.urls.clone(),
        })
    }

    fn packages(&mut self, folder: &str) -> Option<PathBuf> {
        if !folder.starts_with('/') {
            self.problem("packages", "folder", "must be /ABSOLUTE/PATH");
            return None;
        }
        Some(PathBuf::from(folder))
    }

    fn limits(&mut self, raw: &Raw) -> Option<Limits> {
        let limits = &raw.limits;
        let rate = 1..=1_000_000;
        let ip = self.number(
            ("limits", "login_per_minute_ip"),
            limits.login_per_minute_ip,
            rate.clone(),
        );
        let user = self.number(
            ("limits", "login_per_minute_user"),
            limits.login_per_minute_user,
            rate,
        );
        let parallel = self.number(
            ("limits", "argon2_parallel"),
            limits.argon2_parallel,
            1..=256,
        );
        Some(Limits {
            login_per_minute_ip: ip?,
            login_per_minute_user: user?,
            argon2_parallel: usize::try_from(parallel?).ok()?,
        })
    }

    fn database(&mut self, url: &str) -> Option<PathBuf> {
        let path = url
            .strip_prefix("sqlite:")
            .filter(|path| path.starts_with('/'));
        if path.is_none() {
            self.problem("storage", "url", "must be sqlite:/ABSOLUTE/PATH");
        }
        path.map(PathBuf::from)
    }

    fn public_url(&mut self, url: &str) -> Option<String> {
        if url.is_empty() || (url.starts_with("https://") && !url.ends_with('/')) {
            return Some(url.to_owned());
        }
        self.problem(
            "server",
            "public_url",
            "must be https://HOST[:PORT] without a slash at its end",
        );
        None
    }

    fn parsed<T: FromStr>(
        &mut self,
        section: &str,
        key: &str,
        text: &str,
        form: &str,
    ) -> Option<T> {
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.problem(section, key, &format!("must be {form}"));
        }
        parsed
    }

    fn lifetime(&mut self, section: &str, key: &str, text: &str) -> Option<SignedDuration> {
        match Lifetime::parse(text) {
            Ok(lifetime) => Some(lifetime.duration()),
            Err(error) => {
                self.problem(section, key, &error.to_string());
                None
            }
        }
    }

    fn number(
        &mut self,
        (section, key): (&str, &str),
        number: i64,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<u32> {
        if range.contains(&number) {
            return u32::try_from(number).ok();
        }
        let form = format!("must be between {} and {}", range.start(), range.end());
        self.problem(section, key, &form);
        None
    }

    fn problem(&mut self, section: &str, key: &str, text: &str) {
        self.problems.push(ConfigProblem {
            line: self.lines.of(section, Some(key)),
            text: format!("{section}.{key} {text}"),
        });
    }
}
