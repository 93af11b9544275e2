//! Why may somebody in, or not? On a host from the mirror, with the directory away too; otherwise
//! from the directory. The same engine enforces.

use std::net::IpAddr;
use std::path::Path;

use clap::Args;
use directory_api::rest::ExplainQuestion;
use local_protocol::{ADMIN_SOCKET, Login, Reply, Request, USER_SOCKET};
use serde_json::Value;

use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::host::cacher;
use crate::moment;

/// Why may somebody in, or not: HOST asks the directory, without HOST this host answers itself
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The user; yourself when absent
    user: Option<String>,
    /// The host
    host: Option<String>,
    /// PAM service
    #[arg(long, default_value = "sshd")]
    service: String,
    /// Address that the login comes from
    #[arg(long, value_name = "ADDRESS")]
    source: Option<IpAddr>,
    /// At which moment; needs HOST
    #[arg(long, value_name = "TIME", requires = "host")]
    at: Option<String>,
}

pub(crate) async fn run(arguments: ExplainArguments, context: &Context) -> Result<(), Failure> {
    let user = arguments
        .user
        .clone()
        .or_else(|| context.environment.login_name.clone());
    let user = user.ok_or_else(|| Failure::usage("whose login?").next("cloudid explain USER"))?;
    let at = arguments.at.as_deref();
    let answer = match arguments.host {
        None => on_this_host(user, arguments.service, arguments.source)?,
        Some(host) => {
            let question = ExplainQuestion {
                user,
                host,
                service: Some(arguments.service),
                source: arguments.source,
                at: at
                    .map(|text| moment::read(context, "--at", text))
                    .transpose()?,
            };
            let call = Call::post(&["explain"], &question);
            Directory::signed_in(context)?.call(call).await?.body
        }
    };
    show(&answer, context)
}

fn on_this_host(user: String, service: String, source: Option<IpAddr>) -> Result<Value, Failure> {
    let root = rustix::process::getuid().is_root();
    let socket = if root { ADMIN_SOCKET } else { USER_SOCKET };
    let login = Login {
        user,
        service,
        remote_host: source.map(|source| source.to_string()).unwrap_or_default(),
        process: std::process::id(),
        ..Login::default()
    };
    let reply = cacher::ask(Path::new(socket), &Request::Explain(login))?;
    if let Reply::Explained(text) = &reply {
        return serde_json::from_str(text)
            .map_err(|_| Failure::failed("the answer of the cacher cannot be understood"));
    }
    let failure = cacher::unexpected(&reply);
    Err(if reply == Reply::Refused {
        failure.because("everybody may ask about themselves, root about anybody")
    } else {
        failure
    })
}

fn show(answer: &Value, context: &Context) -> Result<(), Failure> {
    if context.options.output.is_some() {
        return context.output.object(answer);
    }
    let allowed = answer.get("allowed").and_then(Value::as_bool);
    let allowed = allowed.unwrap_or_else(|| answer.get("decision") == Some(&"allow".into()));
    let text = |value: &Value, field: &str| {
        value
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or("-")
            .to_owned()
    };
    let reason = match answer.get("reason") {
        Some(_) => text(answer, "reason"),
        None => text(answer, "reason_code"),
    };
    let verdict = if allowed { "allow" } else { "deny" };
    let mut lines = vec![format!("{verdict}  {reason}"), text(answer, "sentence")];
    let steps = answer.get("trace").and_then(Value::as_array);
    for step in steps.into_iter().flatten() {
        let rule = step
            .get("rule")
            .map(|_| format!("  {}", text(step, "rule")));
        let because = step
            .get("because")
            .map(|_| format!("  {}", text(step, "because")));
        lines.push(format!(
            "  {:13} {}{}{}",
            text(step, "step"),
            text(step, "result"),
            rule.unwrap_or_default(),
            because.unwrap_or_default()
        ));
    }
    let clean: String = lines
        .iter()
        .map(|line| crate::output::printable(line) + "\n")
        .collect();
    context.output.text(&clean)
}
