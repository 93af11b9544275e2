//! Sessions are registered and ended in pairs, whatever the program does.

use local_protocol::{Outcome, Reply, Request, SessionId};

use crate::cacher::Cacher;
use crate::program::{AUTHINFO_UNAVAIL, SUCCESS, USER_UNKNOWN, start};

/// Numbers sessions one after another.
fn numbering() -> Cacher {
    let mut opened = 0;
    Cacher::new(move |request| {
        Some(match request {
            Request::OpenSession(_) => {
                opened += 1;
                vec![
                    Reply::Say("Welcome.".to_owned()),
                    Reply::SessionOpened(SessionId([opened; 16])),
                ]
            }
            _ => vec![Reply::Done(Outcome::Allowed)],
        })
    })
}

fn closed(cacher: &Cacher) -> Vec<u8> {
    let ids = cacher
        .asked()
        .into_iter()
        .filter_map(|request| match request {
            Request::CloseSession(SessionId([first, ..])) => Some(first),
            _ => None,
        });
    ids.collect()
}

#[test]
fn pam_22_a_session_is_closed_under_the_number_it_was_opened_with() {
    let cacher = numbering();
    let mut login = start("alice", &cacher.option());
    assert_eq!(login.open_session(), SUCCESS);
    assert_eq!(login.person().shown, [(4, "Welcome.".to_owned())]);
    assert_eq!(login.close_session(), SUCCESS);
    assert_eq!(closed(&cacher), [1]);
}

#[test]
fn pam_22_sessions_opened_twice_are_closed_twice() {
    let cacher = numbering();
    let mut login = start("alice", &cacher.option());
    assert_eq!([login.open_session(), login.open_session()], [SUCCESS; 2]);
    assert_eq!([login.close_session(), login.close_session()], [SUCCESS; 2]);
    assert_eq!(login.close_session(), USER_UNKNOWN);
    assert_eq!(closed(&cacher), [2, 1]);
}

#[test]
fn pam_22_two_transactions_do_not_know_of_each_other() {
    let cacher = numbering();
    let mut one = start("alice", &cacher.option());
    let mut two = start("bob", &cacher.option());
    assert_eq!([one.open_session(), two.open_session()], [SUCCESS; 2]);
    assert_eq!([one.close_session(), two.close_session()], [SUCCESS; 2]);
    assert_eq!(closed(&cacher), [1, 2]);
}

#[test]
fn pam_22_a_transaction_ended_early_is_no_harm() {
    let cacher = numbering();
    for _ in 0..3 {
        let mut login = start("alice", &cacher.option());
        assert_eq!(login.open_session(), SUCCESS);
    }
    drop(start("alice", &cacher.option()));
    assert_eq!(closed(&cacher), []);
}

#[test]
fn pam_22_threads_with_transactions_of_their_own_do_not_disturb_each_other() {
    let cacher = Cacher::that_says(vec![Reply::Done(Outcome::Allowed)]);
    let option = cacher.option();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut login = start("alice", &format!("{option} timeout=30"));
                assert_eq!(login.account(), SUCCESS);
                assert_eq!(login.open_session(), SUCCESS);
            });
        }
    });
}

#[test]
fn a_quiet_module_keeps_greetings_to_itself() {
    let cacher = numbering();
    let mut login = start("alice", &format!("{} quiet", cacher.option()));
    assert_eq!(login.open_session(), SUCCESS);
    assert_eq!(login.person().shown, []);
}

#[test]
fn a_session_that_cannot_be_registered_says_so_and_leaves_nothing_to_close() {
    let cacher = Cacher::that_says(vec![Reply::Unavailable("starting".to_owned())]);
    let mut login = start("alice", &cacher.option());
    assert_eq!(login.open_session(), AUTHINFO_UNAVAIL);
    assert_eq!(login.close_session(), USER_UNKNOWN);
}
