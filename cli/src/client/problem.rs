//! What a refusal of the directory means to a person, and to a script.

use directory_api::rest::Problem;

use crate::error::{Failure, Kind};

/// One problem as a failure.
pub(super) fn failure(problem: &Problem) -> Failure {
    let what = if problem.title.is_empty() {
        problem.code.clone()
    } else {
        problem.title.clone()
    };
    let fields = problem
        .errors
        .iter()
        .map(|error| format!("{}: {}", error.field, error.code));
    let unmet = problem.unmet.iter().map(|rule| format!("not met: {rule}"));
    let why: Vec<_> = std::iter::once(problem.detail.clone())
        .chain(fields)
        .chain(unmet)
        .collect();
    let next = match kind(problem) {
        Kind::NotSignedIn if problem.hint.is_empty() => "cloudid login",
        Kind::ChangedMeanwhile if problem.hint.is_empty() => {
            "look at it again, then repeat what you meant to change"
        }
        Kind::Failed
        | Kind::Usage
        | Kind::NotSignedIn
        | Kind::Refused
        | Kind::NotFound
        | Kind::ChangedMeanwhile
        | Kind::Unreachable
        | Kind::InPart => &problem.hint,
    };
    Failure::new(kind(problem), what)
        .because(why.join("\n"))
        .next(next)
        .request(&problem.request_id)
        .problem(problem)
}

fn kind(problem: &Problem) -> Kind {
    match (problem.status, problem.code.as_str()) {
        (401, _) => Kind::NotSignedIn,
        (403, _) => Kind::Refused,
        (404, _) => Kind::NotFound,
        (412 | 428, _) | (409, "changed_since_shown" | "plan_stale" | "etag_stale") => {
            Kind::ChangedMeanwhile
        }
        (503, "not_ready" | "factor_unavailable") => Kind::Unreachable,
        _ => Kind::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, code: &str) -> Problem {
        serde_json::from_value(serde_json::json!({
            "type": format!("urn:cloudid:problem:{code}"), "title": "No", "status": status,
            "code": code, "detail": "Because.", "request_id": "01JH",
            "errors": [{"field": "subjects[2]", "code": "not_found"}],
        }))
        .unwrap()
    }

    #[test]
    fn every_refusal_has_the_exit_code_of_its_meaning() {
        let meanings = [
            (400, "malformed", Kind::Failed),
            (401, "session_expired", Kind::NotSignedIn),
            (403, "forbidden", Kind::Refused),
            (403, "step_up_required", Kind::Refused),
            (404, "not_found", Kind::NotFound),
            (409, "name_taken", Kind::Failed),
            (409, "changed_since_shown", Kind::ChangedMeanwhile),
            (412, "etag_stale", Kind::ChangedMeanwhile),
            (422, "invalid", Kind::Failed),
            (428, "etag_required", Kind::ChangedMeanwhile),
            (429, "rate_limited", Kind::Failed),
            (503, "not_ready", Kind::Unreachable),
        ];
        for (status, code, meaning) in meanings {
            assert_eq!(
                failure(&problem(status, code)).kind,
                meaning,
                "{status} {code}"
            );
        }
    }

    #[test]
    fn a_refusal_names_the_field_and_the_request() {
        let text = failure(&problem(422, "invalid")).to_string();
        assert!(
            text.contains("subjects[2]: not_found") && text.contains("01JH"),
            "{text}"
        );
    }
}
