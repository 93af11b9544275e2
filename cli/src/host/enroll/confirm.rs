//! The last checks of an enrolment: root logs in through the finished PAM stacks, the engine of
//! this host has a word on a directory user, and whoever sits there says that all is well. Silence
//! is a no: who is locked out cannot answer.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Duration;

use local_protocol::{ADMIN_SOCKET, Login, Reply, Request};
use serde_json::Value;
use tokio::sync::oneshot;

use super::super::places::SU;
use super::super::{cacher, programs};
use crate::context::Context;
use crate::error::Failure;

const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether somebody pressed Ctrl-C or the terminal is gone.
const LOOKED_EVERY: Duration = Duration::from_millis(200);

/// Whether root gets through PAM: its account and session steps are those of every login.
pub(super) async fn root_logs_in() -> bool {
    if !Path::new(SU).exists() {
        return false;
    }
    let ended = programs::run(SU, &["root", "-c", "true"]).await;
    ended.is_ok_and(|ended| ended.success)
}

/// What the cacher would say to a directory user who comes by ssh now.
pub(super) fn word_on(user: &str) -> Result<String, Failure> {
    let login = Login {
        user: user.to_owned(),
        service: "sshd".to_owned(),
        process: std::process::id(),
        ..Login::default()
    };
    let reply = cacher::ask(Path::new(ADMIN_SOCKET), &Request::Explain(login))?;
    let Reply::Explained(text) = &reply else {
        return Err(cacher::unexpected(&reply));
    };
    let answer: Value = serde_json::from_str(text)
        .map_err(|_| Failure::failed("the answer of the cacher cannot be understood"))?;
    let sentence = answer.get("sentence").and_then(Value::as_str);
    Ok(sentence.unwrap_or_default().to_owned())
}

/// Waits for a yes. Scripts (`--yes`, or no terminal) are not asked.
pub(super) async fn confirmed(
    go_on: &impl Fn() -> Result<(), Failure>,
    context: &Context,
) -> Result<(), Failure> {
    if context.options.yes || !context.somebody_is_there() {
        return Ok(());
    }
    context.output.warn(&format!(
        "Keep this terminal. Log in from another one now, as root and as a directory user.\n\
         Everything is put back in {} s unless you say that both work.",
        PATIENCE.as_secs()
    ));
    let _ = write!(std::io::stderr(), "Do both logins work? [y/N] ");
    let answer = typed(std::io::BufReader::new(std::io::stdin()));
    tokio::select! {
        answered = answered(answer, PATIENCE) => answered,
        stopped = stopped(go_on) => Err(stopped),
    }
}

/// A line that comes some day. Nobody waits for the thread: it ends with the process.
fn typed(mut terminal: impl BufRead + Send + 'static) -> oneshot::Receiver<String> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        if terminal.read_line(&mut line).is_ok() {
            // Too late is as good as never.
            let _ = sender.send(line);
        }
    });
    receiver
}

async fn answered(line: oneshot::Receiver<String>, patience: Duration) -> Result<(), Failure> {
    let failed = |why: &str| Err(Failure::failed("the enrolment is taken back").because(why));
    match tokio::time::timeout(patience, line).await {
        Ok(Ok(line)) if matches!(line.trim(), "y" | "Y" | "yes") => Ok(()),
        Ok(_) => failed("not confirmed"),
        Err(_) => failed(&format!("nobody confirmed within {} s", patience.as_secs())),
    }
}

async fn stopped(go_on: &impl Fn() -> Result<(), Failure>) -> Failure {
    loop {
        if let Err(failure) = go_on() {
            return failure;
        }
        tokio::time::sleep(LOOKED_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(work)
    }

    #[test]
    fn only_a_yes_keeps_the_enrolment() {
        for (line, kept) in [
            ("y\n", true),
            ("yes\n", true),
            ("\n", false),
            ("", false),
            ("n\n", false),
        ] {
            let answer = answered(typed(line.as_bytes()), PATIENCE);
            assert_eq!(run(answer).is_ok(), kept, "{line:?}");
        }
    }

    #[test]
    fn silence_takes_everything_back() {
        let (_silent, line) = oneshot::channel();
        let failure = run(answered(line, Duration::ZERO)).unwrap_err();
        assert!(failure.to_string().contains("nobody confirmed"));
    }

    #[test]
    fn an_interruption_ends_the_waiting() {
        let failure = run(stopped(&|| Err(Failure::failed("interrupted"))));
        assert_eq!(failure.what(), "interrupted");
    }
}
