//! What every verb gets: options, clock, output, and the questions it may put to a person.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use jiff::Zoned;

use crate::arguments::Options;
use crate::error::Failure;
use crate::output::Output;

/// What was read from the environment, once, by `main`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// Folder of `config.toml`.
    pub(crate) config: Option<PathBuf>,
    /// Folder of the session files.
    pub(crate) state: Option<PathBuf>,
    pub(crate) profile: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) login_name: Option<String>,
}

/// One run of the command.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) options: Options,
    pub(crate) environment: Environment,
    pub(crate) now: Zoned,
    pub(crate) output: Output,
}

impl Context {
    pub(crate) fn new(options: Options, environment: Environment, now: Zoned) -> Self {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let output = Output {
            format: options.output,
            quiet: options.quiet,
            width: size.map(|size| size.ws_col).filter(|width| *width > 0),
        };
        Self {
            options,
            environment,
            now,
            output,
        }
    }

    pub(crate) fn reason(&self) -> String {
        self.options.reason.clone().unwrap_or_default()
    }

    /// Asks before something that cannot be taken back lightly. Without a person to ask, only
    /// `--yes` goes on.
    pub(crate) fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.options.yes {
            return Ok(());
        }
        if !self.somebody_is_there() {
            return Err(Failure::usage(question.to_owned())
                .because("nobody is here to confirm it: standard input is not a terminal")
                .next("repeat with --yes, or look first with --dry-run"));
        }
        if self.ask(&format!("{question} [y/N] "))? {
            Ok(())
        } else {
            Err(Failure::failed("nothing was changed").because("not confirmed"))
        }
    }

    pub(crate) fn somebody_is_there(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// A question with yes or no.
    pub(crate) fn ask(&self, question: &str) -> Result<bool, Failure> {
        let broken = |error: io::Error| Failure::failed("cannot ask").because(error.to_string());
        let mut terminal = io::stderr();
        write!(terminal, "{question}").map_err(broken)?;
        terminal.flush().map_err(broken)?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(broken)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}
