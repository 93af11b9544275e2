//! Settings of the host: `cloudid.toml` and its drop-ins, read into a checked [`Config`] without
//! open questions. All problems are told at once; a bad file changes nothing.

mod duration;
mod kept;
mod reader;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use identity_map::Owners;
use toml::Table;

use crate::disk::read_bounded;
use crate::paths::Paths;
use reader::Reader;

const FILE_BYTES_MAX: u64 = 1024 * 1024;

const MEMBERS: &[(&str, Members)] = &[
    ("all", Members::All),
    ("here", Members::Here),
    ("none", Members::None),
];
const OWNERS: &[(&str, Owners)] = &[
    ("ids", Owners::Ids),
    ("off", Owners::Off),
    ("all", Owners::All),
];

const OFFLINE_MFA: &[(&str, bool)] = &[("check-bits", true), ("deny", false)];
const CLOCK_BEHIND: &[(&str, ClockBehind)] =
    &[("deny", ClockBehind::Deny), ("alarm", ClockBehind::Alarm)];
/// Services in which nobody is there to type a code. A host asks for a code in more places than
/// these if it wants, and in no fewer than the directory's policies say.
const WITHOUT_MFA: &[&str] = &["cron", "crond", "atd", "systemd-user"];

/// The settings in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How the directory is reached.
    pub directory: Directory,
    /// The daemon itself.
    pub daemon: Daemon,
    /// What the published map looks like.
    pub nss: Nss,
    /// The socket for programs that know no NSS module.
    pub nscd: Nscd,
    /// What people see who log in.
    pub pam: Pam,
    /// What holds while the directory is away.
    pub offline: Offline,
    /// The event spool.
    pub events: Events,
}

/// `[directory]`
#[derive(Debug, Clone, PartialEq)]
pub struct Directory {
    /// Base addresses, tried in order; empty before enrolment.
    pub url: Vec<String>,
    /// PEM of the pinned CA; empty means the place of the installation.
    pub ca_file: String,
    /// Limit for making a connection.
    pub connect_timeout: Duration,
    /// Limit for a whole call in the background.
    pub request_timeout: Duration,
    /// Whether to hold a push stream open.
    pub push: bool,
    /// How often to ask where nothing is pushed.
    pub poll_interval: Duration,
    /// Share by which the interval varies, 0 to 1.
    pub poll_jitter: f64,
    /// Longest pause between tries.
    pub backoff_max: Duration,
}

/// `[daemon]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
    /// `text` or `json`.
    pub log_format: String,
    /// Password checks at once.
    pub verify_parallel: usize,
}

/// `[nss]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nss {
    /// Whether `getent passwd` without a name lists our users.
    pub enumerate: bool,
    /// Whom groups list as members.
    pub members: Members,
    /// Which people and groups without rights here are known by name.
    pub owners: Owners,
    /// Whether processes that look up much get the map as a memory file.
    pub memory_file: bool,
    /// Remembered owners without rights here.
    pub lru_entries: usize,
    /// How long an id is remembered as nobody's.
    pub negative_ttl: Duration,
    /// Shell in place of one of `fallback_for` that is not installed.
    pub fallback_shell: String,
    /// Names of the shells that may be replaced.
    pub fallback_for: Vec<String>,
}

/// Whom groups list as members. Rights do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Members {
    /// Everybody in the bundle of this host, suspended people too.
    #[default]
    All,
    /// Those who may be here: not the suspended ones.
    Here,
    /// Nobody; some programs give up on group entries over 16 KiB.
    None,
}

/// `[nscd]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nscd {
    /// Whether the protocol of nscd is spoken on a socket of ours.
    pub enabled: bool,
}

/// `[pam]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pam {
    /// Asks for the password.
    pub prompt: String,
    /// Asks for a code.
    pub otp_prompt: String,
    /// Whether password and code are one answer, for tools that show a single prompt.
    pub one_line: bool,
    /// Whether to say that the directory is away.
    pub offline_notice: bool,
    /// Pause after a wrong answer.
    pub fail_delay: Duration,
    /// Whether homes are made at the first login.
    pub create_home: bool,
    /// Bits taken away from modes in a new home.
    pub home_umask: u32,
    /// Services that no policy makes ask for a code.
    pub services_without_mfa: Vec<String>,
}

/// What a clock behind signed time means for codes while the directory is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockBehind {
    /// They do not count: old ones could not be told from new ones.
    #[default]
    Deny,
    /// They count by that clock, and each one says so.
    Alarm,
}

/// `[offline]`: can only be stricter than the signed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offline {
    /// An older mirror takes no logins.
    pub max_age: Duration,
    /// Wrong passwords before a lock.
    pub password_tries: u32,
    /// How long such a lock lasts.
    pub lock_for: Duration,
    /// Whether verification codes count.
    pub check_bits: bool,
    /// How long they do after the directory was last heard of.
    pub horizon: Duration,
    /// Wrong codes before a lock.
    pub code_tries: u32,
    /// Whether backup codes count.
    pub backup_codes: bool,
    /// What a clock behind signed time means for codes.
    pub clock_behind: ClockBehind,
}

/// `[events]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// Events kept while the directory is away.
    pub spool_max: usize,
    /// Bytes of disk kept for events when the rest is full.
    pub spool_reserve: u64,
    /// Events sent at once.
    pub batch: usize,
    /// How long an event waits for company.
    pub flush: Duration,
}

/// Everything that is wrong with the settings, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

impl Default for Config {
    fn default() -> Self {
        Self::read(Reader::default()).0
    }
}

impl Config {
    /// Reads the settings of a host; a missing file means its defaults.
    ///
    /// # Errors
    /// Everything that is wrong, all files and keys at once.
    pub fn load(paths: &Paths) -> Result<Self, Problems> {
        let (mut config, Problems(problems)) = Self::as_far_as_right(paths);
        if config.directory.ca_file.is_empty() {
            config.directory.ca_file = paths.config.join("ca.pem").to_string_lossy().into_owned();
        }
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(Problems(problems))
        }
    }

    /// The settings of a host where each that is wrong has its default, and what is wrong. For who
    /// only tells names: rights do not depend on it.
    #[must_use]
    pub fn as_far_as_right(paths: &Paths) -> (Self, Problems) {
        let mut reader = Reader::default();
        reader.add_file(&paths.settings());
        for drop_in in drop_ins(&paths.drop_ins()) {
            reader.add_file(&drop_in);
        }
        let (config, problems) = Self::read(reader);
        (config, Problems(problems))
    }

    /// Reads the text of one file, as [`Config::load`] would.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        reader.add_text(name, text);
        let (config, problems) = Self::read(reader);
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(Problems(problems))
        }
    }

    fn read(mut from: Reader) -> (Self, Vec<String>) {
        let config = Self {
            directory: Directory::read(&mut from),
            daemon: Daemon::read(&mut from),
            nss: Nss::read(&mut from),
            nscd: Nscd {
                enabled: from.flag("nscd.enabled", false),
            },
            pam: Pam::read(&mut from),
            offline: Offline {
                max_age: from.duration("offline.max_age", "168h"),
                password_tries: from.number("offline.password_tries", 5, 1..=100),
                lock_for: from.duration("offline.lock_for", "15m"),
                check_bits: from.named("offline.mfa", OFFLINE_MFA),
                horizon: from.duration_up_to("offline.horizon", "24h", "72h"),
                code_tries: from.number("offline.code_tries", 3, 0..=100),
                backup_codes: from.flag("offline.backup_codes", true),
                clock_behind: from.named("offline.clock_behind", CLOCK_BEHIND),
            },
            events: Events {
                spool_max: from.number("events.spool_max", 100_000, 1_000..=10_000_000),
                spool_reserve: from.size("events.spool_reserve", "16MiB"),
                batch: from.number("events.batch", 500, 1..=1_000),
                flush: from.duration("events.flush", "1s"),
            },
        };
        (config, from.finish())
    }
}

impl Directory {
    fn read(from: &mut Reader) -> Self {
        Self {
            url: from.addresses("directory.url"),
            ca_file: from.text("directory.ca_file", ""),
            connect_timeout: from.duration("directory.connect_timeout", "1s"),
            request_timeout: from.duration("directory.request_timeout", "10s"),
            push: from.flag("directory.push", true),
            poll_interval: from.duration("directory.poll_interval", "60s"),
            poll_jitter: from.share("directory.poll_jitter", 0.2),
            backoff_max: from.duration("directory.backoff_max", "5m"),
        }
    }
}

impl Daemon {
    fn read(from: &mut Reader) -> Self {
        const LEVELS: &[&str] = &["info", "error", "warn", "debug", "trace"];
        Self {
            log_level: from.choice("daemon.log_level", LEVELS),
            log_format: from.choice("daemon.log_format", &["text", "json"]),
            verify_parallel: from.number("daemon.verify_parallel", 2, 1..=64),
        }
    }
}

impl Nss {
    fn read(from: &mut Reader) -> Self {
        const REPLACED: &[&str] = &["bash", "zsh", "fish", "ksh", "tcsh"];
        Self {
            enumerate: from.flag("nss.enumerate", false),
            members: from.named("nss.members", MEMBERS),
            owners: from.named("nss.owners", OWNERS),
            memory_file: from.flag("nss.memory_file", true),
            lru_entries: from.number("nss.lru_entries", 4096, 1..=1_000_000),
            negative_ttl: from.duration("nss.negative_ttl", "15s"),
            fallback_shell: from.text("nss.fallback_shell", "/bin/sh"),
            fallback_for: from.texts("nss.fallback_for", REPLACED),
        }
    }
}

impl Pam {
    fn read(from: &mut Reader) -> Self {
        Self {
            prompt: from.text("pam.prompt", "Password: "),
            otp_prompt: from.text(
                "pam.otp_prompt",
                "Verification code, YubiKey or backup code: ",
            ),
            one_line: from.flag("pam.one_line", false),
            offline_notice: from.flag("pam.offline_notice", true),
            // A module waits for a word after an answer, but not for ever.
            fail_delay: from.duration_up_to("pam.fail_delay", "2s", "8s"),
            create_home: from.flag("pam.create_home", true),
            home_umask: from.umask("pam.home_umask", "0077"),
            services_without_mfa: from.some_of("pam.services_without_mfa", WITHOUT_MFA),
        }
    }
}

impl Offline {
    fn show(&self, put: &mut impl FnMut(&str, toml::Value)) {
        put("offline.max_age", milliseconds(self.max_age).into());
        put(
            "offline.password_tries",
            i64::from(self.password_tries).into(),
        );
        put("offline.lock_for", milliseconds(self.lock_for).into());
        put("offline.mfa", name_of(OFFLINE_MFA, self.check_bits).into());
        put("offline.horizon", milliseconds(self.horizon).into());
        put("offline.code_tries", i64::from(self.code_tries).into());
        put("offline.backup_codes", self.backup_codes.into());
        let clock_behind = name_of(CLOCK_BEHIND, self.clock_behind);
        put("offline.clock_behind", clock_behind.into());
    }
}

/// The settings as TOML, every key with the value in force.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = milliseconds;
        let mut sections = Table::new();
        let mut put = |key: &str, value: toml::Value| {
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            if let Some(section) = sections
                .entry(section.to_owned())
                .or_insert_with(|| Table::new().into())
                .as_table_mut()
            {
                section.insert(name.to_owned(), value);
            }
        };
        put("directory.url", self.directory.url.clone().into());
        put("directory.ca_file", self.directory.ca_file.clone().into());
        put(
            "directory.connect_timeout",
            seconds(self.directory.connect_timeout).into(),
        );
        put(
            "directory.request_timeout",
            seconds(self.directory.request_timeout).into(),
        );
        put("directory.push", self.directory.push.into());
        put(
            "directory.poll_interval",
            seconds(self.directory.poll_interval).into(),
        );
        put("directory.poll_jitter", self.directory.poll_jitter.into());
        put(
            "directory.backoff_max",
            seconds(self.directory.backoff_max).into(),
        );
        put("daemon.log_level", self.daemon.log_level.clone().into());
        put("daemon.log_format", self.daemon.log_format.clone().into());
        put("daemon.verify_parallel", whole(self.daemon.verify_parallel));
        put("nss.enumerate", self.nss.enumerate.into());
        put("nss.members", name_of(MEMBERS, self.nss.members).into());
        put("nss.owners", name_of(OWNERS, self.nss.owners).into());
        put("nss.memory_file", self.nss.memory_file.into());
        put("nss.lru_entries", whole(self.nss.lru_entries));
        put("nss.negative_ttl", seconds(self.nss.negative_ttl).into());
        put("nss.fallback_shell", self.nss.fallback_shell.clone().into());
        put("nss.fallback_for", self.nss.fallback_for.clone().into());
        put("nscd.enabled", self.nscd.enabled.into());
        put("pam.prompt", self.pam.prompt.clone().into());
        put("pam.otp_prompt", self.pam.otp_prompt.clone().into());
        put("pam.one_line", self.pam.one_line.into());
        put("pam.offline_notice", self.pam.offline_notice.into());
        put("pam.fail_delay", seconds(self.pam.fail_delay).into());
        put("pam.create_home", self.pam.create_home.into());
        put(
            "pam.home_umask",
            format!("{:04o}", self.pam.home_umask).into(),
        );
        let without_mfa = self.pam.services_without_mfa.clone();
        put("pam.services_without_mfa", without_mfa.into());
        self.offline.show(&mut put);
        put("events.spool_max", whole(self.events.spool_max));
        put(
            "events.spool_reserve",
            format!("{}B", self.events.spool_reserve).into(),
        );
        put("events.batch", whole(self.events.batch));
        put("events.flush", seconds(self.events.flush).into());
        f.write_str(&sections.to_string())
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

fn name_of<T: PartialEq + Copy>(names: &'static [(&str, T)], value: T) -> &'static str {
    let found = names.iter().find(|(_, named)| *named == value);
    found.map_or("", |(name, _)| name)
}

fn whole(number: usize) -> toml::Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

fn drop_ins(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
}

/// The text of a settings file; a missing one is `None`.
fn file_text(path: &Path) -> Result<Option<String>, String> {
    let named = |problem: &dyn fmt::Display| format!("{}: {problem}", path.display());
    match read_bounded(path, FILE_BYTES_MAX) {
        Ok(None) => Ok(None),
        Ok(Some(bytes)) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|error| named(&error)),
        Err(error) => Err(named(&error)),
    }
}

#[cfg(test)]
mod tests;
