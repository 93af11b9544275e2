//! The helper's verbs, on a tree of the test's own.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use cacher_daemon::helper::{Places, carry_out, end_sessions, make_home};
use local_protocol::{MakeHome, Verb, VerbResult};
use tempfile::TempDir;

use crate::world::has_root;

struct Tree {
    folder: TempDir,
    places: Places,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let places = Places {
            etc: folder.path().join("etc"),
            skeleton: folder.path().join("etc/skel"),
            root: folder.path().to_owned(),
        };
        std::fs::create_dir_all(places.skeleton.join("deep/er")).unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        std::fs::set_permissions(folder.path().join("home"), PermissionsExt::from_mode(0o755))
            .unwrap();
        std::fs::write(places.skeleton.join(".profile"), "hello").unwrap();
        std::fs::write(places.skeleton.join("deep/er/file"), "deep").unwrap();
        std::fs::write(
            places.etc.join("passwd"),
            "root:x:0:0::/:/bin/sh\nbob:x:71009:100::/:/bin/sh\n",
        )
        .unwrap();
        Self { folder, places }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home/alice")
    }

    fn make(&self) -> Result<bool, String> {
        make_home(&wanted("/home/alice", 71_001), &self.places).map_err(|error| error.to_string())
    }
}

fn wanted(home: &str, uid: u32) -> MakeHome {
    MakeHome {
        home: home.to_owned(),
        uid,
        gid: uid,
        umask: 0o077,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn pam_16_a_home_is_made_from_the_skeleton_and_given_to_its_user() {
    if !has_root() {
        return;
    }
    let tree = Tree::new();
    assert_eq!(tree.make(), Ok(true));
    assert_eq!(tree.make(), Ok(false), "a second login finds it");
    for (path, mode) in [
        ("", 0o700),
        (".profile", 0o600),
        ("deep", 0o700),
        ("deep/er/file", 0o600),
    ] {
        let metadata = std::fs::symlink_metadata(tree.home().join(path)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (71_001, 71_001), "{path}");
        assert_eq!(metadata.mode() & 0o7777, mode, "{path}");
    }
    assert_eq!(
        std::fs::read_to_string(tree.home().join("deep/er/file")).unwrap(),
        "deep"
    );
    assert_eq!(
        names(&tree.folder.path().join("home")),
        ["alice"],
        "nothing half-made is left"
    );
}

#[test]
fn pam_16_what_is_not_a_plain_file_is_not_copied() {
    if !has_root() {
        return;
    }
    let tree = Tree::new();
    symlink("/etc/shadow", tree.places.skeleton.join("link")).unwrap();
    let fifo = tree.places.skeleton.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o666),
        0,
    )
    .unwrap();
    assert_eq!(tree.make(), Ok(true), "and never blocks on a pipe");
    assert_eq!(names(&tree.home()), [".profile", "deep"]);
}

#[test]
fn pam_16_a_symlink_or_file_in_the_homes_place_is_refused() {
    let tree = Tree::new();
    let victim = tree.folder.path().join("victim");
    std::fs::create_dir(&victim).unwrap();
    symlink(&victim, tree.home()).unwrap();
    assert!(tree.make().unwrap_err().contains("not a folder"));
    assert!(names(&victim).is_empty());
    std::fs::remove_file(tree.home()).unwrap();
    std::fs::write(tree.home(), "file").unwrap();
    assert!(tree.make().unwrap_err().contains("not a folder"));
}

#[test]
fn pam_16_an_existing_folder_of_another_owner_is_refused_and_untouched() {
    let tree = Tree::new();
    std::fs::create_dir(tree.home()).unwrap();
    let before = std::fs::metadata(tree.home()).unwrap();
    assert!(tree.make().unwrap_err().contains("belongs to uid"));
    let after = std::fs::metadata(tree.home()).unwrap();
    assert_eq!((before.uid(), before.mode()), (after.uid(), after.mode()));
    assert!(names(&tree.home()).is_empty());
}

#[test]
fn pam_16_homes_behind_a_symlink_or_in_a_folder_of_others_are_refused() {
    let tree = Tree::new();
    let home = tree.folder.path().join("home");
    std::fs::set_permissions(&home, PermissionsExt::from_mode(0o777)).unwrap();
    assert!(tree.make().unwrap_err().contains("must belong to root"));
    std::fs::remove_dir(&home).unwrap();
    let elsewhere = tree.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &home).unwrap();
    assert!(tree.make().is_err());
    assert!(names(&elsewhere).is_empty());
}

#[test]
fn pam_16_two_hundred_first_logins_at_once_make_one_home() {
    if !has_root() {
        return;
    }
    let tree = Tree::new();
    let made: usize = std::thread::scope(|scope| {
        let logins: Vec<_> = (0..200)
            .map(|_| scope.spawn(|| tree.make().unwrap()))
            .collect();
        logins
            .into_iter()
            .map(|login| usize::from(login.join().unwrap()))
            .sum()
    });
    assert_eq!(made, 1);
    assert_eq!(names(&tree.folder.path().join("home")), ["alice"]);
}

#[test]
fn the_helper_checks_every_argument_again() {
    let tree = Tree::new();
    for (home, uid) in [
        ("/etc", 71_001),
        ("/home", 71_001),
        ("/home/../etc/x", 71_001),
        ("/root", 71_001),
        ("alice", 71_001),
        ("/home/a\0b", 71_001),
        ("/home/alice", 0),
        ("/home/alice", 1000),
        ("/home/alice", 65_534),
        ("/home/alice", u32::MAX),
        ("/home/alice", 71_009),
    ] {
        let result = carry_out(&Verb::MakeHome(wanted(home, uid)), &tree.places);
        assert!(matches!(result, VerbResult::Failed(_)), "{home} {uid}");
    }
    assert!(names(&tree.folder.path().join("home")).is_empty());
    for uid in [0, 1, 999, 1000, 65_534, u32::MAX, 71_009] {
        let result = carry_out(&Verb::EndSessions { uid }, &tree.places);
        assert!(matches!(result, VerbResult::Failed(_)), "{uid}");
    }
}

#[test]
fn ending_sessions_ends_every_process_of_the_user_and_no_other() {
    use std::os::unix::process::CommandExt;
    if !has_root() {
        return;
    }
    let tree = Tree::new();
    let sleeper = |uid: u32, script: &str| {
        std::process::Command::new("/bin/sh")
            .args(["-c", script])
            .uid(uid)
            .spawn()
            .unwrap()
    };
    let mut polite = sleeper(99_991, "exec sleep 60");
    let mut deaf = sleeper(99_991, "trap '' TERM HUP; while :; do sleep 1; done");
    let mut other = sleeper(99_992, "exec sleep 60");
    let ended = end_sessions(99_991, &tree.places).unwrap();
    assert!(ended >= 2, "{ended}");
    assert!(!polite.wait().unwrap().success());
    assert!(!deaf.wait().unwrap().success());
    assert!(
        other.try_wait().unwrap().is_none(),
        "somebody else's process lives"
    );
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(end_sessions(99_991, &tree.places).unwrap(), 0);
}
