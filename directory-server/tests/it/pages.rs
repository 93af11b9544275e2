//! Pages as a browser without JavaScript sees them: WEB-05, WEB-07, WEB-08, WEB-10.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use crate::browser::{Browser, ORIGIN};
use crate::people_world::*;
use crate::rest_enroll::{CHOSEN, invited};

pub(crate) async fn password_of(directory: &Directory, owner: &str, name: &str, password: &str) {
    let path = format!("/users/{name}/reset-password");
    let body = json!({"password": password});
    directory.post(owner, &path, body).await.good();
}

pub(crate) async fn signed_in<'a>(
    directory: &'a Directory,
    name: &str,
    password: &str,
) -> Browser<'a> {
    let browser = Browser::new(directory);
    let form = [("username", name), ("password", password)];
    let answer = browser.post("/sign-in", &form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    browser
}

#[tokio::test]
async fn story_1_a_person_enrols_with_nothing_but_forms() {
    let (directory, owner) = Directory::with_owner().await;
    let code = invited(&directory, &owner, "alice").await;
    let browser = Browser::new(&directory);
    let welcome = browser.open(&format!("/enroll/{code}")).await;
    assert!(
        welcome.text.contains("Welcome, Alice Example"),
        "{}",
        welcome.text
    );
    assert!(welcome.set_cookies.is_empty());
    let begun = browser.fill(&welcome, "/enroll", &[]).await;
    assert_eq!(begun.location, "/enroll");
    let page = browser.open("/enroll").await;
    let weak = browser
        .fill(&page, "/enroll/password", &[("password", "alice2024")])
        .await;
    assert_eq!(weak.status, StatusCode::UNPROCESSABLE_ENTITY);
    for said in [
        "class=\"unmet\">at least 12 characters",
        "<meter",
        "Withstands guessing",
    ] {
        assert!(weak.text.contains(said), "{said} is not in\n{}", weak.text);
    }
    assert!(!weak.text.contains("alice2024"));
    let kept = browser
        .fill(&weak, "/enroll/password", &[("password", CHOSEN)])
        .await;
    assert_eq!(kept.location, "/enroll?step=key");
    let page = browser.open("/enroll?step=key").await;
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA";
    let refused = browser
        .fill(&page, "/enroll/ssh-key", &[("public_key", private)])
        .await;
    assert!(refused.text.contains("This is a PRIVATE key"));
    assert!(!refused.text.contains("b3Blbn"));
    let page = browser.open("/enroll?step=test").await;
    let wrong = browser
        .fill(&page, "/enroll/test", &[("password", "wrong")])
        .await;
    assert!(wrong.text.contains("The password is wrong."));
    let ready = browser
        .fill(&page, "/enroll/test", &[("password", CHOSEN)])
        .await;
    assert!(
        ready.text.contains("Your account is ready"),
        "{}",
        ready.text
    );
    assert_eq!(browser.cookie("__Host-cloudid-enroll"), None);
    assert_eq!(
        browser.open(&format!("/enroll/{code}")).await.status,
        StatusCode::NOT_FOUND
    );
    signed_in(&directory, "alice", CHOSEN).await;
}

#[tokio::test]
async fn web_08_cookies_are_of_this_host_alone_and_no_address_or_page_holds_a_token() {
    let (directory, owner) = Directory::with_owner().await;
    let code = invited(&directory, &owner, "alice").await;
    let browser = Browser::new(&directory);
    let welcome = browser.open(&format!("/enroll/{code}")).await;
    let begun = browser.fill(&welcome, "/enroll", &[]).await;
    password_of(&directory, &owner, "alice", CHOSEN).await;
    directory
        .post(&owner, "/users/alice/activate", json!({}))
        .await
        .good();
    let form = [("username", "alice"), ("password", CHOSEN)];
    let signed = browser.post("/sign-in", &form).await;
    for answer in [&begun, &signed] {
        let [cookie] = answer.set_cookies.as_slice() else {
            panic!("one cookie: {answer:?}");
        };
        assert!(cookie.starts_with("__Host-cloudid"));
        assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"));
        assert!(!answer.location.contains("cl"), "{}", answer.location);
    }
    let visit = browser.cookie("__Host-cloudid-enroll").unwrap();
    let session = browser.cookie("__Host-cloudid").unwrap();
    assert_ne!(visit, code);
    for path in ["/enroll", "/enroll?step=key", "/me", "/sign-in"] {
        let page = browser.open(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for secret in [&code, &visit, &session] {
            assert!(!page.text.contains(secret), "{path}");
        }
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
        assert_eq!(page.headers["referrer-policy"], "strict-origin");
        assert_eq!(page.headers["cache-control"], "no-store");
        assert!(!page.text.contains("style=") && !page.text.contains("onclick"));
    }
}

#[tokio::test]
async fn web_07_ids_change_at_login_and_password_change_and_old_ones_are_dead() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    password_of(&directory, &owner, "alice", CHOSEN).await;
    let other = signed_in(&directory, "alice", CHOSEN).await;
    let browser = signed_in(&directory, "alice", CHOSEN).await;
    let alive = |token: String| {
        let directory = &directory;
        async move { directory.get(&token, "/me").await.status == StatusCode::OK }
    };
    let session = |browser: &Browser<'_>| browser.cookie("__Host-cloudid").unwrap();
    let first = session(&browser);
    browser
        .post("/sign-in", &[("username", "alice"), ("password", CHOSEN)])
        .await;
    let second = session(&browser);
    assert!(!alive(first.clone()).await && alive(second.clone()).await);
    let page = browser.open("/me").await;
    let change = [("old", CHOSEN), ("new", "seven brass umbrellas")];
    let changed = browser.fill(&page, "/me/password", &change).await;
    assert_eq!(changed.location, "/me?done=password", "{}", changed.text);
    let third = session(&browser);
    assert!(!alive(second).await && !alive(session(&other)).await);
    assert!(alive(third.clone()).await);
    let page = browser.open("/me").await;
    browser.fill(&page, "/me/sign-out", &[]).await;
    assert!(!alive(third).await);
    assert_eq!(browser.cookie("__Host-cloudid"), None);
}

#[tokio::test]
async fn web_07_a_session_that_was_planted_is_not_taken_over_and_sessions_end_idle_and_at_last() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    password_of(&directory, &owner, "alice", CHOSEN).await;
    let browser = Browser::new(&directory);
    let planted = "cls_planted".to_owned();
    browser
        .cookies
        .borrow_mut()
        .insert("__Host-cloudid".into(), planted.clone());
    browser
        .post("/sign-in", &[("username", "alice"), ("password", CHOSEN)])
        .await;
    assert_ne!(browser.cookie("__Host-cloudid"), Some(planted));
    directory.pass_ms(29 * 60_000);
    assert_eq!(browser.open("/me").await.status, StatusCode::OK);
    directory.pass_ms(31 * 60_000);
    assert_eq!(browser.open("/me").await.location, "/sign-in");
    let browser = signed_in(&directory, "alice", CHOSEN).await;
    for _ in 0..35 {
        directory.pass_ms(20 * 60_000);
        assert_eq!(browser.open("/me").await.status, StatusCode::OK);
    }
    directory.pass_ms(20 * 60_000);
    assert_eq!(browser.open("/me").await.location, "/sign-in");
}

#[tokio::test]
async fn web_07_a_role_given_or_taken_ends_the_sessions_of_before() {
    let (directory, owner) = Directory::with_owner().await;
    let session = directory.person(&owner, "alice", &[]).await;
    let body = json!({"role": "read-only", "user": "alice"});
    let role = directory
        .post(&owner, "/role-assignments", body)
        .await
        .good()
        .text("id");
    assert_eq!(
        directory.get(&session, "/me").await.status,
        StatusCode::UNAUTHORIZED
    );
    password_of(&directory, &owner, "alice", CHOSEN).await;
    let browser = signed_in(&directory, "alice", CHOSEN).await;
    let path = format!("/role-assignments/{role}");
    directory
        .ask(&owner, axum::http::Method::DELETE, &path)
        .send()
        .await
        .good();
    assert_eq!(browser.open("/me").await.location, "/sign-in");
    directory.get(&owner, "/me").await.good();
}

#[tokio::test]
async fn web_05_a_form_without_its_token_or_from_another_site_changes_nothing() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    password_of(&directory, &owner, "alice", CHOSEN).await;
    let browser = signed_in(&directory, "alice", CHOSEN).await;
    let change = [("old", CHOSEN), ("new", "seven brass umbrellas")];
    assert_eq!(
        browser.post("/me/password", &change).await.status,
        StatusCode::FORBIDDEN
    );
    let page = browser.open("/me").await;
    let mut fields = page.hidden_fields("/me/password");
    fields.extend(change.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let body = serde_urlencoded::to_string(&fields).unwrap();
    for (origin, kind) in [
        ("https://evil.example", "application/x-www-form-urlencoded"),
        (ORIGIN, "text/plain"),
    ] {
        let request = Request::post("/me/password")
            .header("content-type", kind)
            .header("origin", origin);
        let answer = browser
            .send(request.body(Body::from(body.clone())).unwrap())
            .await;
        assert!(answer.status.is_client_error(), "{origin} {kind}");
    }
    signed_in(&directory, "alice", CHOSEN).await;
}

#[tokio::test]
async fn over_http_2_the_host_stands_in_the_address_and_forms_work_as_well() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    password_of(&directory, &owner, "alice", CHOSEN).await;
    for (address, status) in [
        ("https://directory.example/sign-in", StatusCode::SEE_OTHER),
        ("https://other.example/sign-in", StatusCode::FORBIDDEN),
    ] {
        let request = Request::post(address)
            .header(
                "content-type",
                "application/x-www-form-urlencoded;charset=UTF-8",
            )
            .header("origin", ORIGIN)
            .body(Body::from(format!(
                "username=alice&password={}",
                CHOSEN.replace(' ', "+")
            )));
        let answer = directory.router().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{address}");
    }
}

#[tokio::test]
async fn web_10_hostile_names_codes_and_hosts_are_quoted_or_refused() {
    let (directory, owner) = Directory::with_owner().await;
    let hostile = "<script>alert(1)</script>\"'&{{7*7}}";
    let new = json!({"username": "alice", "display_name": hostile});
    directory.post(&owner, "/users", new).await.good();
    let invite = directory
        .post(&owner, "/users/alice/invite", json!({}))
        .await
        .good();
    let link = invite.text("link");
    let path = link.strip_prefix(ORIGIN).unwrap();
    let browser = Browser::new(&directory);
    let page = browser.open(path).await;
    assert!(page.text.contains("&#60;script&#62;"), "{}", page.text);
    assert!(!page.text.contains("<script>alert"));
    for code in ["%22%3E%3Cscript%3E", "..%2F..%2Fme", "cle_%00", "a%20b"] {
        let page = browser.open(&format!("/enroll/{code}")).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{code}");
        assert!(!page.text.contains("<script>"), "{code}");
    }
    let name = [("username", "\"><script>x</script>"), ("password", "x")];
    let page = browser.post("/sign-in", &name).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(!page.text.contains("<script>x"));
}
