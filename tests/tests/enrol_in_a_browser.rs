//! A person enrols in a real browser: with scripts on a desktop, without any on a phone. Pictures of
//! every page are kept below the build folder, in `browser/`. WEB-08, STORY-1.

use std::path::PathBuf;
use system_tests::{
    Axe, Browser, BrowserHost, Directory, Lab, Phone, Window, a_browser_is_impossible, fail, say,
};

const DESKTOP: Window = Window {
    width: 1280,
    height: 900,
    scripts: true,
};
const PHONE: Window = Window {
    width: 360,
    height: 740,
    scripts: false,
};
const CHOSEN: &str = "quiet copper lanterns";
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti alice@laptop";
const PRIVATE_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXktdjEAAAAA";

/// A directory with somebody to enrol, and a machine with a browser; none where that cannot be.
fn scene() -> Option<(Lab, Directory, BrowserHost)> {
    if let Some(why) = a_browser_is_impossible() {
        say(&format!("SKIPPED: there is no browser: {why}"));
        return None;
    }
    let lab = Lab::new();
    let directory = lab.directory();
    let machine = lab.browser_host("laptop");
    Some((lab, directory, machine))
}

fn link(directory: &Directory, person: &str) -> String {
    let text = directory.ok(&["user", "add", person, "--invite", "-o", "json"]);
    match text.split('"').find(|part| part.starts_with("https://")) {
        Some(link) => link.to_owned(),
        None => fail(&format!("no link in {text}")),
    }
}

/// Looks at a page: it fits, is accessible, and its address tells nothing.
struct Look<'a> {
    browser: &'a Browser<'a>,
    axe: Option<&'a Axe>,
    name: &'a str,
}

impl Look<'_> {
    fn at(&self, page: &str) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("browser");
        if let Err(error) = std::fs::create_dir_all(&folder) {
            fail(&format!("{}: {error}", folder.display()));
        }
        self.browser
            .screenshot(&folder.join(format!("{}-{page}.png", self.name)));
        assert!(
            self.browser.pixels_too_wide() <= 0,
            "{page} is too wide for {}",
            self.name
        );
        if let Some(axe) = self.axe {
            let findings = axe.findings(self.browser);
            assert_eq!(findings, Vec::<String>::new(), "{page} on {}", self.name);
        }
        if page != "welcome" {
            let address = self.browser.address();
            assert!(
                !address.contains("cle_") && !address.contains("clv_"),
                "{address}"
            );
        }
    }
}

/// Adds an authenticator and keeps backup codes; gives the app, and one of the codes.
fn adds_a_second_factor(browser: &Browser<'_>, look: &Look<'_>) -> (Phone, String) {
    browser.shows("Add a second factor");
    look.at("factor");
    browser.clicks("form[action='/enroll/totp'] > button");
    browser.shows("Read this picture with your app");
    assert!(browser.has(".picture svg[role=img] path"));
    browser.clicks("summary");
    look.at("qr-code");
    let app = Phone::with_key(&browser.text_of_element("code.seed"));
    browser.types("#code", "000 nonsense");
    browser.clicks("form > button");
    browser.shows("The code is wrong.");
    assert!(!browser.has(".picture"), "a seed is shown once");
    look.at("wrong-code");
    browser.types("#code", &app.code());
    browser.clicks("form > button");
    browser.shows("Backup codes");
    look.at("backup-codes-before");
    browser.clicks("form > button");
    browser.shows("They are shown once.");
    look.at("backup-codes");
    let kept = browser.text_of_element("ol.codes li:nth-child(4)");
    assert_eq!(kept.len(), 19, "{kept}");
    browser.types("#code", "none of them");
    browser.clicks("form > button");
    browser.shows("none of your backup codes");
    browser.types("#code", &kept.to_lowercase());
    browser.clicks("form > button");
    (app, kept)
}

fn enrols(directory: &Directory, machine: &BrowserHost, person: &str, window: Window) {
    let axe = Axe::fetch();
    if let Err(why) = &axe {
        say(&format!(
            "NOT TESTED, there are no accessibility rules: {why}"
        ));
    }
    let browser = machine.window(window);
    let look = Look {
        browser: &browser,
        axe: axe.as_ref().ok(),
        name: person,
    };
    browser.open(&link(directory, person));
    browser.shows("Welcome");
    look.at("welcome");
    browser.clicks("main button");
    browser.shows("Choose a password");
    assert_eq!(browser.has("button.show"), window.scripts);
    browser.types("#password", &format!("{person}2024"));
    if window.scripts {
        browser.shows("Withstands guessing");
        browser.shows("at least 12 characters (not yet)");
    }
    browser.clicks("form > button:last-of-type");
    browser.shows("does not meet the rules");
    browser.shows("at least 12 characters (not yet)");
    look.at("weak-password");
    browser.types("#password", CHOSEN);
    browser.clicks("form > button:last-of-type");
    browser.shows("Add an SSH key");
    look.at("key");
    browser.types("#public_key", PRIVATE_KEY);
    browser.clicks("form button");
    browser.shows("This is a PRIVATE key.");
    look.at("private-key");
    browser.types("#public_key", KEY);
    browser.clicks("form button");
    browser.shows("SHA256:");
    look.at("key-added");
    browser.clicks("a.next");
    let (app, backup_code) = adds_a_second_factor(&browser, &look);
    browser.shows("Try it");
    browser.types("#password", CHOSEN);
    browser.types("#code", &app.code());
    look.at("test");
    browser.clicks("form > button:last-of-type");
    browser.shows("Your account is ready");
    look.at("ready");
    browser.clicks("a.next");
    browser.shows("Sign in");
    look.at("sign-in");
    browser.types("#username", person);
    browser.types("#password", CHOSEN);
    browser.clicks("form > button:last-of-type");
    browser.shows("Your code");
    look.at("sign-in-code");
    browser.types("#code", &backup_code);
    browser.clicks("form > button");
    browser.shows("SSH keys");
    browser.shows("9 backup codes left");
    look.at("me");
    let readable = browser.evaluates("document.cookie");
    assert_eq!(readable, "", "web-08: no script reads a cookie");
}

#[test]
fn story_1_and_web_08_a_person_enrols_with_scripts_on_a_desktop() {
    if let Some((_lab, directory, machine)) = scene() {
        enrols(&directory, &machine, "alice", DESKTOP);
    }
}

#[test]
fn story_1_and_web_08_a_person_enrols_without_scripts_on_a_phone() {
    if let Some((_lab, directory, machine)) = scene() {
        enrols(&directory, &machine, "bobby", PHONE);
    }
}
