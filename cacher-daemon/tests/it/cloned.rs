//! A machine whose identity another one has as well, and which the directory refuses for that.

use std::sync::Arc;
use std::time::Duration;

use cacher_daemon::account;
use cacher_daemon::cacher::Cacher;
use cacher_daemon::daemon;
use cacher_daemon::disk::HostDisk;
use cacher_daemon::sync::round::round;
use local_protocol::{Login, Outcome};
use tokio::time::timeout;

use crate::directory::{FakeDirectory, Manner};
use crate::world::*;

const REFUSED: &str = r#"{"code":"host_cloned","detail":"Another machine uses this."}"#;
const PATIENCE: Duration = Duration::from_secs(30);

async fn is_let_in(cacher: &Cacher, user: &str) -> bool {
    let login = Login {
        user: user.to_owned(),
        service: "sshd".to_owned(),
        ..Login::default()
    };
    account::decide(cacher, &login).await.outcome == Outcome::Allowed
}

fn runs_heard(directory: &FakeDirectory) -> Vec<String> {
    let mut runs = directory.change(|state| std::mem::take(&mut state.runs));
    runs.sort();
    runs.dedup();
    runs
}

#[tokio::test]
async fn syn_25_a_machine_that_is_refused_goes_on_by_its_mirror_and_stays_refused() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let directory = FakeDirectory::start().await;
    directory.certify(&host.paths);
    directory.change(|state| state.manner = Manner::Always(403, REFUSED));
    let (cacher, wishes) = host.started(Arc::new(HostDisk));
    let bundle = organisation.bundle(1, &slice(vec![person(1)]));
    give(&cacher, &bundle).await.unwrap();

    let running = daemon::start(&cacher, &host.paths, wishes).await.unwrap();
    let refused = async {
        while !host.paths.refused_run().exists() || cacher.health().last_error.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.unwrap();
    let kept = std::fs::read_to_string(host.paths.refused_run()).unwrap();
    assert_eq!(runs_heard(&directory), [kept.as_str()]);
    let told = cacher.health().last_error;
    assert!(told.contains("Another machine uses this"), "{told}");
    assert!(is_let_in(&cacher, "user1").await, "by the mirror");
    host.clock.pass(Duration::from_secs(169 * 3600));
    assert!(!is_let_in(&cacher, "user1").await, "too old a mirror");
    drop(running);
    drop(cacher);

    // a restart makes it no other machine
    let cacher = host.cacher();
    let client = cacher.directory().unwrap();
    let again = round(&cacher, &client, Duration::ZERO, false).await;
    assert!(again.is_err());
    assert_eq!(runs_heard(&directory), [kept.as_str()]);
}

#[tokio::test]
async fn syn_25_every_start_of_a_machine_has_a_number_of_its_own() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let directory = FakeDirectory::start().await;
    directory.certify(&host.paths);
    for _ in 0..3 {
        let cacher = host.cacher();
        let client = cacher.directory().unwrap();
        round(&cacher, &client, Duration::ZERO, false)
            .await
            .unwrap();
    }
    assert_eq!(runs_heard(&directory).len(), 3);
}
