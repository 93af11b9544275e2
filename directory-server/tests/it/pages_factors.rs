//! Pages about second factors, as a browser without JavaScript sees them. WEB-07, WEB-08.

use axum::http::StatusCode;

use crate::browser::Browser;
use crate::people_world::*;
use crate::rest_enroll::CHOSEN;

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
    let right = browser.fill(&wrong, "/sign-in/code", &[("code", &code)]);
    assert_eq!(right.await.location, "/me");
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
