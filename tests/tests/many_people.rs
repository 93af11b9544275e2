//! Ten thousand and more people on one host, and the oracle: the same people in the host's own
//! files must give the same answers. Times are printed; the verdict on them belongs to the
//! benchmarks, limits here only tell a wrong order of things from a right one.

use std::time::Duration;
use system_tests::{
    FIRST_PERSON, FIRST_TEAM, Host, Lab, Service, Site, Stopwatch, crowd, eventually, fail, say,
};

/// Runs a command where users and groups come from the files alone, and these hold everybody.
const FILES_ALONE: &str = "unshare --mount --propagation=private /bin/sh -euc '\
    mount --bind /root/all-passwd /etc/passwd; mount --bind /root/all-group /etc/group; \
    sed \"s/ cloudid//\" /etc/nsswitch.conf > /root/files-alone; \
    mount --bind /root/files-alone /etc/nsswitch.conf; exec \"$@\"' files";

fn random_questions_have_the_same_answers(seed: u32, operations: u32) {
    const PEOPLE: u32 = 100;
    const TEAMS: u32 = 12;
    let lab = Lab::new();
    let host = lab.host("web-1");
    host.install_names_only();
    host.install_c_program("differential");
    let local = host.number("getent passwd | wc -l");
    host.publish(&crowd(PEOPLE, TEAMS));
    host.ok("getent passwd > /root/all-passwd; getent group > /root/all-group");
    let all = host.number("wc -l < /root/all-passwd");
    assert_eq!(all, local + u64::from(PEOPLE));
    let person = format!(
        "person7:x:{0}:{0}:Person 7:/home/person7:/bin/bash",
        FIRST_PERSON + 7
    );
    host.ok(&format!("grep -x '{person}' /root/all-passwd"));

    let ask = |before: &str, words: &str| {
        let numbers = format!("{PEOPLE} {TEAMS} {FIRST_PERSON} {FIRST_TEAM}");
        host.ok(&format!(
            "{before} differential {seed} {operations} {numbers} {words}"
        ))
    };
    let watch = Stopwatch::start();
    let ours = ask("", "");
    say(&format!(
        "{operations} questions to cloudid: {:?}",
        watch.elapsed()
    ));
    let theirs = ask(FILES_ALONE, "");
    let differs = ours
        .lines()
        .zip(theirs.lines())
        .position(|(our, their)| our != their);
    if let Some(block) = differs {
        let some = format!("{} {}", block * 1000, block * 1000 + 1000);
        let (ours, theirs) = (ask("", &some), ask(FILES_ALONE, &some));
        let pairs = ours.lines().zip(theirs.lines());
        let different: Vec<_> = pairs.filter(|(our, their)| our != their).take(5).collect();
        fail(&format!("cloudid, files: {different:#?}"));
    }
    assert_eq!(ours.lines().count(), operations as usize / 1000);
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

#[test]
fn nss_24_the_same_people_in_files_and_in_cloudid_give_the_same_answers() {
    random_questions_have_the_same_answers(1, 100_000);
}

#[test]
#[ignore = "a million questions: cargo xtask soak"]
fn soak_nss_24_the_same_people_in_files_and_in_cloudid_give_the_same_answers() {
    random_questions_have_the_same_answers(2, 1_000_000);
}

/// How long a command takes on a host.
fn timed(host: &Host, what: &str, command: &str) -> (String, Duration) {
    let watch = Stopwatch::start();
    let said = host.ok(command);
    say(&format!("{what}: {:?}", watch.elapsed()));
    (said, watch.elapsed())
}

/// So many empty files whose owners have the ids from the first on, half of them unknown.
fn files_of(host: &Host, folder: &str, first: u32, count: u32) {
    let make = format!(
        "mkdir {folder}; perl -e 'for my $id ({first} .. {first} + {count} - 1) {{ \
         open(my $file, q(>), qq({folder}/$id)) or die $!; chown($id, $id, $file) or die $!; }}'"
    );
    host.ok(&make);
}

#[test]
fn load_04_ten_thousand_owners_and_a_hundred_thousand_people_are_listed() {
    const PEOPLE: u32 = 100_000;
    let site = Site::new();
    let web = &site.web;
    let local: u32 = web.ok("wc -l < /etc/passwd").parse().unwrap();
    files_of(web, "/srv/known", FIRST_PERSON, 5_000);
    files_of(web, "/srv/unknown", FIRST_PERSON + PEOPLE, 5_000);
    web.ok("cp -p /run/cloudid/identity.map /root/map");
    web.hang(Service::Cacher);
    web.publish(&crowd(PEOPLE, 100));
    let counted = "getent passwd | wc -l";
    let (all, took) = timed(web, "getent passwd with 100,000 people", counted);
    assert_eq!(all.parse::<u32>().unwrap(), PEOPLE + local);
    assert!(took < Duration::from_secs(20), "{took:?}");

    let (known, took) = timed(web, "ls -l, 5,000 known owners", "ls -l /srv/known");
    assert_eq!(known.matches(" person").count(), 2 * 5_000);
    assert!(took < Duration::from_secs(10), "{took:?}");
    // the cacher hangs: each question to it costs 50 ms, and few are put
    let (unknown, took) = timed(web, "ls -l, 5,000 unknown owners", "ls -l /srv/unknown");
    assert_eq!(
        unknown
            .matches(&format!(" {}", FIRST_PERSON + PEOPLE + 1))
            .count(),
        3
    );
    assert!(took < Duration::from_secs(40), "{took:?}");
    web.stop(Service::Cacher);
    timed(web, "the same without a cacher", "ls -l /srv/unknown");
    web.ok("cp -p /root/map /run/cloudid/identity.map");
    web.start(Service::Cacher);
    timed(
        web,
        "the same with one that knows nobody of them",
        "ls -l /srv/unknown",
    );
}

#[test]
fn load_01_a_host_with_ten_thousand_people_and_five_thousand_groups() {
    let site = Site::new();
    site.directory.add_crowd(10_000, 5_000, "web");
    let watch = Stopwatch::start();
    site.directory.add_group_with_access("more", "env=dev");
    let known = || site.web.run("id person9999").succeeded();
    let logs = || format!("{}\n{}", site.web.logs(), site.directory.log());
    assert!(eventually(Duration::from_secs(100), known), "{}", logs());
    say(&format!("everybody is known after {:?}", watch.elapsed()));
    let groups = site.web.ok("id -G person9999 | wc -w");
    assert_eq!(
        groups, "8",
        "a private one, that of everybody, web and five teams"
    );
    // the code of a program built for tests is many times as large as that of one for servers
    let memory = |what: &str| -> u32 {
        let process = site.web.process_of(Service::Cacher);
        let read = format!("awk '/^{what}:/ {{print $2}}' /proc/{process}/status");
        site.web.ok(&read).parse().unwrap()
    };
    let (peak, code) = (memory("VmHWM"), memory("RssFile"));
    say(&format!(
        "the cacher had {peak} KiB at most, {code} KiB of it files"
    ));
    assert!(
        peak - code < 64 * 1024,
        "{peak} KiB, {code} KiB of it files"
    );

    let watch = Stopwatch::start();
    site.directory
        .ok(&["user", "edit", "alice", "--name", "Another Name"]);
    let renamed = || {
        let looked = site.web.run("getent passwd alice | grep 'Another Name'");
        looked.succeeded()
    };
    assert!(eventually(Duration::from_secs(100), renamed), "{}", logs());
    say(&format!(
        "a change of one is known after {:?}",
        watch.elapsed()
    ));
    let all = "getent passwd $(seq -f person%g 0 9999) | wc -l";
    let (found, _) = timed(&site.web, "10,000 lookups of one process", all);
    assert_eq!(found, "10000");
    let map = site.web.ok("stat -c %s /run/cloudid/identity.map");
    say(&format!("the map has {map} bytes"));
}
