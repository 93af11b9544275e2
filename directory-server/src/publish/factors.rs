//! What hosts learn of second factors: the policies that are for them, which kinds people there
//! have, verifiers of unused backup codes, and ten bits of each coming code. Nothing of it goes to a
//! host without a policy. Never a seed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use policy::{FactorFields, FactorKind, FactorPolicy, OfflineCodes};
use signed_bundle::{BackupCodeRecord, CheckBits, CheckBitsRecord, FactorsRecord, STEP_SECONDS};

use super::PublishError;
use super::world::WorldPerson;
use crate::factors::{
    Device, SeedCipher, SeedKey, StoredPolicy, Unreadable, codes_of, load_policies,
};
use crate::store::Writing;

const HOUR_SECONDS: u64 = 3600;

/// Everybody's second factors and all policies, at one moment.
pub(super) struct WorldFactors {
    policies: Vec<StoredPolicy>,
    enrolled: BTreeMap<String, BTreeSet<FactorKind>>,
    backup_codes: BTreeMap<String, Vec<BackupCodeRecord>>,
    totp: BTreeMap<String, Vec<Device>>,
}

/// What one slice has of it.
#[derive(Default)]
pub(super) struct SliceFactors {
    pub(super) policies: Vec<FactorPolicy>,
    pub(super) factors: Vec<FactorsRecord>,
    pub(super) check_bits: Vec<CheckBitsRecord>,
}

/// Bits that were made already: each code is computed once an hour for the whole fleet.
#[derive(Default)]
pub(super) struct Stock {
    first_step: u64,
    made: HashMap<(String, u64), String>,
}

/// Makes bits for one pass of the publisher.
pub(super) struct Bits<'a> {
    pub(super) stock: &'a mut Stock,
    cipher: Option<SeedCipher>,
}

impl WorldFactors {
    pub(super) async fn load(tx: &mut Writing) -> Result<Self, PublishError> {
        let policies = load_policies(tx)
            .await?
            .map_err(|Unreadable(id, why)| PublishError::Policy(id, why))?;
        let mut enrolled: BTreeMap<String, BTreeSet<FactorKind>> = BTreeMap::new();
        let mut totp: BTreeMap<String, Vec<Device>> = BTreeMap::new();
        let devices: Vec<Device> =
            sqlx::query_as("SELECT * FROM mfa_devices WHERE confirmed_at IS NOT NULL ORDER BY id")
                .fetch_all(&mut **tx)
                .await?;
        for device in devices {
            let kinds = enrolled.entry(device.user_id.clone()).or_default();
            if device.kind == "totp" {
                kinds.insert(FactorKind::Totp);
                totp.entry(device.user_id.clone()).or_default().push(device);
            } else {
                kinds.insert(FactorKind::YubikeyOtp);
            }
        }
        let keys: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT user_id FROM ssh_keys WHERE hardware = 1")
                .fetch_all(&mut **tx)
                .await?;
        for user in keys {
            enrolled
                .entry(user)
                .or_default()
                .insert(FactorKind::HardwareKey);
        }
        let codes: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT user_id, id, verifier FROM backup_codes WHERE used_at IS NULL ORDER BY id",
        )
        .fetch_all(&mut **tx)
        .await?;
        let mut backup_codes: BTreeMap<String, Vec<BackupCodeRecord>> = BTreeMap::new();
        for (user, id, verifier) in codes {
            let kinds = enrolled.entry(user.clone()).or_default();
            kinds.insert(FactorKind::BackupCode);
            let codes = backup_codes.entry(user).or_default();
            codes.push(BackupCodeRecord { id, verifier });
        }
        Ok(Self {
            policies,
            enrolled,
            backup_codes,
            totp,
        })
    }

    /// What a host with these people gets.
    pub(super) fn of_slice(
        &self,
        host: &policy::Host,
        people: &[&WorldPerson],
        bits: &mut Bits<'_>,
    ) -> SliceFactors {
        let stored = self.policies.iter();
        let policies: Vec<FactorPolicy> = stored.filter_map(|one| one.for_host(host)).collect();
        if policies.is_empty() {
            return SliceFactors::default();
        }
        let always = always(&policies);
        let with_backup_codes = always.offline_backup_codes != Some(false);
        let horizon_seconds = horizon_seconds(&policies, &always);
        let mut slice = SliceFactors {
            policies,
            ..SliceFactors::default()
        };
        // What is suspended proves nobody.
        let active = people
            .iter()
            .filter(|person| person.record.state == policy::UserState::Active);
        for person in active {
            let user = &person.record.id;
            let Some(enrolled) = self.enrolled.get(user) else {
                continue;
            };
            let codes = self.backup_codes.get(user).filter(|_| with_backup_codes);
            slice.factors.push(FactorsRecord {
                user: user.clone(),
                enrolled: enrolled.clone(),
                backup_codes: codes.cloned().unwrap_or_default(),
            });
            let devices = self.totp.get(user).into_iter().flatten();
            if let Some(horizon_seconds) = horizon_seconds {
                let records = devices.filter_map(|device| bits.of(device, horizon_seconds));
                slice.check_bits.extend(records);
            }
        }
        slice
    }
}

/// What every login at a host must keep, whatever its service and source.
fn always(policies: &[FactorPolicy]) -> FactorFields {
    policies
        .iter()
        .filter(|policy| {
            policy.services.is_empty()
                && policy.sources.is_empty()
                && policy.except_sources.is_empty()
        })
        .fold(FactorFields::default(), |fields, policy| {
            fields.strictest(&policy.fields)
        })
}

/// How far bits must reach for the most patient login there can be; nothing where none counts
/// offline.
fn horizon_seconds(policies: &[FactorPolicy], always: &FactorFields) -> Option<u64> {
    if always.offline_codes == Some(OfflineCodes::Deny) {
        return None;
    }
    let standard = policy::Factors::standard().offline_horizon_seconds;
    let named = policies
        .iter()
        .filter_map(|policy| policy.fields.offline_horizon_seconds);
    let farthest = match always.offline_horizon_seconds {
        Some(seconds) => seconds,
        None => named.fold(standard, u64::max),
    };
    Some(farthest.min(policy::OFFLINE_HORIZON_SECONDS_MAX)).filter(|seconds| *seconds > 0)
}

impl Stock {
    /// Whether bits of this hour were made: when not, every host gets new ones.
    pub(super) fn is_of(&self, now_s: u64) -> bool {
        self.first_step == first_step(now_s)
    }
}

/// The hour's first step, and the one before it, which a slow clock still shows.
fn first_step(now_s: u64) -> u64 {
    (now_s / HOUR_SECONDS * HOUR_SECONDS / STEP_SECONDS).saturating_sub(1)
}

impl<'a> Bits<'a> {
    /// For bundles made now. Without the key there are no bits: hosts refuse codes while they are
    /// cut off, and everything else is published.
    pub(super) fn at(
        stock: &'a mut Stock,
        now_s: u64,
        world: &WorldFactors,
        key: &SeedKey,
    ) -> Self {
        if !stock.is_of(now_s) {
            *stock = Stock {
                first_step: first_step(now_s),
                made: HashMap::new(),
            };
        }
        let needed = !world.policies.is_empty() && !world.totp.is_empty();
        Self {
            stock,
            cipher: needed.then(|| key.read().ok()).flatten(),
        }
    }

    fn of(&mut self, device: &Device, horizon_seconds: u64) -> Option<CheckBitsRecord> {
        let first_step = self.stock.first_step;
        let bits = match self.stock.made.get(&(device.id.clone(), horizon_seconds)) {
            Some(bits) => bits.clone(),
            None => {
                let codes = codes_of(self.cipher.as_ref()?, device).ok()?;
                // An hour more, until the next stock; and the steps around it.
                let steps = (horizon_seconds + HOUR_SECONDS).div_ceil(STEP_SECONDS) + 2;
                let codes: Vec<_> = (first_step..first_step.saturating_add(steps))
                    .map(|step| codes.at(step))
                    .collect();
                let codes = codes.iter().map(|code| code.as_str());
                let bits = CheckBits::of_codes(&device.user_id, first_step, codes).packed();
                let key = (device.id.clone(), horizon_seconds);
                self.stock.made.insert(key, bits.clone());
                bits
            }
        };
        Some(CheckBitsRecord {
            device: device.id.clone(),
            user: device.user_id.clone(),
            first_step,
            bits,
        })
    }
}
