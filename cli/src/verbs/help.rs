//! `cloudid help`: of a verb, from the one definition of the command line, or of a topic that
//! concerns every verb.

use clap::{Args, CommandFactory};

use crate::arguments::CommandLine;
use crate::context::Context;
use crate::error::Failure;

pub(crate) const AFTER_HELP: &str = "Exit codes: 0 ok, 1 failed, 2 usage, 3 not signed in, 4 refused by \
policy, 5 not found,\n6 changed meanwhile, 7 request pending, 8 request denied or expired,\n\
9 directory unreachable, 10 done in part.\n\n\
Secrets are typed, read from a file or from standard input; never given as arguments.\n\n\
More about exit codes, output, files and times: cloudid help topics";

const TOPICS: [(&str, &str, &str); 4] = [
    (
        "exit-codes",
        "What a script learns from the exit code",
        "0   done
1   failed, for a reason that is none of the following
2   the command line cannot be understood, or nobody was there to confirm it
3   not signed in: cloudid login
4   refused by policy or by the role of the caller
5   not found, or not to be seen by the caller
6   changed meanwhile: look at it again, then repeat
7   a request is pending
8   a request was denied or has expired
9   the directory cannot be reached; on a host the answer came from the mirror, or there is none
10  done in part: what was not done is told on standard error
",
    ),
    (
        "output",
        "Formats of answers, and what goes where",
        "Answers go to standard output, everything else to standard error: -q leaves only answers
and errors. Without -o a terminal gets a table and a pipe gets one line for each object, its
fields separated by tabs.

-o table   aligned columns with a heading
-o json    one document with every field
-o ndjson  one JSON object on each line
-o yaml    one document with every field
-o csv     the columns of the table with a heading
-o id      one id on each line, for xargs

Text from elsewhere is printed without control characters. Colours are never used.
",
    ),
    (
        "files",
        "Where settings, sessions and secrets are",
        "For people:
~/.config/cloudid/config.toml                   profiles: addresses, names, private CAs
~/.local/state/cloudid/session-PROFILE.json     the session of cloudid login, mode 0600
XDG_CONFIG_HOME and XDG_STATE_HOME move them; CLOUDID_PROFILE and CLOUDID_URL choose a directory.

On a host, for root, whatever the environment says:
/etc/cloudid/cloudid.toml, /etc/cloudid/conf.d/*.toml    settings: cloudid config list
/var/lib/cloudid                                         identity and mirror
/var/lib/cloudid-enroll-backup                           what cloudid unenroll puts back

A secret is typed, read from a file (- for standard input) or written to a new file of mode
0600. It is never an argument or a variable: every user of the machine could read those.
",
    ),
    (
        "times",
        "How durations and moments are written",
        "Durations: 90s 10m 2h 1d

Moments:
2026-12-24T18:00:00Z         with its zone
2026-12-24T18:00:00+01:00    the same
2026-12-24 18:00             in the zone of this machine, as are the following
2026-12-24                   the beginning of that day
18:00, tomorrow 09:00        by the clock
+2h                          from now on

What was understood is printed back with its zone.
",
    ),
];

/// This text, the help of a verb, or of a topic: cloudid help topics
#[derive(Debug, Args)]
pub(crate) struct HelpArguments {
    /// A verb such as user add, or a topic
    #[arg(value_name = "VERB|TOPIC")]
    words: Vec<String>,
}

pub(crate) fn run(arguments: &HelpArguments, context: &Context) -> Result<(), Failure> {
    if let [word] = arguments.words.as_slice() {
        if word == "topics" {
            return context.output.text(&topics());
        }
        if let Some((_, _, text)) = TOPICS.iter().find(|(name, _, _)| name == word) {
            return context.output.text(text);
        }
    }
    let mut command = CommandLine::command();
    command.build();
    let mut shown = &mut command;
    for word in &arguments.words {
        shown = shown.find_subcommand_mut(word).ok_or_else(|| {
            Failure::usage(format!("there is no help about \"{word}\""))
                .next("cloudid --help, or cloudid help topics")
        })?;
    }
    let text = shown.render_help().to_string();
    context.output.text(&text)
}

fn topics() -> String {
    let line = |(name, what, _): &(&str, &str, &str)| format!("{name:10}  {what}\n");
    let lines: String = TOPICS.iter().map(line).collect();
    format!("{lines}\ncloudid help TOPIC tells about one.\n")
}
