//! What root or a broken disk can do to the map while everybody reads it: answers are right or
//! missing, never wrong, nobody is killed, and accounts of the host itself always resolve.

use std::time::Duration;
use system_tests::{Host, LOCAL_USER, Outcome, PASSWORD, Service, Site, eventually, fail, say};

/// Arguments: the map's path. Does everything to it that root can do to a file, again and again,
/// each time from a good one, until the file that says stop is there.
const VANDAL: &str = r#"
good=/root/good.map
rounds=0
place() { rm -rf "$2"; cp -p "$1" "$2.new" && mv -f "$2.new" "$2"; }
while [ ! -e /root/stop ]; do
    for map in /run/cloudid/identity.map /var/lib/cloudid/identity.map; do
        for size in 0 1 4095; do place $good $map; truncate -s $size $map; done
        place $good $map; truncate -s +100000 $map
        place $good $map; head -c 65536 /dev/urandom >> $map
        for at in 8 64 200 1000 3000; do
            place $good $map
            printf '\377' | dd of=$map bs=1 seek=$at conv=notrunc status=none
        done
        place $good $map; dd if=/dev/urandom of=$map bs=64 seek=3 count=20 conv=notrunc status=none
        place $good $map; fallocate --punch-hole --offset 64 --length 2000 $map
        place $good $map; rm $map
        mkfifo $map; rm $map
        mkdir $map; rmdir $map
        ln -s /dev/zero $map; rm $map
        ln -s $good $map; rm $map
        ln -s identity.map $map; rm $map
        : > $map; chmod 000 $map
        place $good $map; chmod 666 $map
        place $good $map; chown local $map
        place $good $map
    done
    rounds=$((rounds + 1))
done
echo $rounds > /root/rounds
"#;

/// Swaps two good maps a thousand times a second, until the file that says stop is there.
const SWAPPER: &str = r"
exec perl -e 'my $n = 0;
while (!-e q(/root/stop)) {
    my $next = $n++ % 2 ? q(/run/cloudid/one) : q(/run/cloudid/two);
    link($next, q(/run/cloudid/next)) or die $!;
    rename(q(/run/cloudid/next), q(/run/cloudid/identity.map)) or die $!;
    select(undef, undef, undef, 0.0005);
}
open(my $rounds, q(>), q(/root/rounds)); print $rounds $n;'
";

/// The arguments of `hammer` about alice, her group, people nobody knows, and local accounts.
fn questions(host: &Host) -> String {
    let ask = |what: &str| format!("'{}'", host.ok(&format!("getent {what}")));
    let uid = host.ok("id -u alice");
    let gid = host.ok("getent group web | cut -d: -f3");
    [
        format!("passwd alice {}", ask("passwd alice")),
        format!("passwd {uid} {}", ask("passwd alice")),
        format!("group web {}", ask("group web")),
        format!("group {gid} {}", ask("group web")),
        "passwd nobody-knows-me -".to_owned(),
        "group nobody-knows-me -".to_owned(),
        format!("must:passwd root {}", ask("passwd root")),
        format!("must:passwd {LOCAL_USER} {}", ask("passwd local")),
        format!("must:passwd 0 {}", ask("passwd root")),
        format!("must:group root {}", ask("group root")),
    ]
    .join(" ")
}

/// Lets many processes ask while `vandal` and `meanwhile` run; what `hammer` said.
fn hammered(
    host: &Host,
    seconds: u32,
    questions: &str,
    vandal: &str,
    meanwhile: impl FnOnce(),
) -> Outcome {
    host.write_program("/root/vandal", &format!("#!/bin/sh\n{vandal}"));
    host.ok("rm -f /root/stop; nohup /root/vandal > /root/vandal.log 2>&1 &");
    let ask = format!("#!/bin/sh\nhammer 64 {seconds} {questions}\necho ended $?\n");
    host.write_program("/root/ask", &ask);
    host.ok("nohup /root/ask > /root/said 2>&1 &");
    meanwhile();
    let limit = Duration::from_secs(u64::from(seconds) + 40);
    let ended = eventually(limit, || host.run("grep -q ended /root/said").succeeded());
    host.ok("touch /root/stop");
    assert!(ended, "they hang: {}", host.read("/root/said"));
    host.run("cat /root/said; grep -qx 'ended 0' /root/said")
}

/// The numbers that `hammer` prints: found, missing, processes, slowest in microseconds.
fn counts(outcome: &Outcome) -> [u64; 4] {
    let words: Vec<&str> = outcome.stdout.split_whitespace().collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name);
        let number = at.and_then(|at| words.get(at + 1));
        number.and_then(|number| number.parse().ok())
    };
    ["found", "missing", "processes", "slowest"]
        .map(|name| after(name).unwrap_or_else(|| fail(&format!("no counts: {outcome:?}"))))
}

fn a_vandalised_map_misleads_nobody(seconds: u32) {
    let site = Site::new();
    let web = &site.web;
    web.install_c_program("hammer");
    web.ok("cp -p /run/cloudid/identity.map /root/good.map");
    let asked = hammered(web, seconds, &questions(web), VANDAL, || ());
    assert!(asked.succeeded(), "{asked:?}");
    let [found, missing, processes, slowest] = counts(&asked);
    say(&format!(
        "found {found}, missing {missing}, processes {processes}, slowest {slowest} us"
    ));
    web.until("test -s /root/rounds");
    let rounds = web.number("cat /root/rounds");
    assert!(rounds > 0 && found > 1000 && missing > 1000 && processes > 64);
    nobody_changes_a_memory_file(web);

    web.restart(Service::Cacher);
    web.until("id alice");
    assert!(
        eventually(Duration::from_secs(10), || site
            .person("alice", PASSWORD)
            .run("id -un")
            .worked()),
        "mended"
    );
}

/// Root tries on what the cacher hands out what it did to the files.
fn nobody_changes_a_memory_file(host: &Host) {
    let process = host.process_of(Service::Cacher);
    let listed = format!("find /proc/{process}/fd -lname '*memfd*'");
    let files = host.ok(&listed);
    assert!(!files.is_empty(), "the cacher has no memory file");
    for file in files.lines() {
        let before = host.ok(&format!("sha256sum < {file}"));
        for attempt in [
            format!("truncate -s 0 {file}"),
            format!("truncate -s +1 {file}"),
            format!("dd if=/dev/zero of={file} bs=64 count=1 conv=notrunc"),
            format!("fallocate --punch-hole --offset 0 --length 4096 {file}"),
        ] {
            let tried = host.run(&attempt);
            assert!(!tried.succeeded(), "{tried:?}");
        }
        assert_eq!(host.ok(&format!("sha256sum < {file}")), before);
    }
}

fn swapped_maps_are_never_mixed(seconds: u32) {
    let site = Site::new();
    let web = &site.web;
    web.install_c_program("hammer");
    let name = |name: &str| {
        site.directory
            .ok(&["user", "edit", "alice", "--name", name]);
        web.until(&format!("getent passwd alice | grep '{name}'"));
    };
    name("Alice Before");
    let before = web.ok("getent passwd alice");
    web.ok("cp -p /run/cloudid/identity.map /run/cloudid/one");
    name("Alice After");
    let after = web.ok("getent passwd alice");
    web.ok("cp -p /run/cloudid/identity.map /run/cloudid/two");
    let uid = web.ok("id -u alice");
    let either = format!("'{before}|{after}'");
    let root = web.ok("getent passwd root");
    let questions = format!(
        "must:passwd alice {either} must:passwd {uid} {either} passwd nobody-knows-me - \
         must:passwd root '{root}'"
    );
    // what the cacher publishes meanwhile supersedes the memory files
    let mut edits = 0;
    let asked = hammered(web, seconds, &questions, SWAPPER, || {
        for name in ["Alice Before", "Alice After"].repeat(3) {
            // the directory shares two processors with 64 readers, and may answer too late
            let edit = ["user", "edit", "alice", "--name", name];
            edits += u32::from(site.directory.cloudid(&edit).succeeded());
        }
    });
    assert!(edits > 0, "nothing was superseded");
    assert!(asked.succeeded(), "{asked:?}");
    let [found, missing, processes, slowest] = counts(&asked);
    say(&format!(
        "found {found}, missing {missing}, processes {processes}, slowest {slowest} us"
    ));
    web.until("test -s /root/rounds");
    let swaps = web.number("cat /root/rounds");
    say(&format!("{swaps} swaps"));
    assert!(swaps > 100 && found > 1000);
    name("Alice In The End");
}

#[test]
fn nss_03_answers_come_from_one_version_while_maps_are_swapped() {
    swapped_maps_are_never_mixed(6);
}

#[test]
#[ignore = "a minute of it: cargo xtask soak"]
fn soak_nss_03_answers_come_from_one_version_while_maps_are_swapped() {
    swapped_maps_are_never_mixed(60);
}

#[test]
fn nss_01_whatever_happens_to_the_map_no_answer_is_wrong_and_nobody_is_killed() {
    a_vandalised_map_misleads_nobody(10);
}

#[test]
#[ignore = "a minute of it: cargo xtask soak"]
fn soak_nss_01_whatever_happens_to_the_map_no_answer_is_wrong_and_nobody_is_killed() {
    a_vandalised_map_misleads_nobody(60);
}
