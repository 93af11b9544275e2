//! The host's certificate is renewed in time, and the old one stays until the new one works.

use std::sync::Arc;

use cacher_daemon::cacher::Cacher;
use cacher_daemon::sync::renewal::renew_if_due;
use jiff::civil::date;

use crate::directory::{FakeDirectory, Manner};
use crate::world::*;

/// A host whose certificate is good from 2020 to 2029.
async fn host() -> (FakeDirectory, TestHost, rcgen::KeyPair) {
    let directory = FakeDirectory::start().await;
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    directory.change(|state| state.root_chain = organisation.chain());
    directory.certify(&host.paths);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = directory.certificate(&key, 2020, 2029);
    std::fs::write(host.paths.host_key(), key.serialize_pem()).unwrap();
    std::fs::write(host.paths.host_certificate(), certificate).unwrap();
    (directory, host, key)
}

fn cacher_in(host: &TestHost, year: i16) -> Arc<Cacher> {
    let noon = date(year, 1, 1).at(12, 0, 0, 0).in_tz("UTC").unwrap();
    host.clock.turn_to(noon.timestamp());
    host.cacher()
}

fn in_use(host: &TestHost) -> String {
    std::fs::read_to_string(host.paths.host_certificate()).unwrap()
}

fn renewals(directory: &FakeDirectory) -> usize {
    directory.change(|state| {
        let calls = state.requests.iter();
        calls.filter(|path| path.contains("certificates")).count()
    })
}

#[tokio::test]
async fn a_certificate_with_less_than_a_third_of_its_life_left_is_renewed_for_the_same_key() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, host, key) = host().await;
    let secret = std::fs::read(host.paths.host_key()).unwrap();
    let new = directory.certificate(&key, 2027, 2036);
    directory.change(|state| state.renewed.clone_from(&new));
    let cacher = cacher_in(&host, 2027);
    assert!(renew_if_due(&cacher, 0).await.unwrap());
    assert_eq!(in_use(&host), new);
    let file = std::fs::metadata(host.paths.host_certificate()).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read(host.paths.host_key()).unwrap(), secret);
    assert!(!renew_if_due(&cacher, 0).await.unwrap(), "once is enough");
    assert_eq!(renewals(&directory), 1);
}

#[tokio::test]
async fn a_certificate_with_time_left_is_not_renewed_and_hosts_do_not_come_together() {
    let (directory, host, _) = host().await;
    let young = cacher_in(&host, 2025);
    assert!(!renew_if_due(&young, 0).await.unwrap());
    drop(young);
    let due = cacher_in(&host, 2026);
    assert!(!renew_if_due(&due, u32::MAX).await.unwrap());
    assert_eq!(renewals(&directory), 0);
}

#[tokio::test]
async fn the_old_certificate_stays_when_the_new_one_is_not_for_this_host_and_key() {
    let (directory, host, key) = host().await;
    let before = in_use(&host);
    let stranger = rcgen::KeyPair::generate().unwrap();
    let cacher = cacher_in(&host, 2028);
    for unfit in [
        directory.certificate(&stranger, 2027, 2036),
        directory.certificate(&key, 2020, 2029),
        String::new(),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
    ] {
        directory.change(|state| state.renewed = unfit);
        assert!(renew_if_due(&cacher, 0).await.is_err());
        assert_eq!(in_use(&host), before);
    }
}

#[tokio::test]
async fn the_old_certificate_stays_until_a_call_with_the_new_one_was_answered() {
    let (directory, host, key) = host().await;
    let before = in_use(&host);
    let new = directory.certificate(&key, 2027, 2036);
    directory.change(|state| {
        state.renewed.clone_from(&new);
        state.manner = Manner::Always(403, "{}");
        state.only = "/root";
    });
    let cacher = cacher_in(&host, 2028);
    assert!(renew_if_due(&cacher, 0).await.is_err());
    assert_eq!(in_use(&host), before);
    directory.change(|state| state.manner = Manner::Proper);
    assert!(renew_if_due(&cacher, 0).await.unwrap());
    assert_eq!(in_use(&host), new);
}
