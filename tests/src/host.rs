//! A throw-away host: an overlay on the base root, and network, mount, process, host name and IPC
//! namespaces of its own. Switching it off throws away its processes, its mounts and `/run`; its
//! disk stays until the lab ends.

use crate::command::{OrFail, Outcome, fail, finish, run};
use crate::faults::Disk;
use crate::init::Init;
use crate::layer::Root;
use crate::network::{Address, Cable};
use crate::services::Service;
use crate::wait::eventually;
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SEARCH_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A shifted clock is not shared between a program and one it starts as somebody else.
const NO_SHARED_CLOCK: &str = "FAKETIME_DISABLE_SHM=1";
/// How long a host may take until sshd answers.
const BOOT_LIMIT: Duration = Duration::from_secs(20);

/// One host of a lab.
#[derive(Debug)]
pub struct Host {
    folder: PathBuf,
    root: Root,
    init: Init,
    cable: Cable,
    disk: Disk,
    dies_with_us: bool,
    running: RefCell<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    outside: Child,
    init: u32,
}

impl Host {
    pub(crate) fn new(
        lab: &Path,
        (root, init): (Root, Init),
        cable: Cable,
        disk: Disk,
        dies_with_us: bool,
    ) -> Self {
        let folder = lab.join(&cable.host);
        fs::create_dir_all(folder.join("root")).or_fail("make the folder of a host");
        disk.make(&folder);
        let running = RefCell::new(None);
        Self {
            folder,
            root,
            init,
            cable,
            disk,
            dies_with_us,
            running,
        }
    }

    /// The name of the host.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.cable.host
    }

    /// Its address in the lab.
    #[must_use]
    pub fn address(&self) -> Address {
        self.cable.address
    }

    pub(crate) fn cable(&self) -> &Cable {
        &self.cable
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn init(&self) -> &Init {
        &self.init
    }

    /// What every way to start it needs to know, as arguments.
    pub(crate) fn push_places(&self, command: &mut Command) {
        command
            .arg(&self.folder)
            .arg(self.root.lower_directories())
            .arg(self.disk.mount_command(&self.folder));
    }

    /// Starts the host and waits until its sshd answers.
    #[track_caller]
    pub fn switch_on(&self) {
        self.switch_on_without_waiting();
        self.wait_for_sshd();
    }

    /// Waits until sshd listens.
    #[track_caller]
    pub(crate) fn wait_for_sshd(&self) {
        let listens = || self.run("ss -Htln 'sport = :22'").stdout.contains(":22");
        if !eventually(BOOT_LIMIT, listens) {
            let log = self.log(Service::Sshd);
            fail(&format!("{}: sshd does not answer\n{log}", self.name()));
        }
    }

    /// Starts the host and waits only until its init has mounted everything.
    #[track_caller]
    pub fn switch_on_without_waiting(&self) {
        let console = fs::File::create(self.folder.join("console")).or_fail("make the console");
        let errors = console.try_clone().or_fail("share the console");
        fs::write(self.folder.join("init.sh"), Init::script()).or_fail("write the init of a host");
        fs::write(self.folder.join("name"), self.name()).or_fail("write the name of a host");
        let mut command = self.init.command(self, self.dies_with_us);
        command.stdin(Stdio::null()).stdout(console).stderr(errors);
        let outside = command.spawn().or_fail("start a host");
        let lab = self.folder.parent().or_fail("find the folder of the lab");
        fs::write(
            lab.join(format!("{}.pid", self.name())),
            outside.id().to_string(),
        )
        .or_fail("note the process of a host");
        let init = self.wait_for_init(outside.id());
        *self.running.borrow_mut() = Some(Running { outside, init });
    }

    #[track_caller]
    fn wait_for_init(&self, outside: u32) -> u32 {
        let mut init = 0;
        let ready = eventually(BOOT_LIMIT, || {
            let children = format!("/proc/{outside}/task/{outside}/children");
            let children = fs::read_to_string(children).unwrap_or_default();
            init = children
                .split_whitespace()
                .next()
                .and_then(|id| id.parse().ok())
                .unwrap_or(0);
            let ready = format!("/proc/{init}/root/{}", self.init.ready_file());
            init != 0 && Path::new(&ready).exists()
        });
        if !ready {
            fail(&format!(
                "{}: the host does not start\n{}",
                self.name(),
                self.console()
            ));
        }
        init
    }

    /// What the host wrote to its console.
    #[must_use]
    pub fn console(&self) -> String {
        fs::read_to_string(self.folder.join("console")).unwrap_or_default()
    }

    /// Cuts the power: every process is gone at once.
    pub fn cut_power(&self) {
        if let Some(mut running) = self.running.borrow_mut().take() {
            if let Init::Systemd(group) = &self.init {
                group.end();
            }
            let _ = running.outside.kill();
            let _ = running.outside.wait();
            // init is gone when its pid namespace is; only then is the disk free for the next start
            let gone = || !Path::new(&format!("/proc/{}/root/run", running.init)).exists();
            eventually(Duration::from_secs(10), gone);
        }
    }

    /// An orderly reboot: programs are asked to end, `/run` is thrown away, the disk stays.
    #[track_caller]
    pub fn reboot(&self) {
        self.shut_down();
        self.switch_on();
    }

    /// Programs are asked to end, then the host is switched off.
    pub fn shut_down(&self) {
        match &self.init {
            Init::Script => drop(self.run("kill -TERM -1")),
            Init::Systemd(group) => {
                self.run("systemctl --no-block poweroff");
                group.remove_when_empty();
            }
        }
        self.cut_power();
    }

    /// Runs a shell command as root on the host, without judging the answer.
    #[track_caller]
    pub fn run(&self, command: &str) -> Outcome {
        finish(&mut self.command(&["timeout", "--kill-after=1", "60", "/bin/sh", "-c", command]))
    }

    /// Runs a shell command that must succeed; answers its trimmed output.
    #[track_caller]
    pub fn ok(&self, command: &str) -> String {
        self.run(command).text()
    }

    /// The number that a shell command prints.
    #[track_caller]
    pub fn number(&self, command: &str) -> u64 {
        let said = self.ok(command);
        said.parse().or_fail(&format!("read the number {said:?}"))
    }

    /// A program of the host, ready to be started from outside.
    #[track_caller]
    pub(crate) fn command(&self, program: &[&str]) -> Command {
        let Some(init) = self.running.borrow().as_ref().map(|running| running.init) else {
            fail(&format!("{} is switched off", self.name()));
        };
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={init}"));
        command.args([
            "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd",
        ]);
        command
            .args(self.init.further_namespaces())
            .args([
                "env",
                "-i",
                SEARCH_PATH,
                "HOME=/root",
                "TERM=dumb",
                "LANG=C.UTF-8",
                NO_SHARED_CLOCK,
            ])
            .args(program);
        command
    }

    /// Writes a file of the host (mode 0644, owner root), with the folders above it.
    #[track_caller]
    pub fn write(&self, path: &str, content: &str) {
        let source = self.folder.join("incoming");
        fs::write(&source, content).or_fail("write a file for a host");
        self.copy_in(&source, path, 0o644);
    }

    /// Copies a file of the machine to a path of the running host, owner root.
    #[track_caller]
    pub(crate) fn copy_in(&self, source: &Path, path: &str, mode: u32) {
        let content = fs::File::open(source).or_fail(&format!("open {}", source.display()));
        let script = format!("install -D -m {mode:o} /dev/stdin '{path}'");
        let mut command = self.command(&["/bin/sh", "-c", &script]);
        let copied = finish(command.stdin(content));
        if !copied.succeeded() {
            fail(&format!(
                "{}: {path} could not be written: {copied:?}",
                self.name()
            ));
        }
    }

    /// Writes a file of root's while the host is switched off; its folder is there.
    #[track_caller]
    pub fn write_on_disk(&self, path: &str, content: &str, mode: u32) {
        let file = self.written().join(path.trim_start_matches('/'));
        fs::write(&file, content).or_fail(&format!("write {}", file.display()));
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).or_fail("chmod");
    }

    /// Takes over everything that another host has written, while both are switched off.
    #[track_caller]
    pub(crate) fn copy_disk_of(&self, other: &Self) {
        run(
            "cp",
            &[
                "-a",
                &other.written().display().to_string(),
                &self.folder.join("disk").display().to_string(),
            ],
        );
    }

    /// Where the overlay keeps what differs from the root below.
    fn written(&self) -> PathBuf {
        self.folder.join("disk/upper")
    }

    /// The content of a file of the host.
    #[track_caller]
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        self.ok(&format!("cat '{path}'"))
    }

    /// True when the path exists on the host.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.run(&format!("test -e '{path}'")).succeeded()
    }

    /// Makes a program in the folder of the lab executable and copies it to the host.
    #[track_caller]
    pub fn write_program(&self, path: &str, script: &str) {
        let source = self.folder.join("incoming");
        fs::write(&source, script).or_fail("write a program for a host");
        fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).or_fail("chmod");
        self.copy_in(&source, path, 0o755);
    }

    /// Lets the process of the host outlive this value.
    pub(crate) fn is_kept(&self) -> bool {
        !self.dies_with_us
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if !self.is_kept() {
            self.cut_power();
        }
    }
}
