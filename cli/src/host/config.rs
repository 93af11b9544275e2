//! `cloudid config list`: what is set on this host, and where.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::places::{DROP_INS, SETTINGS};
use crate::context::Context;
use crate::error::Failure;
use crate::output::Column;

const COLUMNS: &[Column] = &[("KEY", "/key"), ("VALUE", "/value"), ("SET BY", "/set_by")];

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Settings of this host that differ from their defaults, and FILE:LINE:COLUMN that set them
    List {
        /// Only keys that begin with this, for example offline
        key: Option<String>,
    },
}

pub(crate) fn run(verb: &ConfigVerb, context: &Context) -> Result<(), Failure> {
    let ConfigVerb::List { key } = verb;
    let mut settings = Vec::new();
    for file in files(Path::new(SETTINGS), Path::new(DROP_INS))? {
        let text =
            std::fs::read_to_string(&file).map_err(|error| Failure::file("read", &file, &error))?;
        for setting in read(&file, &text)? {
            // A later file wins over an earlier one.
            settings.retain(|other: &Value| other.get("key") != setting.get("key"));
            settings.push(setting);
        }
    }
    let wanted = |setting: &Value| {
        let name = setting
            .get("key")
            .and_then(Value::as_str)
            .unwrap_or_default();
        key.as_ref()
            .is_none_or(|key| name.starts_with(key.as_str()))
    };
    settings.retain(wanted);
    context.output.list(COLUMNS, &settings)
}

/// The settings, then the drop-ins in order of name; what is missing is no error.
fn files(settings: &Path, drop_ins: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    match std::fs::read_dir(drop_ins) {
        Ok(entries) => {
            for entry in entries {
                let path = entry
                    .map_err(|error| Failure::file("read", drop_ins, &error))?
                    .path();
                if path.extension().is_some_and(|ending| ending == "toml") {
                    found.push(path);
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::file("read", drop_ins, &error)),
    }
    found.sort();
    if settings.exists() {
        found.insert(0, settings.to_owned());
    }
    Ok(found)
}

fn read(file: &Path, text: &str) -> Result<Vec<Value>, Failure> {
    let table = DeTable::parse(text).map_err(|problem| {
        Failure::failed(format!("{} cannot be understood", file.display()))
            .because(problem.to_string())
    })?;
    let mut settings = Vec::new();
    collect(file, text, "", table.get_ref(), &mut settings);
    Ok(settings)
}

fn collect(file: &Path, text: &str, prefix: &str, table: &DeTable<'_>, settings: &mut Vec<Value>) {
    for (key, value) in table {
        let name = match prefix {
            "" => key.get_ref().to_string(),
            prefix => format!("{prefix}.{}", key.get_ref()),
        };
        if let DeValue::Table(inner) = value.get_ref() {
            collect(file, text, &name, inner, settings);
        } else {
            let (line, column) = place(text, key.span().start);
            let written = text.get(value.span()).unwrap_or_default();
            settings.push(json!({
                "key": name,
                "value": shown(value, written),
                "set_by": format!("{}:{line}:{column}", file.display()),
            }));
        }
    }
}

/// Texts without their quotes, everything else as it is written.
fn shown(value: &Spanned<DeValue<'_>>, written: &str) -> String {
    if let DeValue::String(text) = value.get_ref() {
        text.to_string()
    } else {
        written.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Line and column, counted from one.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_knows_the_place_that_set_it() {
        let text = "# head\n[directory]\nurl = [\"https://a\",\n  \"https://b\"]\n\n[pam]\n  prompt = \"P: \"\n";
        let settings = read(Path::new("/x.toml"), text).unwrap();
        assert_eq!(
            settings,
            [
                json!({"key": "directory.url", "value": "[\"https://a\", \"https://b\"]", "set_by": "/x.toml:3:1"}),
                json!({"key": "pam.prompt", "value": "P: ", "set_by": "/x.toml:7:3"}),
            ]
        );
    }

    #[test]
    fn drop_ins_come_after_the_settings_in_order_of_name() {
        let folder = tempfile::tempdir().unwrap();
        let drop_ins = folder.path().join("conf.d");
        std::fs::create_dir(&drop_ins).unwrap();
        let settings = folder.path().join("cloudid.toml");
        for file in [
            &settings,
            &drop_ins.join("b.toml"),
            &drop_ins.join("a.toml"),
            &drop_ins.join("a.bak"),
        ] {
            std::fs::write(file, "").unwrap();
        }
        assert_eq!(
            files(&settings, &drop_ins).unwrap(),
            [settings, drop_ins.join("a.toml"), drop_ins.join("b.toml")]
        );
    }
}
