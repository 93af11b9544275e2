//! `cloudid` of an administrator against a real directory: every verb once, and how it exits.

use system_tests::{Directory, Lab, Outcome, PASSWORD};

struct Said<'a>(&'a Directory);

impl Said<'_> {
    fn run(&self, line: &str) -> Outcome {
        let words: Vec<&str> = line.split(' ').collect();
        self.0.cloudid(&words)
    }

    #[track_caller]
    fn ok(&self, line: &str) -> String {
        let ended = self.run(line);
        assert!(ended.succeeded(), "{line}: {ended:?}");
        ended.stdout.trim().to_owned()
    }

    #[track_caller]
    fn exits(&self, line: &str, code: i32) -> String {
        let ended = self.run(line);
        assert_eq!(ended.code, code, "{line}: {ended:?}");
        ended.stderr
    }
}

#[test]
fn an_administrator_reaches_everything_by_its_verb() {
    let lab = Lab::new();
    let directory = lab.directory();
    let cloudid = Said(&directory);

    assert!(cloudid.ok("whoami").contains("owner"));
    cloudid.ok("user add carol --name Carol --email carol@example.org");
    cloudid.ok("user activate carol");
    cloudid.ok("user edit carol --description staff --shell /bin/sh --expires +90d");
    assert!(
        cloudid
            .ok("user show carol -o json")
            .contains("\"description\": \"staff\"")
    );
    cloudid.ok("user edit carol --expires none --shell none");
    cloudid.ok("user suspend carol --reason holidays");
    assert!(
        cloudid
            .ok("user list --state suspended")
            .starts_with("carol\t")
    );
    cloudid.ok("user unlock carol");
    cloudid.ok("user activate carol");

    cloudid.ok("group add ops --unix");
    cloudid.ok("group add leads");
    cloudid.ok("group add-member ops carol group:leads");
    assert_eq!(cloudid.ok("group members ops").lines().count(), 2);
    cloudid.ok("group remove-member ops group:leads");
    cloudid.ok("group edit ops --description operators");
    assert!(cloudid.ok("group list -o csv").contains("operators"));
    cloudid.ok("group rm leads --yes");

    cloudid.ok("project add shop --description Shop");
    cloudid.ok("project edit shop --trust-host-tags true");
    assert!(
        cloudid
            .ok("project show shop")
            .contains("trust host tags  yes")
    );
    cloudid.ok("project rm shop --yes");

    cloudid.ok("rule access add ops-everywhere --group ops --on env=dev --until +8h");
    cloudid.ok("rule access edit ops-everywhere --on env=prod --source 10.0.0.0/8 --until none");
    assert!(cloudid.ok("rule access list").contains("env=prod"));
    cloudid.ok("rule access rm ops-everywhere --yes");

    cloudid.ok("user offboard carol --yes --reason left");
    cloudid.ok("user rm carol --yes");
    assert!(
        cloudid
            .ok("events search --type user.suspended")
            .contains("carol")
    );
    assert!(cloudid.ok("events tail -n 5").lines().count() == 5);
    assert!(cloudid.ok("events verify").contains("intact"));
}

#[test]
fn keys_tokens_tags_and_explanations_of_an_enrolled_host() {
    let lab = Lab::new();
    let directory = lab.directory();
    let cloudid = Said(&directory);
    let laptop = lab.client();
    let key = laptop.new_key("key");
    directory.add_group_with_access("web", "env=dev");
    directory.add_person("alice", PASSWORD, &["web"]);
    directory.add_key("alice", &key);
    let fingerprint = cloudid.ok("keys list --user alice");
    let fingerprint = fingerprint.split('\t').next().unwrap_or_default();
    cloudid.ok(&format!("keys remove --user alice {fingerprint}"));
    assert_eq!(cloudid.ok("keys list --user alice"), "");

    let host = lab.host("web-1");
    directory.enrol(&host, &["env=dev"]);
    assert!(
        cloudid
            .ok("host list -l env=dev")
            .starts_with("web-1\tactive")
    );
    assert!(cloudid.ok("host users web-1").starts_with("alice\t"));
    assert!(cloudid.ok("explain alice web-1").starts_with("allow"));
    assert!(host.ok("cloudid explain alice").starts_with("allow"));
    assert!(
        host.ok("cloudid host-status -o json")
            .contains("\"people\": 1")
    );
    host.ok("cloudid sync");
    assert!(
        host.ok("cloudid config list directory")
            .contains("10-directory.toml:")
    );
    assert!(
        host.ok("cloudid config get offline.max_age")
            .contains("default")
    );
    assert!(cloudid.ok("who-can --on web-1").starts_with("alice\t"));
    assert!(cloudid.ok("what-can alice").starts_with("web-1\t"));
    assert!(cloudid.ok("admin list").contains("\towner\t"));

    cloudid.ok("host tag web-1 rack=7 --yes");
    assert!(cloudid.ok("tag list").contains("rack=7\t1"));
    cloudid.ok("host untag -l rack=7 rack=7 --yes");
    assert!(!cloudid.ok("host show web-1").contains("rack=7"));
    cloudid.ok("host quarantine web-1 --yes");
    assert!(
        cloudid
            .ok("explain alice web-1")
            .contains("host_quarantined")
    );
    cloudid.ok("host unquarantine web-1 --yes");

    let token = cloudid.ok("token list -o id");
    let token = token.lines().next().unwrap_or_default();
    cloudid.ok(&format!("token rm {token}"));
    cloudid.ok("host retire web-1 --yes");
    assert!(
        cloudid
            .ok("host list --state retired")
            .starts_with("web-1\t")
    );
}

#[test]
fn exit_codes_mean_what_they_promise() {
    let lab = Lab::new();
    let directory = lab.directory();
    let cloudid = Said(&directory);

    cloudid.exits("user show nobody", 5);
    cloudid.exits("user add alice --group nobody", 5);
    cloudid.exits("user add Root", 2);
    let taken = cloudid.exits("group add taken", 0);
    let again = cloudid.exits("group add taken", 1);
    assert_ne!(taken, again);
    assert!(again.contains("request:"), "{again}");

    cloudid.ok("logout");
    cloudid.exits("user list", 3);
    directory.kill();
    cloudid.exits(
        "login --url https://10.77.0.200:8443 --username a --password-file /etc/hostname",
        9,
    );
}
