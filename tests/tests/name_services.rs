//! Whoever else answers names on a booted server: nscd, systemd, SSSD, in every order; and daemons
//! that have our module loaded for long.

use system_tests::{Host, Lab, NAME_SERVICES, PASSWORD, Site, crowd, say};

/// Names of people of a crowd, as arguments.
fn people(count: u32) -> String {
    format!("$(seq -f person%g 0 {})", count - 1)
}

/// What one process of the host has in memory, in KiB.
fn memory_of(host: &Host, process: &str) -> u64 {
    let command = format!(
        "awk '/^(RssAnon|RssShmem)/ {{n += $2}} END {{print n}}' /proc/$(pgrep --oldest --exact {process})/status"
    );
    host.number(&command)
}

#[test]
fn nss_15_the_order_of_sources_changes_no_answer_and_nscd_forgets_on_a_booted_host() {
    let site = Site::around(|lab| lab.booted_host_with("web-1", &NAME_SERVICES));
    let web = &site.web;
    web.write("/etc/sssd/sssd.conf", SSSD);
    web.ok("chmod 600 /etc/sssd/sssd.conf && systemctl enable --now sssd.service nscd.service");
    let uid = web.ok("id -u alice");
    let questions = format!(
        "for key in alice {uid} local root nobody-knows-me; do getent passwd $key; echo $?; done; \
         for key in web root nobody-knows-me; do getent group $key; echo $?; done; \
         for name in alice local root; do id -G $name | tr ' ' '\\n' | sort -n | tr '\\n' ' '; done"
    );
    let ask = || web.ok(&questions);
    web.until("userdbctl user alice");
    let usual = ask();
    assert!(usual.contains("alice:x:"), "{usual}");
    let orders = [
        "files systemd cloudid sss",
        "files cloudid systemd sss",
        "files sss cloudid systemd",
        "sss files systemd cloudid",
        "files sss systemd cloudid",
        "files systemd sss cloudid",
        "cloudid files systemd sss",
    ];
    for order in orders {
        let put = format!("sed -i -E 's/^(passwd|group):.*/\\1: {order}/' /etc/nsswitch.conf");
        web.ok(&put);
        for restarted in [
            "nscd.service",
            "sssd.service",
            "cloudid-cacher.service",
            "nscd.service",
        ] {
            web.ok(&format!(
                "systemctl reset-failed; systemctl restart {restarted}"
            ));
            assert_eq!(ask(), usual, "{order}, {restarted} restarted");
        }
        web.ok("systemctl stop sssd.service nscd.service");
        assert_eq!(ask(), usual, "{order}, without SSSD and nscd");
        web.ok("systemctl reset-failed; systemctl start sssd.service nscd.service");
    }

    assert_eq!(
        web.run("getent passwd bob").code,
        2,
        "nscd remembers that there is no bob"
    );
    site.directory.add_person("bob", PASSWORD, &["web"]);
    web.until("getent passwd bob");
    site.directory
        .ok(&["user", "edit", "alice", "--name", "Alice Renamed"]);
    web.until("getent passwd alice | grep 'Alice Renamed'");
}

const SSSD: &str = "[sssd]\nservices = nss\ndomains = local-files\n\
    [domain/local-files]\nid_provider = files\n";

fn daemons_stay_small_and_alive(rounds: u32) {
    const PEOPLE: u32 = 10_000;
    let lab = Lab::new();
    let host = lab.booted_host_with("web-1", &NAME_SERVICES);
    host.install_names_only();
    host.publish(&crowd(PEOPLE, 100));
    host.ok(
        "for n in $(seq 0 199); do echo '@yearly true' > /var/spool/cron/crontabs/person$n; \
             chown person$n:crontab /var/spool/cron/crontabs/person$n; \
             chmod 600 /var/spool/cron/crontabs/person$n; done; systemctl restart cron.service",
    );
    host.ok("systemctl start nscd.service systemd-userdbd.service");
    let daemons = ["nscd", "systemd-userdbd", "cron"];
    let processes = || daemons.map(|name| host.ok(&format!("pgrep --oldest --exact {name}")));
    let ask = || {
        host.ok("nscd --invalidate passwd; nscd --invalidate group");
        let found = host.ok(&format!("getent passwd {} | wc -l", people(PEOPLE)));
        assert_eq!(found, PEOPLE.to_string());
        let found = host.ok(&format!(
            "userdbctl --output=classic --no-pager user {} | wc -l",
            people(20)
        ));
        assert_eq!(found, "20");
        host.ok("touch /var/spool/cron/crontabs");
    };
    ask();
    ask();
    let before = processes();
    let small = daemons.map(|name| memory_of(&host, name));
    for _ in 0..rounds {
        ask();
    }
    assert_eq!(processes(), before, "none of them crashed");
    for (name, small) in daemons.into_iter().zip(small) {
        let now = memory_of(&host, name);
        say(&format!(
            "{name}: {small} KiB, {now} KiB after {rounds} rounds more"
        ));
        assert!(now < small + 2048, "{name} grew from {small} to {now} KiB");
    }
    assert_eq!(
        host.run("journalctl --boot | grep -iE 'segfault|dumped core'")
            .stdout,
        ""
    );
}

#[test]
fn nss_10_daemons_of_a_booted_host_with_the_module_loaded_stay_small() {
    daemons_stay_small_and_alive(3);
}

#[test]
#[ignore = "many rounds: cargo xtask soak"]
fn soak_nss_10_daemons_of_a_booted_host_with_the_module_loaded_stay_small() {
    daemons_stay_small_and_alive(200);
}
