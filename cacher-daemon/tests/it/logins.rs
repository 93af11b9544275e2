//! Conversations and the account step, spoken to as a module speaks.

use std::sync::Arc;

use cacher_daemon::access::Entrance;
use cacher_daemon::account;
use cacher_daemon::cacher::Cacher;
use cacher_daemon::connection::Connection;
use cacher_daemon::conversation::{authenticate, change};
use cacher_daemon::keys;
use cacher_daemon::sync::round::round;
use jiff::SignedDuration;
use local_protocol::{
    Begin, HEADER_BYTES, KeyQuestion, Login, Outcome, Purpose, Reply, Request, Secret, body_length,
    decode, encode,
};
use policy::UserState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::directory::{FakeDirectory, Manner};
use crate::disks::Broken;
use crate::world::*;

pub(crate) fn login(user: &str) -> Login {
    Login {
        user: user.to_owned(),
        service: "sshd".to_owned(),
        ..Login::default()
    }
}

pub(crate) fn begin(user: &str, known_elsewhere: bool) -> Begin {
    Begin {
        purpose: Purpose::Authenticate,
        login: login(user),
        known_elsewhere,
    }
}

/// What was shown, in order, and how it ended.
pub(crate) type Heard = (Vec<String>, Option<Outcome>);

pub(crate) async fn answers(mut module: UnixStream, typed: Vec<Vec<u8>>) -> Vec<String> {
    let mut typed = typed.into_iter();
    let mut heard = Vec::new();
    loop {
        let mut header = [0; HEADER_BYTES];
        if module.read_exact(&mut header).await.is_err() {
            return heard;
        }
        let mut body = vec![0; body_length(header).unwrap()];
        module.read_exact(&mut body).await.unwrap();
        let reply: Reply = decode(&body).unwrap();
        if let Reply::Say(text) = reply {
            heard.push(text);
            continue;
        }
        let Reply::Prompt(prompt) = reply else {
            panic!("unexpected {reply:?}");
        };
        assert!(!prompt.echo, "a password is never shown");
        heard.push(format!("? {}", prompt.text));
        let Some(answer) = typed.next() else {
            return heard;
        };
        let frame = encode(&Request::Answer(Secret::new(answer))).unwrap();
        module.write_all(&frame).await.unwrap();
    }
}

pub(crate) async fn talk(cacher: &Cacher, begin: &Begin, typed: &[&[u8]]) -> Heard {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let typed = typed.iter().map(|text| text.to_vec()).collect();
    let module = tokio::spawn(answers(theirs, typed));
    let mut connection = Connection::new(ours, Entrance::Pam).unwrap();
    let outcome = match begin.purpose {
        Purpose::Authenticate => authenticate(cacher, &mut connection, begin).await,
        Purpose::ChangePassword => change::change(cacher, &mut connection, begin).await,
        Purpose::MayChangePassword => change::possible(cacher, &mut connection, begin).await,
    };
    drop(connection);
    (module.await.unwrap(), outcome.ok())
}

async fn with_people(
    people: Vec<signed_bundle::PersonRecord>,
) -> (Organisation, TestHost, Arc<Cacher>) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(people)))
        .await
        .unwrap();
    (organisation, host, cacher)
}

#[tokio::test]
async fn fac_08_the_mirror_alone_tells_right_from_wrong() {
    let (_organisation, _host, cacher) = with_people(vec![person(1)]).await;
    let (heard, outcome) = talk(&cacher, &begin("user1", true), &[PASSWORD.as_bytes()]).await;
    assert_eq!(outcome, Some(Outcome::Allowed));
    assert_eq!(heard, ["? Password: "]);
    let (_, outcome) = talk(&cacher, &begin("user1", true), &[b"wrong"]).await;
    assert_eq!(outcome, Some(Outcome::WrongAnswer));
}

#[tokio::test]
async fn pam_06_odd_answers_never_succeed_and_end_the_conversation() {
    let (_organisation, _host, cacher) = with_people(vec![person(1)]).await;
    let long = vec![b'x'; 257];
    for typed in [
        b"".as_slice(),
        b"correct horse\n",
        b"correct horse\0",
        b"\xff\xfe",
        &long,
    ] {
        let (_, outcome) = talk(&cacher, &begin("user1", true), &[typed]).await;
        assert_eq!(outcome, Some(Outcome::WrongAnswer), "{typed:?}");
    }
}

#[tokio::test]
async fn a_name_of_another_source_is_not_ours_and_is_not_asked_for_a_password() {
    let (_organisation, _host, cacher) = with_people(vec![person(1)]).await;
    let (heard, outcome) = talk(&cacher, &begin("localuser", true), &[]).await;
    assert_eq!((heard, outcome), (Vec::new(), Some(Outcome::NotOurs)));
}

#[tokio::test]
async fn an_unknown_name_hears_the_same_and_is_locked_the_same() {
    let (_organisation, _host, cacher) = with_people(vec![person(1)]).await;
    for _ in 0..6 {
        let unknown = talk(&cacher, &begin("nosuchuser", false), &[b"wrong"]).await;
        let known = talk(&cacher, &begin("user1", true), &[b"wrong"]).await;
        assert_eq!(unknown, known);
    }
    let (_, last) = talk(&cacher, &begin("nosuchuser", false), &[b"wrong"]).await;
    assert_eq!(last, Some(Outcome::TooManyTries));
}

#[tokio::test]
async fn a_try_that_cannot_be_counted_is_not_compared() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    drop(cacher);
    let cacher = host.cacher_on(Arc::new(Broken::below(host.paths.tries())));
    cacher.apply().await;
    let (_, outcome) = talk(&cacher, &begin("user1", true), &[PASSWORD.as_bytes()]).await;
    assert_eq!(outcome, Some(Outcome::CannotTell));
}

#[tokio::test]
async fn a_lock_holds_across_a_restart_even_for_the_right_password() {
    let (_organisation, host, cacher) = with_people(vec![person(1)]).await;
    for _ in 0..5 {
        talk(&cacher, &begin("user1", true), &[b"wrong"]).await;
    }
    drop(cacher);
    let cacher = host.cacher();
    cacher.apply().await;
    let (heard, outcome) = talk(&cacher, &begin("user1", true), &[PASSWORD.as_bytes()]).await;
    assert_eq!(outcome, Some(Outcome::TooManyTries));
    assert!(heard[1].contains("12:15 UTC"), "{heard:?}");
    host.clock.pass(std::time::Duration::from_secs(901));
    let (_, outcome) = talk(&cacher, &begin("user1", true), &[PASSWORD.as_bytes()]).await;
    assert_eq!(outcome, Some(Outcome::Allowed));
}

#[tokio::test]
async fn a_password_change_while_the_directory_is_away_changes_nothing_and_asks_nothing() {
    let (_organisation, _host, cacher) = with_people(vec![person(1)]).await;
    for purpose in [Purpose::MayChangePassword, Purpose::ChangePassword] {
        let begin = Begin {
            purpose,
            ..begin("user1", true)
        };
        let (heard, outcome) = talk(&cacher, &begin, &[]).await;
        assert_eq!(outcome, Some(Outcome::PasswordUnchanged));
        assert!(heard[0].contains("Nothing was changed"), "{heard:?}");
        assert_eq!(heard.len(), 1);
    }
}

#[tokio::test]
async fn pam_07_the_account_step_refuses_whatever_proved_who_they_are() {
    let mut suspended = person(2);
    suspended.state = UserState::Suspended;
    let mut expired = person(3);
    expired.expires_at = Some(noon());
    let mut without_rule = person(4);
    without_rule.groups = signed_bundle::GroupIds::default();
    let people = vec![person(1), suspended, expired, without_rule];
    let (_organisation, _host, cacher) = with_people(people).await;
    for (user, expected) in [
        ("user1", Outcome::Allowed),
        ("user2", Outcome::Denied),
        ("user3", Outcome::Expired),
        ("user4", Outcome::Denied),
        ("root", Outcome::NotOurs),
        ("nosuchuser", Outcome::NotOurs),
    ] {
        let verdict = account::decide(&cacher, &login(user)).await;
        assert_eq!(verdict.outcome, expected, "{user}");
        let refused = matches!(expected, Outcome::Denied | Outcome::Expired);
        assert_eq!(
            verdict.sentences.len(),
            usize::from(refused),
            "a refusal says why: {user}"
        );
    }
}

#[tokio::test]
async fn keys_are_served_for_active_people_only_and_only_the_one_offered() {
    let mut suspended = person(2);
    suspended.state = UserState::Suspended;
    let (organisation, _host, cacher) = with_people(vec![person(1), suspended]).await;
    let (kind, key) = KEY.split_once(' ').unwrap();
    let ask = |user: &str, key: &str| {
        let question = KeyQuestion {
            user: user.to_owned(),
            key_type: kind.to_owned(),
            key: key.to_owned(),
        };
        keys::lines(&cacher, &question)
    };
    assert_eq!(ask("user1", key), [KEY]);
    assert_eq!(ask("user1", ""), [KEY]);
    assert!(ask("user1", "AAAA").is_empty());
    assert!(ask("user2", key).is_empty());
    for user in [
        "*)(uid=*",
        "' OR 1=1--",
        "%",
        "_",
        "\0",
        "user",
        "USER1",
        "root",
    ] {
        assert!(ask(user, key).is_empty(), "pf_06: {user}");
    }
    revoke(&cacher, organisation.suspension(1, "usr_1"))
        .await
        .unwrap();
    assert!(ask("user1", key).is_empty());
}

#[tokio::test]
async fn syn_17_a_mirror_beyond_its_age_takes_no_logins_and_comes_back_with_a_new_bundle() {
    let (organisation, host, cacher) = with_people(vec![person(1)]).await;
    let week = SignedDuration::from_hours(168);
    let outcome = async || account::decide(&cacher, &login("user1")).await.outcome;
    host.clock
        .turn_to(noon() + week - SignedDuration::from_secs(1));
    assert_eq!(outcome().await, Outcome::Allowed);
    host.clock
        .turn_to(noon() + week + SignedDuration::from_secs(1));
    assert_eq!(outcome().await, Outcome::Denied);
    let later = noon() + week;
    let bundle = organisation.bundle_with(&slice(vec![person(1)]), |manifest| {
        manifest.version = 2;
        manifest.issued = later;
        manifest.expires = later + SignedDuration::from_hours(24);
    });
    give(&cacher, &bundle).await.unwrap();
    assert_eq!(outcome().await, Outcome::Allowed);
}

#[tokio::test]
async fn syn_20_a_clock_turned_back_revives_nobody_and_deletes_nothing() {
    let mut ends = person(1);
    ends.expires_at = Some(noon() - SignedDuration::from_hours(1));
    let (_organisation, host, cacher) = with_people(vec![ends, person(2)]).await;
    for year in ["1970-01-01T00:00:00Z", "2000-01-01T00:00:00Z"] {
        host.clock.turn_to(year.parse().unwrap());
        assert_eq!(
            account::decide(&cacher, &login("user1")).await.outcome,
            Outcome::Expired
        );
        assert_eq!(
            account::decide(&cacher, &login("user2")).await.outcome,
            Outcome::Allowed
        );
    }
    for year in ["2038-01-19T03:14:08Z", "2106-02-07T06:28:16Z"] {
        host.clock.turn_to(year.parse().unwrap());
        assert_eq!(
            account::decide(&cacher, &login("user2")).await.outcome,
            Outcome::Denied
        );
        assert_eq!(cacher.tables().version, 1);
    }
    host.clock.turn_to(noon());
    assert_eq!(
        account::decide(&cacher, &login("user2")).await.outcome,
        Outcome::Allowed
    );
}

#[tokio::test]
async fn pf_10_a_module_that_is_killed_leaves_nothing_behind() {
    let (_organisation, _host, cacher) = with_people(vec![person(1)]).await;
    let before = open_descriptors();
    for _ in 0..500 {
        // Killed at the prompt: the conversation ends, and nobody is let in.
        let (_, outcome) = talk(&cacher, &begin("user1", true), &[]).await;
        assert_eq!(outcome, None);
    }
    // Other tests of this program open some, too, but never this many.
    assert!(open_descriptors() < before + 250);
    let (_, outcome) = talk(&cacher, &begin("user1", true), &[PASSWORD.as_bytes()]).await;
    assert_eq!(outcome, Some(Outcome::Allowed));
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// A host that has just heard from its directory; user2 has no verifier in the mirror.
async fn online() -> (TestHost, FakeDirectory, Arc<Cacher>) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let directory = FakeDirectory::start().await;
    directory.certify(&host.paths);
    let mut slice = slice(vec![person(1), person(2)]);
    slice.credentials.retain(|one| one.user == "usr_1");
    directory.change(|state| state.bundle = organisation.bundle(1, &slice));
    let cacher = host.cacher();
    let client = cacher.directory().unwrap();
    let none = std::time::Duration::ZERO;
    round(&cacher, &client, none, false).await.unwrap();
    (host, directory, cacher)
}

#[tokio::test]
async fn without_a_verifier_the_directory_tells_and_its_silence_is_not_a_wrong_password() {
    let (_host, _directory, cacher) = online().await;
    let begin = begin("user2", true);
    let (_, outcome) = talk(&cacher, &begin, &[PASSWORD.as_bytes()]).await;
    assert_eq!(outcome, Some(Outcome::Allowed));
    let (_, outcome) = talk(&cacher, &begin, &[b"wrong"]).await;
    assert_eq!(outcome, Some(Outcome::WrongAnswer));
    for manner in [
        Manner::Always(200, "<html>hotel</html>"),
        Manner::Always(503, ""),
    ] {
        let (_host, directory, cacher) = online().await;
        directory.change(|state| state.manner = manner);
        let (_, outcome) = talk(&cacher, &begin, &[PASSWORD.as_bytes()]).await;
        assert_eq!(outcome, Some(Outcome::CannotTell));
    }
}

#[tokio::test]
async fn syn_15_a_silent_directory_costs_the_budget_once_and_then_nothing() {
    let (_host, directory, cacher) = online().await;
    directory.change(|state| state.manner = Manner::Silent);
    let begin = begin("user2", true);
    let budget = std::time::Duration::from_secs(3);
    let first = tokio::time::timeout(budget, talk(&cacher, &begin, &[PASSWORD.as_bytes()])).await;
    assert_eq!(first.unwrap().1, Some(Outcome::CannotTell));
    let asked = directory.change(|state| state.requests.len());
    for _ in 0..3 {
        let quick = std::time::Duration::from_millis(500);
        let next = tokio::time::timeout(quick, talk(&cacher, &begin, &[PASSWORD.as_bytes()])).await;
        assert_eq!(next.unwrap().1, Some(Outcome::CannotTell));
    }
    assert_eq!(directory.change(|state| state.requests.len()), asked);
    // The mirror's own people are not concerned.
    let (heard, outcome) = talk(&cacher, &self::begin("user1", true), &[PASSWORD.as_bytes()]).await;
    assert_eq!(outcome, Some(Outcome::Allowed));
    assert!(
        heard[0].starts_with("Directory unreachable since"),
        "{heard:?}"
    );
}

#[tokio::test]
async fn a_password_is_changed_by_the_directory_and_a_refusal_says_why() {
    let (host, _directory, cacher) = online().await;
    let begin = Begin {
        purpose: Purpose::ChangePassword,
        ..begin("user1", true)
    };
    let new = b"another horse".as_slice();
    let (heard, outcome) = talk(&cacher, &begin, &[PASSWORD.as_bytes(), new, new]).await;
    assert_eq!(outcome, Some(Outcome::Allowed), "{heard:?}");
    let (heard, outcome) = talk(&cacher, &begin, &[b"wrong", new, new]).await;
    assert_eq!(outcome, Some(Outcome::PasswordUnchanged));
    assert!(
        heard.last().unwrap().contains("the password is wrong"),
        "{heard:?}"
    );
    let short = b"short".as_slice();
    let (heard, outcome) = talk(&cacher, &begin, &[PASSWORD.as_bytes(), short, short]).await;
    assert_eq!(outcome, Some(Outcome::PasswordUnchanged));
    assert_eq!(
        heard.last().unwrap(),
        "Not changed: It does not meet the rules: at least 12 characters; not built on your own name."
    );
    let (_, outcome) = talk(&cacher, &begin, &[PASSWORD.as_bytes(), new, b"other"]).await;
    assert_eq!(outcome, Some(Outcome::PasswordUnchanged));
    let events = std::fs::read_to_string(host.paths.events().join("000000000001")).unwrap();
    assert!(events.contains("user.password_set") && events.contains("user.password_rejected"));
    for secret in [PASSWORD, "another horse"] {
        assert!(
            !events.contains(secret),
            "aud_09: no event holds a password"
        );
    }
}

#[tokio::test]
async fn pam_04_sudo_says_no_before_it_asks_for_a_password() {
    let mut suspended = person(1);
    suspended.state = UserState::Suspended;
    let (_organisation, _host, cacher) = with_people(vec![suspended]).await;
    for service in ["sudo", "sudo-i"] {
        let mut begin = begin("user1", true);
        begin.login.service = service.to_owned();
        let (heard, outcome) = talk(&cacher, &begin, &[]).await;
        assert_eq!(outcome, Some(Outcome::Denied), "{service}");
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(!heard[0].starts_with('?'), "{heard:?}");
    }
    let (heard, _) = talk(&cacher, &begin("user1", true), &[b"wrong"]).await;
    assert_eq!(heard, ["? Password: "], "others first prove who they are");
}

#[tokio::test]
async fn only_the_directorys_own_no_is_a_wrong_password() {
    let (host, directory, cacher) = online().await;
    for (status, body, expected) in [
        (403, r#"{"code":"password_wrong"}"#, Outcome::WrongAnswer),
        (400, r#"{"code":"malformed"}"#, Outcome::CannotTell),
        (401, r#"{"code":"unauthenticated"}"#, Outcome::CannotTell),
        (403, "<html>proxy</html>", Outcome::CannotTell),
        (404, "{}", Outcome::CannotTell),
        (429, r#"{"code":"rate_limited"}"#, Outcome::CannotTell),
    ] {
        directory.change(|state| {
            state.only = "verify";
            state.manner = Manner::Always(status, body);
        });
        let (_, outcome) = talk(&cacher, &begin("user2", true), &[PASSWORD.as_bytes()]).await;
        assert_eq!(outcome, Some(expected), "{status} {body}");
        assert!(cacher.online(), "{status}: it did answer");
        host.clock.pass(std::time::Duration::from_secs(901));
    }
}
