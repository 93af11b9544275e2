//! A place where one competitor answers: a root with mount, process, network, IPC and host name
//! namespaces of its own. It ends, with every process in it, when it is dropped or when this
//! program ends: its first process waits for the end of our pipe.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use identity_bench::{Outcome, keep_to, release};
use rustix::process::Pid;

use crate::Failure;
use crate::competitor::Competitor;
pub(crate) use crate::player::Player;

const ENTER: &str = include_str!("enter.sh");
/// Said by the first process when the competitor answers.
const READY: &str = "the stage is ready";

/// Who measures: who else works on this machine must not be measured.
const REAL_TIME: [&str; 2] = ["--rr", "1"];
const LIKE_DAEMONS: [&str; 2] = ["--other", "0"];

/// A running stage.
pub(crate) struct Stage {
    outside: Child,
    /// The first process, as we see it.
    first: u32,
}

impl Stage {
    /// Starts a competitor with so many users.
    pub(crate) fn start(
        root: &Path,
        work: &Path,
        competitor: Competitor,
        users: usize,
    ) -> Result<Self, Failure> {
        let prepare = competitor.preparation(users);
        let inside = format!("{prepare}\necho '{READY}'\nexec cat > /dev/null 2>&1");
        let mut outside = Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--ipc", "--uts", "--fork"])
            .args(["--kill-child", "--propagation=private"])
            .args(["/bin/sh", "-euc", ENTER, "enter"])
            .args([root, work])
            .arg(inside)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = outside.stdout.take().ok_or("no output")?;
        let mut stage = Self { outside, first: 0 };
        let ready = BufReader::new(said)
            .lines()
            .any(|line| line.is_ok_and(|line| line == READY));
        if !ready {
            return Err(format!("{competitor} does not answer with {users} users").into());
        }
        let outside = stage.outside.id();
        let children = fs::read_to_string(format!("/proc/{outside}/task/{outside}/children"))?;
        stage.first = children.trim().parse()?;
        Ok(stage)
    }

    /// One measurement by the load generator, in a process of its own.
    pub(crate) fn measure(
        &self,
        competitor: Competitor,
        words: &[String],
    ) -> Result<Outcome, Failure> {
        let mut load = self.load(REAL_TIME, competitor, words);
        let said = load.stdin(Stdio::null()).output()?;
        if !said.status.success() {
            return Err(format!("{competitor}: {} failed", words.join(" ")).into());
        }
        Ok(serde_json::from_slice(&said.stdout)?)
    }

    /// A load generator that measures whenever it is its turn.
    pub(crate) fn player(
        &self,
        competitor: Competitor,
        words: &[String],
    ) -> Result<Player, Failure> {
        let words = [&["--in-turns".to_owned()], words].concat();
        Player::start(self.load(REAL_TIME, competitor, &words))
    }

    /// One that answers, as any daemon does, from its first turn on.
    pub(crate) fn servant(
        &self,
        competitor: Competitor,
        words: &[String],
    ) -> Result<Player, Failure> {
        let words = [&["--in-turns".to_owned()], words].concat();
        let mut servant = Player::start(self.load(LIKE_DAEMONS, competitor, &words))?;
        servant.turn()?;
        Ok(servant)
    }

    fn load(&self, priority: [&str; 2], competitor: Competitor, words: &[String]) -> Command {
        let mut load = Command::new("chrt");
        load.args(priority)
            .args(["nsenter", "--target", &self.first.to_string()])
            .args(["--mount", "--pid", "--net", "--ipc", "--uts"])
            .args(["--root", "--wd=/", "env", "-i", "LANG=C.UTF-8"])
            .arg("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
            .args(competitor.environment())
            .arg("/bench/bin/identity-load")
            .args(words)
            .stderr(Stdio::inherit());
        load
    }

    /// A file of the stage, as seen from outside.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.first))
    }

    /// Proportional memory of the processes of this name, in bytes.
    pub(crate) fn memory_of(&self, program: &str) -> Result<u64, Failure> {
        let mut kibibytes = 0;
        for process in self.processes(program)? {
            let told = fs::read_to_string(process.join("smaps_rollup"))?;
            kibibytes += proportional(&told);
        }
        Ok(kibibytes * 1024)
    }

    /// Keeps all threads of the processes of this name to one processor, or to none.
    pub(crate) fn keep_to(&self, program: &str, processor: Option<usize>) -> Result<(), Failure> {
        for process in self.processes(program)? {
            for thread in fs::read_dir(process.join("task"))?.flatten() {
                let number = thread.file_name().to_string_lossy().parse()?;
                let thread = Pid::from_raw(number).ok_or("a thread has a number")?;
                match processor {
                    Some(processor) => keep_to(Some(thread), processor)?,
                    None => release(thread)?,
                }
            }
        }
        Ok(())
    }

    /// The processes of this name in this stage, as folders below `/proc`.
    fn processes(&self, program: &str) -> Result<Vec<PathBuf>, Failure> {
        let space = fs::read_link(format!("/proc/{}/ns/pid", self.first))?;
        let named = |process: &PathBuf| {
            fs::read_to_string(process.join("comm")).is_ok_and(|comm| comm.trim() == program)
        };
        let ours = |process: &PathBuf| {
            fs::read_link(process.join("ns/pid")).is_ok_and(|other| other == space)
        };
        let all = fs::read_dir("/proc")?.flatten().map(|entry| entry.path());
        Ok(all.filter(named).filter(ours).collect())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(self.outside.stdin.take());
        let _ = self.outside.wait();
    }
}

fn proportional(rollup: &str) -> u64 {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportional_memory_is_read_from_its_line() {
        let rollup = "Rss:  900 kB\nPss:     123 kB\nPss_Dirty:  7 kB\n";
        assert_eq!(proportional(rollup), 123);
    }
}
