//! Enrolling devices. A device counts only after it has proven that it works.

use directory_api::rest::{self, Secret};
use policy::TypedCode;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

use super::seed_key::Owner;
use super::totp::{Codes, new_seed};
use super::yubikey::Verdict;
use super::{Device, Whose, codes_of, used, wrong};
use crate::act::Act;
use crate::assign::check_text;
use crate::audit::Draft;
use crate::http::Refused;
use crate::id::Kind;
use crate::notices;
use crate::state::AppState;

const DEVICES_MAX: i64 = 10;
/// How far a clock may be off to be told so.
const TOLD_STEPS_MAX: u64 = 20;

/// What a person needs to put a seed into an app; shown once.
pub struct TotpBegun {
    /// `mfa_…`
    pub device: String,
    /// The seed in base 32, for typing.
    pub seed: Zeroizing<String>,
    /// The same as `otpauth://…`
    pub url: Zeroizing<String>,
    /// The same as a picture.
    pub qr_svg: Zeroizing<String>,
}

impl TotpBegun {
    /// As the API shows it, once.
    pub(crate) fn shown(&self) -> rest::TotpBegun {
        let secret = |text: &str| Secret::new(text.to_owned());
        rest::TotpBegun {
            id: self.device.clone(),
            secret: secret(&self.seed),
            otpauth_url: secret(&self.url),
            qr_svg: secret(&self.qr_svg),
        }
    }
}

/// Makes a seed for somebody; it counts for nothing until a code of it was seen.
///
/// # Errors
/// Too many devices, a name that is taken, or the key of seeds cannot be used.
pub async fn begin_totp(
    act: &mut Act<'_>,
    user: Whose<'_>,
    name: &str,
) -> Result<TotpBegun, Refused> {
    let state = act.state();
    let device = act.new_id(Kind::MfaDevice)?;
    sqlx::query(
        "DELETE FROM mfa_devices WHERE user_id = $1 AND kind = 'totp' AND confirmed_at IS NULL",
    )
    .bind(user.id)
    .execute(act.database())
    .await?;
    let cipher = state
        .seed_key
        .read_or_make(act.database(), &state.random)
        .await?;
    let seed = new_seed(&state.random)?;
    let owner = Owner {
        device: &device,
        user: user.id,
    };
    let sealed = cipher.seal(seed.as_slice(), owner, &state.random)?;
    let codes = Codes::of(seed.as_slice(), &state.organisation.name, user.name)?;
    let url = codes.url()?;
    let new = NewDevice {
        id: &device,
        kind: "totp",
        name,
        seed: Some(&sealed),
        public_id: None,
        confirmed_at: None,
    };
    insert(act, user, new).await?;
    Ok(TotpBegun {
        device,
        seed: base32_of(&url),
        qr_svg: picture(&url)?,
        url,
    })
}

/// Accepts a device that shows the right code now, and burns that code.
///
/// # Errors
/// The code is wrong, or there is no such device waiting.
pub async fn confirm_totp(
    act: &mut Act<'_>,
    user: Whose<'_>,
    device: &str,
    typed: &str,
) -> Result<(), Refused> {
    let row: Device = sqlx::query_as(
        "SELECT * FROM mfa_devices
         WHERE id = $1 AND user_id = $2 AND kind = 'totp' AND confirmed_at IS NULL",
    )
    .bind(device)
    .bind(user.id)
    .fetch_optional(act.database())
    .await?
    .ok_or_else(|| Refused::not_found("second factor that waits for its first code"))?;
    let Some(TypedCode::OneTime(code)) = TypedCode::read(typed) else {
        return Err(wrong());
    };
    let codes = codes_of(&act.state().seed_key.read()?, &row)?;
    let now = act.now_ms();
    let now_s = now.max(0).unsigned_abs() / 1000;
    let Some(step) = codes.step_of(&code, now_s, 0) else {
        return Err(match codes.seconds_off(&code, now_s, TOLD_STEPS_MAX) {
            Some(seconds) => wrong().hint(format!(
                "The device's clock is about {seconds} s off; set it by the network."
            )),
            None => wrong(),
        });
    };
    sqlx::query(
        "UPDATE mfa_devices SET confirmed_at = $2, last_used_at = $2, last_step = $3 WHERE id = $1",
    )
    .bind(&row.id)
    .bind(now)
    .bind(i64::try_from(step).unwrap_or(i64::MAX))
    .execute(act.database())
    .await?;
    super::check::spend(
        act.database(),
        (&row.id, &step.to_string()),
        ("", now),
        false,
    )
    .await?;
    enrolled(act, user, "totp", &row.name).await
}

/// The public id of a YubiKey that has just proven itself: asks the validation server, so outside of
/// any transaction.
///
/// # Errors
/// The password is wrong, or no server answers.
pub async fn yubikey_of(state: &AppState, typed: &str) -> Result<String, Refused> {
    let Some(TypedCode::YubikeyOtp(otp)) = TypedCode::read(typed) else {
        return Err(wrong());
    };
    let public_id = TypedCode::yubikey_id(&otp).ok_or_else(wrong)?;
    match state.yubikeys.verdict(&otp).await? {
        Verdict::Right => Ok(public_id.to_owned()),
        Verdict::Wrong => Err(wrong()),
        Verdict::Replayed => Err(used()),
    }
}

/// Enrols a YubiKey by what [`yubikey_of`] has said.
///
/// # Errors
/// It is enrolled already, by anybody.
pub async fn add_yubikey(
    act: &mut Act<'_>,
    user: Whose<'_>,
    name: &str,
    public_id: &str,
) -> Result<String, Refused> {
    let device = act.new_id(Kind::MfaDevice)?;
    let confirmed_at = Some(act.now_ms());
    let new = NewDevice {
        id: &device,
        kind: "yubikey-otp",
        name,
        seed: None,
        public_id: Some(public_id),
        confirmed_at,
    };
    insert(act, user, new).await?;
    enrolled(act, user, "yubikey-otp", name).await?;
    Ok(device)
}

struct NewDevice<'a> {
    id: &'a str,
    kind: &'a str,
    name: &'a str,
    seed: Option<&'a str>,
    public_id: Option<&'a str>,
    confirmed_at: Option<i64>,
}

async fn insert(act: &mut Act<'_>, user: Whose<'_>, new: NewDevice<'_>) -> Result<(), Refused> {
    check_text("name", new.name)?;
    if new.name.is_empty() {
        return Err(Refused::invalid("name", "Give the device a name."));
    }
    let held: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM mfa_devices WHERE user_id = $1")
        .bind(user.id)
        .fetch_one(act.database())
        .await?;
    if held >= DEVICES_MAX {
        let detail = format!("Nobody has more than {DEVICES_MAX} second factors.");
        return Err(Refused::conflict(detail));
    }
    let (now, actor) = (act.now_ms(), act.actor_id());
    let added = sqlx::query(
        "INSERT INTO mfa_devices (id, user_id, kind, name, seed, public_id, last_step,
           confirmed_at, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9) ON CONFLICT DO NOTHING",
    )
    .bind(new.id)
    .bind(user.id)
    .bind(new.kind)
    .bind(new.name)
    .bind(new.seed)
    .bind(new.public_id)
    .bind(new.confirmed_at)
    .bind(now)
    .bind(actor)
    .execute(act.database())
    .await?;
    if added.rows_affected() == 0 {
        let detail = "A device of this name, or this YubiKey, is enrolled already.";
        return Err(Refused::conflict(detail));
    }
    Ok(())
}

async fn enrolled(
    act: &mut Act<'_>,
    user: Whose<'_>,
    method: &str,
    name: &str,
) -> Result<(), Refused> {
    let draft = Draft::new("user.mfa_enrolled")
        .target("user", user.id, user.name)
        .detail("method", method)
        .detail("name", name);
    act.record(draft).await?;
    act.touch_user(user.id);
    let what = "a second factor was added";
    notices::tell(act, user.id, what).await
}

/// The address holds the seed as apps write it.
fn base32_of(url: &str) -> Zeroizing<String> {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let secret = parameters
        .split('&')
        .find_map(|pair| pair.strip_prefix("secret="));
    Zeroizing::new(secret.unwrap_or_default().to_owned())
}

fn picture(url: &str) -> Result<Zeroizing<String>, Refused> {
    let code = QrCode::with_error_correction_level(url.as_bytes(), EcLevel::M)
        .map_err(|_| Refused::conflict("The names fit into no QR code; shorten them."))?;
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(200, 200)
        .quiet_zone(true)
        .build();
    Ok(Zeroizing::new(picture))
}
