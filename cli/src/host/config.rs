//! `cloudid config`: what is set on this host, and where. Defaults are the cacher's own words.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::places::{CACHER, DROP_INS, SETTINGS};
use super::programs;
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::output::Column;

const COLUMNS: &[Column] = &[("KEY", "/key"), ("VALUE", "/value"), ("SET BY", "/set_by")];

const DEFAULT: &str = "default";

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Settings of this host, and FILE:LINE:COLUMN that set them
    List {
        /// Only keys that begin with this, for example offline
        key: Option<String>,
    },
    /// One setting of this host
    Get {
        /// For example offline.max_age
        key: String,
    },
}

pub(crate) async fn run(verb: &ConfigVerb, context: &Context) -> Result<(), Failure> {
    let written = written(Path::new(SETTINGS), Path::new(DROP_INS))?;
    let settings = in_force(written, &of_cacher(context).await?);
    match verb {
        ConfigVerb::List { key } => {
            let wanted = |setting: &&Value| {
                key.as_ref()
                    .is_none_or(|key| key_of(setting).starts_with(key))
            };
            let settings: Vec<_> = settings.iter().filter(wanted).cloned().collect();
            context.output.list(COLUMNS, &settings)
        }
        ConfigVerb::Get { key } => {
            let setting = settings.iter().find(|setting| key_of(setting) == key);
            let missing = || {
                Failure::new(Kind::NotFound, format!("there is no setting {key}"))
                    .next("cloudid config list")
            };
            context.output.object(setting.ok_or_else(missing)?)
        }
    }
}

/// Everything the cacher goes by, defaults included, in its own words. Nothing where it is not
/// installed, or does not accept what is written.
async fn of_cacher(context: &Context) -> Result<Vec<Value>, Failure> {
    if !Path::new(CACHER).exists() {
        context
            .output
            .say("cloudid-cacher is not installed: only what is written down is shown.");
        return Ok(Vec::new());
    }
    let told = programs::run(CACHER, &["--print-config"]).await?;
    match told.or_fail("the settings are not accepted; only what is written down is shown") {
        Ok(text) => read(Path::new(CACHER), &text),
        Err(failure) => {
            context.output.warn(&failure.to_string());
            Ok(Vec::new())
        }
    }
}

/// What is written down, and the defaults of everything else, in order of key.
fn in_force(mut settings: Vec<Value>, of_cacher: &[Value]) -> Vec<Value> {
    for setting in of_cacher {
        if !settings
            .iter()
            .any(|other| key_of(other) == key_of(setting))
        {
            let value = setting.get("value");
            settings.push(json!({"key": key_of(setting), "value": value, "set_by": DEFAULT}));
        }
    }
    settings.sort_by(|one, other| key_of(one).cmp(key_of(other)));
    settings
}

/// What the files say. A later file wins over an earlier one.
fn written(settings: &Path, drop_ins: &Path) -> Result<Vec<Value>, Failure> {
    let mut found: Vec<Value> = Vec::new();
    for file in files(settings, drop_ins)? {
        let text =
            std::fs::read_to_string(&file).map_err(|error| Failure::file("read", &file, &error))?;
        for setting in read(&file, &text)? {
            found.retain(|other| key_of(other) != key_of(&setting));
            found.push(setting);
        }
    }
    Ok(found)
}

fn key_of(setting: &Value) -> &str {
    setting
        .get("key")
        .and_then(Value::as_str)
        .unwrap_or_default()
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
    fn what_no_file_sets_is_shown_as_a_default() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cloudid.toml");
        std::fs::write(&file, "[pam]\nprompt = \"P: \"\n").unwrap();
        let told = "[offline]\nmax_age = \"1000ms\"\n[pam]\nprompt = \"P: \"\n";
        let told = read(Path::new("/cacher"), told).unwrap();
        let settings = in_force(written(&file, &folder.path().join("none")).unwrap(), &told);
        assert_eq!(
            settings,
            [
                json!({"key": "offline.max_age", "value": "1000ms", "set_by": "default"}),
                json!({"key": "pam.prompt", "value": "P: ", "set_by": format!("{}:2:1", file.display())}),
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
