//! Groups: users and groups in groups.

use clap::{Args, Subcommand};
use directory_api::rest::{GroupSettings, MembersChange};
use serde::Deserialize;
use serde_json::Value;

use super::objects::{self, Patch};
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::output::Column;

const COLUMNS: &[Column] = &[
    ("NAME", "/name"),
    ("GID", "/gid"),
    ("MEMBERS", "/member_count"),
    ("DESCRIPTION", "/description"),
];
const MEMBER_COLUMNS: &[Column] = &[("TYPE", "/type"), ("NAME", "/name"), ("ID", "/id")];

/// All members at once: this list has no pages.
#[derive(Debug, Deserialize)]
struct Items {
    items: Vec<Value>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupVerb {
    /// List groups
    List {
        /// Only names that contain this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show one group
    Show { group: String },
    /// List the members of a group
    Members {
        group: String,
        /// Those of its groups as well
        #[arg(long)]
        transitive: bool,
    },
    /// Make a group
    Add(NewGroup),
    /// Change a group
    Edit(EditGroup),
    /// Remove a group
    Rm { group: String },
    /// Add users, or groups as group:NAME
    AddMember(Members),
    /// Remove users, or groups as group:NAME
    RemoveMember(Members),
}

#[derive(Debug, Args)]
pub(crate) struct NewGroup {
    name: String,
    #[arg(long, default_value_t, hide_default_value = true)]
    description: String,
    /// The group appears on hosts, with a gid
    #[arg(long)]
    unix: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EditGroup {
    group: String,
    #[arg(long, value_name = "NAME")]
    rename: Option<String>,
    #[arg(long)]
    description: Option<String>,
    /// Whether the group appears on hosts
    #[arg(long, value_name = "true|false")]
    unix: Option<bool>,
}

#[derive(Debug, Args)]
pub(crate) struct Members {
    group: String,
    /// NAME or user:NAME for a user, group:NAME for a group, or ids
    #[arg(required = true, value_name = "MEMBER")]
    members: Vec<String>,
}

pub(crate) async fn run(verb: GroupVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        GroupVerb::List { search } => {
            let call = Call::get(&["groups"]).query_if("q", search.as_ref());
            objects::list(call, COLUMNS, context).await
        }
        GroupVerb::Show { group } => objects::show(&["groups", &group], context).await,
        GroupVerb::Members { group, transitive } => {
            let call = Call::get(&["groups", &group, "members"]);
            let call = call.query("transitive", transitive.to_string());
            let members: Items = Directory::signed_in(context)?.ask(call).await?;
            context.output.list(MEMBER_COLUMNS, &members.items)
        }
        GroupVerb::Add(new) => {
            let settings = GroupSettings {
                name: new.name,
                description: new.description,
                unix: new.unix,
            };
            objects::create(&["groups"], &settings, context).await
        }
        GroupVerb::Edit(edit) => {
            let patch = Patch::default()
                .set("name", edit.rename)
                .set("description", edit.description)
                .set("unix", edit.unix);
            objects::edit(&["groups", &edit.group], patch.fields(), context).await
        }
        GroupVerb::Rm { group } => objects::remove(&["groups", &group], context).await,
        GroupVerb::AddMember(change) => {
            let body = MembersChange {
                add: subjects(&change.members),
                remove: Vec::new(),
            };
            objects::post(&["groups", &change.group, "members"], &body, context).await
        }
        GroupVerb::RemoveMember(change) => {
            let body = MembersChange {
                add: Vec::new(),
                remove: subjects(&change.members),
            };
            objects::post(&["groups", &change.group, "members"], &body, context).await
        }
    }
}

/// A bare name is a user's; ids (`usr_…`, `grp_…`) stand for themselves.
pub(super) fn subjects(members: &[String]) -> Vec<String> {
    let subject = |member: &String| {
        let complete =
            member.contains(':') || member.starts_with("usr_") || member.starts_with("grp_");
        if complete {
            member.clone()
        } else {
            format!("user:{member}")
        }
    };
    members.iter().map(subject).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_is_a_user() {
        let members = ["alice", "group:ops", "usr_1", "grp_2", "user:bob"].map(str::to_owned);
        assert_eq!(
            subjects(&members),
            ["user:alice", "group:ops", "usr_1", "grp_2", "user:bob"]
        );
    }
}
