//! Pages about second factors, as a browser without JavaScript sees them. WEB-07, WEB-08.

use axum::http::StatusCode;
use totp_rs::Totp;

use crate::browser::Browser;
use crate::pages::signed_in;
use crate::people_world::*;
use crate::rest_enroll::{CHOSEN, invited};

#[tokio::test]
async fn web_07_the_sign_in_page_asks_for_the_code_and_only_then_gives_a_session() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    let totp = directory.authenticator("alice").await;
    let browser = Browser::new(&directory);
    let form = [("username", "alice"), ("password", CHOSEN)];
    let first = browser.post("/sign-in", &form).await;
    assert_eq!(first.location, "/sign-in/code", "{}", first.text);
    assert_eq!(browser.cookie("__Host-cloudid"), None);
    let ticket = browser.cookie("__Host-cloudid-code").unwrap();
    assert_eq!(browser.open("/me").await.location, "/sign-in");
    let page = browser.open("/sign-in/code").await;
    assert!(!page.text.contains(&ticket));
    let bare = browser.post("/sign-in/code", &[("code", "1")]).await;
    assert_eq!(bare.status, StatusCode::FORBIDDEN);
    let wrong = browser.fill(&page, "/sign-in/code", &[("code", "1")]).await;
    assert!(wrong.text.contains("The code is wrong."), "{}", wrong.text);
    let code = directory.code_of(&totp);
    let right = browser
        .fill(&wrong, "/sign-in/code", &[("code", &code)])
        .await;
    assert_eq!(right.location, "/me", "{}", right.text);
    assert_eq!(browser.cookie("__Host-cloudid-code"), None);
    assert_eq!(browser.open("/me").await.status, StatusCode::OK);
    assert_eq!(browser.open("/sign-in/code").await.location, "/sign-in");
}

#[tokio::test]
async fn a_sign_in_that_waited_too_long_for_its_code_begins_again() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    let totp = directory.authenticator("alice").await;
    let browser = Browser::new(&directory);
    let form = [("username", "alice"), ("password", CHOSEN)];
    browser.post("/sign-in", &form).await;
    let page = browser.open("/sign-in/code").await;
    directory.pass_ms(5 * 60_000);
    let code = directory.code_of(&totp);
    let late = browser
        .fill(&page, "/sign-in/code", &[("code", &code)])
        .await;
    assert!(late.text.contains("longer than five minutes"));
    assert!(late.text.contains("name=\"password\""));
    assert_eq!(browser.cookie("__Host-cloudid-code"), None);
}

/// What stands in a page between two marks.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).expect("the mark before").1;
    rest.split_once(after).expect("the mark after").0.trim()
}

/// The app of somebody who typed the key from the page.
fn app_with(page: &str) -> Totp {
    let seed = between(page, "<code class=\"seed\">", "</code>").replace(' ', "");
    let url = format!("otpauth://totp/Example:alice?secret={seed}&issuer=Example");
    Totp::from_url(&url).unwrap()
}

/// The backup codes in a page.
fn codes_in(page: &str) -> Vec<String> {
    let list = between(page, "<ol class=\"codes\">", "</ol>");
    list.split("<li>")
        .skip(1)
        .map(|item| item.split("</li>").next().unwrap().to_owned())
        .collect()
}

async fn enrolling<'a>(directory: &'a Directory, owner: &str) -> Browser<'a> {
    let code = invited(directory, owner, "alice").await;
    let browser = Browser::new(directory);
    let welcome = browser.open(&format!("/enroll/{code}")).await;
    browser.fill(&welcome, "/enroll", &[]).await;
    let page = browser.open("/enroll").await;
    let password = [("password", CHOSEN)];
    browser.fill(&page, "/enroll/password", &password).await;
    browser
}

/// Makes backup codes, types a wrong one and then the fourth.
async fn keeps_codes(browser: &Browser<'_>) -> Vec<String> {
    let page = browser.open("/enroll?step=codes").await;
    let shown = browser.fill(&page, "/enroll/backup-codes", &[]).await;
    let codes = codes_in(&shown.text);
    assert_eq!(codes.len(), 10);
    let confirm = "/enroll/backup-codes/confirm";
    let wrong = browser.fill(&shown, confirm, &[("code", "AAAA")]).await;
    assert!(wrong.text.contains("none of your backup codes"));
    assert!(!wrong.text.contains(&codes[0]), "codes are shown once");
    let kept = browser.fill(&wrong, confirm, &[("code", &codes[3])]).await;
    assert_eq!(kept.location, "/enroll?step=test", "{}", kept.text);
    codes
}

#[tokio::test]
async fn story_1_a_person_enrols_an_app_and_backup_codes_with_nothing_but_forms() {
    let (directory, owner) = Directory::with_owner().await;
    directory.policy("{\"unenrolled\":\"deny\"}").await;
    let browser = enrolling(&directory, &owner).await;
    let page = browser.open("/enroll?step=factor").await;
    assert!(page.text.contains("Example asks for one."), "{}", page.text);
    assert!(!page.text.contains("Go on without"));
    let test = browser.open("/enroll?step=test").await;
    let early = browser
        .fill(&test, "/enroll/test", &[("password", CHOSEN)])
        .await;
    assert!(
        early.text.contains("you have enrolled none yet"),
        "{}",
        early.text
    );
    let begun = browser
        .fill(&page, "/enroll/totp", &[("name", "phone")])
        .await;
    assert!(
        begun
            .text
            .contains("<svg role=\"img\" aria-label=\"QR code\"")
    );
    assert!(!begun.text.contains("<?xml") && !begun.text.contains("style="));
    let app = app_with(&begun.text);
    let wrong = [("code", "not one")];
    let wrong = browser.fill(&begun, "/enroll/totp/confirm", &wrong).await;
    assert!(wrong.text.contains("The code is wrong."), "{}", wrong.text);
    assert!(!wrong.text.contains("<svg"), "a seed is shown once");
    let code = directory.code_of(&app);
    let confirmed = browser
        .fill(&wrong, "/enroll/totp/confirm", &[("code", &code)])
        .await;
    assert_eq!(
        confirmed.location, "/enroll?step=codes",
        "{}",
        confirmed.text
    );
    let codes = keeps_codes(&browser).await;
    let test = browser.open("/enroll?step=test").await;
    let burnt = [("password", CHOSEN), ("code", code.as_str())];
    let burnt = browser.fill(&test, "/enroll/test", &burnt).await;
    assert!(burnt.text.contains("This code was used already."));
    directory.pass_ms(30_000);
    let fresh = directory.code_of(&app);
    let right = [("password", CHOSEN), ("code", fresh.as_str())];
    let ready = browser.fill(&test, "/enroll/test", &right).await;
    assert!(
        ready.text.contains("Your account is ready"),
        "{}",
        ready.text
    );
    let form = [("username", "alice"), ("password", CHOSEN)];
    assert_eq!(
        browser.post("/sign-in", &form).await.location,
        "/sign-in/code"
    );
    let page = browser.open("/sign-in/code").await;
    let by_backup_code = [("code", codes[3].as_str())];
    let signed = browser.fill(&page, "/sign-in/code", &by_backup_code).await;
    assert_eq!(signed.location, "/me", "{}", signed.text);
    let me = browser.open("/me").await;
    assert!(me.text.contains("9 backup codes left"), "{}", me.text);
}

#[tokio::test]
async fn mfa_10_the_account_page_changes_factors_only_after_a_proof_and_under_a_new_token() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    let browser = signed_in(&directory, "alice", CHOSEN).await;
    let page = browser.open("/me").await;
    let begun = browser
        .fill(&page, "/me/mfa/totp", &[("name", "phone")])
        .await;
    let app = app_with(&begun.text);
    let code = directory.code_of(&app);
    let confirmed = browser
        .fill(&begun, "/me/mfa/totp/confirm", &[("code", &code)])
        .await;
    assert_eq!(confirmed.location, "/me?done=factor", "{}", confirmed.text);
    directory.pass_ms(6 * 60_000);
    let page = browser.open("/me").await;
    let asked = browser.fill(&page, "/me/backup-codes", &[]).await;
    assert!(asked.text.contains("Is it you?"), "{}", asked.text);
    let before = browser.cookie("__Host-cloudid").unwrap();
    let wrong = browser.fill(&asked, "/me/step-up", &[("code", "1")]).await;
    assert!(wrong.text.contains("The code is wrong."), "{}", wrong.text);
    let code = directory.code_of(&app);
    let proven = browser
        .fill(&wrong, "/me/step-up", &[("code", &code)])
        .await;
    assert_eq!(proven.location, "/me?done=proven", "{}", proven.text);
    let after = browser.cookie("__Host-cloudid").unwrap();
    assert_ne!(before, after, "web-07: the id changes at a step-up");
    let dead = directory.get(&before, "/me").await;
    assert_eq!(dead.status, StatusCode::UNAUTHORIZED);
    let page = browser.open("/me").await;
    let shown = browser.fill(&page, "/me/backup-codes", &[]).await;
    assert_eq!(codes_in(&shown.text).len(), 10);
    let kept = browser.fill(&shown, "/me/backup-codes/confirm", &[]).await;
    assert_eq!(kept.location, "/me?done=codes", "{}", kept.text);
    let page = browser.open("/me").await;
    assert!(page.text.contains("10 backup codes left"), "{}", page.text);
    let removed = browser.fill(&page, "/me/mfa/remove", &[]).await;
    assert_eq!(
        removed.location, "/me?done=factor-removed",
        "{}",
        removed.text
    );
}

#[tokio::test]
async fn whoever_must_enrol_a_factor_sees_only_the_way_to_do_it() {
    let (directory, owner) = Directory::with_owner().await;
    directory.somebody(&owner, "alice").await;
    directory.policy("{\"unenrolled\":\"deny\"}").await;
    let browser = signed_in(&directory, "alice", CHOSEN).await;
    let page = browser.open("/me").await;
    assert!(
        page.text.contains("Example asks for a second factor."),
        "{}",
        page.text
    );
    assert!(!page.text.contains("SSH keys"));
    let begun = browser
        .fill(&page, "/me/mfa/totp", &[("name", "phone")])
        .await;
    let code = directory.code_of(&app_with(&begun.text));
    browser
        .fill(&begun, "/me/mfa/totp/confirm", &[("code", &code)])
        .await;
    let page = browser.open("/me").await;
    assert!(page.text.contains("SSH keys"), "{}", page.text);
}
