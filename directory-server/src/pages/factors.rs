//! One's own second factors. Whoever changes them proves first that it is them: the form for that
//! comes in between, and the session goes on under a new token.

use axum::extract::State;
use axum::response::Response;
use directory_api::rest::{
    BackupCodesCreated, MfaDevice, NewTotp, NewYubikey, Secret, SessionCreated, StepUp, TotpBegun,
    TypedFactor,
};

use super::Pages;
use super::account::{done, go_on, refused};
use super::client::{Trouble, Visitor, delete, path, post};
use super::cookies::Cookie;
use super::form::Form;
use super::html::{FactorPage, Forms, Proving, Shown, Waiting, page, status};

/// Asks for a code, or for the password of somebody without a factor.
pub(super) fn proving(
    pages: &Pages,
    visitor: &Visitor,
    by_password: bool,
    trouble: Option<&Trouble>,
) -> Result<Response, Trouble> {
    let form = Proving {
        organisation: &pages.app.organisation.name,
        forms: Forms(visitor.session()?),
        by_password,
        trouble,
    };
    Ok(page(status(trouble), &form))
}

pub(super) async fn prove(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let held = form.visitor.session()?;
    let given = |name: &str| {
        let text = form.text(name);
        (!text.is_empty()).then(|| Secret::new(text.to_owned()))
    };
    let step = StepUp {
        code: given("code"),
        password: given("password"),
    };
    let by_password = step.password.is_some();
    let asking = post("/auth/step-up", Some(&held));
    let proven: Result<(), Trouble> = pages.ask(&form.visitor, &asking, &step).await;
    match proven {
        Ok(()) => {
            let fresh: SessionCreated = pages
                .ask(&form.visitor, &post("/auth/renew", Some(&held)), &())
                .await?;
            Ok(Cookie::Session.give(fresh.token.expose(), go_on("proven")))
        }
        Err(trouble) if trouble.code == "unauthenticated" => Err(trouble),
        Err(trouble) => proving(&pages, &form.visitor, by_password, Some(&trouble)),
    }
}

/// Shows a new seed, once.
pub(super) async fn begin_totp(
    State(pages): State<Pages>,
    form: Form,
) -> Result<Response, Trouble> {
    let held = form.visitor.session()?;
    let new = NewTotp {
        name: form.text("name").to_owned(),
    };
    let asking = post("/me/mfa/totp", Some(&held));
    let begun: Result<TotpBegun, Trouble> = pages.ask(&form.visitor, &asking, &new).await;
    match begun {
        Ok(begun) => {
            let waiting = Waiting {
                device: &begun.id,
                begun: Some(&begun),
            };
            factor_page(&pages, &form, waits(waiting), None)
        }
        Err(trouble) => refused(&pages, &form.visitor, trouble).await,
    }
}

pub(super) async fn confirm_totp(
    State(pages): State<Pages>,
    form: Form,
) -> Result<Response, Trouble> {
    let held = form.visitor.session()?;
    let device = form.text("device");
    let path = path("/me/mfa/totp/", device, "/confirm")?;
    let asking = post(&path, Some(&held));
    let confirmed: Result<MfaDevice, Trouble> =
        pages.ask(&form.visitor, &asking, &typed(&form)).await;
    match confirmed {
        Ok(_) => Ok(go_on("factor")),
        Err(trouble) if trouble.code == "code_wrong" => {
            let waiting = Waiting {
                device,
                begun: None,
            };
            factor_page(&pages, &form, waits(waiting), Some(&trouble))
        }
        Err(trouble) => refused(&pages, &form.visitor, trouble).await,
    }
}

fn waits(waiting: Waiting<'_>) -> Shown<'_> {
    Shown {
        waiting: Some(waiting),
        ..Shown::default()
    }
}

fn factor_page(
    pages: &Pages,
    form: &Form,
    shown: Shown<'_>,
    trouble: Option<&Trouble>,
) -> Result<Response, Trouble> {
    let factor = FactorPage {
        organisation: &pages.app.organisation.name,
        forms: Forms(form.visitor.session()?),
        shown,
        trouble,
    };
    Ok(page(status(trouble), &factor))
}

pub(super) async fn add_yubikey(
    State(pages): State<Pages>,
    form: Form,
) -> Result<Response, Trouble> {
    let held = form.visitor.session()?;
    let new = NewYubikey {
        name: form.text("name").to_owned(),
        code: typed(&form).code,
    };
    let added = done(&pages, &form, &post("/me/mfa/yubikey", Some(&held)), &new).await?;
    Ok(added.map_or_else(|refused| refused, |()| go_on("factor")))
}

pub(super) async fn remove(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let held = form.visitor.session()?;
    let device = path("/me/mfa/", form.text("id"), "")?;
    let removed = done(&pages, &form, &delete(&device, &held), &()).await?;
    Ok(removed.map_or_else(|refused| refused, |()| go_on("factor-removed")))
}

/// Shows new backup codes, once.
pub(super) async fn backup_codes(
    State(pages): State<Pages>,
    form: Form,
) -> Result<Response, Trouble> {
    let held = form.visitor.session()?;
    let asking = post("/me/backup-codes", Some(&held));
    let made: Result<BackupCodesCreated, Trouble> = pages.ask(&form.visitor, &asking, &()).await;
    match made {
        Ok(made) => {
            let shown = Shown {
                codes: &made.codes,
                keeping: true,
                ..Shown::default()
            };
            factor_page(&pages, &form, shown, None)
        }
        Err(trouble) => refused(&pages, &form.visitor, trouble).await,
    }
}

pub(super) async fn keep_backup_codes(
    State(pages): State<Pages>,
    form: Form,
) -> Result<Response, Trouble> {
    let held = form.visitor.session()?;
    let asking = post("/me/backup-codes/confirm", Some(&held));
    let kept = done(&pages, &form, &asking, &()).await?;
    Ok(kept.map_or_else(|refused| refused, |()| go_on("codes")))
}

fn typed(form: &Form) -> TypedFactor {
    TypedFactor {
        code: Secret::new(form.text("code").trim().to_owned()),
    }
}
