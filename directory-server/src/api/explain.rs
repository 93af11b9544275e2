//! `POST /explain`: the same engine that decides on hosts, with its steps.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use directory_api::rest::{ExplainAnswer, ExplainQuestion, ExplainStep, Time};
use policy::{Decision, Question};

use super::hosts::HostRow;
use super::reason_code;
use super::users::UserRow;
use crate::http::{Body, Call, Refused};
use crate::reach::World;
use crate::state::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/explain", post(explain))
}

async fn explain(
    State(state): State<AppState>,
    call: Call,
    Body(asked): Body<ExplainQuestion>,
) -> Result<Json<ExplainAnswer>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let user = UserRow::find(&mut snapshot, &asked.user)
        .await
        .map_err(|refused| refused.field("user", "not_found"))?;
    let host = HostRow::find(&mut snapshot, &asked.host)
        .await
        .map_err(|refused| refused.field("host", "not_found"))?;
    let world = World::load(&mut snapshot).await?;
    let person = world.people.iter().find(|person| person.id == user.id);
    let host = world.hosts.iter().find(|known| known.id == host.id);
    let (Some(person), Some(host)) = (person, host) else {
        return Err(Refused::conflict(
            "The user is deleted, or the host is retired.",
        ));
    };
    let decision = world.decide(&Question {
        person,
        host,
        service: asked.service.as_deref().unwrap_or("sshd"),
        source: asked.source,
        now: asked.at.map_or(call.now(), |at| at.0),
    });
    Ok(Json(answer(decision)))
}

fn answer(decision: Decision) -> ExplainAnswer {
    let steps = decision.trace.into_iter().map(|step| ExplainStep {
        step: step.step,
        result: step.result,
        rule: step.rule,
        because: step.because,
    });
    ExplainAnswer {
        decision: if decision.allowed { "allow" } else { "deny" }.to_owned(),
        reason_code: reason_code(decision.reason),
        sentence: decision.sentence,
        rule_ids: decision.rule_ids,
        until: decision.until.map(Time),
        trace: steps.collect(),
    }
}
