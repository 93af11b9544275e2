//! A cacher that is absent, hung, somebody else, or gone in the middle.

use std::ffi::c_int;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use local_protocol::{Outcome, Reply};

use crate::cacher::{Cacher, hidden};
use crate::program::{AUTHINFO_UNAVAIL, SUCCESS, Transaction, USER_UNKNOWN, start};

fn all_steps(login: &mut Transaction) -> [c_int; 4] {
    [
        login.authenticate(),
        login.account(),
        login.open_session(),
        login.change_password(),
    ]
}

#[test]
fn pam_02_without_a_cacher_nothing_is_told() {
    for socket in [
        "/nonexistent/pam.sock",
        "/tmp/pam.sock",
        "/proc/self/pam.sock",
    ] {
        let mut login = start("alice", &format!("socket={socket}"));
        assert_eq!(all_steps(&mut login), [AUTHINFO_UNAVAIL; 4], "{socket}");
        assert_eq!(login.set_credentials(), USER_UNKNOWN);
    }
}

#[test]
fn pam_15_a_cacher_in_a_folder_that_others_may_write_to_is_told_nothing() {
    let cacher = Cacher::with_password(b"x");
    std::fs::set_permissions(cacher.folder(), PermissionsExt::from_mode(0o777)).unwrap();
    let mut login = start("alice", &cacher.option());
    login.types(&[b"x"]);
    assert_eq!(all_steps(&mut login), [AUTHINFO_UNAVAIL; 4]);
    assert_eq!(cacher.asked(), []);
    assert_eq!(login.person().types.len(), 1, "a password was asked for");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the claim is about time")]
fn pam_20_a_hung_cacher_is_given_up_within_three_seconds() {
    let cacher = Cacher::hung();
    let begin = Instant::now();
    assert_eq!(
        start("alice", &cacher.option()).authenticate(),
        AUTHINFO_UNAVAIL
    );
    assert!(begin.elapsed() < Duration::from_secs(3));

    let begin = Instant::now();
    assert_eq!(start("root", &cacher.option()).authenticate(), USER_UNKNOWN);
    assert!(begin.elapsed() < Duration::from_secs(1), "root waited");
}

#[test]
fn pam_20_a_cacher_that_hangs_after_the_password_is_given_up_too() {
    let cacher = Cacher::new(|request| match request {
        local_protocol::Request::Begin(_) => Some(vec![hidden("Password: ")]),
        _ => Some(Vec::new()),
    });
    let mut login = start("alice", &format!("{} timeout=1", cacher.option()));
    assert_eq!(login.types(&[b"x"]).authenticate(), AUTHINFO_UNAVAIL);
}

#[test]
fn pam_19_a_cacher_killed_in_mid_conversation_is_a_clean_error() {
    let cacher = Cacher::new(|request| match request {
        local_protocol::Request::Begin(_) => Some(vec![hidden("Password: ")]),
        _ => None,
    });
    let mut login = start("alice", &cacher.option());
    assert_eq!(login.types(&[b"x"]).authenticate(), AUTHINFO_UNAVAIL);
    assert_eq!(login.account(), AUTHINFO_UNAVAIL);
}

#[test]
fn pam_19_a_panic_in_the_module_is_a_clean_error() {
    let cacher = Cacher::with_password(b"x");
    let mut login = start("alice", &format!("{} panic", cacher.option()));
    login.types(&[b"x"]);
    assert_eq!(all_steps(&mut login), [AUTHINFO_UNAVAIL; 4]);
    assert_eq!(login.close_session(), AUTHINFO_UNAVAIL);
    let mut next = start("alice", &cacher.option());
    assert_eq!(next.types(&[b"x"]).authenticate(), SUCCESS);
}

#[test]
fn pam_01_replies_of_another_kind_are_never_a_success() {
    for reply in [
        Reply::Refused,
        Reply::Unavailable("no bundle yet".to_owned()),
        Reply::Explained("{\"allowed\":true}".to_owned()),
        Reply::Keys(vec!["ssh-ed25519 AAAA".to_owned()]),
    ] {
        let cacher = Cacher::that_says(vec![reply.clone()]);
        let mut login = start("alice", &cacher.option());
        assert_eq!(all_steps(&mut login), [AUTHINFO_UNAVAIL; 4], "{reply:?}");
    }
}

#[test]
fn options_that_are_not_understood_change_nothing() {
    let cacher = Cacher::that_says(vec![Reply::Done(Outcome::Allowed)]);
    let options = format!("{} timeout=soon colour=blue", cacher.option());
    assert_eq!(start("alice", &options).account(), SUCCESS);
}
