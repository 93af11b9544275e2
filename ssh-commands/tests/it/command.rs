//! The program itself, as sshd runs it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, Output};

fn run(arguments: &[&OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cloudid-authorized-keys"))
        .args(arguments)
        .env_clear()
        .output()
        .unwrap()
}

#[test]
fn ssh_10_a_failure_has_a_status_that_sshd_logs_and_prints_no_key() {
    let not_text = OsString::from_vec(b"al\xffice".to_vec());
    let calls: [&[&OsStr]; 4] = [
        &[],
        &["alice".as_ref()],
        &[
            "$(touch x)".as_ref(),
            "ssh-ed25519".as_ref(),
            "AAAA".as_ref(),
        ],
        &[&not_text, "ssh-ed25519".as_ref(), "AAAA".as_ref()],
    ];
    for arguments in calls {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert!(output.stderr.starts_with(b"cloudid-authorized-keys: "));
    }
}

#[test]
fn ssh_11_a_certificate_is_answered_without_keys_and_without_complaint() {
    let output = run(&[
        "alice".as_ref(),
        "ssh-ed25519-cert-v01@openssh.com".as_ref(),
        "AAAA".as_ref(),
    ]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}
