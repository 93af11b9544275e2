//! Tags in use. Hosts get them by `cloudid host tag`.

use clap::Subcommand;

use super::objects;
use crate::client::Call;
use crate::context::Context;
use crate::error::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum TagVerb {
    /// Every tag in use, with its number of hosts
    List,
}

pub(crate) async fn list(context: &Context) -> Result<(), Failure> {
    let columns = &[("TAG", "/name"), ("HOSTS", "/host_count")];
    objects::list(Call::get(&["tags"]), columns, context).await
}
