//! Lookups in places and in company where they could go wrong: without a cacher, under hostile
//! users, in a chroot or container, in programs of another word size or an older glibc.

use system_tests::{
    Disk, Host, LOCAL_USER, Lab, OLD_RELEASE, PASSWORD, Service, Site, Stopwatch, WORKSHOP, crowd,
    fail, say,
};

/// What a command does with the map and with our sockets, call by call, without numbers. The map is
/// a few seconds old: before, a process reads its header with each lookup.
fn traced(host: &Host, command: &str) -> Vec<String> {
    host.until("test $(($(date +%s) - $(stat -c %Z /run/cloudid/identity.map))) -gt 2");
    let calls = "openat,open,fstat,newfstatat,statx,pread64,read,mmap,close,connect";
    host.ok(&format!(
        "strace -qq -f -y -e trace={calls} -o /tmp/trace {command} > /dev/null || true"
    ));
    let ours = host.run("grep -E '/run/cloudid' /tmp/trace");
    let call = |line: &str| {
        let from = line.find(|letter: char| letter.is_ascii_lowercase())?;
        let rest = line.get(from..)?;
        let name = rest.split('(').next()?;
        Some(format!(
            "{name}{}",
            if rest.contains(".sock") {
                " socket"
            } else {
                ""
            }
        ))
    };
    ours.stdout.lines().filter_map(call).collect()
}

#[test]
fn nss_18_a_fresh_process_touches_the_map_alone_whatever_the_cacher_does() {
    let site = Site::new();
    let web = &site.web;
    let questions = [
        "getent passwd alice",
        "getent group web",
        "id alice",
        "getent passwd no-one",
    ];
    let usual: Vec<_> = questions
        .iter()
        .map(|command| traced(web, command))
        .collect();
    for (calls, command) in usual.iter().zip(questions) {
        say(&format!("{command}: {calls:?}"));
        assert!(
            !calls.is_empty() && calls.len() < 80,
            "{command}: {calls:?}"
        );
        assert!(
            !calls.iter().any(|call| call.contains("socket")),
            "{command}: {calls:?}"
        );
        let known = [
            "openat",
            "open",
            "fstat",
            "newfstatat",
            "statx",
            "pread64",
            "close",
        ];
        assert!(
            calls.iter().all(|call| known.contains(&call.as_str())),
            "{command}: {calls:?}"
        );
    }
    let again = || -> Vec<_> {
        questions
            .iter()
            .map(|command| traced(web, command))
            .collect()
    };
    web.hang(Service::Cacher);
    assert_eq!(again(), usual, "hung");
    web.unhang(Service::Cacher);
    web.stop(Service::Cacher);
    assert_eq!(again(), usual, "absent");
}

#[test]
fn nss_18_a_busy_process_asks_once_for_the_memory_file_and_goes_on_without() {
    let site = Site::new();
    let web = &site.web;
    let often = format!("getent passwd {}", ["alice"; 200].join(" "));
    let right = [web.ok("getent passwd alice").as_str(); 200].join("\n");
    let sockets = |calls: &[String]| {
        calls
            .iter()
            .filter(|call| *call == "connect socket")
            .count()
    };
    // asked again only after a pause that doubles; strace is slow enough for some of them to end
    let few = |state: &str| {
        let asked = sockets(&traced(web, &often));
        assert!(
            (1..=4).contains(&asked),
            "{state}: {asked} times in 200 lookups"
        );
    };
    assert_eq!(web.ok(&often), right);
    assert_eq!(sockets(&traced(web, &often)), 1, "once, with a cacher");
    web.hang(Service::Cacher);
    few("hung");
    let watch = Stopwatch::start();
    assert_eq!(web.ok(&often), right);
    say(&format!(
        "200 lookups beside a hung cacher: {:?}",
        watch.elapsed()
    ));
    web.unhang(Service::Cacher);
    web.stop(Service::Cacher);
    few("absent");
    assert_eq!(web.ok(&often), right);
}

/// What stands in a line of a trace between two texts.
fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    line.split_once(before)?
        .1
        .split_once(after)
        .map(|(text, _)| text)
}

#[test]
fn nss_07_opens_follow_no_link_survive_no_exec_and_what_is_received_is_closed_once_mapped() {
    let site = Site::new();
    let web = &site.web;
    web.ok(&format!(
        "strace -qq -o /tmp/trace -e trace=open,openat,openat2,socket,recvmsg,mmap,close,dup,dup2,dup3,fcntl \
         getent passwd {} > /dev/null",
        ["alice"; 200].join(" ")
    ));
    let trace = web.read("/tmp/trace");
    let mut lines = trace.lines();
    let opened: Vec<_> = trace
        .lines()
        .filter(|line| line.starts_with("open") && line.contains("identity.map"))
        .collect();
    assert!(opened.len() > 10, "{trace}");
    for line in &opened {
        assert!(
            line.contains("O_CLOEXEC") && line.contains("O_NOFOLLOW"),
            "{line}"
        );
    }
    let sockets = trace.lines().filter(|line| line.starts_with("socket("));
    for line in sockets {
        assert!(line.contains("SOCK_CLOEXEC"), "{line}");
    }
    let received = lines.find(|line| line.contains("SCM_RIGHTS"));
    let received = received.unwrap_or_else(|| fail(&format!("nothing was received: {trace}")));
    assert!(received.contains("MSG_CMSG_CLOEXEC"), "{received}");
    let files = between(received, "cmsg_data=[", "]").unwrap_or_default();
    let (map, mark) = files.split_once(", ").unwrap_or_default();
    let lines: Vec<&str> = lines.collect();
    for (file, kind) in [(map, "MAP_PRIVATE"), (mark, "MAP_SHARED")] {
        let ways = format!("PROT_READ, {kind}, {file}, 0)");
        let mapped = lines.iter().position(|line| line.contains(&ways));
        let closed = format!("close({file})");
        let next = lines.iter().skip(mapped.map_or(lines.len(), |at| at + 1));
        let next = next.copied().find(|line| line.starts_with(&closed));
        assert!(next.is_some_and(|line| line.ends_with("= 0")), "{trace}");
    }
}

#[test]
fn nss_17_a_hostile_user_who_locks_and_holds_and_fills_everything_harms_nobody() {
    const SMALL: Disk = Disk::Small {
        megabytes: 300,
        inodes: 4000,
    };
    let site = Site::with_disk(SMALL);
    let web = &site.web;
    site.alice().run("id -un").succeeds();
    web.install_c_program("hostile");
    let start = |number: usize| {
        web.ok(&format!(
            "setpriv --reuid {LOCAL_USER} --regid {LOCAL_USER} --init-groups hostile \
             $(find /run/cloudid /var/lib/cloudid /etc/cloudid /etc/nsswitch.conf /etc/passwd \
               -type f) $(ls /usr/lib/*/libnss_cloudid.so.2) > /tmp/hostile-{number} 2>&1 &"
        ));
        web.until(&format!("grep -q holding /tmp/hostile-{number}"));
    };
    for (number, name) in ["bob", "carol", "dave", "erin"].iter().enumerate() {
        start(number);
        site.directory.add_person(name, PASSWORD, &["web"]);
        web.until(&format!("id {name}"));
    }
    say(&web.ok("cat /tmp/hostile-0"));
    web.ok(&format!(
        "su {LOCAL_USER} -c 'dd if=/dev/zero of=/tmp/fill bs=64k 2> /dev/null || true'"
    ));
    assert_eq!(site.alice().run("id -un").succeeds(), "alice");
    site.directory.ok(&["user", "suspend", "dave"]);
    web.until(&format!(
        "! echo {PASSWORD} | timeout 20 pamtester sshd dave acct_mgmt"
    ));
    assert!(web.run("timeout 1 getent passwd alice").succeeded());
    web.ok("rm /tmp/fill");
    site.directory.add_person("frank", PASSWORD, &["web"]);
    web.until("id frank");
    assert_eq!(
        web.ok("pgrep --count --exact hostile"),
        "4",
        "they still hold everything"
    );
}

#[test]
fn nss_20_a_chroot_and_a_container_see_people_through_the_map_alone() {
    let site = Site::new();
    let web = &site.web;
    let known = web.ok("getent passwd alice");
    web.ok(
        "mkdir -p /srv/jail/run/cloudid /srv/jail/etc /srv/jail/usr && cd /srv/jail && \
         ln -s usr/lib lib && ln -s usr/lib64 lib64 && ln -s usr/bin bin && \
         cp /etc/nsswitch.conf /etc/passwd /etc/group etc/",
    );
    let inside = |more: &str, command: &str| {
        web.run(&format!(
            "unshare {more} --mount --propagation=private /bin/sh -euc \
             'mount --bind /usr /srv/jail/usr; {command}'"
        ))
    };
    let bare = inside(
        "",
        "chroot /srv/jail getent passwd root; chroot /srv/jail getent passwd alice",
    );
    assert!(
        bare.stdout.starts_with("root:") && bare.code == 2,
        "without a map: {bare:?}"
    );
    let bind = "mount --bind /run/cloudid /srv/jail/run/cloudid; \
                mount -o remount,bind,ro /srv/jail/run/cloudid";
    for (what, more) in [
        ("chroot", ""),
        ("container", "--pid --fork --net --ipc --uts"),
    ] {
        let ask = format!("{bind}; exec chroot /srv/jail getent passwd alice");
        let seen = inside(more, &ask);
        assert_eq!(seen.stdout.trim(), known, "{what}: {seen:?}");
        web.hang(Service::Cacher);
        let seen = inside(more, &ask);
        assert_eq!(seen.stdout.trim(), known, "{what}, cacher hung: {seen:?}");
        web.unhang(Service::Cacher);
    }
}

#[test]
fn nss_23_a_program_of_another_word_size_finds_local_users() {
    let lab = Lab::new();
    let host = lab.host_with("web-1", &WORKSHOP);
    host.install_names_only();
    host.publish(&crowd(10, 2));
    assert!(host.ok("getent passwd person1").starts_with("person1:"));
    host.write("/root/ask.c", include_str!("../programs/ask.c"));
    host.ok("gcc -m32 -Wall -Werror -o /root/ask /root/ask.c");
    host.ok("file -L /root/ask 2> /dev/null | grep -q 32-bit || od -An -j4 -N1 -tu1 /root/ask | grep -qw 1");
    let [root, local] = ["root", LOCAL_USER].map(|name| host.ok(&format!("getent passwd {name}")));
    assert_eq!(
        host.ok(&format!("/root/ask root {LOCAL_USER}")),
        format!("{root}\n{local}")
    );
    let person = host.run("/root/ask person1");
    assert_eq!(
        (person.code, person.stdout.trim()),
        (2, ""),
        "not found, and not killed"
    );
}

#[test]
fn nss_23_an_older_glibc_than_ours_still_finds_local_users() {
    let lab = Lab::new();
    let host = lab.host_with("web-1", &OLD_RELEASE);
    host.install_names_only();
    host.publish(&crowd(10, 2));
    let module = host.ok("ls /usr/lib/*/libnss_cloudid.so.2");
    host.ok(&format!(
        "cd /srv/bullseye && mkdir -p run/cloudid && cp -p /run/cloudid/identity.map run/cloudid/ && \
         chown --reference=/run/cloudid run/cloudid && cp {module} .{module} && \
         sed -i -E 's/^(passwd|group):.*/\\1: files cloudid/' etc/nsswitch.conf"
    ));
    let inside = |command: &str| host.run(&format!("timeout 5 chroot /srv/bullseye {command}"));
    say(&inside("ldd --version").text());
    for question in [
        "getent passwd root",
        "getent group root",
        "id daemon",
        "getent passwd",
    ] {
        assert!(inside(question).text().contains("root:") || question.starts_with("id"));
    }
    for question in ["getent passwd person1", "getent passwd nobody-knows-me"] {
        let said = inside(question);
        let is_right = said.code == 2 || said.stdout.starts_with("person1:x:");
        assert!(is_right, "not found or right, and not killed: {said:?}");
    }
    let newest = newest_glibc_needed(&host, &module);
    assert!(newest <= (2, 34), "{newest:?}");
}

/// The newest version of glibc that a library names.
fn newest_glibc_needed(host: &Host, library: &str) -> (u32, u32) {
    let named = host.ok(&format!(
        "grep -aoE 'GLIBC_[0-9]+[.][0-9]+' {library} | sort -u"
    ));
    let version = |line: &str| {
        let (major, minor) = line.strip_prefix("GLIBC_")?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let newest = named.lines().filter_map(version).max();
    newest.unwrap_or_else(|| fail(&format!("{library} names no glibc")))
}
