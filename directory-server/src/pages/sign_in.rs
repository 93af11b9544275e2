//! Signing in: the password, and where one is needed the code of a second factor. Between the two
//! the browser holds a ticket that opens nothing by itself.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use directory_api::rest::{LoginRequest, MfaRequest, Secret, SessionCreated};

use super::Pages;
use super::client::{Trouble, Visitor, post};
use super::cookies::{Cookie, Held};
use super::form::Form;
use super::html::{Forms, SignIn, SignInCode, page, status};

pub(super) async fn form(State(pages): State<Pages>) -> Response {
    signing_in(&pages, "", None)
}

fn signing_in(pages: &Pages, username: &str, trouble: Option<&Trouble>) -> Response {
    let form = SignIn {
        organisation: &pages.app.organisation.name,
        username,
        trouble,
    };
    page(status(trouble), &form)
}

/// A new session for the cookie, or a ticket. Whatever session the browser had before is dead.
pub(super) async fn password(State(pages): State<Pages>, form: Form) -> Response {
    let login = LoginRequest {
        username: form.text("username").to_owned(),
        password: Secret::new(form.text("password").to_owned()),
    };
    if let Ok(before) = form.visitor.session() {
        let _: Result<(), Trouble> = pages
            .ask(&form.visitor, &post("/auth/logout", Some(&before)), &())
            .await;
    }
    let created: Result<SessionCreated, Trouble> = pages
        .ask(&form.visitor, &post("/auth/login", None), &login)
        .await;
    match created {
        Ok(created) => signed_in(&created),
        Err(Trouble {
            ticket: Some(ticket),
            ..
        }) => {
            let go = Cookie::Session.take(Redirect::to("/sign-in/code").into_response());
            Cookie::SecondStep.give(ticket.expose(), go)
        }
        Err(trouble) => Cookie::Session.take(signing_in(&pages, &login.username, Some(&trouble))),
    }
}

fn signed_in(created: &SessionCreated) -> Response {
    let go = Redirect::to("/me").into_response();
    Cookie::Session.give(created.token.expose(), go)
}

pub(super) async fn code_form(
    State(pages): State<Pages>,
    visitor: Visitor,
) -> Result<Response, Trouble> {
    Ok(asking_code(&pages, visitor.second_step()?, None))
}

fn asking_code(pages: &Pages, held: Held, trouble: Option<&Trouble>) -> Response {
    let form = SignInCode {
        organisation: &pages.app.organisation.name,
        forms: Forms(held),
        trouble,
    };
    page(status(trouble), &form)
}

pub(super) async fn code(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let held = form.visitor.second_step()?;
    let request = MfaRequest {
        ticket: Secret::new(held.secret().to_owned()),
        code: Secret::new(form.text("code").to_owned()),
    };
    let created: Result<SessionCreated, Trouble> = pages
        .ask(&form.visitor, &post("/auth/mfa", None), &request)
        .await;
    Ok(match created {
        Ok(created) => Cookie::SecondStep.take(signed_in(&created)),
        // The ticket is dead, or its holder may not sign in any more.
        Err(trouble) if trouble.code == "unauthenticated" => {
            Cookie::SecondStep.take(signing_in(&pages, "", Some(&trouble)))
        }
        Err(trouble) => asking_code(&pages, held, Some(&trouble)),
    })
}
