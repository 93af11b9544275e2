//! What a host's own settings say about second factors, and what it tells about them.

use std::sync::Arc;

use cacher_daemon::cacher::Cacher;
use cacher_daemon::factors::offline::step_of;
use jiff::SignedDuration;
use local_protocol::Outcome;
use policy::FactorFields;

use crate::factors::{asking, code_at};
use crate::factors_online::online;
use crate::logins::{Heard, begin, talk};
use crate::world::*;

/// A host that is cut off and has these settings.
async fn set(settings: &str) -> (TestHost, Arc<Cacher>) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    std::fs::create_dir_all(host.paths.settings().parent().unwrap()).unwrap();
    std::fs::write(host.paths.settings(), settings).unwrap();
    let cacher = host.cacher();
    let bundle = organisation.bundle(1, &asking(FactorFields::default()));
    give(&cacher, &bundle).await.unwrap();
    (host, cacher)
}

async fn at_service(cacher: &Cacher, service: &str) -> Heard {
    let mut begin = begin("user1", true);
    begin.login.service = service.to_owned();
    talk(cacher, &begin, &[PASSWORD.as_bytes(), b"000001"]).await
}

fn told(host: &TestHost) -> String {
    let files = std::fs::read_dir(host.paths.events()).unwrap();
    let texts = files.filter_map(|file| std::fs::read(file.unwrap().path()).ok());
    texts
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

#[tokio::test]
async fn cron_asks_nobody_for_a_code_unless_the_host_wants_it() {
    let (_host, cacher) = set("").await;
    assert_eq!(at_service(&cacher, "cron").await.1, Some(Outcome::Allowed));
    let (_host, cacher) = set("[pam]\nservices_without_mfa = [\"systemd-user\"]\n").await;
    assert_eq!(
        at_service(&cacher, "cron").await.1,
        Some(Outcome::WrongAnswer)
    );
    let user = at_service(&cacher, "systemd-user").await;
    assert_eq!(user.1, Some(Outcome::Allowed));
}

#[tokio::test]
async fn mfa_16_a_host_may_take_codes_by_a_clock_behind_signed_time_and_each_says_so() {
    let (host, cacher) = set("[offline]\nclock_behind = \"alarm\"\n").await;
    host.clock.turn_to(noon() - SignedDuration::from_secs(90));
    let code = code_at(step_of(host.clock_now()));
    let typed = [PASSWORD.as_bytes(), code.as_bytes()];
    let (heard, outcome) = talk(&cacher, &begin("user1", true), &typed).await;
    assert_eq!(outcome, Some(Outcome::Allowed), "{heard:?}");
    assert!(
        told(&host).contains("clock_behind_seconds"),
        "{}",
        told(&host)
    );
    let (_, again) = talk(&cacher, &begin("user1", true), &typed).await;
    assert_eq!(again, Some(Outcome::WrongAnswer), "used");
}

#[tokio::test]
async fn mfa_19_a_stock_of_codes_that_runs_low_is_told_once_before_it_ends() {
    let (host, directory, cacher) = online().await;
    let later = |hours| noon() + SignedDuration::from_hours(hours);
    host.clock.turn_to(later(17));
    cacher.watch().await;
    assert!(!told(&host).contains("user.mfa_horizon_low"), "it is there");
    host.clock.turn_to(later(16));
    directory.change(|state| state.code = Some((503, serde_json::json!({}))));
    at_service(&cacher, "sshd").await;
    for hours in [16, 17, 18, 19] {
        host.clock.turn_to(later(hours));
        cacher.watch().await;
        let times = told(&host).matches("user.mfa_horizon_low").count();
        assert_eq!(times, usize::from(hours > 16), "{hours}");
    }
    assert!(told(&host).contains("hours_left"), "{}", told(&host));
}
