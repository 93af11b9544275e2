//! Codes with a directory that answers, or has just gone: what it has burnt counts nowhere again.

use std::sync::Arc;

use cacher_daemon::cacher::Cacher;
use cacher_daemon::factors::offline::step_of;
use local_protocol::Outcome;
use policy::FactorFields;

use crate::directory::FakeDirectory;
use crate::factors::{BACKUP_CODE, DEVICE, asking, code_now, outcome, types};
use crate::world::*;

/// A host that has just heard from its directory.
pub(crate) async fn online() -> (TestHost, FakeDirectory, Arc<Cacher>) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let directory = FakeDirectory::start().await;
    directory.certify(&host.paths);
    let bundle = organisation.bundle(1, &asking(FactorFields::default()));
    directory.change(|state| state.bundle = bundle);
    let cacher = host.cacher();
    heard(&cacher).await;
    (host, directory, cacher)
}

#[tokio::test]
async fn mfa_18_with_the_directory_there_a_code_is_burnt_there_and_never_counts_here_again() {
    let (_host, directory, cacher) = online().await;
    let step = step_of(noon());
    directory.change(|state| {
        state.code = Some((
            200,
            serde_json::json!({"kind": "totp", "device": DEVICE, "step": step}),
        ));
    });
    let (heard, outcome) = types(&cacher, &code_now()).await;
    assert_eq!(outcome, Some(Outcome::Allowed));
    assert_eq!(heard[1], "? Verification code, YubiKey or backup code: ");
    let asked = directory.change(|state| state.codes_asked.clone());
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["code"], code_now());
    assert_eq!(asked[0]["username"], "user1");
    // The directory goes away: the code is not taken a second time by its bits.
    directory.change(|state| state.code = Some((503, serde_json::json!({}))));
    for _ in 0..2 {
        let (_, again) = types(&cacher, &code_now()).await;
        assert_eq!(again, Some(Outcome::WrongAnswer));
    }
}

#[tokio::test]
async fn mfa_09_what_counted_here_alone_counts_no_more_for_a_directory_that_has_not_heard_of_it() {
    let step = serde_json::json!({"kind": "totp", "device": DEVICE, "step": step_of(noon())});
    let backup = serde_json::json!({"kind": "backup-code", "device": "bkc_1"});
    for (code, burnt) in [(code_now().as_str(), step), (BACKUP_CODE, backup)] {
        let (_host, directory, cacher) = online().await;
        directory.change(|state| state.code = Some((503, serde_json::json!({}))));
        assert_eq!(outcome(&cacher, code).await, Some(Outcome::Allowed));
        heard(&cacher).await;
        directory.change(|state| state.code = Some((200, burnt.clone())));
        let asked = directory.change(|state| state.codes_asked.len());
        let (heard, again) = types(&cacher, code).await;
        assert_eq!(again, Some(Outcome::WrongAnswer), "{burnt}");
        let asked_again = directory.change(|state| state.codes_asked.len());
        assert_eq!(asked_again, asked + 1, "the directory said yes: {burnt}");
        assert!(heard[2].contains("This code was used."), "{heard:?}");
    }
}

#[tokio::test]
async fn mfa_09_a_backup_code_that_the_directory_has_burnt_does_not_count_when_it_goes_away() {
    let (_host, directory, cacher) = online().await;
    let burnt = serde_json::json!({"kind": "backup-code", "device": "bkc_1"});
    directory.change(|state| state.code = Some((200, burnt)));
    assert_eq!(outcome(&cacher, BACKUP_CODE).await, Some(Outcome::Allowed));
    directory.change(|state| state.code = Some((503, serde_json::json!({}))));
    let again = outcome(&cacher, BACKUP_CODE).await;
    assert_eq!(again, Some(Outcome::WrongAnswer));
}

#[tokio::test]
async fn mfa_02_what_the_directory_refuses_is_not_tried_by_its_bits() {
    for (status, code) in [
        (401, "code_wrong"),
        (409, "code_used"),
        (429, "too_many_tries"),
        (404, "mfa_not_enrolled"),
        (429, "rate_limited"),
    ] {
        let (_host, directory, cacher) = online().await;
        directory.change(|state| state.code = Some((status, serde_json::json!({"code": code}))));
        let (_, outcome) = types(&cacher, &code_now()).await;
        assert_eq!(outcome, Some(Outcome::WrongAnswer), "{code}");
    }
}

#[tokio::test]
async fn a_directory_that_falls_silent_leaves_the_bits_to_decide() {
    let (_host, directory, cacher) = online().await;
    directory.change(|state| state.code = Some((503, serde_json::json!({}))));
    assert_eq!(outcome(&cacher, &code_now()).await, Some(Outcome::Allowed));
}
