//! Each step of PAM as the program sees it.

use local_protocol::{Begin, Login, Outcome, Purpose, Reply, Request, Secret};

use crate::cacher::{Cacher, hidden};
use crate::program::{
    ACCT_EXPIRED, AUTH_ERR, AUTHINFO_UNAVAIL, AUTHTOK_ERR, CRED_INSUFFICIENT, MAXTRIES,
    NEW_AUTHTOK_REQD, PERM_DENIED, SUCCESS, Transaction, USER_UNKNOWN, start,
};

#[test]
fn the_right_password_lets_in_and_a_wrong_one_does_not() {
    let cacher = Cacher::with_password(b"correct horse");
    let mut right = start("alice", &cacher.option());
    assert_eq!(right.types(&[b"correct horse"]).authenticate(), SUCCESS);
    assert_eq!(right.account(), SUCCESS);
    assert_eq!(right.set_credentials(), SUCCESS);

    let mut wrong = start("alice", &cacher.option());
    assert_eq!(wrong.types(&[b"wrong"]).authenticate(), AUTH_ERR);
    assert_eq!(wrong.set_credentials(), USER_UNKNOWN);
}

#[test]
fn the_cacher_hears_who_comes_from_where_for_what() {
    let cacher = Cacher::with_password(b"x");
    let mut login = Transaction::start("sshd", Some("alice"), &cacher.option());
    login.from("192.0.2.7", "ssh").types(&[b"x"]);
    assert_eq!(login.authenticate(), SUCCESS);
    let expected = Login {
        user: "alice".to_owned(),
        service: "sshd".to_owned(),
        remote_host: "192.0.2.7".to_owned(),
        remote_user: String::new(),
        terminal: "ssh".to_owned(),
        process: std::process::id(),
    };
    assert_eq!(
        cacher.asked(),
        [
            Request::Begin(Begin {
                purpose: Purpose::Authenticate,
                login: expected.clone(),
                known_elsewhere: false,
            }),
            Request::Answer(Secret::new(b"x".to_vec())),
        ]
    );
    assert_eq!(login.account(), SUCCESS);
    assert_eq!(cacher.asked(), [Request::Account(expected)]);
}

#[test]
fn pam_01_each_outcome_has_its_code_in_each_step() {
    let table = [
        (Outcome::Allowed, [SUCCESS, SUCCESS, SUCCESS]),
        (Outcome::WrongAnswer, [AUTH_ERR, AUTH_ERR, AUTHTOK_ERR]),
        (Outcome::Denied, [PERM_DENIED; 3]),
        (Outcome::Expired, [ACCT_EXPIRED, ACCT_EXPIRED, PERM_DENIED]),
        (Outcome::TooManyTries, [MAXTRIES, PERM_DENIED, PERM_DENIED]),
        (
            Outcome::PasswordMustChange,
            [SUCCESS, NEW_AUTHTOK_REQD, AUTHTOK_ERR],
        ),
        (Outcome::NotOurs, [USER_UNKNOWN; 3]),
        (Outcome::CannotTell, [AUTHINFO_UNAVAIL; 3]),
        (
            Outcome::PasswordUnchanged,
            [AUTHINFO_UNAVAIL, AUTHINFO_UNAVAIL, AUTHTOK_ERR],
        ),
    ];
    for (outcome, codes) in table {
        let cacher = Cacher::that_says(vec![Reply::Done(outcome.clone())]);
        let mut login = start("alice", &cacher.option());
        let found = [
            login.authenticate(),
            login.account(),
            login.change_password(),
        ];
        assert_eq!(found, codes, "{outcome:?}");
    }
}

#[test]
fn a_password_that_must_change_stops_nobody_who_did_not_type_it() {
    let cacher = Cacher::that_says(vec![Reply::Done(Outcome::PasswordMustChange)]);
    let mut by_key = start("alice", &cacher.option());
    assert_eq!(by_key.account(), SUCCESS);
    let mut by_password = start("alice", &cacher.option());
    assert_eq!(by_password.authenticate(), SUCCESS);
    assert_eq!(by_password.account(), NEW_AUTHTOK_REQD);
}

#[test]
fn sudo_hears_of_a_refusal_once_and_the_sentence_comes_first() {
    let sentence = "Not allowed; you can ask: cloudid request sudo --for 10m";
    let cacher = Cacher::that_says(vec![
        Reply::Say(sentence.to_owned()),
        Reply::Done(Outcome::Denied),
    ]);
    let mut sudo = Transaction::start("sudo", Some("alice"), &cacher.option());
    sudo.called_by("alice");
    assert_eq!(sudo.authenticate(), CRED_INSUFFICIENT);
    assert_eq!(sudo.person().shown, [(3, sentence.to_owned())]);
    assert_eq!(sudo.account(), PERM_DENIED);
}

#[test]
fn in_sudos_session_step_the_person_is_the_one_who_called_it() {
    let cacher = Cacher::that_says(vec![Reply::Done(Outcome::Allowed)]);
    let mut sudo = Transaction::start("sudo", Some("alice"), &cacher.option());
    sudo.called_by("alice");
    assert_eq!(sudo.account(), SUCCESS);
    sudo.become_user("root");
    assert_eq!(sudo.open_session(), SUCCESS);
    let users: Vec<_> = cacher
        .asked()
        .into_iter()
        .map(|request| match request {
            Request::Account(login) | Request::OpenSession(login) => login.user,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(users, ["alice", "alice"]);
}

#[test]
fn a_change_of_password_is_checked_first_and_then_led_by_the_cacher() {
    let mut prompts = vec!["Repeat new password: ", "New password: "];
    let cacher = Cacher::new(move |request| {
        Some(vec![match request {
            Request::Begin(begin) if begin.purpose == Purpose::MayChangePassword => {
                Reply::Done(Outcome::Allowed)
            }
            Request::Begin(_) => hidden("Current password: "),
            Request::Answer(_) => prompts.pop().map_or(Reply::Done(Outcome::Allowed), hidden),
            other => panic!("{other:?}"),
        }])
    });
    let mut passwd = Transaction::start("passwd", Some("alice"), &cacher.option());
    passwd.types(&[b"old", b"new", b"new"]);
    assert_eq!(passwd.change_password(), SUCCESS);
    let purposes: Vec<_> = cacher
        .asked()
        .into_iter()
        .filter_map(|request| match request {
            Request::Begin(begin) => Some(begin.purpose),
            _ => None,
        })
        .collect();
    assert_eq!(
        purposes,
        [Purpose::MayChangePassword, Purpose::ChangePassword]
    );
}

#[test]
fn nothing_is_changed_when_it_cannot_be_changed() {
    let cacher = Cacher::that_says(vec![
        Reply::Say("The directory is away; nothing was changed.".to_owned()),
        Reply::Done(Outcome::PasswordUnchanged),
    ]);
    let mut passwd = start("alice", &cacher.option());
    assert_eq!(passwd.change_password(), AUTHTOK_ERR);
    let purposes = cacher.asked();
    assert!(matches!(
        purposes.as_slice(),
        [Request::Begin(begin)] if begin.purpose == Purpose::MayChangePassword
    ));
}

#[test]
fn pam_06_impossible_passwords_are_refused_and_never_sent() {
    let long = vec![b'a'; 1 << 20];
    for typed in [b"".as_slice(), &long[..769], &long, b"latin-1 \xe9"] {
        let cacher = Cacher::with_password(typed);
        let mut login = start("alice", &cacher.option());
        assert_eq!(login.types(&[typed]).authenticate(), AUTH_ERR);
        assert!(login.person().delayed, "guessing costs nothing");
        assert!(matches!(cacher.asked().as_slice(), [Request::Begin(_)]));
    }
}

#[test]
fn pam_21_prompts_are_cleaned_and_cut() {
    let wild = format!("\u{1b}]0;x\u{7}\u{202e}Password{}: ", "!".repeat(2000));
    let cacher = Cacher::that_says(vec![hidden(&wild), Reply::Done(Outcome::WrongAnswer)]);
    let mut login = start("alice", &cacher.option());
    assert_eq!(login.types(&[b"x"]).authenticate(), AUTH_ERR);
    let (style, text) = &login.person().shown[0];
    assert_eq!(*style, 1);
    assert!(text.starts_with("]0;xPassword!!!"), "{text:?}");
    assert_eq!(text.len(), 1024);
}

#[test]
fn a_person_who_gives_up_is_refused() {
    let cacher = Cacher::with_password(b"x");
    let mut login = start("alice", &cacher.option());
    assert_eq!(login.authenticate(), AUTH_ERR);
}

#[test]
fn a_name_is_asked_for_when_the_program_has_none() {
    let cacher = Cacher::with_password(b"x");
    let mut login = Transaction::start("login", None, &cacher.option());
    assert_eq!(login.types(&[b"alice", b"x"]).authenticate(), SUCCESS);
}
