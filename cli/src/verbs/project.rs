//! Projects: scopes of authority; every host belongs to exactly one.

use clap::{Args, Subcommand};
use directory_api::rest::ProjectSettings;

use super::objects::{self, Patch};
use crate::client::Call;
use crate::context::Context;
use crate::error::Failure;
use crate::output::Column;

const COLUMNS: &[Column] = &[
    ("NAME", "/name"),
    ("HOSTS", "/host_count"),
    ("DESCRIPTION", "/description"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectVerb {
    /// List projects
    List,
    /// Show one project
    Show { project: String },
    /// Make a project
    Add(NewProject),
    /// Change a project
    Edit(EditProject),
    /// Remove a project without hosts
    Rm { project: String },
}

#[derive(Debug, Args)]
pub(crate) struct NewProject {
    name: String,
    #[arg(long, default_value_t, hide_default_value = true)]
    description: String,
    /// Let the tags that hosts give themselves count in allow rules
    #[arg(long)]
    trust_host_tags: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EditProject {
    project: String,
    /// A new name; only while no host is in it
    #[arg(long, value_name = "NAME")]
    rename: Option<String>,
    #[arg(long)]
    description: Option<String>,
    /// Whether the tags that hosts give themselves count in allow rules
    #[arg(long, value_name = "true|false")]
    trust_host_tags: Option<bool>,
}

pub(crate) async fn run(verb: ProjectVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        ProjectVerb::List => objects::list(Call::get(&["projects"]), COLUMNS, context).await,
        ProjectVerb::Show { project } => objects::show(&["projects", &project], context).await,
        ProjectVerb::Add(new) => {
            let settings = ProjectSettings {
                name: new.name,
                description: new.description,
                trust_host_tags: new.trust_host_tags,
            };
            objects::create(&["projects"], &settings, context).await
        }
        ProjectVerb::Edit(edit) => {
            let patch = Patch::default()
                .set("name", edit.rename)
                .set("description", edit.description)
                .set("trust_host_tags", edit.trust_host_tags);
            objects::edit(&["projects", &edit.project], patch.fields(), context).await
        }
        ProjectVerb::Rm { project } => objects::remove(&["projects", &project], context).await,
    }
}
