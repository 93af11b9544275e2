//! Policies as people write them and as hosts get them. What would let nobody in, or never could
//! mean anything, is refused here and named.

use directory_api::rest::{Lifetime, MfaSettings, OfflineSettings, PolicySettings, Span};
use ipnet::IpNet;
use policy::{FactorFields, FactorPolicy, OFFLINE_HORIZON_SECONDS_MAX};

use crate::assign::{check_name, check_text};
use crate::http::Refused;

const SERVICES_MAX: usize = 64;
const SERVICE_BYTES_MAX: usize = 64;
const SOURCES_MAX: usize = 256;
const REMEMBER_SECONDS_MAX: u64 = 24 * 3600;
const CODE_TRIES_MAX: u32 = 10;
const LOCK_SECONDS: std::ops::RangeInclusive<u64> = 60..=24 * 3600;
/// They start what people have ordered before; nobody is there to be asked.
const NOBODY_THERE: [&str; 4] = ["cron", "crond", "atd", "systemd-user"];

/// As hosts get it.
///
/// # Errors
/// Names the field that cannot be.
pub(crate) fn policy_of(id: &str, settings: &PolicySettings) -> Result<FactorPolicy, Refused> {
    check_name(&settings.name)?;
    check_text("description", &settings.description)?;
    check_services(settings)?;
    check_sources("sources", &settings.sources)?;
    check_sources("except_sources", &settings.except_sources)?;
    let (mfa, offline) = (&settings.mfa, &settings.offline);
    if settings
        .auth_methods
        .as_ref()
        .is_some_and(|ways| ways.is_empty())
    {
        return Err(Refused::invalid("auth_methods", "Nobody could log in."));
    }
    if mfa.methods.as_ref().is_some_and(|kinds| kinds.is_empty()) {
        return Err(Refused::invalid(
            "mfa.methods",
            "No factor would count; name at least one.",
        ));
    }
    let remember = mfa.remember.map(Span::seconds);
    if remember.is_some_and(|seconds| seconds > REMEMBER_SECONDS_MAX) {
        return Err(Refused::invalid("mfa.remember", "At most 24h."));
    }
    let horizon = offline.horizon.map(seconds);
    if horizon.is_some_and(|seconds| seconds > OFFLINE_HORIZON_SECONDS_MAX) {
        return Err(Refused::invalid("offline.horizon", "At most 72h."));
    }
    if offline
        .code_tries
        .is_some_and(|tries| tries > CODE_TRIES_MAX)
    {
        let detail = format!("At most {CODE_TRIES_MAX}.");
        return Err(Refused::invalid("offline.code_tries", detail));
    }
    let lock = offline.lock_for.map(seconds);
    if lock.is_some_and(|seconds| !LOCK_SECONDS.contains(&seconds)) {
        return Err(Refused::invalid("offline.lock_for", "Between 1m and 24h."));
    }
    Ok(FactorPolicy {
        id: id.to_owned(),
        services: settings.services.clone(),
        sources: settings.sources.clone(),
        except_sources: settings.except_sources.clone(),
        fields: FactorFields {
            auth_methods: settings.auth_methods.clone(),
            mfa_required: mfa.required,
            mfa_methods: mfa.methods.clone(),
            unenrolled: mfa.unenrolled,
            remember_seconds: remember,
            offline_codes: offline.mfa,
            offline_horizon_seconds: horizon,
            code_tries: offline.code_tries,
            code_lock_seconds: lock,
            offline_backup_codes: offline.backup_codes,
        },
    })
}

/// As people write it; without its name, its text and its hosts, which hosts never get.
pub(crate) fn settings_of(policy: FactorPolicy) -> PolicySettings {
    let fields = policy.fields;
    PolicySettings {
        services: policy.services,
        sources: policy.sources,
        except_sources: policy.except_sources,
        auth_methods: fields.auth_methods,
        mfa: MfaSettings {
            required: fields.mfa_required,
            methods: fields.mfa_methods,
            unenrolled: fields.unenrolled,
            remember: fields.remember_seconds.and_then(span),
        },
        offline: OfflineSettings {
            mfa: fields.offline_codes,
            horizon: fields.offline_horizon_seconds.and_then(lifetime),
            code_tries: fields.code_tries,
            lock_for: fields.code_lock_seconds.and_then(lifetime),
            backup_codes: fields.offline_backup_codes,
        },
        ..PolicySettings::default()
    }
}

fn seconds(lifetime: Lifetime) -> u64 {
    lifetime.seconds().unsigned_abs()
}

fn lifetime(seconds: u64) -> Option<Lifetime> {
    Lifetime::parse(&format!("{seconds}s")).ok()
}

fn span(seconds: u64) -> Option<Span> {
    Span::parse(&format!("{seconds}s")).ok()
}

fn check_services(settings: &PolicySettings) -> Result<(), Refused> {
    let refuse = |detail: String| Err(Refused::invalid("services", detail));
    if settings.services.len() > SERVICES_MAX {
        return refuse(format!("At most {SERVICES_MAX} services."));
    }
    for service in &settings.services {
        if NOBODY_THERE.contains(&service.as_str()) {
            return refuse(format!("{service} asks nobody; there is nothing to prove."));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let sound = (1..=SERVICE_BYTES_MAX).contains(&service.len()) && service.bytes().all(plain);
        if !sound {
            return refuse("A service is the name of a file in /etc/pam.d.".to_owned());
        }
    }
    Ok(())
}

fn check_sources(field: &str, sources: &[IpNet]) -> Result<(), Refused> {
    if sources.len() > SOURCES_MAX {
        let detail = format!("At most {SOURCES_MAX} networks.");
        return Err(Refused::invalid(field, detail));
    }
    Ok(())
}
