//! Roles: who administers the directory. A role is held for the whole organisation.

use clap::Subcommand;
use directory_api::rest::{NewRoleAssignment, Role, RoleAssignment};

use super::objects::{self, from_word};
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::output::Column;

const COLUMNS: &[Column] = &[
    ("USER", "/username"),
    ("ROLE", "/role"),
    ("SINCE", "/created_at"),
    ("ID", "/id"),
];
const ROLE_COLUMNS: &[Column] = &[
    ("ROLE", "/role"),
    ("MAY", "/actions"),
    ("DESCRIPTION", "/description"),
];
const EXAMPLES: &str = "Examples:
  cloudid admin add bob --role directory-admin
  cloudid admin list -o json
  cloudid admin rm bob --role directory-admin --yes";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum AdminVerb {
    /// Who holds which role
    List,
    /// The roles there are, and what each may do
    Roles,
    /// Give a role to an active user
    #[command(after_help = EXAMPLES)]
    Add {
        user: String,
        /// owner, directory-admin or read-only
        #[arg(long, value_parser = from_word::<Role>)]
        role: Role,
    },
    /// Take a role from a user; the last owner stays
    Rm {
        user: String,
        /// owner, directory-admin or read-only
        #[arg(long, value_parser = from_word::<Role>)]
        role: Role,
    },
}

pub(crate) async fn run(verb: AdminVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        AdminVerb::List => objects::list(Call::get(&["role-assignments"]), COLUMNS, context).await,
        AdminVerb::Roles => objects::list(Call::get(&["roles"]), ROLE_COLUMNS, context).await,
        AdminVerb::Add { user, role } => {
            let body = NewRoleAssignment { role, user };
            objects::create(&["role-assignments"], &body, context).await
        }
        AdminVerb::Rm { user, role } => remove(&user, role, context).await,
    }
}

async fn remove(user: &str, role: Role, context: &Context) -> Result<(), Failure> {
    let held = Directory::signed_in(context)?
        .list(Call::get(&["role-assignments"]))
        .await?;
    let is_meant =
        |held: &RoleAssignment| held.role == role && (held.username == user || held.user == user);
    let assignment = held
        .into_iter()
        .filter_map(|held| serde_json::from_value(held).ok())
        .find(is_meant)
        .ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("{user} does not hold this role"))
                .next("cloudid admin list")
        })?;
    objects::end(
        &["role-assignments", &assignment.id],
        Some(&format!("take this role from {user}?")),
        "The role was taken.",
        context,
    )
    .await
}
