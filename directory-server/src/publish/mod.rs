//! Makes bundles. Whatever changes in the store is published to the hosts it concerns, and to no
//! others; revocations overtake bundles on the fast lane. One publisher runs in a directory.

mod alarm;
mod bundle;
mod canaries;
mod factors;
pub(crate) mod fast_lane;
mod slice;
mod virtual_groups;
mod wakes;
mod world;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use posix_names::Gid;
use signed_bundle::VirtualGroup;

use crate::audit::{self, Draft};
use crate::clock::NoRandomness;
use crate::dirty::{Dirty, Touched};
use crate::http::Origin;
use crate::keys::SigningKeys;
use crate::state::AppState;
use crate::store::Writing;

use alarm::Alarm;
use canaries::{Canaries, Verdict};
use factors::{Bits, Stock};
pub use wakes::Wakes;
use world::{World, WorldHost};

/// Changes that follow each other this closely become one bundle.
const SETTLE: Duration = Duration::from_millis(30);
/// How often it is looked for manifests that grow old.
const RENEWAL_CHECK: Duration = Duration::from_secs(60);
/// After a failure.
const RETRY: Duration = Duration::from_secs(5);
/// How often it is looked for what the canaries say, while others wait for them.
const CANARY_CHECK: Duration = Duration::from_millis(200);
/// Hosts whose bundles are written in one transaction, so that other writers get their turn.
const HOSTS_PER_WRITE: usize = 32;

/// Why nothing was published; what hosts have stays in force.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The database failed.
    #[error("the database failed: {0}")]
    Store(#[from] sqlx::Error),
    /// A stored rule cannot be read.
    #[error("access rule {0} cannot be read ({1}); nothing is published until it is mended")]
    Rule(String, String),
    /// A stored policy cannot be read.
    #[error("policy {0} cannot be read ({1}); nothing is published until it is mended")]
    Policy(String, String),
    /// A host's slice does not fit.
    #[error("the bundle of {0}: {1}")]
    Plan(String, signed_bundle::PlanError),
    /// A host's public key is not one.
    #[error("the sealing key of {0} is unusable; enrol it again")]
    SealingKey(String),
    /// Nothing can be drawn.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// What is not written down is not published.
    #[error("the audit log cannot be written: {0}")]
    Audit(String),
    /// All ids are given out.
    #[error("no ids are left for groups")]
    NoIds,
    /// A date outside the calendar.
    #[error("a manifest's end lies outside the calendar")]
    Date(#[from] jiff::Error),
    /// A canary does not take what was published for it.
    #[error("{0}; the other hosts keep what they have until it is mended")]
    Stopped(String),
    /// The database holds nobody although hosts have bundles.
    #[error(
        "the database holds no users although bundles were published before; nothing is signed. \
         Restore the newest backup"
    )]
    Emptied,
}

/// The one publisher.
pub struct Publisher {
    app: AppState,
    keys: Arc<SigningKeys>,
    wakes: Wakes,
    virtual_groups: BTreeMap<VirtualGroup, Gid>,
    /// Who was in each host's newest slice; empty for hosts not looked at since the start.
    last: HashMap<String, BTreeSet<String>>,
    /// Bits of coming codes, made once an hour.
    stock: Stock,
    canaries: Canaries,
    /// Hosts with a change before them that the canaries have not taken yet.
    held: BTreeSet<String>,
    /// The canaries they wait for.
    watched: BTreeSet<String>,
}

impl Publisher {
    /// Prepares the publisher.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn new(
        app: AppState,
        keys: Arc<SigningKeys>,
        wakes: Wakes,
    ) -> Result<Self, PublishError> {
        let virtual_groups = virtual_groups::gids(&app.store).await?;
        let canaries = Canaries::new(&app.config.publish);
        Ok(Self {
            app,
            keys,
            wakes,
            virtual_groups,
            last: HashMap::new(),
            stock: Stock::default(),
            canaries,
            held: BTreeSet::new(),
            watched: BTreeSet::new(),
        })
    }

    /// Publishes for ever. Revocations are signed and sent by a task of their own, so that none
    /// waits for bundles.
    pub fn start(mut self) {
        let bundles = Dirty::default();
        bundles.mark(everything());
        let forwarded = bundles.clone();
        let (app, keys) = (self.app.clone(), Arc::clone(&self.keys));
        tokio::spawn(async move {
            loop {
                if let Err(error) = fast_lane::send_pending(&app, &keys).await {
                    tracing::error!(%error, "revocations wait");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
                forwarded.mark(app.dirty.taken().await);
            }
        });
        tokio::spawn(async move {
            let mut alarm = Alarm::default();
            loop {
                let touched = self.next(&bundles).await;
                let published = self.publish(&touched).await;
                let failed = published.err().map(|error| error.to_string());
                alarm.raise(&self.app, failed.as_deref()).await;
                if let Some(error) = failed {
                    tracing::error!(%error, "not published; hosts keep what they have");
                    tokio::time::sleep(RETRY).await;
                    bundles.mark(touched);
                }
            }
        });
    }

    /// Forgets revocations that every host has in its bundle; another time, when it fails.
    async fn forget_old(&self) {
        match fast_lane::forget_old(&self.app).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "old revocations are part of every bundle"),
            Err(error) => tracing::warn!(%error, "old revocations were not forgotten"),
        }
    }

    /// Publishes what was touched. Returns the hosts that have a new version.
    ///
    /// # Errors
    /// Says why nothing, or not everything, was published.
    pub async fn publish(
        &mut self,
        touched: &Touched,
    ) -> Result<BTreeMap<String, u64>, PublishError> {
        if touched.is_empty() && self.verdict().await? == Verdict::Wait {
            return Ok(BTreeMap::new());
        }
        let world = World::load(&self.app.store).await?;
        if world.users_ever == 0 && world.hosts.iter().any(|host| host.bundle_version > 0) {
            return Err(PublishError::Emptied);
        }
        self.forget_others(&world, touched);
        // With a new hour begins a new stock of codes, on every host.
        let hour = everything();
        let touched = if self.stock.is_of(self.now_s()) {
            touched
        } else {
            &hour
        };
        let concerned: Vec<&WorldHost> = world
            .hosts
            .iter()
            .filter(|host| self.concerns(touched, host, &world))
            .collect();
        let (first, rest) = self.in_turn(concerned, touched);
        let mut published = BTreeMap::new();
        let failed = self.write_all(&world, &first, &mut published).await;
        let verdict = self.hold(&world, &rest, failed.is_ok()).await?;
        if verdict == Verdict::Clear {
            self.write_all(&world, &rest, &mut published).await?;
        }
        failed?;
        if let Verdict::Stop(why) = verdict {
            return Err(PublishError::Stopped(why));
        }
        if touched.everything && verdict == Verdict::Clear {
            self.forget_old().await;
        }
        Ok(published)
    }

    /// What is to be looked at next. While hosts wait for the canaries, that is soon.
    async fn next(&self, bundles: &Dirty) -> Touched {
        if self.held.is_empty() {
            let touched = settled(bundles, RENEWAL_CHECK).await;
            return touched.unwrap_or_else(everything);
        }
        let touched = settled(bundles, CANARY_CHECK).await;
        touched.unwrap_or_default()
    }

    /// Who gets the change at once, and who after the canaries. A host that was touched itself, by
    /// an administrator or by enrolling, does not wait.
    fn in_turn<'w>(
        &self,
        concerned: Vec<&'w WorldHost>,
        touched: &Touched,
    ) -> (Vec<&'w WorldHost>, Vec<&'w WorldHost>) {
        concerned.into_iter().partition(|host| {
            self.canaries.include(host) || touched.hosts.contains(&host.policy.id)
        })
    }

    /// Asks the canaries whether the rest may have what they have, and keeps in mind who waits. Where
    /// the first bundles could not be made, nobody has anything to say yet.
    async fn hold(
        &mut self,
        world: &World,
        rest: &[&WorldHost],
        made: bool,
    ) -> Result<Verdict, PublishError> {
        let canaries = world
            .hosts
            .iter()
            .filter(|host| self.canaries.include(host));
        self.watched = canaries.map(|host| host.policy.id.clone()).collect();
        let verdict = if made || self.watched.is_empty() {
            self.verdict().await?
        } else {
            Verdict::Wait
        };
        self.held.clear();
        if verdict != Verdict::Clear {
            self.held
                .extend(rest.iter().map(|host| host.policy.id.clone()));
        }
        Ok(verdict)
    }

    async fn verdict(&self) -> Result<Verdict, sqlx::Error> {
        let now = self.app.clock.now();
        self.canaries
            .verdict(&self.app.store, &self.watched, now)
            .await
    }

    async fn write_all(
        &mut self,
        world: &World,
        hosts: &[&WorldHost],
        published: &mut BTreeMap<String, u64>,
    ) -> Result<(), PublishError> {
        let mut failed = Ok(());
        for some in hosts.chunks(HOSTS_PER_WRITE) {
            match self.write(world, some).await {
                Ok(versions) => published.extend(versions),
                Err(error) => failed = Err(error),
            }
        }
        failed
    }

    async fn write(
        &mut self,
        world: &World,
        hosts: &[&WorldHost],
    ) -> Result<BTreeMap<String, u64>, PublishError> {
        let maker = bundle::Maker {
            keys: &self.keys,
            random: &self.app.random,
            now: self.app.clock.now(),
            lifetime: self.app.config.keys.bundle_ttl,
        };
        let mut stock = std::mem::take(&mut self.stock);
        let mut bits = Bits::at(&mut stock, self.now_s(), &world.factors, &self.app.seed_key);
        let mut versions = BTreeMap::new();
        let mut failed = Ok(());
        let mut tx = self.app.store.write().await?;
        for host in hosts {
            let slice = slice::slice_of(world, host, &self.virtual_groups, &mut bits);
            let people = slice.people.iter().map(|person| person.id.clone());
            let people: BTreeSet<String> = people.collect();
            match maker.make(&mut tx, host, &slice, world).await {
                Ok(Some(version)) => {
                    self.write_down(&mut tx, host, version).await?;
                    versions.insert(host.policy.id.clone(), version);
                }
                Ok(None) => {}
                // The others get theirs; this one is tried again.
                Err(error) => failed = Err(error),
            }
            self.last.insert(host.policy.id.clone(), people);
        }
        self.stock = stock;
        tx.commit().await?;
        for (host, version) in &versions {
            self.wakes.published(host, *version);
        }
        failed.map(|()| versions)
    }

    fn now_s(&self) -> u64 {
        self.app.clock.now().as_second().max(0).unsigned_abs()
    }

    async fn write_down(
        &self,
        tx: &mut Writing,
        host: &WorldHost,
        version: u64,
    ) -> Result<(), PublishError> {
        let (id, name) = (&host.policy.id, &host.policy.name);
        let draft = Draft::new("bundle.published")
            .target("host", id, name)
            .host(id, name)
            .detail("version", version);
        let origin = Origin::of_system(self.app.clock.now());
        let organisation = &self.app.organisation.id;
        audit::append(tx, organisation, draft, &origin, &self.app.random)
            .await
            .map(drop)
            .map_err(|refused| PublishError::Audit(refused.detail().to_owned()))
    }

    fn concerns(&self, touched: &Touched, host: &WorldHost, world: &World) -> bool {
        let id = &host.policy.id;
        let Some(last) = self.last.get(id) else {
            return true;
        };
        touched.everything
            || self.held.contains(id)
            || touched.hosts.contains(id)
            || !last.is_disjoint(&touched.users)
            || world.people.iter().any(|person| {
                let record = &person.record;
                touched.users.contains(&record.id)
                    && policy::could_ever_reach(
                        &record.id,
                        &person.groups,
                        &host.policy,
                        &world.rules,
                    )
            })
    }

    /// Hosts that are touched and no longer get bundles: whoever waits for one is sent away.
    fn forget_others(&mut self, world: &World, touched: &Touched) {
        for host in &touched.hosts {
            if world.hosts.iter().all(|known| known.policy.id != *host) {
                self.last.remove(host);
                self.wakes.forget(host);
            }
        }
    }
}

/// Everything is looked at; only what has changed or grows old is published.
#[must_use]
pub fn everything() -> Touched {
    Touched {
        everything: true,
        ..Touched::default()
    }
}

/// Waits so long for marks, and a little longer for those that follow closely.
async fn settled(bundles: &Dirty, patience: Duration) -> Option<Touched> {
    let mut touched = tokio::time::timeout(patience, bundles.taken()).await.ok()?;
    tokio::time::sleep(SETTLE).await;
    if let Ok(more) = tokio::time::timeout(Duration::ZERO, bundles.taken()).await {
        touched.merge(more);
    }
    Some(touched)
}
