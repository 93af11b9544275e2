//! The stories of the specification from beginning to end, by real programs: from an invitation to a
//! login and out again, and a phone that is lost.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use system_tests::{
    ADMINISTRATOR, Client, Directory, Host, Lab, Outcome, Phone, ROOT_PASSWORD, Terminal,
    eventually, fail,
};

const CHOSEN: &str = "quiet copper lanterns";
const CODE_PROMPT: &str = "(?i)code[^\n]*: ";
const REVOKED_WITHIN: Duration = Duration::from_secs(2);
const ARRIVAL: Duration = Duration::from_secs(20);

/// A directory with a policy that asks for a second factor, two hosts, and alice, who was invited.
/// The parts end before their lab does.
struct Stage {
    web: Host,
    db: Host,
    directory: Directory,
    laptop: Client,
    key: PathBuf,
    code: String,
    /// A session of the administrator.
    admin: String,
    _lab: Lab,
}

/// What alice has after her enrolment.
struct Proofs {
    phone: Phone,
    backup_codes: Vec<String>,
}

impl Stage {
    fn set() -> Self {
        let lab = Lab::new();
        let laptop = lab.client();
        let directory = lab.directory();
        let admin = directory.session_of(ADMINISTRATOR.0, ADMINISTRATOR.1);
        directory.add_group_with_access("web", "env=dev");
        directory.ok(&[
            "policy",
            "add",
            "all",
            "--offline-code-tries",
            "10",
            "--yes",
        ]);
        let (web, db) = (lab.host("web-1"), lab.host("db-1"));
        for host in [&web, &db] {
            directory.enrol(host, &["env=dev"]);
        }
        let mut words = vec!["user", "add", "alice", "--email", "alice@example.org"];
        words.extend(["--group", "web", "--invite", "-o", "json"]);
        let said = directory.ok(&words);
        let link = said.split('"').find(|part| part.starts_with("https://"));
        let code = link.and_then(|link| link.rsplit('/').next());
        let Some(code) = code.map(str::to_owned) else {
            fail(&format!("no link in {said}"));
        };
        let key = laptop.new_key("alice-key");
        Self {
            web,
            db,
            directory,
            laptop,
            key,
            code,
            admin,
            _lab: lab,
        }
    }

    /// A step of alice's enrolment.
    fn step(&self, step: &str, body: &Value) -> Value {
        let path = format!("/enroll/{}/{step}", self.code);
        self.directory.api("", ("POST", &path), body)
    }

    /// alice does what the pages would lead her through.
    fn enrols(&self) -> Proofs {
        let weak = self.step("strength", &json!({"password": "alice2024"}));
        assert!(weak.to_string().contains("at least 12"), "{weak}");
        self.step("password", &json!({"password": CHOSEN}));
        let public = Client::public_key(&self.key);
        self.step("ssh-key", &json!({"public_key": public}));
        let begun = self.step("totp", &json!({"name": "phone"}));
        let phone = Phone::of_address(&text(&begun, "/otpauth_url"));
        let confirm = format!("totp/{}/confirm", text(&begun, "/id"));
        self.step(&confirm, &json!({"code": phone.code()}));
        let made = self.step("backup-codes", &json!({}));
        let one = text(&made, "/codes/0");
        self.step("backup-codes/confirm", &json!({"code": one}));
        let both = json!({"password": CHOSEN, "code": phone.code()});
        self.step("test", &both);
        self.step("finish", &json!({}));
        let codes = made.pointer("/codes").and_then(Value::as_array);
        Proofs {
            phone,
            backup_codes: codes
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        }
    }

    /// ssh with alice's key, up to the prompt for the code.
    fn knocks(&self, arguments: &[&str]) -> Terminal {
        let key: &Path = &self.key;
        let ssh = self.laptop.ssh(&self.web).user("alice").asked(Some(key));
        ssh.conversation("ssh", arguments)
    }

    fn logs_in(&self, code: &str) -> Outcome {
        let mut terminal = self.knocks(&["{}", "pwd"]);
        if terminal.shows(CODE_PROMPT) {
            terminal.answer(code);
        }
        terminal.finish()
    }

    fn root_gets_in(&self) {
        let steps = "authenticate acct_mgmt";
        let root = self.web.pam("login", "root", ROOT_PASSWORD, steps);
        assert!(root.succeeded(), "{root:?}");
    }
}

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

#[test]
fn story_1_from_an_invitation_to_ssh_and_out_again() {
    let stage = Stage::set();
    let accounts = stage.web.read("/etc/passwd");
    stage.root_gets_in();
    let alice = stage.enrols();
    stage.web.until("id alice");
    stage.db.until("id alice");
    let uid = stage.web.number("id -u alice");
    assert!((70_000..100_000).contains(&uid), "{uid}");
    assert_eq!(stage.db.number("id -u alice"), uid);
    stage.web.until("id alice | grep -q cloudid-key-code");
    let wrong = stage.logs_in("000 000 0");
    assert!(!wrong.succeeded(), "{wrong:?}");
    let inside = stage.logs_in(&alice.phone.code());
    assert!(inside.text().ends_with("/home/alice"), "{inside:?}");
    stage.root_gets_in();
    let noted = || {
        let words = [
            "events",
            "search",
            "--user",
            "alice",
            "--type",
            "auth.login",
        ];
        let events = stage.directory.ok(&words);
        events.contains("web-1") && events.contains("success")
    };
    assert!(eventually(ARRIVAL, noted), "the login is in the audit");

    let mut open = stage.knocks(&["-tt", "{}", "echo here; exec sleep 1000"]);
    open.expect(CODE_PROMPT).answer(&alice.phone.code());
    open.expect("here");
    stage.directory.ok(&["user", "offboard", "alice", "--yes"]);
    let gone = || !stage.web.run("pgrep -u alice sleep").succeeded();
    assert!(
        eventually(REVOKED_WITHIN, gone),
        "the session is still there"
    );
    let _ended = open.finish();
    let with_key = stage.laptop.ssh(&stage.web).user("alice").key(&stage.key);
    with_key.run("pwd").is_refused();
    let words = ["user", "enforcement", "alice", "-o", "json"];
    let in_force = || {
        let report = stage.directory.ok(&words);
        report.contains("web-1") && report.contains("latency_ms")
    };
    assert!(eventually(ARRIVAL, in_force), "the report names the host");
    assert_eq!(stage.web.read("/etc/passwd"), accounts);
    stage.root_gets_in();
}

#[test]
fn story_3_a_lost_phone_is_replaced_and_the_old_one_opens_nothing() {
    let stage = Stage::set();
    let alice = stage.enrols();
    stage.web.until("id alice | grep -q cloudid-key-code");
    let [first, second, ..] = alice.backup_codes.as_slice() else {
        fail("there are no backup codes");
    };
    let without_phone = stage.logs_in(first);
    assert!(without_phone.text().ends_with("/home/alice"));
    let again = stage.logs_in(first);
    assert!(!again.succeeded(), "{again:?}");

    let reset = "/users/alice/reset-mfa";
    let _ = stage
        .directory
        .api(&stage.admin, ("POST", reset), &json!({}));
    let session = stage.directory.session_of("alice", CHOSEN);
    let ask = |path: &str, body: &Value| stage.directory.api(&session, ("POST", path), body);
    let begun = ask("/me/mfa/totp", &json!({"name": "new phone"}));
    let phone = Phone::of_address(&text(&begun, "/otpauth_url"));
    let confirm = format!("/me/mfa/totp/{}/confirm", text(&begun, "/id"));
    let _ = ask(&confirm, &json!({"code": phone.code()}));
    for old in [alice.phone.code(), second.clone()] {
        let refused = stage.logs_in(&old);
        assert!(!refused.succeeded(), "{refused:?}");
    }
    let inside = stage.logs_in(&phone.code());
    assert!(inside.text().ends_with("/home/alice"), "{inside:?}");
}
