//! Self-enrolment, step by step. The link itself is shown to the server once: behind the first
//! button stands a cookie instead, and no address holds a secret any more.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use directory_api::rest::{
    EnrollPassword, EnrollTest, Enrolled, Enrollment, EnrollmentOpened, NewSshKey,
    PasswordStrength, Secret, SshKey,
};
use serde::Deserialize;

use super::Pages;
use super::client::{Trouble, Visitor, get, path, post};
use super::cookies::{Cookie, Held};
use super::form::Form;
use super::html::{Enroll, Finished, Forms, Shown, Step, Welcome, page, status};

/// Behind the link. Nothing happens yet: programs that look into mails open links as well.
pub(super) async fn welcome(
    State(pages): State<Pages>,
    visitor: Visitor,
    Path(code): Path<String>,
) -> Result<Response, Trouble> {
    let enrollment: Enrollment = pages
        .ask(&visitor, &get(&path("/enroll/", &code, "")?, None), &())
        .await?;
    let welcome = Welcome {
        organisation: &enrollment.organisation,
        code: &code,
        enrollment: &enrollment,
    };
    Ok(page(StatusCode::OK, &welcome))
}

/// Begins: the code becomes a cookie.
pub(super) async fn open(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let path = path("/enroll/", form.text("code"), "/open")?;
    let opened: EnrollmentOpened = pages.ask(&form.visitor, &post(&path, None), &()).await?;
    let begin = Redirect::to("/enroll").into_response();
    Ok(Cookie::Enrolment.give(opened.code.expose(), begin))
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    step: String,
}

/// The page of a step: the one that was asked for, or the first that is not done.
pub(super) async fn step(
    State(pages): State<Pages>,
    visitor: Visitor,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let enrolling = Enrolling::of(&pages, &visitor).await?;
    let step = Step::of_name(&wanted.step).unwrap_or_else(|| enrolling.next());
    Ok(enrolling.page(step, None, Shown::default()))
}

/// Step 1.
pub(super) async fn password(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let enrolling = Enrolling::of(&pages, &form.visitor).await?;
    let wanted = EnrollPassword {
        password: Secret::new(form.text("password").to_owned()),
    };
    let kept: Result<(), Trouble> = enrolling.post(&pages, &form, "password", &wanted).await;
    let Err(trouble) = kept else {
        return Ok(Redirect::to("/enroll?step=key").into_response());
    };
    let strength: Option<PasswordStrength> = enrolling
        .post(&pages, &form, "strength", &wanted)
        .await
        .ok();
    let shown = Shown {
        strength: strength.as_ref(),
        ..Shown::default()
    };
    Ok(enrolling.page(Step::Password, Some(&trouble), shown))
}

/// For the script of the page: how good a password is that is being typed.
pub(super) async fn strength(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let held = form.visitor.enrolment()?;
    let path = path("/enroll/", held.secret(), "/strength")?;
    let wanted = EnrollPassword {
        password: Secret::new(form.text("password").to_owned()),
    };
    let strength: PasswordStrength = pages
        .ask(&form.visitor, &post(&path, None), &wanted)
        .await?;
    Ok(Json(strength).into_response())
}

/// Step 2.
pub(super) async fn ssh_key(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let enrolling = Enrolling::of(&pages, &form.visitor).await?;
    let new = NewSshKey {
        public_key: form.text("public_key").to_owned(),
        comment: None,
        expires_at: None,
    };
    let added: Result<SshKey, Trouble> = enrolling.post(&pages, &form, "ssh-key", &new).await;
    Ok(match added {
        Ok(key) => {
            let enrolling = Enrolling::of(&pages, &form.visitor).await?;
            let shown = Shown {
                added: Some(&key),
                ..Shown::default()
            };
            enrolling.page(Step::Key, None, shown)
        }
        Err(trouble) => enrolling.page(Step::Key, Some(&trouble), Shown::default()),
    })
}

/// The last step: everything is tried once more, and the link is burnt.
pub(super) async fn test(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let enrolling = Enrolling::of(&pages, &form.visitor).await?;
    let code = form.text("code");
    let test = EnrollTest {
        password: Secret::new(form.text("password").to_owned()),
        code: (!code.is_empty()).then(|| Secret::new(code.to_owned())),
    };
    let tested: Result<(), Trouble> = enrolling.post(&pages, &form, "test", &test).await;
    let finished: Result<Enrolled, Trouble> = match tested {
        Ok(()) => enrolling.post(&pages, &form, "finish", &()).await,
        Err(trouble) => Err(trouble),
    };
    Ok(match finished {
        Ok(enrolled) => {
            let finished = Finished {
                organisation: &enrolling.enrollment.organisation,
                enrolled: &enrolled,
            };
            Cookie::Enrolment.take(page(StatusCode::OK, &finished))
        }
        Err(trouble) => enrolling.page(Step::Test, Some(&trouble), Shown::default()),
    })
}

/// Somebody with the cookie, and how far they have come.
pub(super) struct Enrolling {
    held: Held,
    enrollment: Enrollment,
}

impl Enrolling {
    pub(super) async fn of(pages: &Pages, visitor: &Visitor) -> Result<Self, Trouble> {
        let gone = |_| {
            Trouble::new(
                StatusCode::NOT_FOUND,
                "Open the link of your invitation once more to go on.",
            )
        };
        let held = visitor.enrolment().map_err(gone)?;
        let path = path("/enroll/", held.secret(), "")?;
        let enrollment = pages.ask(visitor, &get(&path, None), &()).await?;
        Ok(Self { held, enrollment })
    }

    pub(super) async fn post<T: serde::de::DeserializeOwned>(
        &self,
        pages: &Pages,
        form: &Form,
        step: &str,
        body: &impl serde::Serialize,
    ) -> Result<T, Trouble> {
        let path = path("/enroll/", self.held.secret(), &format!("/{step}"))?;
        pages.ask(&form.visitor, &post(&path, None), body).await
    }

    fn next(&self) -> Step {
        if !self.enrollment.password {
            Step::Password
        } else if self.enrollment.ssh_keys == 0 {
            Step::Key
        } else if self.enrollment.factors == 0 {
            Step::Factor
        } else if !self.enrollment.backup_codes {
            Step::Codes
        } else {
            Step::Test
        }
    }

    pub(super) fn page(&self, step: Step, trouble: Option<&Trouble>, shown: Shown<'_>) -> Response {
        let step = Enroll {
            organisation: &self.enrollment.organisation,
            forms: Forms(self.held.clone()),
            enrollment: &self.enrollment,
            step,
            trouble,
            shown,
        };
        page(status(trouble), &step)
    }
}
