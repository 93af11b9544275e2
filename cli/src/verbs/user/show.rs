//! One person: settings, second factors, locks. Never a secret; the directory tells none.

use serde_json::Value;

use crate::arguments::Format;
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;

pub(super) async fn run(user: &str, context: &Context) -> Result<(), Failure> {
    let call = Call::get(&["users", user]);
    let mut shown = Directory::signed_in(context)?.call(call).await?.body;
    // A program gets what the directory has said.
    if matches!(context.output.format, Some(Format::Table) | None)
        && let Some(Value::Array(devices)) = shown.get_mut("mfa")
    {
        for device in devices {
            *device = Value::String(in_words(device));
        }
    }
    context.output.object(&shown)
}

fn in_words(device: &Value) -> String {
    let field = |name| device.get(name).and_then(Value::as_str);
    let name = field("name").unwrap_or_default();
    let kind = field("kind").unwrap_or_default();
    match field("confirmed_at") {
        Some(since) => format!("{name} ({kind} since {since})"),
        None => format!("{name} ({kind}, not confirmed)"),
    }
}
