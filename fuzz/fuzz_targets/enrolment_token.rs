//! Enrolment tokens. Whatever is refused is not repeated in the refusal. The file itself is compiled
//! in; its crate would bring the whole daemon.
#![no_main]

#[path = "../../cacher-daemon/src/enroll/token.rs"]
mod token;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match token::Token::parse(text) {
        Ok(token) => {
            assert!(token.id.starts_with("tok_"));
            let shown = format!("{token:?}");
            let seed = text
                .trim()
                .split('.')
                .nth(2)
                .expect("a token has four parts");
            assert!(!shown.contains(seed), "a secret was printed");
            assert_eq!(token.ca_fingerprint.len(), token.key.to_bytes().len());
        }
        Err(bad) => assert_eq!(bad, token::BadToken),
    }
});
