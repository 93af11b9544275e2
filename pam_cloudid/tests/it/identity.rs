//! Local names, and names that change in the middle.

use local_protocol::Request;

use crate::cacher::Cacher;
use crate::program::{AUTH_ERR, PERM_DENIED, SUCCESS, Transaction, USER_UNKNOWN, start};

#[test]
fn pam_02_local_names_are_left_to_the_next_module_before_any_socket_is_opened() {
    let cacher = Cacher::hung();
    for user in ["root", "daemon", "nobody"] {
        let mut login = start(user, &cacher.option());
        let codes = [
            login.authenticate(),
            login.set_credentials(),
            login.account(),
            login.open_session(),
            login.close_session(),
            login.change_password(),
        ];
        assert_eq!(codes, [USER_UNKNOWN; 6], "{user}");
        assert_eq!(login.person().shown, []);
    }
    assert_eq!(cacher.asked(), []);
}

#[test]
fn pam_04_root_with_an_empty_password_is_never_a_success_of_ours() {
    let cacher = Cacher::with_password(b"");
    let mut login = start("root", &cacher.option());
    assert_eq!(login.types(&[b""]).authenticate(), USER_UNKNOWN);
    assert_eq!(login.person().types.len(), 1, "root was asked");
}

#[test]
fn pam_04_names_that_nobody_could_have_are_left_to_the_next_module() {
    let cacher = Cacher::hung();
    let long = "a".repeat(257);
    for user in ["", &long] {
        let mut login = start(user, &cacher.option());
        assert_eq!(login.account(), USER_UNKNOWN, "{user}");
    }
    assert_eq!(cacher.asked(), []);
}

#[test]
fn pf_06_strange_names_reach_the_cacher_as_they_are() {
    let cacher = Cacher::with_password(b"x");
    for user in ["*)(uid=*", "' OR 1=1--", "%", "_", "../../etc/passwd"] {
        let mut login = start(user, &cacher.option());
        assert_eq!(login.account(), SUCCESS);
        let asked = cacher.asked();
        let [Request::Account(login)] = asked.as_slice() else {
            panic!("{asked:?}");
        };
        assert_eq!(login.user, user);
    }
}

#[test]
fn pam_05_a_name_changed_between_steps_is_refused() {
    for other in ["bob", "Alice", "root"] {
        let cacher = Cacher::with_password(b"x");
        let mut login = start("alice", &cacher.option());
        assert_eq!(login.types(&[b"x"]).authenticate(), SUCCESS);
        cacher.asked();
        login.become_user(other);
        assert_eq!(login.account(), PERM_DENIED, "{other}");
        assert_eq!(login.open_session(), PERM_DENIED, "{other}");
        assert_eq!(login.change_password(), PERM_DENIED, "{other}");
        assert_eq!(cacher.asked(), [], "{other}");
    }
}

#[test]
fn pam_05_the_name_is_pinned_by_the_account_step_when_a_key_was_enough() {
    let cacher = Cacher::with_password(b"x");
    let mut login = start("alice", &cacher.option());
    assert_eq!(login.account(), SUCCESS);
    login.become_user("bob");
    assert_eq!(login.open_session(), PERM_DENIED);
}

#[test]
fn pam_05_a_local_login_cannot_turn_into_a_person_of_the_directory() {
    let cacher = Cacher::with_password(b"x");
    let mut login = start("daemon", &cacher.option());
    assert_eq!(login.authenticate(), USER_UNKNOWN);
    login.become_user("alice");
    assert_eq!(login.account(), PERM_DENIED);
    assert_eq!(cacher.asked(), []);
}

#[test]
fn another_try_under_another_name_is_a_new_beginning() {
    // login(1) asks for the name again in the same transaction: a slip must not lock root out.
    let cacher = Cacher::with_password(b"x");
    let mut login = Transaction::start("login", Some("alice"), &cacher.option());
    assert_eq!(login.types(&[b"wrong"]).authenticate(), AUTH_ERR);
    login.become_user("root");
    assert_eq!(login.authenticate(), USER_UNKNOWN);
    assert_eq!(login.account(), USER_UNKNOWN);
    login.become_user("bob");
    assert_eq!(login.types(&[b"x"]).authenticate(), SUCCESS);
    assert_eq!(login.account(), SUCCESS);
}
