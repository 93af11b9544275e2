//! Programs of several editions: those built beside the running test, and those of earlier commits of
//! this repository, which stand for the releases before this one. The earlier ones are built once,
//! and kept.

use crate::base_root::{cache, say};
use crate::command::{OrFail, Outcome, fail, finish, run};
use crate::programs::{PACKAGED, built, stripped};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The commits of earlier programs, each after its name; below them, why these.
const PINNED: &str = include_str!("../previous_release.txt");

/// Which programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// Built beside this test.
    This,
    /// Of a commit whose maps and modules can be mixed with those of today.
    Previous,
    /// Of a commit before, with maps of another format: for whole hosts and directories.
    Older,
}

impl Edition {
    /// Why there are not all of the earlier programs here; nothing when there are. Builds them, unless
    /// they are there.
    #[must_use]
    #[track_caller]
    pub fn earlier_are_missing() -> Option<String> {
        let earlier = [Self::Previous, Self::Older];
        earlier.iter().find_map(|edition| edition.prepare().err())
    }

    /// A program as it was built.
    #[track_caller]
    pub(crate) fn program(self, file: &str) -> PathBuf {
        match self {
            Self::This => built(file),
            Self::Previous | Self::Older => match self.prepare() {
                Ok(folder) => folder.join(file),
                Err(why) => fail(&why),
            },
        }
    }

    /// The same without its debugging information.
    #[track_caller]
    pub(crate) fn small_program(self, file: &str) -> PathBuf {
        match self {
            Self::This => stripped(&built(file)),
            Self::Previous | Self::Older => self.program(file),
        }
    }

    /// The commit of earlier programs.
    #[track_caller]
    fn commit(self) -> &'static str {
        let name = match self {
            Self::This => fail("this edition has no commit yet"),
            Self::Previous => "previous ",
            Self::Older => "older ",
        };
        let mut lines = PINNED.lines();
        let commit = lines.find_map(|line| line.strip_prefix(name));
        commit.or_fail("find the commit of an edition")
    }

    /// The folder of earlier programs, or why there is none.
    #[track_caller]
    fn prepare(self) -> Result<PathBuf, String> {
        prepare(self.commit())
    }
}

#[track_caller]
fn prepare(commit: &str) -> Result<PathBuf, String> {
    let folder = cache().join("previous");
    fs::create_dir_all(&folder).or_fail("make the folder of earlier programs");
    let lock = File::create(folder.join("lock")).or_fail("make the lock of earlier programs");
    lock.lock().or_fail("lock the earlier programs");
    let made = folder.join(commit);
    if !made.is_dir() {
        let half = folder.join("half");
        let _ = fs::remove_dir_all(&half);
        fs::create_dir_all(&half).or_fail("make a folder for earlier sources");
        unpack_sources(commit, &half)?;
        say(&format!("building the programs of {commit}, once ..."));
        build(&half);
        fs::rename(half.join("programs"), &made).or_fail("put earlier programs in their place");
        let _ = fs::remove_dir_all(&half);
    }
    Ok(made)
}

/// The files of a commit; not every clone has it.
fn unpack_sources(commit: &str, half: &Path) -> Result<(), String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let archive = half.join("sources.tar");
    let mut pack = Command::new("git");
    pack.args(["-c", "safe.directory=*", "-C"]).arg(repository);
    pack.args(["archive", "--output"]).arg(&archive).arg(commit);
    match pack.output() {
        Ok(packed) if packed.status.success() => {}
        Ok(packed) => {
            let said = String::from_utf8_lossy(&packed.stderr);
            return Err(format!("git has no commit {commit}: {}", said.trim()));
        }
        Err(error) => return Err(format!("git cannot be started: {error}")),
    }
    let sources = half.join("sources");
    fs::create_dir_all(&sources).or_fail("make a folder for earlier sources");
    run(
        "tar",
        &["-C".as_ref(), sources.as_path(), "-xf".as_ref(), &archive],
    );
    Ok(())
}

/// Crates of others are compiled already for this edition, and are the same. One test is built as
/// well, so that cargo chooses their features as it does for all tests.
#[track_caller]
fn build(half: &Path) {
    const BUILD: &str = r#"
half=$1 compiled=$2
mkdir -p "$half/target/debug/deps" "$half/programs"
cd "$compiled"
cp -a .fingerprint build "$half/target/debug/"
find deps -maxdepth 1 \( -name '*.rlib' -o -name '*.rmeta' -o -name '*.so' -o -name '*.d' \) \
    -exec cp -a -t "$half/target/debug/deps" {} +
cd "$half/sources"
cargo build --workspace --locked --lib --bins --test harness --target-dir "$half/target"
"#;
    let compiled = std::env::current_exe().or_fail("find the running program");
    let compiled = compiled
        .ancestors()
        .find(|folder| folder.join(".fingerprint").is_dir());
    let compiled = compiled.or_fail("find the folder of compiled crates");
    let mut words = Command::new("sh");
    words.args(["-euc", BUILD, "sh"]).arg(half).arg(compiled);
    let ended = finish(words.env("CARGO_INCREMENTAL", "0"));
    if !ended.succeeded() {
        fail(&format!(
            "the earlier programs are not built:\n{}",
            last_lines(&ended)
        ));
    }
    for program in PACKAGED {
        let from = half
            .join("target/debug")
            .join(program)
            .display()
            .to_string();
        let to = half.join("programs").join(program).display().to_string();
        run("strip", &["--strip-debug", "-o", &to, &from]);
    }
}

fn last_lines(ended: &Outcome) -> String {
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let first = lines.len().saturating_sub(60);
    lines.get(first..).unwrap_or_default().join("\n")
}
