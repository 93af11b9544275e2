//! docs/wire-protocol.md numbers every message as the encoding does.

use std::collections::BTreeMap;
use std::fmt::Debug;

use local_protocol::{HEADER_BYTES, encode};
use serde::Serialize;

use crate::encoding::{replies, requests, verbs};

const DOCUMENT: &str = include_str!("../../../docs/wire-protocol.md");

/// The rows `| number | \`Name\` | …` below a heading.
fn described(heading: &str) -> BTreeMap<u8, String> {
    let (_, below) = DOCUMENT.split_once(&format!("\n### {heading}\n")).unwrap();
    let section = below.split("\n#").next().unwrap();
    section
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let number = cells.next()?.parse().ok()?;
            Some((number, cells.next()?.trim_matches('`').to_owned()))
        })
        .collect()
}

/// Number and name of each message, as it is encoded.
fn encoded<T: Serialize + Debug>(messages: &[T]) -> BTreeMap<u8, String> {
    messages
        .iter()
        .map(|message| {
            let text = format!("{message:?}");
            let name = text.split(['(', ' ']).next().unwrap();
            (encode(message).unwrap()[HEADER_BYTES], name.to_owned())
        })
        .collect()
}

#[test]
fn the_document_names_every_message_with_its_number() {
    assert_eq!(described("Requests"), encoded(&requests()));
    assert_eq!(described("Replies"), encoded(&replies()));
    assert_eq!(described("Verbs"), encoded(&verbs()));
}
