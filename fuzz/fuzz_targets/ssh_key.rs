//! SSH public keys as people paste them, and as `AuthorizedKeysCommand` will print them: what was
//! taken is one plain line, without options, and reads as the same key. The directory's file itself
//! is compiled in; its crate would bring a database.
#![no_main]

#[expect(dead_code, reason = "comments are cleaned elsewhere, too")]
#[path = "../../directory-server/src/ssh_key.rs"]
mod ssh_key_file;

/// What the file needs of the directory's HTTP side: a refusal.
mod http {
    use axum::http::StatusCode;

    pub(crate) struct Refused(String);

    impl Refused {
        pub(crate) fn new(_status: StatusCode, code: &str, detail: &str) -> Self {
            Self(format!("{code}: {detail}"))
        }
        pub(crate) fn invalid(field: &str, detail: &str) -> Self {
            Self(format!("{field}: {detail}"))
        }
        pub(crate) fn hint(self, hint: &str) -> Self {
            Self(format!("{} {hint}", self.0))
        }
        pub(crate) fn field(self, _name: &str, _code: &str) -> Self {
            self
        }
        pub(crate) fn text(&self) -> &str {
            &self.0
        }
    }
}

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match ssh_key_file::read(text) {
        Ok(key) => {
            assert_eq!(
                key.line.split(' ').count(),
                2,
                "type and base64, nothing else"
            );
            assert!(key.line.starts_with(&format!("{} ", key.kind)));
            assert!(
                key.line
                    .chars()
                    .all(|letter| letter.is_ascii_graphic() || letter == ' ')
            );
            assert!(!key.comment.chars().any(char::is_control));
            let Ok(again) = ssh_key_file::read(&key.line) else {
                panic!("what was stored is refused");
            };
            assert_eq!((again.fingerprint, again.line), (key.fingerprint, key.line));
        }
        Err(refused) => assert!(!refused.text().is_empty()),
    }
});
