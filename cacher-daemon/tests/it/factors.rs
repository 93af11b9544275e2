//! Passwords followed by codes, spoken to as a module speaks, with the directory away: a code counts
//! by ten bits and once.
// over 500 lines: a claim for each row of the acceptance, all on the same two people

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use cacher_daemon::account;
use cacher_daemon::cacher::Cacher;
use cacher_daemon::factors::offline::step_of;
use jiff::SignedDuration;
use local_protocol::{Login, Outcome};
use policy::{AuthMethod, FactorFields, FactorKind, FactorPolicy, Unenrolled};
use signed_bundle::*;

use crate::disks::{Broken, PowerCut};
use crate::logins::{Heard, begin, login, talk};
use crate::world::*;

pub(crate) const BACKUP_CODE: &str = "0123-4567-89AB-CDEF";
pub(crate) const DEVICE: &str = "mfa_1";

pub(crate) fn code_at(step: u64) -> String {
    format!("{:06}", step * 7919 % 1_000_000)
}

pub(crate) fn code_now() -> String {
    code_at(step_of(noon()))
}

pub(crate) fn policy_of(fields: FactorFields) -> FactorPolicy {
    FactorPolicy {
        id: "pol_1".to_owned(),
        services: BTreeSet::new(),
        sources: Vec::new(),
        except_sources: Vec::new(),
        fields,
    }
}

/// user1 has a device and a backup code, user2 has nothing.
pub(crate) fn asking(fields: FactorFields) -> Slice {
    let mut slice = slice(vec![person(1), person(2)]);
    slice.host.policy.factor_policies = vec![policy_of(fields)];
    let cheap = Params::new(8, 1, 1, None).unwrap();
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, cheap);
    let verifier = cheap.hash_password(b"0123456789ABCDEF").unwrap();
    slice.factors = vec![FactorsRecord {
        user: "usr_1".to_owned(),
        enrolled: [FactorKind::Totp, FactorKind::BackupCode].into(),
        backup_codes: vec![BackupCodeRecord {
            id: "bkc_1".to_owned(),
            verifier: verifier.to_string(),
        }],
    }];
    slice.check_bits = vec![stock(step_of(noon()) - 10)];
    slice
}

/// A day and an hour of coming codes.
fn stock(first_step: u64) -> CheckBitsRecord {
    let codes: Vec<String> = (first_step..first_step + 3000).map(code_at).collect();
    let bits = CheckBits::of_codes("usr_1", first_step, codes.iter().map(String::as_str));
    CheckBitsRecord {
        device: DEVICE.to_owned(),
        user: "usr_1".to_owned(),
        first_step,
        bits: bits.packed(),
    }
}

pub(crate) async fn cut_off(fields: FactorFields) -> (Organisation, TestHost, Arc<Cacher>) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &asking(fields)))
        .await
        .unwrap();
    (organisation, host, cacher)
}

async fn restarted(host: &TestHost, cacher: Arc<Cacher>) -> Arc<Cacher> {
    drop(cacher);
    let cacher = host.cacher();
    cacher.apply().await;
    cacher
}

/// user1 types the right password and a code.
pub(crate) async fn types(cacher: &Cacher, code: &str) -> Heard {
    let typed = [PASSWORD.as_bytes(), code.as_bytes()];
    talk(cacher, &begin("user1", true), &typed).await
}

pub(crate) async fn outcome(cacher: &Cacher, code: &str) -> Option<Outcome> {
    types(cacher, code).await.1
}

async fn sudo(cacher: &Cacher, code: &str) -> Heard {
    let mut begin = begin("user1", true);
    begin.login.service = "sudo".to_owned();
    talk(cacher, &begin, &[PASSWORD.as_bytes(), code.as_bytes()]).await
}

#[tokio::test]
async fn mfa_02_password_and_code_let_in_while_the_directory_is_away() {
    let (_organisation, host, cacher) = cut_off(FactorFields::default()).await;
    let (heard, outcome) = types(&cacher, &code_now()).await;
    assert_eq!(outcome, Some(Outcome::Allowed));
    assert_eq!(heard.len(), 2, "nothing is said in between: {heard:?}");
    assert_eq!(heard[0], "? Password: ");
    assert!(
        heard[1].contains("until 22 November 12:00 UTC"),
        "{heard:?}"
    );
    for away in [-3, -2, 2, 3] {
        host.clock.pass(Duration::from_secs(120));
        let now = i64::try_from(step_of(host.clock_now())).unwrap();
        let code = code_at(u64::try_from(now + away).unwrap());
        let (_, outcome) = types(&cacher, &code).await;
        assert_eq!(outcome, Some(Outcome::WrongAnswer), "{away}");
        // A right one in between, so that the count begins anew.
        let right = code_at(u64::try_from(now).unwrap());
        assert_eq!(types(&cacher, &right).await.1, Some(Outcome::Allowed));
    }
}

#[tokio::test]
async fn without_policies_a_password_is_enough() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    let mut slice = asking(FactorFields::default());
    slice.host.policy.factor_policies.clear();
    give(&cacher, &organisation.bundle(1, &slice))
        .await
        .unwrap();
    let (heard, outcome) = talk(&cacher, &begin("user1", true), &[PASSWORD.as_bytes()]).await;
    assert_eq!((heard.len(), outcome), (1, Some(Outcome::Allowed)));
}

#[tokio::test]
async fn known_and_unknown_names_right_and_wrong_passwords_hear_the_same() {
    let fields = FactorFields {
        unenrolled: Some(Unenrolled::Deny),
        ..FactorFields::default()
    };
    let (_organisation, _host, cacher) = cut_off(fields).await;
    let mut heard = Vec::new();
    for (name, known, password) in [
        ("user1", true, PASSWORD.as_bytes()),
        ("user1", true, b"wrong"),
        ("user2", true, b"wrong"),
        ("nosuchuser", false, b"wrong"),
        ("nosuchuser", false, PASSWORD.as_bytes()),
    ] {
        heard.push(talk(&cacher, &begin(name, known), &[password, b"000001"]).await);
    }
    for other in &heard {
        assert_eq!(other, &heard[0]);
    }
    assert_eq!(heard[0].1, Some(Outcome::WrongAnswer));
}

#[tokio::test]
async fn mfa_06_variants_of_a_code_are_no_code_or_the_same_one() {
    let (_organisation, _host, cacher) = cut_off(FactorFields::default()).await;
    let code = code_now();
    let wide: String = code
        .chars()
        .map(|digit| char::from_u32(u32::from(digit) + 0xfee0).unwrap())
        .collect();
    let arabic: String = code
        .chars()
        .map(|digit| char::from_u32(u32::from(digit) - 0x30 + 0x660).unwrap())
        .collect();
    for variant in [
        wide,
        arabic,
        format!("+{code}"),
        format!("{code}\u{a0}"),
        format!("0{code}"),
        format!("{code}\n"),
        String::new(),
    ] {
        let (_, outcome) = types(&cacher, &variant).await;
        assert_eq!(outcome, Some(Outcome::WrongAnswer), "{variant:?}");
    }
    // They did not count as tries: nothing was compared.
    let spaced = format!("{} {} ", &code[..3], &code[3..]);
    assert_eq!(outcome(&cacher, &spaced).await, Some(Outcome::Allowed));
    for again in [code.clone(), spaced, format!(" {code}")] {
        let (_, outcome) = types(&cacher, &again).await;
        assert_eq!(outcome, Some(Outcome::WrongAnswer), "{again:?}");
    }
}

#[tokio::test]
async fn mfa_03_three_wrong_codes_lock_and_only_codes_after_a_right_password_count() {
    let (_organisation, host, cacher) = cut_off(FactorFields::default()).await;
    for _ in 0..4 {
        talk(&cacher, &begin("user1", true), &[b"wrong", b"000001"]).await;
    }
    for _ in 0..2 {
        assert_eq!(outcome(&cacher, "000001").await, Some(Outcome::WrongAnswer));
    }
    let cacher = restarted(&host, cacher).await;
    assert_eq!(outcome(&cacher, "000001").await, Some(Outcome::WrongAnswer));
    let (heard, locked) = types(&cacher, &code_now()).await;
    assert_eq!(
        locked,
        Some(Outcome::WrongAnswer),
        "the right one, too late"
    );
    assert_eq!(heard.len(), 2, "and nothing tells that it is a lock");
    host.clock.pass(Duration::from_secs(901));
    let code = code_at(step_of(host.clock_now()));
    assert_eq!(outcome(&cacher, &code).await, Some(Outcome::Allowed));
}

#[tokio::test]
async fn mfa_04_steps_without_a_code_do_not_touch_the_counters() {
    let (_organisation, host, cacher) = cut_off(FactorFields::default()).await;
    outcome(&cacher, "000001").await;
    let counters = || {
        let files = std::fs::read_dir(host.paths.factors()).unwrap();
        let mut files: Vec<_> = files
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .collect();
        files.sort();
        files
    };
    let before = counters();
    assert_eq!(before.len(), 1);
    for service in ["cron", "crond", "atd", "systemd-user", "sudo", "su"] {
        let login = Login {
            service: service.to_owned(),
            ..login("user1")
        };
        assert_eq!(
            account::decide(&cacher, &login).await.outcome,
            Outcome::Allowed
        );
    }
    assert_eq!(counters(), before);
}

#[tokio::test]
async fn mfa_05_what_cannot_be_counted_is_not_compared() {
    let (_organisation, host, cacher) = cut_off(FactorFields::default()).await;
    drop(cacher);
    let cacher = host.cacher_on(Arc::new(Broken::below(host.paths.factors())));
    cacher.apply().await;
    assert_eq!(
        outcome(&cacher, &code_now()).await,
        Some(Outcome::WrongAnswer)
    );
    assert_eq!(
        outcome(&cacher, BACKUP_CODE).await,
        Some(Outcome::WrongAnswer)
    );
}

#[tokio::test]
async fn mfa_05_a_code_counts_once_wherever_the_power_goes() {
    for code in [code_now(), BACKUP_CODE.to_owned()] {
        let mut successes = 0;
        for steps in 0.. {
            let (_organisation, host, cacher) = cut_off(FactorFields::default()).await;
            drop(cacher);
            let cacher = host.cacher_on(Arc::new(PowerCut::after(steps)));
            cacher.apply().await;
            let first = outcome(&cacher, &code).await == Some(Outcome::Allowed);
            let cacher = restarted(&host, cacher).await;
            let second = outcome(&cacher, &code).await == Some(Outcome::Allowed);
            assert!(!(first && second), "twice after {steps} steps: {code}");
            successes += usize::from(first);
            if successes > 2 {
                break;
            }
            assert!(steps < 200, "it never succeeds");
        }
    }
}

#[tokio::test]
async fn mfa_16_with_a_clock_behind_codes_are_refused_with_the_reason_and_not_counted() {
    for behind in [
        SignedDuration::from_secs(90),
        SignedDuration::from_hours(24),
    ] {
        let (_organisation, host, cacher) = cut_off(FactorFields::default()).await;
        host.clock.turn_to(noon() - behind);
        for _ in 0..5 {
            let code = code_at(step_of(noon() - behind));
            let (heard, outcome) = types(&cacher, &code).await;
            assert_eq!(outcome, Some(Outcome::WrongAnswer));
            assert!(heard[1].contains("clock is wrong"), "{heard:?}");
        }
        let by_backup_code = outcome(&cacher, BACKUP_CODE).await;
        assert_eq!(by_backup_code, Some(Outcome::Allowed), "none was counted");
        host.clock.turn_to(noon());
        assert_eq!(outcome(&cacher, &code_now()).await, Some(Outcome::Allowed));
    }
}

#[tokio::test]
async fn mfa_17_where_a_hardware_key_is_demanded_no_password_is_asked_for() {
    let fields = FactorFields {
        auth_methods: Some([AuthMethod::HardwareKey].into()),
        remember_seconds: Some(3600),
        ..FactorFields::default()
    };
    let (_organisation, _host, cacher) = cut_off(fields).await;
    for (name, known) in [("user1", true), ("user2", true), ("nosuchuser", false)] {
        let (heard, outcome) = talk(&cacher, &begin(name, known), &[]).await;
        assert_eq!(outcome, Some(Outcome::Denied));
        assert_eq!(heard.len(), 1);
        assert!(heard[0].contains("hardware SSH key"), "{heard:?}");
    }
}

#[tokio::test]
async fn mfa_17_who_has_no_factor_is_excused_so_often_and_never_silently() {
    let fields = FactorFields {
        unenrolled: Some(Unenrolled::Grace(2)),
        ..FactorFields::default()
    };
    let (_organisation, host, mut cacher) = cut_off(fields).await;
    for left in ["1 left", "0 left"] {
        let (heard, outcome) = talk(&cacher, &begin("user2", true), &[PASSWORD.as_bytes()]).await;
        assert_eq!(outcome, Some(Outcome::Allowed));
        assert!(heard[1].contains(left), "{heard:?}");
        cacher = restarted(&host, cacher).await;
    }
    let (heard, outcome) = talk(&cacher, &begin("user2", true), &[PASSWORD.as_bytes()]).await;
    assert_eq!(outcome, Some(Outcome::Denied));
    assert!(heard[1].contains("Enrol one"), "{heard:?}");
}

#[tokio::test]
async fn mfa_17_taking_a_factor_off_brings_no_grace() {
    let (organisation, _host, cacher) = cut_off(FactorFields::default()).await;
    assert_eq!(outcome(&cacher, &code_now()).await, Some(Outcome::Allowed));
    let mut without = asking(FactorFields::default());
    without.factors.clear();
    without.check_bits.clear();
    give(&cacher, &organisation.bundle(2, &without))
        .await
        .unwrap();
    let (_, outcome) = talk(&cacher, &begin("user1", true), &[PASSWORD.as_bytes()]).await;
    assert_eq!(outcome, Some(Outcome::Denied));
}

#[tokio::test]
async fn mfa_19_after_the_horizon_codes_stop_with_a_sentence_and_backup_codes_go_on() {
    let (_organisation, host, cacher) = cut_off(FactorFields::default()).await;
    host.clock.pass(Duration::from_secs(24 * 3600 + 60));
    let code = code_at(step_of(host.clock_now()));
    let (heard, refused) = types(&cacher, &code).await;
    assert_eq!(refused, Some(Outcome::WrongAnswer));
    assert!(
        heard[1].contains("counted until 22 November 12:00 UTC"),
        "{heard:?}"
    );
    assert_eq!(outcome(&cacher, BACKUP_CODE).await, Some(Outcome::Allowed));
}

#[tokio::test]
async fn mfa_19_check_bits_never_elevate_and_a_backup_code_does() {
    let (_organisation, _host, cacher) = cut_off(FactorFields::default()).await;
    let (heard, refused) = sudo(&cacher, &code_now()).await;
    assert_eq!(refused, Some(Outcome::WrongAnswer));
    assert!(heard[1].starts_with("? Backup code ("), "{heard:?}");
    assert_eq!(sudo(&cacher, BACKUP_CODE).await.1, Some(Outcome::Allowed));
    assert_eq!(outcome(&cacher, &code_now()).await, Some(Outcome::Allowed));
}

#[tokio::test]
async fn mfa_20_a_code_is_refused_the_second_time_also_after_a_restart_and_around_a_boot() {
    let (_organisation, host, cacher) = cut_off(FactorFields::default()).await;
    assert_eq!(outcome(&cacher, &code_now()).await, Some(Outcome::Allowed));
    assert_eq!(
        outcome(&cacher, &code_now()).await,
        Some(Outcome::WrongAnswer)
    );
    let cacher = restarted(&host, cacher).await;
    assert_eq!(
        outcome(&cacher, &code_now()).await,
        Some(Outcome::WrongAnswer)
    );
    let before = code_at(step_of(noon()) - 1);
    assert_eq!(outcome(&cacher, &before).await, Some(Outcome::WrongAnswer));
}

#[tokio::test]
async fn mfa_09_a_backup_code_counts_once_and_is_reported() {
    let (_organisation, host, cacher) = cut_off(FactorFields::default()).await;
    assert_eq!(outcome(&cacher, BACKUP_CODE).await, Some(Outcome::Allowed));
    assert_eq!(
        outcome(&cacher, BACKUP_CODE).await,
        Some(Outcome::WrongAnswer)
    );
    let cacher = restarted(&host, cacher).await;
    assert_eq!(
        outcome(&cacher, "0123456789abcdef").await,
        Some(Outcome::WrongAnswer)
    );
    let spool = std::fs::read_dir(host.paths.events()).unwrap();
    let reported = spool
        .filter_map(|file| std::fs::read(file.unwrap().path()).ok())
        .any(|bytes| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            text.contains("auth.mfa_offline") && text.contains("bkc_1")
        });
    assert!(reported, "the directory must burn it");
}

#[tokio::test]
async fn mfa_01_of_many_at_once_one_gets_in() {
    let (_organisation, _host, cacher) = cut_off(FactorFields {
        code_tries: Some(100),
        ..FactorFields::default()
    })
    .await;
    let code = code_now();
    let tries = (0..8).map(|_| types(&cacher, &code));
    let ended = futures_util::future::join_all(tries).await;
    let let_in = ended
        .iter()
        .filter(|(_, outcome)| *outcome == Some(Outcome::Allowed));
    assert_eq!(let_in.count(), 1);
}

#[tokio::test]
async fn mfa_07_old_stocks_leave_the_disk() {
    let (organisation, host, cacher) = cut_off(FactorFields::default()).await;
    let on_disk = || {
        let mut names = BTreeSet::new();
        let mut folders = vec![host.paths.bundle()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                }
                names.insert(entry.file_name().into_string().unwrap());
            }
        }
        names
    };
    let mut stocks = Vec::new();
    for hour in 1..=4_u64 {
        let mut slice = asking(FactorFields::default());
        slice.check_bits = vec![stock(step_of(noon()) - 10 + hour * 120)];
        let bundle = organisation.bundle(1 + hour, &slice);
        let before = on_disk();
        give(&cacher, &bundle).await.unwrap();
        let fresh = on_disk();
        let fresh = fresh.difference(&before).filter(|name| name.len() == 64);
        let fresh: Vec<String> = fresh.cloned().collect();
        stocks.push(fresh);
    }
    let now = on_disk();
    for gone in &stocks[..2] {
        assert!(gone.iter().all(|name| !now.contains(name)), "{gone:?}");
    }
}

#[tokio::test]
async fn a_proof_is_remembered_for_its_service_and_source_only() {
    let fields = FactorFields {
        remember_seconds: Some(600),
        ..FactorFields::default()
    };
    let (_organisation, host, cacher) = cut_off(fields).await;
    let from = |address: &str, service: &str| {
        let mut begin = begin("user1", true);
        begin.login.remote_host = address.to_owned();
        begin.login.service = service.to_owned();
        begin
    };
    let code = code_now();
    let typed = [PASSWORD.as_bytes(), code.as_bytes()];
    let (heard, _) = talk(&cacher, &from("192.0.2.1", "sshd"), &typed).await;
    assert_eq!(heard.len(), 2);
    let password = [PASSWORD.as_bytes()];
    let (heard, outcome) = talk(&cacher, &from("192.0.2.1", "sshd"), &password).await;
    assert_eq!((heard.len(), outcome), (1, Some(Outcome::Allowed)));
    for other in [from("192.0.2.2", "sshd"), from("192.0.2.1", "login")] {
        let (heard, _) = talk(&cacher, &other, &password).await;
        assert_eq!(heard.len(), 2, "asked again");
    }
    host.clock.pass(Duration::from_secs(600));
    let (heard, _) = talk(&cacher, &from("192.0.2.1", "sshd"), &password).await;
    assert_eq!(heard.len(), 2, "asked again");
}

#[tokio::test]
async fn in_one_line_mode_a_single_answer_holds_both() {
    let (_organisation, host, cacher) = cut_off(FactorFields::default()).await;
    let mut config = host.config();
    config.pam.one_line = true;
    cacher.reconfigure(config);
    let line = format!("{PASSWORD}{}", code_now());
    for (line, expected, said) in [
        (PASSWORD, Outcome::WrongAnswer, 0),
        (line.as_str(), Outcome::Allowed, 0),
        (line.as_str(), Outcome::WrongAnswer, 1),
    ] {
        let (heard, outcome) = talk(&cacher, &begin("user1", true), &[line.as_bytes()]).await;
        assert_eq!((heard.len(), outcome), (1 + said, Some(expected)));
    }
}

/// What `cargo run --example rogue-root` finds on a real host.
#[test]
fn mfa_13_the_complete_state_of_a_host_tells_ten_bits_of_a_code() {
    let record = stock(step_of(noon()));
    let bits = CheckBits::read(&record).unwrap();
    for step in [record.first_step, record.first_step + 1] {
        let fits = |code: &u32| {
            Some(CheckBits::of_code("usr_1", step, &format!("{code:06}"))) == bits.at(step)
        };
        let left = (0..1_000_000).filter(fits).count();
        // 976.6 on average; six standard deviations around it.
        assert!((790..=1165).contains(&left), "{left} codes fit");
    }
}
