//! Comma-separated values (RFC 4180) that no spreadsheet takes for a formula.

use serde_json::Value;

use super::cell::cell;
use super::{Column, columns_of};

/// A heading and a row for each object.
pub(super) fn rows(columns: &[Column], objects: &[Value]) -> String {
    let heading = row(columns.iter().map(|(heading, _)| (*heading).to_owned()));
    let rows = objects.iter().map(|object| row_of(columns, object));
    std::iter::once(heading).chain(rows).collect()
}

/// The row of one object.
pub(super) fn row_of(columns: &[Column], object: &Value) -> String {
    row(columns_of(columns, object))
}

/// Every field of one object as heading and row.
pub(super) fn object(object: &Value) -> String {
    if let Value::Object(map) = object {
        row(map.keys().cloned()) + &row(map.values().map(cell))
    } else {
        row(std::iter::once(cell(object)))
    }
}

fn row(cells: impl Iterator<Item = String>) -> String {
    cells
        .map(|cell| quoted(&cell))
        .collect::<Vec<_>>()
        .join(",")
        + "\r\n"
}

fn quoted(cell: &str) -> String {
    let cell = match cell.chars().next() {
        Some('=' | '+' | '@' | '\t') => format!("'{cell}"),
        Some('-') if cell.len() > 1 => format!("'{cell}"),
        Some(_) | None => cell.to_owned(),
    };
    if cell.contains([',', '"', '\r', '\n', '\'']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cell_that_starts_like_a_formula_is_text() {
        let objects = [
            json!({"name": "=cmd|' /C calc'!A0"}),
            json!({"name": "a,\"b\""}),
        ];
        assert_eq!(
            rows(&[("NAME", "/name")], &objects),
            "NAME\r\n\"'=cmd|' /C calc'!A0\"\r\n\"a,\"\"b\"\"\"\r\n"
        );
    }
}
