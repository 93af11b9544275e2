//! YubiKeys through real programs: enrolled by the API and by the pages, checked by a real
//! validation server, touched at a real sshd.

#[cfg(test)]
#[expect(
    dead_code,
    reason = "its ways to misbehave are tested with the directory"
)]
#[path = "../../directory-server/tests/it/validation_server.rs"]
mod validation_server;

use system_tests::{Browser, PASSWORD, Site, Window, a_browser_is_impossible, say};
use tokio::runtime::{Builder, Runtime};
use validation_server::{CLIENT, ValidationServer, password as touch};

/// A validation server for YubiKeys on the machine of the directory, until the runtime ends.
#[cfg(test)]
fn validation_server(site: &Site) -> (ValidationServer, Runtime) {
    let door = site.directory.door();
    let beside = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(move || door.enter())
        .build()
        .unwrap();
    let started = beside.spawn(ValidationServer::start());
    let server = beside.block_on(started).unwrap();
    let secret = ValidationServer::secret();
    site.directory
        .validate_yubikeys(CLIENT, &secret, &server.url);
    (server, beside)
}

#[test]
fn mfa_08_a_key_and_a_touch_of_ones_own_yubikey_open_the_door_once() {
    const ALICES: &str = "cccccccccccc";
    const BOBS: &str = "cccccccccccd";
    let site = Site::new();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    let (server, beside) = validation_server(&site);
    let enrol = |person, key| {
        site.directory
            .enrol_yubikey(person, PASSWORD, &touch(key, 1))
    };
    let backup_codes = enrol("alice", ALICES);
    let _ = enrol("bob", BOBS);
    site.change(&["policy", "add", "all"]);
    site.web.until("id alice | grep -q cloudid-key-code");

    let log_in = |code: &str| site.alice_by_key(code);
    assert_eq!(log_in(&touch(ALICES, 2)).text(), "alice");
    log_in(&touch(ALICES, 2)).refused();
    let asked = server.asked();
    log_in(&touch(BOBS, 2)).refused();
    assert_eq!(server.asked(), asked, "it is not even asked about");
    assert_eq!(log_in(&touch(ALICES, 3)).text(), "alice");

    drop(beside);
    log_in(&touch(ALICES, 4)).refused();
    let spare = log_in(&backup_codes[0]);
    assert_eq!(spare.text(), "alice");
    assert!(
        !spare.stderr.contains("Directory unreachable"),
        "nobody else goes by the mirror for that: {spare:?}"
    );
}

const FACTORS: &str = "section[aria-labelledby=factors]";

/// Signs in at the account page, with a code where one is given.
fn signs_in(browser: &Browser<'_>, site: &Site, code: Option<&str>) {
    browser.open(&format!("{}/me", site.directory.url()));
    browser.shows("Sign in");
    browser.types("#username", "bob");
    browser.types("#password", PASSWORD);
    browser.clicks("form > button:last-of-type");
    if let Some(code) = code {
        browser.shows("Your code");
        browser.types("#code", code);
        browser.clicks("form > button");
    }
    browser.shows("Second factors");
}

/// Opens the form and lets a key type.
fn adds_a_yubikey(browser: &Browser<'_>, touched: &str) {
    browser.clicks(&format!("{FACTORS} details:nth-of-type(2) > summary"));
    browser.types("#touch", touched);
    browser.clicks("form[action='/me/mfa/yubikey'] > button");
}

/// Gets new backup codes and keeps one of them.
fn keeps_a_backup_code(browser: &Browser<'_>) -> String {
    browser.clicks("form[action='/me/backup-codes'] > button");
    browser.shows("They are shown once.");
    let code = browser.text_of_element("ol.codes li:nth-child(7)");
    browser.clicks("form[action='/me/backup-codes/confirm'] > button");
    browser.shows("10 backup codes left");
    code
}

fn enrols_by_the_pages_and_logs_in(window: Window) {
    const KEY: &str = "cccccccccccd";
    if let Some(why) = a_browser_is_impossible() {
        say(&format!("SKIPPED: there is no browser: {why}"));
        return;
    }
    let site = Site::new();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    let (server, _beside) = validation_server(&site);
    let machine = site.lab.browser_host("desk");
    let browser = machine.window(window);
    signs_in(&browser, &site, None);
    adds_a_yubikey(&browser, "123456");
    browser.shows("The code is wrong.");
    assert_eq!(server.asked(), 0, "no key types that");
    adds_a_yubikey(&browser, &touch(KEY, 1));
    browser.shows("The second factor counts from now on.");
    assert_eq!(server.asked(), 1);
    assert!(browser.pixels_too_wide() <= 0);
    let backup_code = keeps_a_backup_code(&browser);
    browser.clicks("form[action='/me/sign-out'] > button");
    browser.shows("Sign in");
    signs_in(&browser, &site, Some(&touch(KEY, 2)));

    site.change(&["policy", "add", "all"]);
    let log_in = |code: &str| site.bob_by_password(PASSWORD, code);
    log_in(&touch(KEY, 2)).refused();
    assert_eq!(log_in(&touch(KEY, 3)).text(), "bob");
    log_in(&touch(KEY, 3)).refused();
    assert_eq!(log_in(&backup_code).text(), "bob");
}

#[test]
fn mfa_08_a_yubikey_added_by_the_account_page_opens_the_page_and_ssh_after_the_password() {
    enrols_by_the_pages_and_logs_in(Window {
        width: 1280,
        height: 900,
        scripts: true,
    });
}

#[test]
fn mfa_08_a_yubikey_is_added_on_a_phone_without_scripts() {
    enrols_by_the_pages_and_logs_in(Window {
        width: 360,
        height: 740,
        scripts: false,
    });
}
