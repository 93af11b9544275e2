//! The templates, and how a page goes out.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use directory_api::rest::{AccessibleHost, Enrolled, Enrollment, PasswordStrength, SshKey, User};

use super::client::Trouble;
use super::cookies::{Cookie, Held};

/// Where forms get their tokens from.
pub(super) struct Forms(pub(super) Held);

impl Forms {
    fn token(&self, path: &str) -> String {
        self.0.form_token(path)
    }
}

/// The link was opened.
#[derive(Template)]
#[template(path = "welcome.html")]
pub(super) struct Welcome<'a> {
    pub(super) organisation: &'a str,
    pub(super) code: &'a str,
    pub(super) enrollment: &'a Enrollment,
}

/// A step of the enrolment.
#[derive(Template)]
#[template(path = "enroll.html")]
pub(super) struct Enroll<'a> {
    pub(super) organisation: &'a str,
    pub(super) forms: Forms,
    pub(super) enrollment: &'a Enrollment,
    pub(super) step: Step,
    pub(super) trouble: Option<&'a Trouble>,
    pub(super) strength: Option<&'a PasswordStrength>,
    pub(super) added: Option<&'a SshKey>,
}

/// The steps of the enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Choose a password.
    Password,
    /// Add an SSH key.
    Key,
    /// Try it all.
    Test,
}

impl Step {
    pub(super) const ALL: [Self; 3] = [Self::Password, Self::Key, Self::Test];

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Key => "key",
            Self::Test => "test",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Password => "Password",
            Self::Key => "SSH key",
            Self::Test => "Test",
        }
    }
}

impl Enroll<'_> {
    fn is_done(&self, step: &Step) -> bool {
        match step {
            Step::Password => self.enrollment.password,
            Step::Key => self.enrollment.ssh_keys > 0,
            Step::Test => self.enrollment.tested,
        }
    }

    fn is_current(&self, step: &Step) -> bool {
        *step == self.step
    }

    fn is_open(&self, rule: &str) -> bool {
        let unmet = self.trouble.map(|trouble| &trouble.unmet);
        unmet.is_some_and(|unmet| unmet.iter().any(|missing| missing == rule))
    }

    /// What is unmet and is none of the rules that are listed anyway.
    fn further(&self) -> Vec<&str> {
        let listed = &self.enrollment.password_rules;
        let unmet = self.trouble.iter().flat_map(|trouble| &trouble.unmet);
        unmet
            .filter(|rule| !listed.contains(rule))
            .map(String::as_str)
            .collect()
    }
}

/// The enrolment is finished.
#[derive(Template)]
#[template(path = "enrolled.html")]
pub(super) struct Finished<'a> {
    pub(super) organisation: &'a str,
    pub(super) enrolled: &'a Enrolled,
}

/// Signing in.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignIn<'a> {
    pub(super) organisation: &'a str,
    pub(super) username: &'a str,
    pub(super) trouble: Option<&'a Trouble>,
}

/// The second step of signing in.
#[derive(Template)]
#[template(path = "sign_in_code.html")]
pub(super) struct SignInCode<'a> {
    pub(super) organisation: &'a str,
    pub(super) forms: Forms,
    pub(super) trouble: Option<&'a Trouble>,
}

/// One's own account.
#[derive(Template)]
#[template(path = "me.html")]
pub(super) struct Account<'a> {
    pub(super) organisation: &'a str,
    pub(super) forms: Forms,
    pub(super) user: &'a User,
    pub(super) keys: &'a [SshKey],
    pub(super) hosts: &'a [AccessibleHost],
    pub(super) trouble: Option<&'a Trouble>,
    pub(super) said: &'a str,
}

/// Nothing but what went wrong.
#[derive(Template)]
#[template(path = "trouble.html")]
struct Apology<'a> {
    organisation: &'a str,
    problem: &'a Trouble,
}

/// A page on its way.
pub(super) fn page(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (
            status,
            [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
            text,
        )
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The status of a page with this trouble in it.
pub(super) fn status(trouble: Option<&Trouble>) -> StatusCode {
    trouble.map_or(StatusCode::OK, |trouble| trouble.status)
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        if self.status == StatusCode::UNAUTHORIZED {
            return Cookie::Session.take(Redirect::to("/sign-in").into_response());
        }
        let apology = Apology {
            organisation: "cloudid",
            problem: &self,
        };
        page(self.status, &apology)
    }
}
