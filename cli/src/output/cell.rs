//! One value as one harmless piece of a line.

use std::fmt::Write;

use posix_names::clean_line;
use serde_json::Value;

const CELL_BYTES_MAX: usize = 4096;

/// A value as a person writes it: lists with commas, nothing as a dash.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => clean(text),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(","),
        Value::Object(map) if map.is_empty() => "-".to_owned(),
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(name, value)| format!("{name}={}", cell(value)));
            clean(&pairs.collect::<Vec<_>>().join(" "))
        }
    }
}

/// An object within a list goes by its name.
fn short(value: &Value) -> String {
    match value.get("name") {
        Some(name) => cell(name),
        None => cell(value),
    }
}

pub(super) fn clean(text: &str) -> String {
    clean_line(text, CELL_BYTES_MAX)
}

/// JSON text with every character that could steer a terminal written as an escape. Outside of
/// strings JSON has no such character, so the meaning stays.
pub(super) fn escaped_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        let steers = (character.is_control() && character != '\n')
            || matches!(character,
                '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if steers {
            // Writing to a string cannot fail; all of these lie below U+10000.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}
