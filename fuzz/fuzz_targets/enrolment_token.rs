//! Enrolment tokens. Whatever is refused is not repeated in the refusal. The file itself is compiled
//! in; its crate would bring the whole daemon.
#![no_main]

#[path = "../../cacher-daemon/src/enroll/token.rs"]
mod token;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match token::Token::parse(text) {
        Ok(token) => {
            let number = token
                .id
                .strip_prefix("tok_")
                .expect("the prefix of token ids");
            assert!(number.chars().all(|letter| letter.is_ascii_alphanumeric()));
            let shown = format!("{token:?}");
            let seed = text
                .trim()
                .split('.')
                .nth(2)
                .expect("a token has four parts");
            assert!(
                token.id.contains(seed) || !shown.contains(seed),
                "a secret was printed"
            );
            assert_eq!(token.ca_fingerprint.len(), token.key.to_bytes().len());
        }
        Err(bad) => assert_eq!(bad, token::BadToken),
    }
});
