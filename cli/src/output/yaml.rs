//! YAML of a JSON value. Every text is written as a JSON string, which YAML reads the same way, so
//! that no name can turn into a date, a number or `no`.

use serde_json::Value;

use super::cell::escaped_json;

/// A whole document.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                text.push_str(&format!("{}-", "  ".repeat(depth)));
                entry(item, depth, text);
            }
        }
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                let name = scalar(&Value::String(name.clone()));
                text.push_str(&format!("{}{name}:", "  ".repeat(depth)));
                entry(value, depth, text);
            }
        }
        Value::Array(_)
        | Value::Object(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => text.push_str(&format!("{}\n", scalar(value))),
    }
}

fn entry(value: &Value, depth: usize, text: &mut String) {
    let nested = match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    if nested {
        text.push('\n');
        block(value, depth + 1, text);
    } else {
        text.push_str(&format!(" {}\n", scalar(value)));
    }
}

fn scalar(value: &Value) -> String {
    escaped_json(&value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_stay_texts() {
        let value = json!([{"name": "no", "uid": 70001, "tags": ["a: b", "1"], "none": []}]);
        assert_eq!(
            document(&value),
            "-\n  \"name\": \"no\"\n  \"none\": []\n  \"tags\":\n    - \"a: b\"\n    - \"1\"\n  \
             \"uid\": 70001\n"
        );
    }
}
