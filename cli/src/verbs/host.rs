//! Hosts as the directory knows them. There is no verb that runs anything on a host.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use directory_api::rest::{ConfirmRemovals, TagsChange, UserReason};
use policy::Selector;

use super::objects::{self, Patch};
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::output::Column;

const COLUMNS: &[Column] = &[
    ("HOST", "/hostname"),
    ("STATE", "/state"),
    ("PROJECT", "/project"),
    ("TAGS", "/tags"),
    ("NEWEST", "/bundle_version"),
    ("IN FORCE", "/acked_version"),
    ("LAST SEEN", "/last_seen"),
];
const USER_COLUMNS: &[Column] = &[
    ("USERNAME", "/username"),
    ("UID", "/uid"),
    ("STATE", "/state"),
    ("ALLOWED", "/allowed"),
    ("REASON", "/reason_code"),
    ("RULES", "/rule_ids"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum HostVerb {
    /// List hosts; -l picks
    List(Filter),
    /// Show one host
    Show { host: String },
    /// Who can reach a host, and why
    Users { host: String },
    /// Change what an administrator may edit
    Edit(EditHost),
    /// Give tags to one host, or to all that match -l
    Tag(Tags),
    /// Take tags from one host, or from all that match -l
    Untag(Tags),
    /// Let a pending host in
    Approve { host: String },
    /// Refuse a pending host
    Reject { host: String },
    /// No new logins; open sessions stay
    Quarantine { host: String },
    /// End a quarantine
    Unquarantine { host: String },
    /// Refuse its key for good; its slice is no longer made
    Retire { host: String },
    /// Tell the host to fetch its bundle now
    Sync { host: String },
    /// Confirm that so many people are meant to vanish from a host at once: it holds such a bundle
    /// back until then
    ConfirmRemovals {
        host: String,
        /// How many; `cloudid events search --type bundle.refused` tells
        #[arg(long, value_name = "NUMBER")]
        people: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// pending, active, quarantined or retired
    #[arg(long)]
    state: Option<String>,
    /// Only hosts of this project
    #[arg(long)]
    project: Option<String>,
    /// Only names that contain this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EditHost {
    host: String,
    #[arg(long)]
    display_name: Option<String>,
    #[arg(long)]
    description: Option<String>,
    /// Move it to another project
    #[arg(long)]
    project: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Tags {
    /// A host and tags, or only tags together with -l
    #[arg(required = true, value_name = "HOST|TAG")]
    words: Vec<String>,
}

pub(crate) async fn run(verb: HostVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        HostVerb::List(filter) => {
            let call = Call::get(&["hosts"])
                .query_if("state", filter.state.as_ref())
                .query_if("project", filter.project.as_ref())
                .query_if("q", filter.search.as_ref())
                .query_if("selector", context.options.selector.as_ref());
            objects::list(call, COLUMNS, context).await
        }
        HostVerb::Show { host } => objects::show(&["hosts", &host], context).await,
        HostVerb::Users { host } => {
            objects::list(Call::get(&["hosts", &host, "users"]), USER_COLUMNS, context).await
        }
        HostVerb::Edit(arguments) => {
            let patch = Patch::default()
                .set("display_name", arguments.display_name)
                .set("description", arguments.description)
                .set("project", arguments.project);
            objects::edit(&["hosts", &arguments.host], patch.fields(), context).await
        }
        HostVerb::Tag(words) => change_tags(words.words, true, context).await,
        HostVerb::Untag(words) => change_tags(words.words, false, context).await,
        HostVerb::Approve { host } => act(&host, "approve", context).await,
        HostVerb::Reject { host } => act(&host, "reject", context).await,
        HostVerb::Quarantine { host } => act(&host, "quarantine", context).await,
        HostVerb::Unquarantine { host } => act(&host, "unquarantine", context).await,
        HostVerb::Retire { host } => {
            if !context.options.dry_run {
                context.confirm(&format!("retire {host} for good?"))?;
            }
            act(&host, "retire", context).await
        }
        HostVerb::Sync { host } => act(&host, "sync", context).await,
        HostVerb::ConfirmRemovals { host, people } => {
            if !context.options.dry_run {
                context.confirm(&format!("let up to {people} people vanish from {host}?"))?;
            }
            let body = ConfirmRemovals {
                removals: people,
                reason: context.reason(),
            };
            objects::post(&["hosts", &host, "confirm-removals"], &body, context).await
        }
    }
}

async fn act(host: &str, action: &str, context: &Context) -> Result<(), Failure> {
    let body = UserReason {
        reason: context.reason(),
    };
    objects::post(&["hosts", host, action], &body, context).await
}

async fn change_tags(words: Vec<String>, adding: bool, context: &Context) -> Result<(), Failure> {
    let missing = || {
        Failure::usage("no tag was given")
            .next("cloudid host tag HOST TAG…, or cloudid host tag -l SELECTOR TAG…")
    };
    let Some(selector) = &context.options.selector else {
        let (host, tags) = words.split_first().ok_or_else(missing)?;
        if tags.is_empty() {
            return Err(missing());
        }
        return change_tags_of_one(host, tags, adding, context).await;
    };
    let selector = Selector::try_from(selector.clone())
        .map_err(|problem| Failure::usage(problem.to_string()))?;
    let (add, remove) = if adding {
        (words, Vec::new())
    } else {
        (Vec::new(), words)
    };
    let body = TagsChange {
        selector,
        add,
        remove,
    };
    objects::post(&["hosts", "tags"], &body, context).await
}

/// By a change of the host itself, since no selector means a single host by its plain name.
async fn change_tags_of_one(
    host: &str,
    tags: &[String],
    adding: bool,
    context: &Context,
) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    let seen: directory_api::rest::Host = directory.ask(Call::get(&["hosts", host])).await?;
    let mut after: BTreeSet<String> = seen.settings.tags.into_iter().collect();
    for tag in tags {
        if adding {
            after.insert(tag.clone());
        } else {
            after.remove(tag);
        }
    }
    let patch = Patch::default().set("tags", Some(after.into_iter().collect::<Vec<_>>()));
    objects::edit(&["hosts", host], patch.fields(), context).await
}
