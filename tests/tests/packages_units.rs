//! The units of the packages, as they run: what each process may do, and what becomes of one that
//! dies again and again.

use std::time::Duration;
use system_tests::{Host, Installation, PASSWORD, Service, eventually, say};

/// Highest score of `systemd-analyze security`, in tenths, that a unit may have.
const SCORES: [(&str, u32); 7] = [
    ("cloudid-cacher", 19),
    ("cloudid-directory", 19),
    ("cloudid-lookups", 19),
    ("cloudid-identity-map", 22),
    ("cloudid-helper", 25),
    ("cloudid-nscd", 25),
    ("cloudid-first-boot", 29),
];
/// `CHOWN`, `DAC_OVERRIDE`, `FOWNER`, `KILL`: the bits of the helper's set.
const HELPERS: &str = "000000000000002b";
const NONE: &str = "0000000000000000";

fn status(host: &Host, service: Service, field: &str) -> String {
    let process = host.process_of(service);
    host.ok(&format!(
        "awk '$1 == \"{field}:\" {{ print $2 }}' /proc/{process}/status"
    ))
}

#[test]
fn pkg_12_units_may_do_what_they_need_and_come_back_when_they_die() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    host.receive(
        &system_tests::Packages::of_this_build(),
        &["cloudid-directory"],
    );
    host.ok("dpkg --install /root/packages/*.deb");
    for (unit, highest) in SCORES {
        let told = host.ok(&format!(
            "systemd-analyze security --no-pager {unit}.service | grep Overall"
        ));
        say(&told);
        let score = told
            .split_whitespace()
            .find_map(|word| word.parse::<f32>().ok())
            .unwrap_or(10.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "scores are from 0 to 10"
        )]
        let tenths = (score * 10.0).round() as u32;
        assert!(tenths <= highest, "{told}");
    }

    scene.alice_logs_in();
    let processes = [
        (Service::Cacher, NONE),
        (Service::Lookups, NONE),
        (Service::Helper, HELPERS),
    ];
    for (service, capabilities) in processes {
        for set in ["CapEff", "CapBnd", "CapPrm"] {
            let found = status(host, service, set);
            assert_eq!(found, capabilities, "{set} of {service:?}");
        }
        assert_eq!(status(host, service, "NoNewPrivs"), "1", "{service:?}");
        assert_eq!(status(host, service, "Seccomp"), "2", "{service:?}");
    }

    // last good answers meanwhile, and never given up
    let pause = host.ok("systemctl show --property=RestartUSec --value cloudid-cacher.service");
    assert_eq!(
        pause, "1s",
        "a start takes little, and one a second harms nobody"
    );
    host.crash_again_and_again(Service::Cacher);
    for _ in 0..10 {
        assert!(host.run("timeout 1 getent passwd alice").succeeded());
    }
    scene.local_accounts_work("the cacher crashes again and again");
    host.start(Service::Cacher);
    let answers = || {
        let asked = host.pam("sshd", "alice", PASSWORD, "authenticate acct_mgmt");
        asked.succeeded()
    };
    assert!(eventually(Duration::from_secs(10), answers), "up again");
}
