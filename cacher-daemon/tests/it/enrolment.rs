//! Enrolment against a directory: who it is is known before anything is said.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use cacher_daemon::config::Config;
use cacher_daemon::enroll::{EnrollError, Wanted, enroll};
use cacher_daemon::identity::Enrolled;
use cacher_daemon::paths::Paths;
use sha2::{Digest, Sha256};

use crate::directory::FakeDirectory;
use crate::world::*;

async fn attempt(
    directory: &FakeDirectory,
    fingerprint: [u8; 32],
    paths: &Paths,
) -> Result<(), EnrollError> {
    let token = format!(
        "cloudid1.tok_1.{}.{}\n",
        BASE64_URL_SAFE_NO_PAD.encode([5; 32]),
        BASE64_URL_SAFE_NO_PAD.encode(fingerprint)
    );
    let token_file = paths.config.join("token");
    std::fs::write(&token_file, token).unwrap();
    let wanted = Wanted {
        directory: directory.address.clone(),
        token_file,
        hostname: "web-1".to_owned(),
        tags: vec!["env=prod".to_owned()],
    };
    enroll(paths, &wanted, noon()).await.map(drop)
}

fn empty_host() -> (tempfile::TempDir, Paths) {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    for path in [&paths.config, &paths.etc, paths.state.parent().unwrap()] {
        std::fs::create_dir_all(path).unwrap();
    }
    (folder, paths)
}

fn answer(directory: &FakeDirectory) -> serde_json::Value {
    serde_json::json!({
        "organisation": ORGANISATION, "host_id": HOST, "hostname": "web-1",
        "certificate": directory.ca_pem, "ca_certificate": directory.ca_pem,
        "root_chain": BASE64_STANDARD.encode(Organisation::new().chain()),
    })
}

#[tokio::test]
async fn enrolment_writes_what_the_daemon_needs_and_keeps_secrets_to_itself() {
    use std::os::unix::fs::PermissionsExt;
    let directory = FakeDirectory::start().await;
    let (_folder, paths) = empty_host();
    directory.change(|state| state.enroll = answer(&directory));
    let fingerprint = Sha256::digest(&directory.ca_der).into();
    attempt(&directory, fingerprint, &paths).await.unwrap();
    let enrolled = Enrolled::load(&paths).unwrap().unwrap();
    assert_eq!(enrolled.identity.host_id, HOST);
    assert_eq!(
        Config::load(&paths).unwrap().directory.url,
        [directory.address.as_str()]
    );
    for secret in [
        paths.host_key(),
        paths.sealing_key(),
        paths.identity(),
        paths.root_chain(),
    ] {
        let mode = std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", secret.display());
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_directory_that_the_token_does_not_name() {
    let directory = FakeDirectory::start().await;
    let (_folder, paths) = empty_host();
    let error = attempt(&directory, [9; 32], &paths).await.unwrap_err();
    assert!(matches!(error, EnrollError::Unreachable(_)), "{error}");
    assert!(directory.change(|state| state.requests.is_empty()));
    assert!(!paths.identity().exists() && !paths.host_key().exists());
}

#[tokio::test]
async fn a_directory_that_hands_out_another_ca_is_refused_and_nothing_is_written() {
    let directory = FakeDirectory::start().await;
    let other = FakeDirectory::start().await;
    let (_folder, paths) = empty_host();
    let mut answer = answer(&directory);
    answer["ca_certificate"] = other.ca_pem.clone().into();
    directory.change(|state| state.enroll = answer);
    let fingerprint = Sha256::digest(&directory.ca_der).into();
    assert!(attempt(&directory, fingerprint, &paths).await.is_err());
    assert!(!paths.identity().exists() && !paths.host_key().exists());
}

#[tokio::test]
async fn a_host_enrolled_anew_keeps_nothing_of_its_former_self() {
    let directory = FakeDirectory::start().await;
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    revoke(&cacher, organisation.suspension(99, "usr_1"))
        .await
        .unwrap();
    drop(cacher);
    directory.change(|state| state.enroll = answer(&directory));
    let fingerprint = Sha256::digest(&directory.ca_der).into();
    attempt(&directory, fingerprint, &host.paths).await.unwrap();
    assert!(!host.paths.kept_map().exists() && !host.paths.bundle().exists());
    let marks = cacher_daemon::mirror::marks::Marks::load(&host.paths.marks()).unwrap();
    assert_eq!(marks, cacher_daemon::mirror::marks::Marks::default());
}
