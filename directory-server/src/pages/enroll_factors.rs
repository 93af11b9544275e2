//! The steps of self-enrolment about second factors. Seeds and codes stand in one page and in no
//! other: what was not noted is made anew.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use directory_api::rest::{
    BackupCodesCreated, MfaDevice, NewTotp, NewYubikey, Secret, TotpBegun, TypedFactor,
};

use super::Pages;
use super::client::{Trouble, path};
use super::enroll::Enrolling;
use super::form::Form;
use super::html::{Shown, Step, Waiting};

/// Shows a new seed, once.
pub(super) async fn begin_totp(
    State(pages): State<Pages>,
    form: Form,
) -> Result<Response, Trouble> {
    let enrolling = Enrolling::of(&pages, &form.visitor).await?;
    let new = NewTotp {
        name: form.text("name").to_owned(),
    };
    let begun: Result<TotpBegun, Trouble> = enrolling.post(&pages, &form, "totp", &new).await;
    Ok(match begun {
        Ok(begun) => {
            let waiting = Waiting {
                device: &begun.id,
                begun: Some(&begun),
            };
            enrolling.page(Step::Factor, None, waits(waiting))
        }
        Err(trouble) => enrolling.page(Step::Factor, Some(&trouble), Shown::default()),
    })
}

pub(super) async fn confirm_totp(
    State(pages): State<Pages>,
    form: Form,
) -> Result<Response, Trouble> {
    let enrolling = Enrolling::of(&pages, &form.visitor).await?;
    let device = form.text("device");
    let step = path("totp/", device, "/confirm")?;
    let confirmed: Result<(), Trouble> = enrolling.post(&pages, &form, &step, &typed(&form)).await;
    Ok(match confirmed {
        Ok(()) => Redirect::to("/enroll?step=codes").into_response(),
        Err(trouble) => {
            let waiting = Waiting {
                device,
                begun: None,
            };
            enrolling.page(Step::Factor, Some(&trouble), waits(waiting))
        }
    })
}

fn waits(waiting: Waiting<'_>) -> Shown<'_> {
    Shown {
        waiting: Some(waiting),
        ..Shown::default()
    }
}

pub(super) async fn yubikey(State(pages): State<Pages>, form: Form) -> Result<Response, Trouble> {
    let enrolling = Enrolling::of(&pages, &form.visitor).await?;
    let new = NewYubikey {
        name: form.text("name").to_owned(),
        code: typed(&form).code,
    };
    let added: Result<MfaDevice, Trouble> = enrolling.post(&pages, &form, "yubikey", &new).await;
    Ok(match added {
        Ok(_) => Redirect::to("/enroll?step=codes").into_response(),
        Err(trouble) => enrolling.page(Step::Factor, Some(&trouble), Shown::default()),
    })
}

/// Shows new backup codes, once.
pub(super) async fn backup_codes(
    State(pages): State<Pages>,
    form: Form,
) -> Result<Response, Trouble> {
    let enrolling = Enrolling::of(&pages, &form.visitor).await?;
    let made: Result<BackupCodesCreated, Trouble> =
        enrolling.post(&pages, &form, "backup-codes", &()).await;
    Ok(match made {
        Ok(made) => enrolling.page(Step::Codes, None, keeping(&made.codes)),
        Err(trouble) => enrolling.page(Step::Codes, Some(&trouble), Shown::default()),
    })
}

/// One of them was typed.
pub(super) async fn keep_backup_codes(
    State(pages): State<Pages>,
    form: Form,
) -> Result<Response, Trouble> {
    let enrolling = Enrolling::of(&pages, &form.visitor).await?;
    let kept: Result<(), Trouble> = enrolling
        .post(&pages, &form, "backup-codes/confirm", &typed(&form))
        .await;
    Ok(match kept {
        Ok(()) => Redirect::to("/enroll?step=test").into_response(),
        Err(trouble) => enrolling.page(Step::Codes, Some(&trouble), keeping(&[])),
    })
}

fn keeping(codes: &[Secret]) -> Shown<'_> {
    Shown {
        codes,
        keeping: true,
        ..Shown::default()
    }
}

fn typed(form: &Form) -> TypedFactor {
    TypedFactor {
        code: Secret::new(form.text("code").trim().to_owned()),
    }
}
