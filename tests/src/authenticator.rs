//! Second factors of a person of a test: an authenticator that shows codes, and backup codes,
//! enrolled by that person at the directory.

use crate::command::OrFail;
use crate::directory::Directory;
use serde_json::{Value, json};
use totp_rs::Totp;

/// Length of a step.
pub(crate) const STEP_SECONDS: u64 = 30;

/// An authenticator that holds one seed.
pub struct Authenticator {
    totp: Totp,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Authenticator {
    /// By the address in a QR code.
    #[must_use]
    #[track_caller]
    pub fn of_address(address: &str) -> Self {
        let totp = Totp::from_url(address).or_fail("read the key of an authenticator");
        Self { totp }
    }

    /// The code that it shows `steps` steps after (or before) this second since 1970.
    #[must_use]
    pub fn code(&self, second: u64, steps: i64) -> String {
        let later = steps.unsigned_abs().saturating_mul(STEP_SECONDS);
        let second = if steps < 0 {
            second.saturating_sub(later)
        } else {
            second.saturating_add(later)
        };
        self.totp.generate(second).to_string()
    }

    /// A code that it shows nowhere near this second.
    #[must_use]
    pub fn wrong_code(&self, second: u64) -> String {
        let near: Vec<String> = (-4..=4).map(|steps| self.code(second, steps)).collect();
        let mut codes = (0..1_000_000_u32).map(|number| format!("{number:06}"));
        let wrong = codes.find(|code| !near.contains(code));
        wrong.or_fail("find a wrong code")
    }
}

/// What a person of a test has enrolled.
#[derive(Debug)]
pub struct Enrolled {
    /// Shows codes; the step before the second of enrolment is burnt.
    pub authenticator: Authenticator,
    /// Ten of them, each good once.
    pub backup_codes: Vec<String>,
}

impl Directory {
    /// The person enrols an authenticator and backup codes by the API. The authenticator is
    /// confirmed with the code of the step before `second`: that of `second` is still good.
    #[track_caller]
    #[must_use]
    pub fn enrol_factors(&self, person: &str, password: &str, second: u64) -> Enrolled {
        let session = self.session_of(person, password);
        let ask = |path: &str, body: Value| self.api(&session, ("POST", path), &body);
        let begun = ask("/me/mfa/totp", json!({"name": "phone"}));
        let text = |field: &str| begun.get(field).and_then(Value::as_str).unwrap_or_default();
        let authenticator = Authenticator::of_address(text("otpauth_url"));
        let path = format!("/me/mfa/totp/{}/confirm", text("id"));
        let _ = ask(&path, json!({"code": authenticator.code(second, -1)}));
        Enrolled {
            authenticator,
            backup_codes: self.new_backup_codes(&session),
        }
    }

    /// The person enrols a YubiKey with one of its passwords, and gets backup codes.
    #[track_caller]
    #[must_use]
    pub fn enrol_yubikey(&self, person: &str, password: &str, touch: &str) -> Vec<String> {
        let session = self.session_of(person, password);
        let body = json!({"name": "key", "code": touch});
        let _ = self.api(&session, ("POST", "/me/mfa/yubikey"), &body);
        self.new_backup_codes(&session)
    }

    #[track_caller]
    fn new_backup_codes(&self, session: &str) -> Vec<String> {
        let made = self.api(session, ("POST", "/me/backup-codes"), &json!({}));
        let codes = made.get("codes").and_then(Value::as_array);
        let codes = codes.or_fail("read the backup codes").iter();
        codes
            .map(|code| code.as_str().unwrap_or_default().to_owned())
            .collect()
    }
}
