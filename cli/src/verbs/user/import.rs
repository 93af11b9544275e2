//! Many users from a file. All lines are checked before the first one is sent; what the directory
//! refuses is told line by line, and the rest is done.

use std::path::Path;

use directory_api::rest::{NewUser, PasswordReset, Secret};
use serde::Deserialize;

use super::super::objects;
use super::set_password;
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::{Failure, Kind};

const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One user of the file: what `user add` takes, and perhaps a password hash to be taken over.
#[derive(Debug, Deserialize)]
struct Imported {
    #[serde(flatten)]
    user: NewUser,
    #[serde(default)]
    password_verifier: Option<Secret>,
}

/// A line of a CSV file; groups are separated by spaces.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    username: String,
    uid: Option<u64>,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    groups: String,
    home: Option<String>,
    shell: Option<String>,
    expires_at: Option<String>,
    active: Option<bool>,
    password_verifier: Option<Secret>,
}

pub(super) async fn run(file: &Path, context: &Context) -> Result<(), Failure> {
    let users = read(file)?;
    let directory = Directory::signed_in(context)?;
    if !context.options.dry_run {
        context.confirm(&format!("make {} users?", users.len()))?;
    }
    let count = users.len();
    let mut refused = 0_usize;
    for imported in users {
        let name = imported.user.username.as_str().to_owned();
        if let Err(failure) = make(&directory, imported, context).await {
            if failure.kind == Kind::Unreachable || failure.kind == Kind::NotSignedIn {
                return Err(failure);
            }
            refused += 1;
            context.output.warn(&format!("{name}: {failure}"));
        }
    }
    if refused == 0 {
        context.output.say(&format!("{count} users"));
        return Ok(());
    }
    Err(Failure::new(
        Kind::InPart,
        format!("{refused} of {count} users were not made"),
    )
    .next("mend these lines and import them again"))
}

async fn make(directory: &Directory, imported: Imported, context: &Context) -> Result<(), Failure> {
    let name = imported.user.username.as_str().to_owned();
    let call = Call::post(&["users"], &imported.user);
    if context.options.dry_run {
        return directory.call(call.dry_run()).await.map(|_| ());
    }
    directory.call(call).await?;
    match imported.password_verifier {
        Some(verifier) => {
            let body = PasswordReset {
                password: None,
                verifier: Some(verifier),
                must_change: false,
            };
            set_password(&name, body, context).await
        }
        None => Ok(()),
    }
}

fn read(file: &Path) -> Result<Vec<Imported>, Failure> {
    let failed = |error| Failure::file("read", file, &error);
    if std::fs::metadata(file).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(Failure::usage(format!("{} is too large", file.display())));
    }
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let users = match file.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => from_csv(&text),
        Some("json") => serde_json::from_str(&text).map_err(|problem| problem.to_string()),
        Some("ndjson") => from_lines(&text),
        Some(_) | None => Err("its name ends neither in .csv nor in .json or .ndjson".to_owned()),
    };
    users.map_err(|problem| {
        Failure::usage(format!("nothing was imported from {}", file.display())).because(problem)
    })
}

fn from_lines(text: &str) -> Result<Vec<Imported>, String> {
    let numbered = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    numbered
        .map(|(number, line)| {
            serde_json::from_str(line).map_err(|problem| format!("line {number}: {problem}"))
        })
        .collect()
}

fn from_csv(text: &str) -> Result<Vec<Imported>, String> {
    let mut users = Vec::new();
    let mut problems = Vec::new();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    for (number, row) in (2..).zip(reader.deserialize::<Row>()) {
        let user = row.map_err(|problem| problem.to_string()).and_then(checked);
        match user {
            Ok(user) => users.push(user),
            Err(problem) => problems.push(format!("line {number}: {problem}")),
        }
    }
    if problems.is_empty() {
        Ok(users)
    } else {
        Err(problems.join("\n"))
    }
}

/// A row goes the same way as JSON, so that the same checks hold for both.
fn checked(row: Row) -> Result<Imported, String> {
    let groups: Vec<_> = row.groups.split_whitespace().collect();
    let patch = objects::Patch::default()
        .set("username", Some(row.username))
        .set("uid", row.uid)
        .set("display_name", Some(row.display_name))
        .set("email", Some(row.email))
        .set("description", Some(row.description))
        .set("groups", Some(groups))
        .set("home", row.home)
        .set("shell", row.shell)
        .set("expires_at", row.expires_at)
        .set("active", row.active);
    let user = serde_json::from_value(patch.fields().into());
    Ok(Imported {
        user: user.map_err(|problem| problem.to_string())?,
        password_verifier: row.password_verifier,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_and_json_mean_the_same() {
        let csv = "username,uid,groups,active,password_verifier\n\
                   alice,70010,web ops,true,$6$salt$hash\nbob,,,,\n";
        let json = r#"[{"username":"alice","uid":70010,"groups":["web","ops"],"active":true,
                        "password_verifier":"$6$salt$hash"},{"username":"bob"}]"#;
        let from_json: Vec<Imported> = serde_json::from_str(json).unwrap();
        let from_csv = from_csv(csv).unwrap();
        assert_eq!(from_csv.len(), 2);
        for (one, other) in from_csv.iter().zip(&from_json) {
            assert_eq!(one.user, other.user);
            assert_eq!(one.password_verifier, other.password_verifier);
        }
    }

    #[test]
    fn id_02_every_bad_line_is_named_before_anything_is_sent() {
        let problem = from_csv("username,uid\nroot,\nalice,\nbob,0\n").unwrap_err();
        assert!(
            problem.contains("line 2") && problem.contains("line 4"),
            "{problem}"
        );
        assert!(!problem.contains("line 3"), "{problem}");
    }

    #[test]
    fn an_unknown_column_is_refused() {
        assert!(
            from_csv("username,passwd\nalice,x\n")
                .unwrap_err()
                .contains("passwd")
        );
    }
}
