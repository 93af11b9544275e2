//! Completions and man pages, from the one definition of the command line.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::CommandLine;
use crate::context::Context;
use crate::error::Failure;

/// Print the completion script of a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    shell: Shell,
}

/// Write the man pages into a folder
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    folder: PathBuf,
}

pub(crate) fn completions(
    arguments: &CompletionsArguments,
    context: &Context,
) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut CommandLine::command(),
        "cloudid",
        &mut script,
    );
    context.output.text(&String::from_utf8_lossy(&script))
}

pub(crate) fn man(arguments: &ManArguments) -> Result<(), Failure> {
    clap_mangen::generate_to(CommandLine::command(), &arguments.folder)
        .map_err(|error| Failure::file("write man pages to", &arguments.folder, &error))
}
