//! What all kinds of objects of the directory have in common: lists, one object, and changes that
//! show what they do before they do it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use directory_api::rest::{Page, Preview, ProofChange, Secret};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::output::Column;
use crate::secret_file;

/// A login more or less than this asks nobody.
const PAIRS_UNASKED: u64 = 1;
const PAIRS_SHOWN: usize = 20;

pub(crate) async fn list(call: Call, columns: &[Column], context: &Context) -> Result<(), Failure> {
    let objects = Directory::signed_in(context)?.list(call).await?;
    context.output.list(columns, &objects)
}

/// A list that has no pages.
pub(crate) async fn list_whole(
    call: Call,
    columns: &[Column],
    context: &Context,
) -> Result<(), Failure> {
    let list: Page<Value> = Directory::signed_in(context)?.ask(call).await?;
    context.output.list(columns, &list.items)
}

pub(crate) async fn show(path: &[&str], context: &Context) -> Result<(), Failure> {
    let answer = Directory::signed_in(context)?.call(Call::get(path)).await?;
    context.output.object(&answer.body)
}

/// Makes an object and shows it.
pub(crate) async fn create(
    path: &[&str],
    body: &impl Serialize,
    context: &Context,
) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    act(&directory, Call::post(path, body), "this", context).await
}

/// Changes fields of an object: only if it is still what was read.
pub(crate) async fn edit(
    path: &[&str],
    patch: Map<String, Value>,
    context: &Context,
) -> Result<(), Failure> {
    if patch.is_empty() {
        return Err(Failure::usage("nothing to change").next("say what, see --help"));
    }
    let directory = Directory::signed_in(context)?;
    let seen = directory.call(Call::get(path)).await?;
    let call = Call::new(Method::PATCH, path)
        .body(&patch)
        .if_match(seen.entity_tag);
    act(&directory, call, "this change", context).await
}

/// Removes an object: only if it is still what was read, and only when somebody says yes.
pub(crate) async fn remove(path: &[&str], context: &Context) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    let seen = directory.call(Call::get(path)).await?;
    let call = Call::new(Method::DELETE, path).if_match(seen.entity_tag);
    let name = path.last().copied().unwrap_or_default();
    if !context.options.dry_run {
        context.confirm(&format!("remove {name}?"))?;
    }
    act(&directory, call, &format!("removing {name}"), context).await
}

/// Ends an object that has no versions, such as a token or a held role. A `question` is put first
/// where an end by mistake would hurt.
pub(crate) async fn end(
    path: &[&str],
    question: Option<&str>,
    done: &str,
    context: &Context,
) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    let call = Call::new(Method::DELETE, path);
    if context.options.dry_run {
        let preview = directory.call(call.dry_run()).await?;
        return context.output.object(&preview.body);
    }
    if let Some(question) = question {
        context.confirm(question)?;
    }
    directory.call(call).await?;
    context.output.say(done);
    Ok(())
}

/// An object that was just made, and the secret that is told this once.
#[derive(Debug, Deserialize)]
struct WithSecret {
    token: Secret,
    #[serde(flatten)]
    record: Map<String, Value>,
}

/// Makes an object that has a secret, which goes to the new file and nowhere else. `undo` takes
/// back what nobody has the secret of. Answers the record of what was made.
pub(crate) async fn create_with_secret(
    call: Call,
    file: Option<&Path>,
    undo: &str,
    context: &Context,
) -> Result<Option<Map<String, Value>>, Failure> {
    let directory = Directory::signed_in(context)?;
    let (false, Some(file)) = (context.options.dry_run, file) else {
        let preview = directory.call(call.dry_run()).await?;
        context.output.object(&preview.body)?;
        return Ok(None);
    };
    secret_file::check_writable(file)?;
    let created: WithSecret = directory.ask(call).await?;
    secret_file::write_new(file, &created.token).map_err(|failure| {
        let id = created.record.get("id").and_then(Value::as_str);
        failure.next(format!("{undo} {}, and try again", id.unwrap_or_default()))
    })?;
    if file != Path::new("-") {
        context
            .output
            .object(&Value::Object(created.record.clone()))?;
    }
    Ok(Some(created.record))
}

/// Does one thing to one object by its own end point, such as `suspend`.
pub(crate) async fn post(
    path: &[&str],
    body: &impl Serialize,
    context: &Context,
) -> Result<(), Failure> {
    create(path, body, context).await
}

/// A change: with `--dry-run` it is only shown; otherwise, unless `--yes`, it is shown and asked
/// for when it gives or takes more than one login.
async fn act(
    directory: &Directory,
    call: Call,
    what: &str,
    context: &Context,
) -> Result<(), Failure> {
    if context.options.dry_run {
        let preview = directory.call(call.dry_run()).await?;
        return context.output.object(&preview.body);
    }
    if !context.options.yes {
        let preview = directory.call(call.clone().dry_run()).await?;
        ask_when_wide(&preview.body, what, context)?;
    }
    let answer = directory.call(call).await?;
    if answer.body.is_null() {
        context.output.say("done");
        Ok(())
    } else {
        context.output.object(&answer.body)
    }
}

fn ask_when_wide(body: &Value, what: &str, context: &Context) -> Result<(), Failure> {
    let preview = body.get("preview").unwrap_or(body);
    let Ok(preview) = serde_json::from_value::<Preview>(preview.clone()) else {
        return Ok(());
    };
    let pairs = preview.gained_count.saturating_add(preview.lost_count);
    let proven_otherwise = concerned(&preview.proofs);
    if pairs <= PAIRS_UNASKED && proven_otherwise <= PAIRS_UNASKED && preview.loosened_count == 0 {
        return Ok(());
    }
    context.output.warn(&blast_radius(&preview));
    let mut effects = Vec::new();
    if pairs > 0 {
        let (gained, lost) = (preview.gained_count, preview.lost_count);
        effects.push(format!("gives {gained} logins and takes {lost}"));
    }
    if !preview.proofs.is_empty() {
        effects.push(format!("alters how {proven_otherwise} logins are proven"));
    }
    if preview.loosened_count > 0 {
        effects.push("lets people in with less than before".to_owned());
    }
    context.confirm(&format!("{what} {}; go on?", effects.join(", ")))
}

/// Users times hosts, each host counted once.
fn concerned(proofs: &[ProofChange]) -> u64 {
    let hosts: BTreeMap<&str, u64> = proofs
        .iter()
        .map(|change| (change.host.as_str(), change.users))
        .collect();
    hosts.into_values().sum()
}

fn blast_radius(preview: &Preview) -> String {
    let gained = preview.gained.iter().map(|reach| ('+', reach));
    let lost = preview.lost.iter().map(|reach| ('-', reach));
    let mut lines: Vec<_> = gained
        .chain(lost)
        .take(PAIRS_SHOWN)
        .map(|(sign, reach)| format!("  {sign} {} on {}", reach.user, reach.host))
        .collect();
    let shown = lines.len() as u64;
    let all = preview.gained_count.saturating_add(preview.lost_count);
    if all > shown {
        lines.push(format!("  … and {} more", all - shown));
    }
    let proofs = preview.proofs.iter().take(PAIRS_SHOWN).map(|change| {
        let looser = if change.loosened { ", looser" } else { "" };
        format!(
            "  {} ({}): {} {} -> {}{looser}",
            change.host,
            words(&change.services),
            change.field,
            change.from,
            change.to
        )
    });
    lines.extend(proofs);
    let hidden = preview.proofs_count.saturating_sub(PAIRS_SHOWN as u64);
    if hidden > 0 {
        lines.push(format!("  … and {hidden} more fields of hosts"));
    }
    lines.join("\n")
}

fn words(words: &BTreeSet<String>) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.join(" ")
}

/// Collects the fields of a merge patch: what was not said is not sent.
#[derive(Debug, Default)]
pub(crate) struct Patch(Map<String, Value>);

impl Patch {
    pub(crate) fn set(mut self, field: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(field.to_owned(), value.into());
        }
        self
    }

    /// `none` takes the field away.
    pub(crate) fn set_or_clear(self, field: &str, value: Option<&String>) -> Self {
        let value = value.map(|value| match value.as_str() {
            "none" => Value::Null,
            text => Value::from(text),
        });
        self.set(field, value)
    }

    pub(crate) fn fields(self) -> Map<String, Value> {
        self.0
    }
}

/// Reads an option by the words of the contract; a word that is none of them is told all of them.
pub(crate) fn from_word<T: DeserializeOwned>(word: &str) -> Result<T, String> {
    serde_json::from_value(Value::from(word)).map_err(|problem| problem.to_string())
}

#[cfg(test)]
mod tests {
    use directory_api::rest::Reach;

    use super::*;

    #[test]
    fn the_blast_radius_is_counted_even_where_it_is_cut_off() {
        let reach = |number: u32| Reach {
            user: format!("user{number}"),
            host: "web-1".to_owned(),
        };
        let preview = Preview {
            dry_run: true,
            lost: (0..200).map(reach).collect(),
            lost_count: 5000,
            ..Preview::default()
        };
        let text = blast_radius(&preview);
        assert!(text.starts_with("  - user0 on web-1\n"));
        assert!(text.ends_with("… and 4980 more"));
    }

    #[test]
    fn a_patch_sends_only_what_was_said() {
        let patch = Patch::default()
            .set("email", Some("a@b"))
            .set("description", None::<String>)
            .set_or_clear("expires_at", Some(&"none".to_owned()));
        let sent = Value::Object(patch.fields());
        assert_eq!(
            sent,
            serde_json::json!({"email": "a@b", "expires_at": null})
        );
    }
}
