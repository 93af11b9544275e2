//! What a change does to how logins are proven: for each host, field by field, and whether somebody
//! gets in with less than before. The hosts' own engine is asked before and after, so whatever
//! changes it (a policy, a tag, a project) is seen, and what changes nothing is not told.

use std::collections::{BTreeMap, BTreeSet};

use directory_api::rest::{ProofChange, Reach};
use ipnet::IpNet;
use policy::{FactorPolicy, Factors, Host};
use serde_json::Value;
use sqlx::SqliteConnection;

use super::effective::values;
use super::policies::{StoredPolicy, load_readable};
use crate::http::Refused;

/// Services that ask people on every host, whether a policy names them or not.
const USUAL_SERVICES: [&str; 4] = ["login", "sshd", "su", "sudo"];
const ANYWHERE: &str = "anywhere";

/// The policies and the hosts at one moment.
pub(crate) struct Proofs {
    policies: Vec<StoredPolicy>,
    hosts: Vec<Host>,
}

/// What is told in one entry: field, value before, value after, whether it is looser.
type Difference = (&'static str, String, String, bool);

impl Proofs {
    /// Reads the policies. One that cannot be read is left out: nothing is decided here, and it
    /// must be possible to remove it.
    ///
    /// # Errors
    /// The database fails.
    pub(crate) async fn load(
        database: &mut SqliteConnection,
        hosts: Vec<Host>,
    ) -> Result<Self, Refused> {
        let policies = load_readable(database).await?;
        Ok(Self { policies, hosts })
    }

    fn of_host(&self, id: &str) -> Vec<FactorPolicy> {
        let Some(host) = self.hosts.iter().find(|host| host.id == id) else {
            return Vec::new();
        };
        let policies = self.policies.iter();
        policies
            .filter_map(|policy| policy.for_host(host))
            .collect()
    }

    /// What differs afterwards, looser ones first. `reach` is who can log in where then.
    pub(crate) fn changes_to(
        &self,
        after: &Self,
        reach: &BTreeSet<Reach>,
    ) -> Result<Vec<ProofChange>, Refused> {
        if self.policies.is_empty() && after.policies.is_empty() {
            return Ok(Vec::new());
        }
        let mut users: BTreeMap<&str, u64> = BTreeMap::new();
        for pair in reach {
            *users.entry(&pair.host).or_default() += 1;
        }
        let mut changes = Vec::new();
        for host in &after.hosts {
            let users = users.get(host.name.as_str()).copied().unwrap_or_default();
            let differences = differences(&self.of_host(&host.id), &after.of_host(&host.id))?;
            for ((field, from, to, loosened), (services, sources)) in differences {
                changes.push(ProofChange {
                    host: host.name.clone(),
                    users,
                    services,
                    sources,
                    field: field.to_owned(),
                    from: serde_json::from_str(&from)?,
                    to: serde_json::from_str(&to)?,
                    loosened,
                });
            }
        }
        changes.sort_by_key(|change| !change.loosened);
        Ok(changes)
    }
}

type Logins = (BTreeSet<String>, BTreeSet<String>);

/// What differs for one host, each with the services and sources where it does.
fn differences(
    before: &[FactorPolicy],
    after: &[FactorPolicy],
) -> Result<BTreeMap<Difference, Logins>, Refused> {
    let mut found: BTreeMap<Difference, Logins> = BTreeMap::new();
    if before == after {
        return Ok(found);
    }
    let policies: Vec<&FactorPolicy> = before.iter().chain(after).collect();
    for service in services(&policies) {
        for source in sources(&policies) {
            let address = source.map(|network| network.network());
            for difference in between(
                &Factors::of(before, &service, address),
                &Factors::of(after, &service, address),
            )? {
                let (services, sources) = found.entry(difference).or_default();
                services.insert(service.clone());
                sources.insert(source.map_or(ANYWHERE.to_owned(), |network| network.to_string()));
            }
        }
    }
    Ok(found)
}

fn between(before: &Factors, after: &Factors) -> Result<Vec<Difference>, Refused> {
    // Where nobody was asked, whatever is asked now is more.
    let free = *before == Factors::one_factor();
    let sterner = before.fields().strictest(&after.fields()).decided();
    let (before, after, sterner) = (values(before)?, values(after)?, values(&sterner)?);
    let fields = before.into_iter().zip(after).zip(sterner);
    let differing = fields.filter(|((before, after), _)| before != after);
    Ok(differing
        .map(|(((field, before), (_, after)), (_, sterner))| {
            (
                field,
                text(&before),
                text(&after),
                !free && after != sterner,
            )
        })
        .collect())
}

fn text(value: &Value) -> String {
    value.to_string()
}

fn services(policies: &[&FactorPolicy]) -> BTreeSet<String> {
    let named = policies.iter().flat_map(|policy| policy.services.clone());
    USUAL_SERVICES
        .map(str::to_owned)
        .into_iter()
        .chain(named)
        .collect()
}

/// One address of each network that is named, and one of none of them.
fn sources(policies: &[&FactorPolicy]) -> BTreeSet<Option<IpNet>> {
    let named = policies
        .iter()
        .flat_map(|policy| policy.sources.iter().chain(&policy.except_sources));
    named.map(|network| Some(*network)).chain([None]).collect()
}

#[cfg(test)]
mod tests {
    use policy::{FactorFields, Unenrolled};

    use super::*;

    fn policy(fields: FactorFields) -> FactorPolicy {
        FactorPolicy {
            id: "pol_1".to_owned(),
            services: BTreeSet::new(),
            sources: Vec::new(),
            except_sources: Vec::new(),
            fields,
        }
    }

    fn told(before: &[FactorPolicy], after: &[FactorPolicy]) -> Vec<(&'static str, bool)> {
        let differences = differences(before, after).unwrap();
        let told = differences.into_keys();
        told.map(|(field, _, _, loosened)| (field, loosened))
            .collect()
    }

    #[test]
    fn the_first_policy_loosens_nothing_and_its_end_does() {
        let only = [policy(FactorFields::default())];
        let made = told(&[], &only);
        assert!(made.contains(&("mfa.required", false)));
        assert!(made.iter().all(|(_, loosened)| !loosened), "{made:?}");
        let gone = told(&only, &[]);
        assert!(gone.iter().all(|(_, loosened)| *loosened), "{gone:?}");
    }

    #[test]
    fn a_field_that_another_policy_holds_up_is_not_loosened() {
        let strict = policy(FactorFields {
            unenrolled: Some(Unenrolled::Deny),
            ..FactorFields::default()
        });
        let loose = policy(FactorFields {
            unenrolled: Some(Unenrolled::Allow),
            ..FactorFields::default()
        });
        let (strict, loose) = ([strict.clone()], [strict, loose]);
        assert_eq!(told(&strict, &loose), []);
        assert_eq!(told(&loose[1..], &strict), [("mfa.unenrolled", false)]);
        assert_eq!(told(&strict, &loose[1..]), [("mfa.unenrolled", true)]);
    }

    #[test]
    fn only_the_network_that_is_excepted_is_told() {
        let everywhere = [policy(FactorFields::default())];
        let mut excepting = everywhere.clone();
        excepting[0].except_sources = vec!["10.0.0.0/8".parse().unwrap()];
        let differences = differences(&everywhere, &excepting).unwrap();
        assert!(!differences.is_empty());
        for ((_, _, _, loosened), (services, sources)) in differences {
            assert!(loosened);
            assert_eq!(sources, ["10.0.0.0/8".to_owned()].into());
            assert_eq!(services.len(), USUAL_SERVICES.len());
        }
    }
}
