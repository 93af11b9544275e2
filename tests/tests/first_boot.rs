//! Machines made from an image: each becomes a host of its own at its first boot, or later when the
//! directory cannot be reached yet. Root logs in meanwhile.

use std::time::Duration;
use system_tests::{
    Client, Directory, Host, Lab, PASSWORD, Packages, ROOT_PASSWORD, SYSTEMD,
    booting_is_impossible, eventually, say,
};

const TOKEN: &str = "/var/lib/cloudid/enrollment.token";
const IDENTITY: &str = "/var/lib/cloudid/identity.json";
const UNIT: &str = "cloudid-first-boot.service";
/// Three pauses of the back-off, on a machine that is busy.
const LATER: Duration = Duration::from_secs(90);

#[track_caller]
fn root_logs_in(host: &Host) {
    let mut login = host.terminal("login");
    login.expect("login: ").answer("root");
    login.expect("Password: ").answer(ROOT_PASSWORD);
    login.expect("# ").answer("id -un; exit");
    assert!(login.finish().text().contains("root"));
}

/// What is unlike an installed machine that was never prepared.
#[track_caller]
fn changes(host: &Host, before: &str) -> Vec<String> {
    let now = host.etc();
    let differing = now.lines().filter(|line| !before.contains(*line));
    differing
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// A directory with somebody who may log in, and an image of hosts that is switched off.
struct Scene {
    first: Host,
    second: Host,
    _image: Host,
    directory: Directory,
    laptop: Client,
    prepare: String,
    _lab: Lab,
}

impl Scene {
    fn new() -> Self {
        let lab = Lab::new();
        let laptop = lab.client();
        let directory = lab.directory();
        directory.add_group_with_access("web", "env=dev");
        directory.add_person("alice", PASSWORD, &["web"]);
        let url = directory.url();
        let prepare = format!("cloudid enroll {url} --image-prepare --tag from=image");
        let image = lab.booted_host("image");
        is_prepared(&image, &prepare);
        image.shut_down();
        let copy = |name| lab.booted_copy(name, &image, &SYSTEMD);
        Self {
            first: copy("web-1"),
            second: copy("web-2"),
            _image: image,
            directory,
            laptop,
            prepare,
            _lab: lab,
        }
    }

    /// It enrols by itself, keeps nothing of the image's notes, and alice logs in.
    #[track_caller]
    fn becomes_a_host(&self, host: &Host) {
        let known = || host.run("id alice").succeeded() && !host.has(TOKEN);
        assert!(eventually(LATER, known), "{}", host.logs());
        host.until(&format!("! systemctl is-active {UNIT}"));
        assert!(!host.has("/etc/cloudid/first-boot.toml"));
        assert!(
            !host
                .run(&format!("systemctl is-enabled {UNIT}"))
                .succeeded()
        );
        let alice = self.laptop.ssh(host).user("alice").password(PASSWORD);
        assert_eq!(alice.run("id -un").succeeds(), "alice");
    }
}

/// Preparing notes the directory and no more, never a token, and can be taken back.
#[track_caller]
fn is_prepared(image: &Host, prepare: &str) {
    image.install_packages(&Packages::of_this_build());
    let before = image.etc();
    image.ok(&format!("install -m 600 /dev/null {TOKEN}"));
    let with_a_token = image.run(prepare);
    assert!(
        with_a_token.stderr.contains("would have this token"),
        "{with_a_token:?}"
    );
    image.ok(&format!("rm {TOKEN}"));
    image.ok(prepare);
    let link = format!("/etc/systemd/system/multi-user.target.wants/{UNIT}");
    let notes = ["/etc/cloudid/first-boot.toml", &link];
    assert_eq!(changes(image, &before), notes);
    image.ok("cloudid unenroll --yes");
    assert_eq!(changes(image, &before), [""; 0], "preparing is taken back");
    image.ok(prepare);
}

#[test]
fn pkg_13_machines_from_one_image_are_hosts_of_their_own_as_soon_as_there_is_a_network() {
    if let Some(why) = booting_is_impossible() {
        return say(&why);
    }
    let scene = Scene::new();
    let (first, second, directory) = (&scene.first, &scene.second, &scene.directory);
    let ephemeral = directory.new_token_with("web-1", &["env=dev"], &["--ephemeral"]);
    first.write_on_disk(TOKEN, &ephemeral, 0o600);
    first.cut_network();
    first.switch_on();
    root_logs_in(first);
    first.until("journalctl -u cloudid-first-boot | grep 'cannot be reached yet'");
    assert!(!first.has(IDENTITY) && !first.run("grep cloudid /etc/nsswitch.conf").succeeded());
    first.reboot();
    root_logs_in(first);
    first.restore_network();
    scene.becomes_a_host(first);

    // a token that others could read, one that was used already, then one of its own
    second.write_on_disk(TOKEN, &ephemeral, 0o644);
    second.switch_on();
    second.until(&format!("systemctl is-failed {UNIT}"));
    second.ok("journalctl -u cloudid-first-boot | grep 'others than root could have'");
    second.ok(&format!("chmod 600 {TOKEN}; systemctl start {UNIT}"));
    second.until(&format!("systemctl is-failed {UNIT}"));
    second.ok("journalctl -u cloudid-first-boot | grep 'refused to enrol this host'");
    assert!(!second.has(TOKEN) && !second.has(IDENTITY));
    root_logs_in(second);
    let own = directory.new_token("web-2", &["env=dev"]);
    second.write("/root/token", &own);
    second.ok(&format!(
        "install -m 600 /root/token {TOKEN} && systemctl start {UNIT}"
    ));
    scene.becomes_a_host(second);

    for name in ["identity.json", "host.key", "sealing.key"] {
        let digest = format!("sha256sum /var/lib/cloudid/{name}");
        assert_ne!(first.ok(&digest), second.ok(&digest), "{name} is shared");
    }
    let known = directory.ok(&["host", "show", "web-1", "--output", "json"]);
    let known: serde_json::Value = serde_json::from_str(&known).unwrap();
    assert_eq!(known["ephemeral"], true, "{known}");
    let prepared = second.run(&scene.prepare);
    assert!(
        prepared.stderr.contains("would be the same host"),
        "{prepared:?}"
    );
}
