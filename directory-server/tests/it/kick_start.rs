//! What strangers get before they are hosts: the script, and packages of a host; nothing else of
//! the folder, and no secret.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::json;
use tower::ServiceExt;

use crate::people_world::Directory;

const PACKAGES: [&str; 4] = [
    "cloudid_0.1.0_amd64.deb",
    "cloudid-cacher_0.1.0_amd64.deb",
    "libnss-cloudid_0.1.0_amd64.deb",
    "libpam-cloudid_0.1.0_amd64.deb",
];

async fn fetch(directory: &Directory, path: &str) -> (StatusCode, Option<String>, Vec<u8>) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = directory.router().oneshot(request).await.unwrap();
    let status = response.status();
    let length = response.headers().get(header::CONTENT_LENGTH);
    let length = length.map(|length| length.to_str().unwrap().to_owned());
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    (status, length, body.unwrap().to_vec())
}

#[tokio::test]
async fn the_script_names_the_packages_that_are_there_now() {
    let directory = Directory::empty().await;
    let (status, _, script) = fetch(&directory, "/install.sh").await;
    assert_eq!(status, StatusCode::OK);
    let none = String::from_utf8(script).unwrap();
    assert!(none.contains("packages=''\n"), "{none}");
    assert!(
        none.contains("directory='https://directory.example'"),
        "{none}"
    );

    let folder = directory.folder.path().join("packages");
    std::fs::create_dir(&folder).unwrap();
    for name in PACKAGES {
        std::fs::write(folder.join(name), name).unwrap();
    }
    std::fs::write(folder.join("signing.key"), "secret").unwrap();
    let (_, _, script) = fetch(&directory, "/install.sh").await;
    let script = String::from_utf8(script).unwrap();
    for name in PACKAGES {
        assert!(script.contains(&format!(" {name}")), "{script}");
    }
    assert!(script.contains("-----BEGIN CERTIFICATE-----"), "{script}");
    assert!(!script.contains("signing.key") && !script.contains("cloudid1.tok"));

    // whole, and longer than what is read at a time
    let long = vec![7_u8; 300_000];
    std::fs::write(folder.join(PACKAGES[0]), &long).unwrap();
    let (status, length, body) = fetch(&directory, &format!("/packages/{}", PACKAGES[0])).await;
    assert_eq!(
        (status, length),
        (StatusCode::OK, Some("300000".to_owned()))
    );
    assert_eq!(body, long);
    for path in [
        "/packages/signing.key",
        "/packages/..%2Fcloudid.db",
        "/packages/cloudid_0.2.0_amd64.deb",
        "/packages/",
    ] {
        let (status, _, _) = fetch(&directory, path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_line_that_comes_with_a_token_does_not_hold_it() {
    let (directory, owner) = Directory::with_owner().await;
    let new = json!({"name": "main"});
    directory.post(&owner, "/projects", new).await.good();
    let new = json!({"project": "main"});
    let made = directory
        .post(&owner, "/enrollment-tokens", new)
        .await
        .good();
    let line = made.text("install_line");
    assert!(
        line.starts_with(" printf %s 'TOKEN' | sudo sh -c \"$(curl "),
        "{line}"
    );
    assert!(line.contains("--pinnedpubkey sha256//"), "{line}");
    assert!(
        line.ends_with("https://directory.example/install.sh)\""),
        "{line}"
    );
    assert!(!line.contains(&made.text("token")), "{line}");
}
