//! A process whose lookups are interrupted: by signals, by threads that end, by a module that is
//! loaded and let go all the time.

use std::os::unix::net::UnixListener;

use crate::cacher::Cacher;
use crate::host::Host;
use crate::people::three;
use crate::programs::run;

fn signal_storm(seconds: &str) {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    let said = run(&host, "signals", &[seconds]);
    let [rounds, right] = ["rounds", "right"].map(|name| said.number(name));
    assert!(rounds > 5 && right > 4 * rounds, "{said:?}");
    assert!(said.number("handled") > 500, "{said:?}");
    assert!(said.number("right in handlers") > 1000, "{said:?}");
    assert_eq!(said.number("held"), 1, "{said:?}");
    assert!(!cacher.asked().is_empty(), "nobody asked for the stranger");
}

#[test]
fn nss_12_a_storm_of_signals_whose_handler_looks_up_disturbs_no_lookup() {
    signal_storm("2");
}

#[test]
#[ignore = "takes minutes"]
fn soak_nss_12_a_storm_of_signals() {
    signal_storm("120");
}

#[test]
fn nss_12_a_cacher_that_hangs_up_raises_no_signal() {
    let host = Host::knowing(&three());
    let hangs_up = UnixListener::bind(host.socket()).unwrap();
    // Ends with the test's process.
    std::thread::spawn(move || hangs_up.incoming().for_each(drop));
    let said = run(&host, "signals", &["1"]);
    assert!(said.number("rounds") > 10, "{said:?}");
    assert_eq!(said.number("held"), 0, "{said:?}");
}

fn threads_end(how: &str, count: &str) {
    let host = Host::knowing(&three());
    let _cacher = Cacher::of(&host, &three());
    let said = run(&host, "threads", &[how, count]);
    assert!(said.number("right") > 10, "{said:?}");
    assert_eq!(said.number("held"), 1, "{said:?}");
}

#[test]
fn nss_12_threads_that_end_right_after_a_lookup_leave_nothing() {
    threads_end("exit", "4000");
}

#[test]
fn nss_12_threads_cancelled_in_a_lookup_disturb_nobody() {
    threads_end("cancel", "2000");
}

#[test]
fn nss_12_no_lookup_is_a_point_of_cancellation() {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    // Longer than a process goes without a look at the published file.
    let said = run(&host, "pending", &["3"]);
    assert!(said.number("threads") > 10, "{said:?}");
    assert_eq!(said.number("held"), 1, "{said:?}");
    drop(cacher);
    let said = run(&host, "pending", &["1"]);
    assert_eq!(said.number("held"), 0, "{said:?}");
}

#[test]
fn nss_12_threads_cancelled_in_glibc_disturb_nobody() {
    threads_end("cancel-in-glibc", "2000");
}

#[test]
#[ignore = "takes minutes"]
fn soak_nss_12_threads_cancelled_in_a_lookup() {
    threads_end("cancel", "50000");
    threads_end("cancel-in-glibc", "50000");
}

#[test]
fn nss_12_threads_cancelled_while_the_cacher_says_nothing_disturb_nobody() {
    let host = Host::knowing(&three());
    let _nobody_accepts = UnixListener::bind(host.socket()).unwrap();
    let said = run(&host, "threads", &["cancel", "1000"]);
    assert!(said.number("right") > 10, "{said:?}");
    assert_eq!(said.number("held"), 0, "{said:?}");
}

#[test]
fn nss_12_ten_thousand_loads_leave_one_module_and_at_most_one_map() {
    let host = Host::knowing(&three());
    let _cacher = Cacher::of(&host, &three());
    let said = run(&host, "loads", &["10000"]);
    assert_eq!(said.number("right"), 80_000, "{said:?}");
    assert_eq!(said.number("held"), 1, "{said:?}");
}
