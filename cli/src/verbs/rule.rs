//! Rules: who may log in where.

use clap::{Args, Subcommand};
use directory_api::rest::AccessRuleSettings;
use policy::{Effect, Selector};

use super::objects::{self, Patch};
use crate::client::Call;
use crate::context::Context;
use crate::error::Failure;
use crate::moment;
use crate::output::Column;

const COLUMNS: &[Column] = &[
    ("NAME", "/name"),
    ("EFFECT", "/effect"),
    ("SUBJECTS", "/subject_names"),
    ("HOSTS", "/hosts"),
    ("FROM", "/valid_from"),
    ("UNTIL", "/valid_until"),
    ("ID", "/id"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum RuleVerb {
    /// Who may log in where
    #[command(subcommand)]
    Access(AccessVerb),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccessVerb {
    /// List access rules
    List,
    /// Show one access rule
    Show { rule: String },
    /// Make an access rule; no rule means no, deny wins
    Add(AddRule),
    /// Change an access rule; lists replace what was there
    Edit(EditRule),
    /// Remove an access rule
    Rm { rule: String },
}

#[derive(Debug, Args)]
pub(crate) struct AddRule {
    name: String,
    #[arg(long, default_value_t, hide_default_value = true)]
    description: String,
    /// A group it concerns; may be repeated
    #[arg(
        long = "group",
        value_name = "GROUP",
        required_unless_present = "users"
    )]
    groups: Vec<String>,
    /// A user it concerns; may be repeated
    #[arg(long = "user", value_name = "USER")]
    users: Vec<String>,
    /// The hosts it concerns, for example env=prod,!legacy
    #[arg(long, value_name = "SELECTOR", value_parser = selector)]
    on: Selector,
    /// Take access away, whatever else gives it
    #[arg(long)]
    deny: bool,
    /// Not before, for example "tomorrow 09:00"
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Not at or after, for example +2h
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only from this network, for example 10.0.0.0/8; may be repeated
    #[arg(long = "source", value_name = "NETWORK")]
    sources: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EditRule {
    rule: String,
    #[arg(long, value_name = "NAME")]
    rename: Option<String>,
    #[arg(long)]
    description: Option<String>,
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    #[arg(long = "user", value_name = "USER")]
    users: Vec<String>,
    #[arg(long, value_name = "SELECTOR", value_parser = selector)]
    on: Option<Selector>,
    #[arg(long, value_name = "TIME|none")]
    from: Option<String>,
    #[arg(long, value_name = "TIME|none")]
    until: Option<String>,
    /// Networks in place of those of the rule; none for anywhere
    #[arg(long = "source", value_name = "NETWORK|none")]
    sources: Vec<String>,
}

pub(crate) async fn run(verb: AccessVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        AccessVerb::List => objects::list(Call::get(&["access-rules"]), COLUMNS, context).await,
        AccessVerb::Show { rule } => objects::show(&["access-rules", &rule], context).await,
        AccessVerb::Add(arguments) => add(arguments, context).await,
        AccessVerb::Edit(arguments) => edit(arguments, context).await,
        AccessVerb::Rm { rule } => objects::remove(&["access-rules", &rule], context).await,
    }
}

async fn add(arguments: AddRule, context: &Context) -> Result<(), Failure> {
    let moment = |option, text: Option<String>| {
        text.map(|text| moment::read(context, option, &text))
            .transpose()
    };
    let networks = arguments.sources.iter().map(|source| network(source));
    let settings = AccessRuleSettings {
        name: arguments.name,
        description: arguments.description,
        effect: if arguments.deny {
            Effect::Deny
        } else {
            Effect::Allow
        },
        subjects: subjects(&arguments.users, &arguments.groups),
        hosts: arguments.on,
        valid_from: moment("--from", arguments.from)?,
        valid_until: moment("--until", arguments.until)?,
        schedule: None,
        sources: networks.collect::<Result<_, _>>()?,
    };
    objects::create(&["access-rules"], &settings, context).await
}

/// One user may log in to these hosts, by a rule with the user's name.
pub(super) async fn allow(user: &str, hosts: Selector, context: &Context) -> Result<(), Failure> {
    let settings = AccessRuleSettings {
        name: user.to_owned(),
        description: String::new(),
        effect: Effect::Allow,
        subjects: subjects(&[user.to_owned()], &[]),
        hosts,
        valid_from: None,
        valid_until: None,
        schedule: None,
        sources: Vec::new(),
    };
    objects::create(&["access-rules"], &settings, context).await
}

async fn edit(arguments: EditRule, context: &Context) -> Result<(), Failure> {
    let moment = |option, text: Option<String>| match text.as_deref() {
        Some("none") | None => Ok(text),
        Some(written) => moment::read(context, option, written).map(|time| Some(time.to_string())),
    };
    let concerned = subjects(&arguments.users, &arguments.groups);
    let sources = match arguments.sources.as_slice() {
        [] => None,
        [none] if none == "none" => Some(Vec::new()),
        written => {
            let networks = written
                .iter()
                .map(|source| network(source).map(|net| net.to_string()));
            Some(networks.collect::<Result<Vec<_>, _>>()?)
        }
    };
    let patch = Patch::default()
        .set("name", arguments.rename)
        .set("description", arguments.description)
        .set("subjects", (!concerned.is_empty()).then_some(concerned))
        .set("hosts", arguments.on.map(String::from))
        .set_or_clear("valid_from", moment("--from", arguments.from)?.as_ref())
        .set_or_clear("valid_until", moment("--until", arguments.until)?.as_ref())
        .set("sources", sources);
    objects::edit(&["access-rules", &arguments.rule], patch.fields(), context).await
}

fn subjects(users: &[String], groups: &[String]) -> Vec<String> {
    let users = users.iter().map(|user| format!("user:{user}"));
    users
        .chain(groups.iter().map(|group| format!("group:{group}")))
        .collect()
}

fn network(text: &str) -> Result<ipnet::IpNet, Failure> {
    let whole = || text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from);
    text.parse::<ipnet::IpNet>()
        .or_else(|_| whole())
        .map_err(|_| {
            Failure::usage(format!("--source \"{text}\" is not a network"))
                .next("write 10.0.0.0/8, 2001:db8::/32 or a single address")
        })
}

pub(super) fn selector(text: &str) -> Result<Selector, String> {
    Selector::try_from(text.to_owned()).map_err(|problem| problem.to_string())
}
