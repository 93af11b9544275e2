//! Selectors: refused with a place inside the text, or written and read again unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::{Host, HostState, SELECTOR_BYTES_MAX, Selector};

fuzz_target!(|text: &str| {
    match text.parse::<Selector>() {
        Ok(selector) => {
            assert!(text.len() <= SELECTOR_BYTES_MAX);
            let again: Selector = selector
                .to_string()
                .parse()
                .expect("our own text is readable");
            assert_eq!(again, selector);
            let _ = selector.matches(&host());
        }
        Err(refused) => {
            assert!(
                (1..=text.chars().count() + 1).contains(&refused.at),
                "{refused}"
            );
            assert!(
                !refused.to_string().chars().any(char::is_control),
                "{refused}"
            );
        }
    }
});

fn host() -> Host {
    Host {
        id: String::from("hst_1"),
        name: String::from("web-1.example.org"),
        state: HostState::Active,
        project: String::from("shop"),
        tags: ["env=prod", "legacy"].map(String::from).into(),
        mirror_age: None,
        mirror_age_max: jiff::SignedDuration::from_hours(1),
    }
}
