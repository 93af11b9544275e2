//! Whoever else answers names on a booted server: nscd, systemd, SSSD, in every order; and daemons
//! that have our module loaded for long.

use system_tests::{
    FIRST_PERSON, Host, Lab, NAME_SERVICES, NFS_NAMES, PASSWORD, Site, crowd, fail, say,
};

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

const SOURCES: [&str; 4] = ["files", "systemd", "cloudid", "sss"];

/// The sources in every order, the usual one first.
fn all_orders() -> Vec<String> {
    let mut orders = vec![Vec::new()];
    for _ in SOURCES {
        let longer = |order: &Vec<&'static str>| -> Vec<Vec<&'static str>> {
            let missing = SOURCES.into_iter().filter(|source| !order.contains(source));
            missing
                .map(|source| [order.as_slice(), &[source]].concat())
                .collect()
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders.iter().map(|order| order.join(" ")).collect()
}

/// Everybody's answers stay the same in every order of sources, while each of them in turn is
/// restarted in every so-many-th order.
fn the_order_of_sources_changes_no_answer(restarted_in_every: usize) {
    let site = Site::around(|lab| lab.booted_host_with("web-1", &NAME_SERVICES));
    let web = &site.web;
    web.write("/etc/sssd/sssd.conf", SSSD);
    web.ok("chmod 600 /etc/sssd/sssd.conf && systemctl enable --now sssd.service nscd.service");
    let uid = web.ok("id -u alice");
    // systemd has a full name of its own for root
    let questions = format!(
        "for key in alice {uid} local nobody-knows-me; do getent passwd $key; echo $?; done; \
         getent passwd root | cut -d: -f 1-4,6-; \
         for key in web root nobody-knows-me; do getent group $key; echo $?; done; \
         for name in alice local root; do id -G $name | tr ' ' '\\n' | sort -n | tr '\\n' ' '; done"
    );
    let ask = || web.ok(&questions);
    web.until("userdbctl user alice");
    let usual = ask();
    assert!(usual.contains("alice:x:"), "{usual}");
    let orders = all_orders();
    assert_eq!(orders.len(), 24);
    for (number, order) in orders.iter().enumerate() {
        let put = format!("sed -i -E 's/^(passwd|group):.*/\\1: {order}/' /etc/nsswitch.conf");
        web.ok(&put);
        web.ok("nscd --invalidate passwd; nscd --invalidate group");
        assert_eq!(ask(), usual, "{order}");
        if number % restarted_in_every == 0 {
            same_answers_after_restarts(web, ask, &usual);
        }
    }
    nscd_forgets_when_the_map_changes(&site);
}

fn same_answers_after_restarts(web: &Host, ask: impl Fn() -> String, usual: &str) {
    for restarted in [
        "nscd",
        "sssd",
        "systemd-userdbd",
        "cloudid-lookups",
        "cloudid-cacher",
    ] {
        web.ok(&format!(
            "systemctl reset-failed; systemctl restart {restarted}.service"
        ));
        assert_eq!(ask(), usual, "{restarted} restarted");
    }
    web.ok("systemctl stop sssd.service nscd.service");
    assert_eq!(ask(), usual, "without SSSD and nscd");
    web.ok("systemctl reset-failed; systemctl start sssd.service nscd.service");
}

fn nscd_forgets_when_the_map_changes(site: &Site) {
    let web = &site.web;
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

#[test]
fn nss_15_the_order_of_sources_changes_no_answer_and_nscd_forgets_on_a_booted_host() {
    the_order_of_sources_changes_no_answer(12);
}

#[test]
#[ignore = "every restart in every order: cargo xtask soak"]
fn soak_nss_15_the_order_of_sources_changes_no_answer() {
    the_order_of_sources_changes_no_answer(1);
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

/// rpc.idmapd itself answers the NFS server of a kernel, which few machines of tests have; what it
/// answers with is a library, and that is loaded here.
fn names_of_owners_on_nfs(rounds: u32) {
    const PEOPLE: u32 = 10_000;
    let lab = Lab::new();
    let host = lab.host_with("web-1", &NFS_NAMES);
    host.install_names_only();
    host.install_c_program("idmap");
    host.publish(&crowd(PEOPLE, 100));
    let said = host.ok(&format!("idmap {PEOPLE} {FIRST_PERSON} {rounds}"));
    say(&format!("libnfsidmap: {said} KiB"));
    let numbers: Vec<i64> = said
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    let [right, grew] = numbers.as_slice() else {
        fail(&said)
    };
    assert_eq!(*right, i64::from(2 * PEOPLE * rounds), "there and back");
    assert!(*grew < 1024, "{grew} KiB");
}

#[test]
fn nss_10_the_library_of_rpc_idmapd_names_ten_thousand_owners_and_stays_small() {
    names_of_owners_on_nfs(3);
}

#[test]
#[ignore = "many rounds: cargo xtask soak"]
fn soak_nss_10_the_library_of_rpc_idmapd_names_ten_thousand_owners_and_stays_small() {
    names_of_owners_on_nfs(60);
}
