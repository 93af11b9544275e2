//! The policy in force at a host for one kind of login, field by field, with the policies it comes
//! from.

use std::net::IpAddr;

use directory_api::rest::{EffectiveField, EffectivePolicy, Lifetime};
use policy::{FactorPolicy, Factors};
use serde_json::{Value, json};

use super::policies::StoredPolicy;
use crate::http::Refused;

/// What holds for logins by this service from there.
///
/// # Errors
/// A value cannot be written.
pub(crate) fn effective(
    host: &policy::Host,
    policies: &[StoredPolicy],
    (service, source): (&str, Option<IpAddr>),
) -> Result<EffectivePolicy, Refused> {
    let named = policies.iter().filter_map(|stored| {
        let policy = stored.for_host(host)?;
        let concerned = policy.concerns(service, source);
        concerned.then(|| (stored.name.clone(), policy))
    });
    let (names, concerning): (Vec<String>, Vec<FactorPolicy>) = named.unzip();
    let factors = Factors::of(&concerning, service, source);
    let mut fields = Vec::new();
    for (field, value) in values(&factors)? {
        fields.push(EffectiveField {
            field: field.to_owned(),
            from: Vec::new(),
            value,
        });
    }
    for (name, policy) in names.iter().zip(&concerning) {
        let said = said(policy)?;
        for (field, said) in fields.iter_mut().zip(said) {
            if said.as_ref() == Some(&field.value) {
                field.from.push(name.clone());
            }
        }
    }
    Ok(EffectivePolicy {
        host: host.name.clone(),
        service: service.to_owned(),
        policies: names,
        fields,
    })
}

/// Every field by the name it has in the contract, written as there.
pub(super) fn values(factors: &Factors) -> Result<[(&'static str, Value); 10], Refused> {
    Ok([
        ("auth_methods", serde_json::to_value(&factors.auth_methods)?),
        ("mfa.required", json!(factors.mfa_required)),
        ("mfa.methods", serde_json::to_value(&factors.mfa_methods)?),
        ("mfa.unenrolled", serde_json::to_value(factors.unenrolled)?),
        ("mfa.remember", span(factors.remember_seconds)),
        ("offline.mfa", serde_json::to_value(factors.offline_codes)?),
        ("offline.horizon", span(factors.offline_horizon_seconds)),
        ("offline.code_tries", json!(factors.code_tries)),
        ("offline.lock_for", span(factors.code_lock_seconds)),
        ("offline.backup_codes", json!(factors.offline_backup_codes)),
    ])
}

/// In the same order, the fields that a policy sets itself.
fn said(policy: &FactorPolicy) -> Result<Vec<Option<Value>>, Refused> {
    let fields = &policy.fields;
    let sets = [
        fields.auth_methods.is_some(),
        fields.mfa_required.is_some(),
        fields.mfa_methods.is_some(),
        fields.unenrolled.is_some(),
        fields.remember_seconds.is_some(),
        fields.offline_codes.is_some(),
        fields.offline_horizon_seconds.is_some(),
        fields.code_tries.is_some(),
        fields.code_lock_seconds.is_some(),
        fields.offline_backup_codes.is_some(),
    ];
    let values = values(&fields.clone().decided())?;
    let said = values.into_iter().zip(sets);
    Ok(said.map(|((_, value), set)| set.then_some(value)).collect())
}

/// `0s`, or as a length of time is written everywhere.
fn span(seconds: u64) -> Value {
    let text = format!("{seconds}s");
    Lifetime::parse(&text).map_or(Value::from(text), |length| length.to_string().into())
}
