//! The file of a root key.

use std::io::Write;
use std::process::{Command, Stdio};

use signed_bundle::*;

use crate::world::*;

#[test]
fn a_root_key_survives_its_protected_file() {
    let pem = key(1)
        .to_protected_pem("correct horse", &mut Counter(1))
        .unwrap();
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    let read = SigningKey::from_protected_pem(&pem, "correct horse").unwrap();
    assert_eq!(read.public(), key(1).public());
    assert_eq!(
        SigningKey::from_protected_pem(&pem, "correct horse ").err(),
        Some(KeyFileError::Unreadable)
    );
    assert!(SigningKey::from_protected_pem("", "correct horse").is_err());
}

#[test]
fn openssl_reads_the_protected_file() {
    let pem = key(1)
        .to_protected_pem("correct horse", &mut Counter(1))
        .unwrap();
    let openssl = Command::new("openssl")
        .args(["pkey", "-passin", "pass:correct horse", "-noout", "-text"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut openssl) = openssl else {
        return; // a machine without openssl
    };
    openssl
        .stdin
        .take()
        .unwrap()
        .write_all(pem.as_bytes())
        .unwrap();
    let answer = openssl.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&answer.stdout).starts_with("ED25519"));
}

#[test]
fn keys_are_named_but_never_printed() {
    let id = key(1).public().id().to_string();
    assert_eq!(id.len(), 16);
    assert_eq!(format!("{:?}", key(1)), format!("SigningKey({id})"));
    assert_eq!(format!("{:?}", sealing_key(1)), "SealingKey(…)");
    assert!(!format!("{:?}", credential(1)).contains("secret"));
}
