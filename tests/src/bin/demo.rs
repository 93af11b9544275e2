//! The first story, told step by step on throw-away hosts: from nothing to ssh, then without the
//! network. Leaves directory and host running for whoever wants to try; `demo stop` takes them down.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "it is told to whoever typed it")]

use std::time::Duration;
use system_tests::{Client, Directory, Host, Lab, Stopwatch};

const NAME: &str = "demo";
const PASSWORD: &str = "sunny-tables-sing";

fn main() {
    if std::env::args().nth(1).as_deref() == Some("stop") {
        Lab::end_kept(NAME);
        println!("the demo is stopped and everything of it removed");
        return;
    }
    let mut story = Story::default();
    let lab = story.step("a network of its own", || Lab::kept(NAME));
    let laptop = lab.client();
    let directory = story.step("a directory on SQLite, its first admin", || lab.directory());
    let web = story.step("a fresh Debian host, web-1", || lab.host("web-1"));
    story.step("web-1 enrols", || directory.enrol(&web, &["env=dev"]));
    let key = laptop.new_key("alice-key");
    story.step("alice: password, key, group web, a rule", || {
        people(&directory, &key)
    });
    story.step("web-1 knows alice", || web.until("id alice"));
    println!("    {}", web.ok("getent passwd alice"));
    println!("    {}", web.ok("id alice"));
    logins(&mut story, &laptop, &web, &key);
    story.step("the directory is killed, the cable pulled", || {
        directory.kill();
        web.cut_network();
    });
    story.step("web-1 is rebooted", || web.reboot());
    story.step("bob, never here before, logs in on the console", || {
        console(&web)
    });
    story.step("directory and network come back", || {
        web.restore_network();
        directory.start();
    });
    story.step("alice logs in again", || ssh(&laptop, &web, &key));
    let mut open = laptop
        .ssh(&web)
        .user("bob")
        .password(PASSWORD)
        .terminal_running("echo in; sleep 1000");
    open.expect("in");
    story.step("bob is suspended, his open session gone", || {
        directory.ok(&["user", "suspend", "bob"]);
        web.until("! pgrep -u bob sleep");
    });
    story.step("bob is active again", || {
        directory.ok(&["user", "activate", "bob"]);
        laptop
            .ssh(&web)
            .user("bob")
            .password(PASSWORD)
            .until_it_works("id -un");
    });
    story.tell();
    farewell(&laptop, &web, &key);
}

fn people(directory: &Directory, key: &std::path::Path) {
    directory.add_group_with_access("web", "env=dev");
    directory.add_person("alice", PASSWORD, &["web"]);
    directory.add_person("bob", PASSWORD, &["web"]);
    directory.add_key("alice", key);
}

fn logins(story: &mut Story, laptop: &Client, web: &Host, key: &std::path::Path) {
    story.step("ssh alice with her key", || ssh(laptop, web, key));
    story.step("ssh alice with her password", || {
        laptop
            .ssh(web)
            .user("alice")
            .password(PASSWORD)
            .run("id -un")
            .succeeds()
    });
    story.step("ssh alice, keyboard-interactive", || {
        laptop
            .ssh(web)
            .user("alice")
            .keyboard_interactive(PASSWORD)
            .run("id -un")
            .succeeds()
    });
    story.step("a wrong password is refused", || {
        laptop
            .ssh(web)
            .user("alice")
            .password("wrong")
            .run("id -un")
            .is_refused();
    });
}

fn ssh(laptop: &Client, web: &Host, key: &std::path::Path) {
    laptop
        .ssh(web)
        .user("alice")
        .key(key)
        .run("id -un")
        .succeeds();
}

fn console(web: &Host) {
    let mut login = web.terminal("login");
    login.expect("login: ").answer("bob");
    login.expect("(?i)password: ").answer(PASSWORD);
    login.expect(r"\$ ").answer("id -un; exit");
    let _said = login.finish();
}

fn farewell(laptop: &Client, web: &Host, key: &std::path::Path) {
    println!("\ndirectory and host go on running. Try, as root:");
    println!(
        "\n  {}",
        laptop.ssh(web).user("alice").key(key).command_line()
    );
    println!(
        "  {}",
        laptop.ssh(web).user("bob").password("").command_line()
    );
    println!(
        "\naccounts alice and bob, password {PASSWORD}, key of alice {}",
        key.display()
    );
    println!("to stop it: cargo xtask demo --stop");
}

/// What was done, and how long it took.
#[derive(Default)]
struct Story {
    steps: Vec<(String, Duration)>,
}

impl Story {
    fn step<T>(&mut self, what: &str, work: impl FnOnce() -> T) -> T {
        println!("{what} ...");
        let watch = Stopwatch::start();
        let done = work();
        self.steps.push((what.to_owned(), watch.elapsed()));
        done
    }

    fn tell(&self) {
        println!("\n{:<52} {:>8}", "step", "seconds");
        for (what, took) in &self.steps {
            println!("{what:<52} {:>8.2}", took.as_secs_f32());
        }
        let total: Duration = self.steps.iter().map(|(_, took)| *took).sum();
        println!("{:<52} {:>8.2}", "together", total.as_secs_f32());
    }
}
