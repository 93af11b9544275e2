//! The templates, and how a page goes out.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use directory_api::rest::{
    AccessibleHost, BackupCodes, Enrolled, Enrollment, MfaDevice, PasswordStrength, Secret, SshKey,
    TotpBegun, User,
};

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
    pub(super) shown: Shown<'a>,
}

/// What a step has to show besides itself.
#[derive(Default)]
pub(super) struct Shown<'a> {
    pub(super) strength: Option<&'a PasswordStrength>,
    pub(super) added: Option<&'a SshKey>,
    /// The authenticator that waits for its first code.
    pub(super) waiting: Option<Waiting<'a>>,
    /// Backup codes, for the only time.
    pub(super) codes: &'a [Secret],
    /// Backup codes were shown and one of them is to be typed.
    pub(super) keeping: bool,
}

/// An authenticator that waits for its first code.
pub(super) struct Waiting<'a> {
    pub(super) device: &'a str,
    /// Its seed, for the only time; nothing when a code was typed already.
    pub(super) begun: Option<&'a TotpBegun>,
}

impl Waiting<'_> {
    /// In groups of four, for typing.
    fn seed(&self) -> String {
        let seed = self.begun.map_or("", |begun| begun.secret.expose());
        let letters: Vec<char> = seed.chars().collect();
        let groups: Vec<String> = letters
            .chunks(4)
            .map(|four| four.iter().collect())
            .collect();
        groups.join(" ")
    }

    /// The picture alone: without the head of a file of its own.
    fn picture(&self) -> String {
        let picture = self.begun.map_or("", |begun| begun.qr_svg.expose());
        let drawing = picture.find("<svg").and_then(|start| picture.get(start..));
        drawing
            .unwrap_or_default()
            .replacen("<svg", "<svg role=\"img\" aria-label=\"QR code\"", 1)
    }
}

/// The steps of the enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Choose a password.
    Password,
    /// Add an SSH key.
    Key,
    /// Add a second factor.
    Factor,
    /// Keep backup codes.
    Codes,
    /// Try it all.
    Test,
}

impl Step {
    pub(super) const ALL: [Self; 5] = [
        Self::Password,
        Self::Key,
        Self::Factor,
        Self::Codes,
        Self::Test,
    ];

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Key => "key",
            Self::Factor => "factor",
            Self::Codes => "codes",
            Self::Test => "test",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Password => "Password",
            Self::Key => "SSH key",
            Self::Factor => "Second factor",
            Self::Codes => "Backup codes",
            Self::Test => "Test",
        }
    }
}

impl Enroll<'_> {
    fn is_done(&self, step: &Step) -> bool {
        match step {
            Step::Password => self.enrollment.password,
            Step::Key => self.enrollment.ssh_keys > 0,
            Step::Factor => self.enrollment.factors > 0,
            Step::Codes => self.enrollment.backup_codes,
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
    pub(super) factors: &'a [MfaDevice],
    /// Nothing while a password has to be chosen first.
    pub(super) codes: Option<&'a BackupCodes>,
    /// Nothing but a second factor may be changed until there is one.
    pub(super) must_enrol: bool,
    pub(super) trouble: Option<&'a Trouble>,
    pub(super) said: &'a str,
}

/// Something is to be changed that proves a person.
#[derive(Template)]
#[template(path = "step_up.html")]
pub(super) struct Proving<'a> {
    pub(super) organisation: &'a str,
    pub(super) forms: Forms,
    pub(super) by_password: bool,
    pub(super) trouble: Option<&'a Trouble>,
}

/// A seed that waits for its first code, or backup codes.
#[derive(Template)]
#[template(path = "me_factor.html")]
pub(super) struct FactorPage<'a> {
    pub(super) organisation: &'a str,
    pub(super) forms: Forms,
    pub(super) shown: Shown<'a>,
    pub(super) trouble: Option<&'a Trouble>,
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
