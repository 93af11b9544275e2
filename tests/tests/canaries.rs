//! Changes in stages: what a canary has in force goes to the others, what it does not take goes nowhere.

use std::time::Duration;
use system_tests::{Directory, Host, Lab, PASSWORD, Service, eventually};

/// Longer than a change takes, shorter than a canary may take.
const MEANWHILE: Duration = Duration::from_secs(3);
/// The directory gives up on a canary after `canary_wait` below, and says so at its next look.
const GIVEN_UP: Duration = Duration::from_secs(30);
const IN_STAGES: &str = "[publish]\ncanaries = \"role=canary\"\ncanary_wait = \"6s\"\n";

/// A canary and another host. The parts end before their lab does.
struct Fleet {
    canary: Host,
    other: Host,
    directory: Directory,
    _lab: Lab,
}

impl Fleet {
    /// In which everybody knows alice and carol.
    fn new() -> Self {
        let lab = Lab::new();
        let directory = lab.directory();
        directory.start_again_with(IN_STAGES);
        directory.add_group_with_access("web", "env=dev");
        directory.add_person("alice", PASSWORD, &["web"]);
        directory.add_person("carol", PASSWORD, &["web"]);
        let (canary, other) = (lab.host("canary"), lab.host("web-1"));
        directory.enrol(&canary, &["env=dev", "role=canary"]);
        directory.enrol(&other, &["env=dev"]);
        let fleet = Self {
            canary,
            other,
            directory,
            _lab: lab,
        };
        fleet.everywhere("carol");
        fleet
    }

    fn everywhere(&self, name: &str) {
        self.canary.until(&format!("id {name}"));
        self.other.until(&format!("id {name}"));
    }

    fn other_does_not_learn_of(&self, name: &str, when: &str) {
        let learned = || self.other.run(&format!("id {name}")).succeeded();
        assert!(
            !eventually(MEANWHILE, learned),
            "{when}: {name} is known on web-1"
        );
    }

    /// Whether a host has not the newest bundle in force that was made for it.
    fn lags(&self, host: &str) -> bool {
        let list = self.directory.ok(&["host", "list"]);
        let line = list
            .lines()
            .find(|line| line.starts_with(&format!("{host}\t")));
        let fields: Vec<_> = line.unwrap_or_default().split('\t').collect();
        assert!(fields.len() > 5, "{list}");
        fields.get(4) != fields.get(5)
    }

    /// Waits until the directory says that it stopped, and why.
    fn stops(&self, why: &str) {
        let told = || {
            let search = [
                "events",
                "search",
                "--type",
                "bundle.publish_failed",
                "-o",
                "json",
            ];
            self.directory.ok(&search).contains(why)
        };
        assert!(
            eventually(GIVEN_UP, told),
            "{why}: {}",
            self.directory.log()
        );
    }
}

#[test]
fn upg_08_a_change_is_in_force_on_the_canary_before_another_host_hears_of_it() {
    let fleet = Fleet::new();
    fleet.canary.hang(Service::Cacher);
    fleet.directory.add_person("bob", PASSWORD, &["web"]);
    fleet.other_does_not_learn_of("bob", "the canary has not answered yet");
    assert!(
        fleet.lags("canary"),
        "a list of hosts tells who is waited for"
    );
    assert!(!fleet.lags("web-1"));
    fleet.canary.unhang(Service::Cacher);
    fleet.other.until("id bob");
    fleet.canary.ok("id bob");
}

#[test]
fn upg_08_a_silent_canary_stops_a_change_for_the_others_but_no_suspension() {
    let fleet = Fleet::new();
    let may_log_in = |host: &Host, name| host.pam("sshd", name, PASSWORD, "acct_mgmt").succeeded();
    fleet.canary.hang(Service::Cacher);
    fleet.directory.add_person("bob", PASSWORD, &["web"]);
    fleet.stops("canary says nothing about its bundle");
    fleet.other_does_not_learn_of("bob", "stopped");

    assert!(may_log_in(&fleet.other, "carol"));
    fleet.directory.ok(&["user", "suspend", "carol", "--yes"]);
    let suspended = || !may_log_in(&fleet.other, "carol");
    assert!(
        eventually(Duration::from_secs(2), suspended),
        "{}",
        fleet.other.logs()
    );
    assert!(may_log_in(&fleet.other, "alice"), "she keeps what she has");
    fleet.other_does_not_learn_of("bob", "after a suspension");

    fleet.canary.unhang(Service::Cacher);
    fleet.everywhere("bob");
    assert!(!may_log_in(&fleet.canary, "carol"));
    assert!(may_log_in(&fleet.other, "bob"));
}

#[test]
fn upg_08_a_mass_removal_that_the_canary_refuses_leaves_everybody_on_the_others() {
    let fleet = Fleet::new();
    let directory = &fleet.directory;
    directory.add_group_with_access("crowd", "env=dev");
    let names: Vec<String> = (0..12).map(|number| format!("person{number}")).collect();
    for name in &names {
        directory.ok(&["user", "add", name, "--active", "--group", "crowd", "--yes"]);
    }
    fleet.everywhere("person11");

    directory.ok(&["rule", "access", "rm", "crowd-logs-in", "--yes"]);
    fleet.stops("canary refuses its bundle");
    for host in [&fleet.canary, &fleet.other] {
        host.ok(&format!(
            "for name in {}; do id $name; done",
            names.join(" ")
        ));
    }
    let rule = [
        "crowd-logs-in",
        "--group",
        "crowd",
        "--on",
        "env=dev",
        "--yes",
    ];
    directory.ok(&[&["rule", "access", "add"], &rule[..]].concat());
    directory.add_person("bob", PASSWORD, &["web"]);
    fleet.everywhere("bob");
}
