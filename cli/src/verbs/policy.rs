//! Policies: how logins must be proven.

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::objects::{self, from_word};
use crate::arguments::Format;
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::output::Column;
use directory_api::rest::{Lifetime, Span};
use policy::{AuthMethod, FactorKind, OfflineCodes, Selector, Unenrolled};

const COLUMNS: &[Column] = &[
    ("NAME", "/name"),
    ("PROJECT", "/project"),
    ("HOSTS", "/hosts"),
    ("SERVICES", "/services"),
    ("AUTH METHODS", "/auth_methods"),
    ("MFA", "/mfa/required"),
    ("ID", "/id"),
];

const FIELDS: &[Column] = &[("FIELD", "/field"), ("VALUE", "/value"), ("FROM", "/from")];

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// List policies
    List,
    /// Show one policy
    Show { policy: String },
    /// Make a policy; of several the strictest value wins, field by field
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddPolicy),
    /// Change a policy; lists replace what was there, none takes a field away
    Edit(EditPolicy),
    /// Remove a policy
    Rm { policy: String },
    /// What holds for logins to a host, and which policies it comes from
    Effective(Effective),
}

const ADD_EXAMPLES: &str = "Examples:
  cloudid policy add everywhere
      a second factor for every login; who has none may log in three more times without
  cloudid policy add prod --on env=prod --unenrolled deny --auth-method hardware-key
  cloudid policy add offices --service sshd --except-source 10.0.0.0/8";

#[derive(Debug, Args)]
pub(crate) struct AddPolicy {
    name: String,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Args)]
pub(crate) struct EditPolicy {
    policy: String,
    #[arg(long, value_name = "NAME")]
    rename: Option<String>,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Args)]
pub(crate) struct Effective {
    #[arg(long)]
    host: String,
    /// The PAM service, for example sudo
    #[arg(long, default_value = "sshd")]
    service: String,
    /// Where the login comes from
    #[arg(long, value_name = "ADDRESS")]
    source: Option<std::net::IpAddr>,
}

/// What can be said of a policy; every word is checked before it is sent.
#[derive(Debug, Args)]
struct Fields {
    #[arg(long)]
    description: Option<String>,
    /// Only for hosts of this project
    #[arg(long, value_name = "PROJECT|none")]
    project: Option<String>,
    /// Only for these hosts, for example env=prod,!legacy
    #[arg(long, value_name = "SELECTOR|none", value_parser = checked::<Selector>)]
    on: Option<String>,
    /// Only for this PAM service, for example sshd; may be repeated
    #[arg(long = "service", value_name = "SERVICE|none")]
    services: Vec<String>,
    /// Only for logins from this network; may be repeated
    #[arg(long = "source", value_name = "NETWORK|none", value_parser = network)]
    sources: Vec<String>,
    /// Not for logins from this network; may be repeated
    #[arg(long = "except-source", value_name = "NETWORK|none", value_parser = network)]
    except_sources: Vec<String>,
    /// A way to log in: cert, hardware-key, publickey+code, password+code, publickey or password;
    /// may be repeated
    #[arg(long = "auth-method", value_name = "METHOD|none", value_parser = checked::<AuthMethod>)]
    auth_methods: Vec<String>,
    /// Whether a second factor is needed: true, or false where one is enough
    #[arg(long, value_name = "true|false|none", value_parser = checked_truth)]
    mfa_required: Option<String>,
    /// A factor that counts: hardware-key, cert, totp, yubikey-otp or backup-code; may be repeated
    #[arg(long = "mfa-method", value_name = "KIND|none", value_parser = checked::<FactorKind>)]
    mfa_methods: Vec<String>,
    /// Those who have no factor: allow, deny, or grace:3 for three logins
    #[arg(long, value_name = "WHAT|none", value_parser = checked::<Unenrolled>)]
    unenrolled: Option<String>,
    /// Not asked again for so long on the same host from the same address, for example 30m
    #[arg(long, value_name = "DURATION|none", value_parser = checked::<Span>)]
    remember: Option<String>,
    /// Codes while a host cannot reach the directory: check-bits or deny
    #[arg(long, value_name = "WHAT|none", value_parser = checked::<OfflineCodes>)]
    offline_mfa: Option<String>,
    /// For how long those codes count, at most 72h
    #[arg(long, value_name = "DURATION|none", value_parser = checked::<Lifetime>)]
    offline_horizon: Option<String>,
    /// Wrong codes before a lock
    #[arg(long, value_name = "NUMBER|none", value_parser = checked_number)]
    offline_code_tries: Option<String>,
    /// How long the first such lock lasts
    #[arg(long, value_name = "DURATION|none", value_parser = checked::<Lifetime>)]
    offline_lock_for: Option<String>,
    /// Whether backup codes count while a host cannot reach the directory
    #[arg(long, value_name = "true|false|none", value_parser = checked_truth)]
    offline_backup_codes: Option<String>,
}

pub(crate) async fn run(verb: PolicyVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        PolicyVerb::List => objects::list(Call::get(&["policies"]), COLUMNS, context).await,
        PolicyVerb::Show { policy } => objects::show(&["policies", &policy], context).await,
        PolicyVerb::Add(add) => {
            let mut body = add.fields.patch();
            body.retain(|_, value| !value.is_null());
            body.insert("name".to_owned(), add.name.into());
            objects::create(&["policies"], &body, context).await
        }
        PolicyVerb::Edit(edit) => {
            let mut patch = edit.fields.patch();
            if let Some(name) = edit.rename {
                patch.insert("name".to_owned(), name.into());
            }
            objects::edit(&["policies", &edit.policy], patch, context).await
        }
        PolicyVerb::Rm { policy } => objects::remove(&["policies", &policy], context).await,
        PolicyVerb::Effective(asked) => effective(&asked, context).await,
    }
}

async fn effective(asked: &Effective, context: &Context) -> Result<(), Failure> {
    let mut call =
        Call::get(&["hosts", &asked.host, "effective-policy"]).query("service", &asked.service);
    if let Some(source) = asked.source {
        call = call.query("source", source.to_string());
    }
    let answer = Directory::signed_in(context)?.call(call).await?;
    match context.options.output {
        Some(Format::Json | Format::Ndjson | Format::Yaml) => context.output.object(&answer.body),
        Some(Format::Table | Format::Csv | Format::Id) | None => {
            let fields = answer.body.get("fields").and_then(Value::as_array);
            context
                .output
                .list(FIELDS, fields.map_or(&[], Vec::as_slice))
        }
    }
}

impl Fields {
    /// As a merge patch: what was not said is not sent, `none` takes it away.
    fn patch(self) -> Map<String, Value> {
        let mut patch = Map::new();
        let mut set = |path: &str, value: Option<Value>| {
            let Some(value) = value else { return };
            match path.split_once('.') {
                None => {
                    patch.insert(path.to_owned(), value);
                }
                Some((part, field)) => {
                    let part = patch.entry(part).or_insert_with(|| Map::new().into());
                    if let Value::Object(part) = part {
                        part.insert(field.to_owned(), value);
                    }
                }
            }
        };
        set("description", self.description.map(Value::from));
        set("project", self.project.map(word));
        set("hosts", self.on.map(word));
        set("services", words(self.services));
        set("sources", words(self.sources));
        set("except_sources", words(self.except_sources));
        set("auth_methods", words(self.auth_methods));
        set("mfa.required", self.mfa_required.as_deref().map(plain));
        set("mfa.methods", words(self.mfa_methods));
        set("mfa.unenrolled", self.unenrolled.map(word));
        set("mfa.remember", self.remember.map(word));
        set("offline.mfa", self.offline_mfa.map(word));
        set("offline.horizon", self.offline_horizon.map(word));
        set(
            "offline.code_tries",
            self.offline_code_tries.as_deref().map(plain),
        );
        set("offline.lock_for", self.offline_lock_for.map(word));
        set(
            "offline.backup_codes",
            self.offline_backup_codes.as_deref().map(plain),
        );
        patch
    }
}

const NONE: &str = "none";

fn word(text: String) -> Value {
    if text == NONE {
        Value::Null
    } else {
        Value::from(text)
    }
}

/// A truth or a number.
fn plain(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn words(texts: Vec<String>) -> Option<Value> {
    match texts.as_slice() {
        [] => None,
        [none] if none == NONE => Some(Value::Null),
        _ => Some(texts.into()),
    }
}

fn checked<T: serde::de::DeserializeOwned>(text: &str) -> Result<String, String> {
    if text != NONE {
        from_word::<T>(text)?;
    }
    Ok(text.to_owned())
}

fn checked_truth(text: &str) -> Result<String, String> {
    match text {
        "true" | "false" | NONE => Ok(text.to_owned()),
        _ => Err("neither true nor false nor none".to_owned()),
    }
}

fn checked_number(text: &str) -> Result<String, String> {
    let number = text == NONE || text.parse::<u32>().is_ok();
    number
        .then(|| text.to_owned())
        .ok_or_else(|| "not a number".to_owned())
}

/// A network, or one address.
fn network(text: &str) -> Result<String, String> {
    let single = |_| text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    if text == NONE {
        return Ok(text.to_owned());
    }
    let network = text.parse::<ipnet::IpNet>().or_else(single);
    network.map(|network| network.to_string()).map_err(|_| {
        "not a network: write 10.0.0.0/8, 2001:db8::/32 or a single address".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        fields: Fields,
    }

    #[test]
    fn only_what_was_said_is_sent_and_none_takes_a_field_away() {
        let said = [
            "x",
            "--service",
            "sshd",
            "--source",
            "none",
            "--mfa-required",
            "false",
            "--offline-code-tries",
            "0",
            "--unenrolled",
            "none",
            "--on",
            "env=prod",
        ];
        let patch = Words::parse_from(said).fields.patch();
        assert_eq!(
            Value::Object(patch),
            json!({
                "services": ["sshd"], "sources": null, "hosts": "env=prod",
                "mfa": {"required": false, "unenrolled": null}, "offline": {"code_tries": 0},
            })
        );
    }

    #[test]
    fn a_word_that_means_nothing_is_refused_before_anything_is_sent() {
        for wrong in [
            ["--auth-method", "passwort"],
            ["--unenrolled", "grace:0"],
            ["--offline-horizon", "0s"],
            ["--source", "10.0.0.0/33"],
            ["--mfa-required", "yes"],
        ] {
            assert!(Words::try_parse_from([&["x"][..], &wrong].concat()).is_err());
        }
    }
}
