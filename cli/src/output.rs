//! Writes answers: tables for people, plain lines and machine formats for programs. Text from
//! elsewhere leaves here without control characters.

mod cell;
mod csv;
mod yaml;

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use crate::arguments::Format;
use crate::error::Failure;
use cell::{cell, escaped_json};

/// A column: its heading and the JSON pointer of what it shows.
pub(crate) type Column = (&'static str, &'static str);

/// Where answers go and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) format: Option<Format>,
    pub(crate) quiet: bool,
    pub(crate) width: Option<u16>,
}

impl Output {
    /// Writes many objects.
    pub(crate) fn list(&self, columns: &[Column], objects: &[Value]) -> Result<(), Failure> {
        let text = match self.format {
            Some(Format::Json) => document(&Value::Array(objects.to_vec())),
            Some(Format::Ndjson) => objects.iter().map(line).collect(),
            Some(Format::Yaml) => yaml::document(&Value::Array(objects.to_vec())),
            Some(Format::Csv) => csv::rows(columns, objects),
            Some(Format::Id) => objects.iter().map(id_line).collect(),
            Some(Format::Table) => table(columns, objects, self.width),
            None if io::stdout().is_terminal() => table(columns, objects, self.width),
            None => plain(columns, objects),
        };
        self.text(&text)
    }

    /// Writes one object of a list that never ends.
    pub(crate) fn stream_item(&self, columns: &[Column], object: &Value) -> Result<(), Failure> {
        let text = match self.format {
            Some(Format::Json | Format::Ndjson) => line(object),
            Some(Format::Yaml) => yaml::document(&Value::Array(vec![object.clone()])),
            Some(Format::Csv) => csv::row_of(columns, object),
            Some(Format::Id) => id_line(object),
            Some(Format::Table) | None => plain(columns, std::slice::from_ref(object)),
        };
        self.text(&text)
    }

    /// Writes one object; every field of it as a line when a person reads.
    pub(crate) fn object(&self, object: &Value) -> Result<(), Failure> {
        let text = match self.format {
            Some(Format::Json) => document(object),
            Some(Format::Ndjson) => line(object),
            Some(Format::Yaml) => yaml::document(object),
            Some(Format::Csv) => csv::object(object),
            Some(Format::Id) => id_line(object),
            Some(Format::Table) | None => fields(object),
        };
        self.text(&text)
    }

    /// Writes text that is already in its final form.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => Ok(()),
            // The reader (`head`, say) has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => {
                Err(Failure::failed("cannot write to standard output").because(error.to_string()))
            }
        }
    }

    /// Tells a person what happens; never part of the answer, so it goes to standard error.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Tells a person what must not be missed, quiet or not.
    #[expect(
        clippy::unused_self,
        reason = "reads as one family with `say`; what is written where is decided here"
    )]
    pub(crate) fn warn(&self, text: &str) {
        for part in text.lines() {
            // Nobody is left to be told when standard error is gone.
            let _ = writeln!(io::stderr(), "{}", printable(part));
        }
    }
}

/// One line that is safe to print; what stands before its first word stays.
pub(crate) fn printable(line: &str) -> String {
    let indent = line.len() - line.trim_start_matches(' ').len();
    format!("{}{}", " ".repeat(indent), cell::clean(line))
}

fn document(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    escaped_json(&text) + "\n"
}

fn line(value: &Value) -> String {
    escaped_json(&value.to_string()) + "\n"
}

fn id_line(object: &Value) -> String {
    match object.get("id").or_else(|| object.get("name")) {
        Some(id) => cell(id) + "\n",
        None => String::new(),
    }
}

fn plain(columns: &[Column], objects: &[Value]) -> String {
    let row = |object| columns_of(columns, object).collect::<Vec<_>>().join("\t") + "\n";
    objects.iter().map(row).collect()
}

fn table(columns: &[Column], objects: &[Value], width: Option<u16>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(columns.iter().map(|(heading, _)| *heading));
    if let Some(width) = width {
        table.set_width(width);
    }
    for object in objects {
        table.add_row(columns_of(columns, object));
    }
    let trimmed = |line: &str| format!("{}\n", line.trim().trim_end());
    table.to_string().lines().map(trimmed).collect()
}

fn columns_of<'a>(
    columns: &'a [Column],
    object: &'a Value,
) -> impl Iterator<Item = String> + use<'a> {
    columns
        .iter()
        .map(|(_, pointer)| object.pointer(pointer).map_or_else(|| "-".to_owned(), cell))
}

fn fields(object: &Value) -> String {
    let Value::Object(map) = object else {
        return cell(object) + "\n";
    };
    let longest = map.keys().map(String::len).max().unwrap_or_default();
    map.iter()
        .map(|(name, value)| {
            let name = name.replace('_', " ");
            format!("{name:longest$}  {}\n", cell(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[("NAME", "/name"), ("GROUPS", "/groups")];

    #[test]
    fn a_pipe_gets_one_line_per_object_with_tabs() {
        let objects = [
            json!({"name": "alice", "groups": ["a", "b"]}),
            json!({"name": "bob\tx\ny"}),
        ];
        assert_eq!(plain(COLUMNS, &objects), "alice\ta,b\nbob x y\t-\n");
    }

    #[test]
    fn cli_05_hostile_text_is_harmless_in_every_format() {
        let hostile = json!({"id": "usr_1", "name": "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\u{7f}"});
        let objects = [hostile.clone()];
        let written = [
            document(&hostile),
            line(&hostile),
            yaml::document(&hostile),
            csv::rows(COLUMNS, &objects),
            plain(COLUMNS, &objects),
            table(COLUMNS, &objects, Some(80)),
            fields(&hostile),
        ];
        for text in written {
            let steers = |c: char| (c.is_control() && !"\r\n\t".contains(c)) || c == '\u{202e}';
            assert!(!text.chars().any(steers), "{text:?}");
        }
    }

    #[test]
    fn json_output_means_the_same_as_the_answer() {
        let answer = json!({"name": "a\u{9b}\u{7f}\u{202e}b\u{10ffff}é"});
        assert_eq!(
            serde_json::from_str::<Value>(&document(&answer)).unwrap(),
            answer
        );
    }

    #[test]
    fn ids_only_is_one_id_on_each_line() {
        let lines: String = [json!({"id": "usr_1"}), json!({"name": "env=prod"})]
            .iter()
            .map(id_line)
            .collect();
        assert_eq!(lines, "usr_1\nenv=prod\n");
    }
}
