//! One's own account: password, SSH keys, where one may log in.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use directory_api::rest::{
    AccessibleHost, BackupCodes, Me, MfaDevice, NewSshKey, Page, PasswordChange, Secret,
    SessionCreated, SshKey,
};
use serde::Deserialize;

use super::client::{Trouble, Visitor, delete, get, path, post};
use super::cookies::Cookie;
use super::form::Form;
use super::html::{Account, Forms, page, status};
use super::{Pages, factors};

#[derive(Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    done: String,
}

pub(super) async fn me(
    State(pages): State<Pages>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Trouble> {
    let said = match done.done.as_str() {
        "password" => "Your password is changed. Other sessions of yours have ended.",
        "key" => "The key works on your hosts within seconds.",
        "proven" => "It is you. For five minutes you may change what proves you.",
        "factor" => "The second factor counts from now on.",
        "factor-removed" => "The second factor is removed.",
        "codes" => "Your backup codes are kept; those before are dead.",
        "removed" => "The key is removed; hosts stop accepting it within seconds.",
        _ => "",
    };
    shown(&pages, &visitor, said, None).await
}

pub(super) async fn shown(
    pages: &Pages,
    visitor: &Visitor,
    said: &str,
    trouble: Option<&Trouble>,
) -> Result<Response, Trouble> {
    let held = visitor.session()?;
    let me: Me = pages.ask(visitor, &get("/me", Some(&held)), &()).await?;
    // With a password that somebody else has set, the API shows nothing further.
    let must_enrol = me.identity.must_enroll_factor;
    let (keys, hosts) = if me.user.password.must_change || must_enrol {
        (Vec::new(), Vec::new())
    } else {
        let keys: Page<SshKey> = pages
            .ask(visitor, &get("/me/ssh-keys?limit=200", Some(&held)), &())
            .await?;
        let hosts: Page<AccessibleHost> = pages
            .ask(visitor, &get("/me/access", Some(&held)), &())
            .await?;
        (keys.items, hosts.items)
    };
    let (factors, codes) = if me.user.password.must_change {
        (Vec::new(), None)
    } else {
        let factors: Page<MfaDevice> = pages
            .ask(visitor, &get("/me/mfa", Some(&held)), &())
            .await?;
        let codes: BackupCodes = pages
            .ask(visitor, &get("/me/backup-codes", Some(&held)), &())
            .await?;
        (factors.items, Some(codes))
    };
    let account = Account {
        organisation: &pages.app.organisation.name,
        forms: Forms(held),
        user: &me.user,
        keys: &keys,
        hosts: &hosts,
        factors: &factors,
        codes: codes.as_ref(),
        must_enrol,
        trouble,
        said,
    };
    Ok(page(status(trouble), &account))
}

/// Another password; the session goes on under a new token.
pub(super) async fn password(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let change = PasswordChange {
        old: Secret::new(form.text("old").to_owned()),
        new: Secret::new(form.text("new").to_owned()),
    };
    let held = form.visitor.session()?;
    match done(&pages, &form, &post("/me/password", Some(&held)), &change).await? {
        Err(refused) => Ok(refused),
        Ok(()) => {
            let fresh: SessionCreated = pages
                .ask(&form.visitor, &post("/auth/renew", Some(&held)), &())
                .await?;
            let go = Redirect::to("/me?done=password").into_response();
            Ok(Cookie::Session.give(fresh.token.expose(), go))
        }
    }
}

pub(super) async fn add_key(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let new = NewSshKey {
        public_key: form.text("public_key").to_owned(),
        comment: None,
        expires_at: None,
    };
    let held = form.visitor.session()?;
    let added = done(&pages, &form, &post("/me/ssh-keys", Some(&held)), &new).await?;
    Ok(added.map_or_else(|refused| refused, |()| go_on("key")))
}

pub(super) async fn remove_key(
    State(pages): State<Pages>,
    form: Form,
) -> Result<Response, Trouble> {
    let held = form.visitor.session()?;
    let key = path("/me/ssh-keys/", form.text("id"), "")?;
    let removed = done(&pages, &form, &delete(&key, &held), &()).await?;
    Ok(removed.map_or_else(|refused| refused, |()| go_on("removed")))
}

pub(super) async fn sign_out(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let held = form.visitor.session()?;
    let _: Result<(), Trouble> = pages
        .ask(&form.visitor, &post("/auth/logout", Some(&held)), &())
        .await;
    Ok(Cookie::Session.take(Redirect::to("/sign-in").into_response()))
}

pub(super) fn go_on(done: &str) -> Response {
    Redirect::to(&format!("/me?done={done}")).into_response()
}

/// Does it; where the API says no, the page is shown again with what it said.
pub(super) async fn done(
    pages: &Pages,
    form: &Form,
    asking: &super::client::Asking<'_>,
    body: &impl serde::Serialize,
) -> Result<Result<(), Response>, Trouble> {
    let answer: Result<serde_json::Value, Trouble> = pages.ask(&form.visitor, asking, body).await;
    match answer {
        Ok(_) => Ok(Ok(())),
        Err(trouble) => refused(pages, &form.visitor, trouble).await.map(Err),
    }
}

/// What is shown where the API says no: the account with what it said, or the way to prove that it is
/// still its owner.
pub(super) async fn refused(
    pages: &Pages,
    visitor: &Visitor,
    trouble: Trouble,
) -> Result<Response, Trouble> {
    match (trouble.status, trouble.code) {
        (StatusCode::UNAUTHORIZED, _) => Err(trouble),
        (_, "step_up_required") => factors::proving(pages, visitor, trouble.wants_password, None),
        _ => shown(pages, visitor, "", Some(&trouble)).await,
    }
}
