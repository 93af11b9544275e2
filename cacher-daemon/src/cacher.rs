//! What all parts of the cacher share. Locks are held for moments and never across network I/O;
//! disk work runs on threads of its own.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore, mpsc};

use crate::apply::{Applied, Clash, Inputs, apply};
use crate::config::Config;
use crate::conversation::tries::Tries;
use crate::disk::Disk;
use crate::events::Event;
use crate::events::spool::{Limits, Spool};
use crate::factors::kept::Ledger;
use crate::factors::passed::Passed;
use crate::factors::remembered::Remembered;
use crate::health::HealthCell;
use crate::heap;
use crate::helper_client::Helper;
use crate::identity::{Enrolled, Identity};
use crate::local::LocalNames;
use crate::map_content::map_of;
use crate::memory_files::MemoryFiles;
use crate::mirror::{Mirror, MirrorError};
use crate::owners::Owners;
use crate::paths::Paths;
use crate::publish::{offer_published, publish};
use crate::run::Run;
use crate::session::Sessions;
use crate::sync::Wish;
use crate::sync::client::DirectoryClient;
use crate::tables::Tables;
use crate::time::{Clock, HighWaterMark};

/// The signed time is written down when it has moved this far; a bundle writes it as well.
const TIME_KEPT_EVERY_MS: i64 = 60_000;
/// As whom sshd runs `cloudid-authorized-keys`.
const KEYS_USER: &str = "cloudid-keys";

/// What a cacher is made of.
pub struct Parts {
    /// Where things lie.
    pub paths: Paths,
    /// The settings in force.
    pub config: Config,
    /// Clocks.
    pub clock: Arc<dyn Clock>,
    /// Disk.
    pub disk: Arc<dyn Disk>,
    /// The kernel's boot id.
    pub boot: String,
    /// This start of the daemon.
    pub run: Run,
}

/// The cacher.
pub struct Cacher {
    pub(crate) paths: Paths,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) run: Run,
    clock: Arc<dyn Clock>,
    config: RwLock<Arc<Config>>,
    identity: Option<Identity>,
    directory: RwLock<Option<DirectoryClient>>,
    mirror: Arc<Mutex<Option<Mirror>>>,
    tables: RwLock<Arc<Tables>>,
    keys_command: RwLock<Option<u32>>,
    mark: HighWaterMark,
    pub(crate) spool: Arc<Mutex<Spool>>,
    /// Something waits in the spool.
    pub(crate) events_wanted: Notify,
    pub(crate) tries: Arc<Tries>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) remembered: Remembered,
    pub(crate) passed: Passed,
    /// Open sessions of directory users.
    pub sessions: Sessions,
    /// Owners of ids without rights here.
    pub owners: Owners,
    pub(crate) memory_files: Arc<MemoryFiles>,
    pub(crate) helper: Helper,
    pub(crate) health: HealthCell,
    pub(crate) verifying: Semaphore,
    /// A newer manifest may be there.
    pub wake: Notify,
    pub(crate) wishes: mpsc::Sender<Wish>,
    applying: tokio::sync::Mutex<()>,
}

/// The cacher could not begin its work.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its own files cannot be used.
    #[error("the state folder cannot be used: {0}")]
    State(#[from] std::io::Error),
}

impl Cacher {
    /// Reads everything from disk and puts the last good bundle in force. Gives the other end of
    /// root's wishes to whoever makes the rounds.
    ///
    /// # Errors
    /// The state folder cannot be used at all. A damaged bundle is no error.
    pub fn start(parts: Parts) -> Result<(Arc<Self>, mpsc::Receiver<Wish>), StartError> {
        let Parts {
            paths,
            config,
            clock,
            disk,
            boot,
            run,
        } = parts;
        let run = run.or_the_refused(&paths);
        let limits = Limits {
            events: config.events.spool_max,
            reserve: config.events.spool_reserve,
        };
        let spool = Spool::open(paths.events(), Arc::clone(&disk), limits, boot)?;
        let tries = Tries::open(paths.tries())?;
        let ledger = Ledger::open(paths.factors())?;
        let health = HealthCell::default();
        let enrolled = Enrolled::load(&paths)?;
        let identity = enrolled.as_ref().map(|enrolled| enrolled.identity.clone());
        let mirror = opened(&paths, &disk, enrolled, &health);
        let marked = mirror
            .as_ref()
            .map_or(0, |mirror| mirror.marks().newest_signed_ms);
        let directory = client(&paths, &config, &run, &health);
        let (wishes, receiver) = mpsc::channel(4);
        let cacher = Self {
            owners: Owners::reopened(config.nss.lru_entries, &paths.owners(), clock.since_boot()),
            memory_files: Arc::default(),
            helper: Helper::at(paths.socket("helper.sock")),
            verifying: Semaphore::new(config.daemon.verify_parallel),
            sessions: Sessions::default(),
            mark: HighWaterMark::stored(marked),
            mirror: Arc::new(Mutex::new(mirror)),
            tables: RwLock::default(),
            keys_command: RwLock::default(),
            config: RwLock::new(Arc::new(config)),
            directory: RwLock::new(directory),
            spool: Arc::new(Mutex::new(spool)),
            tries: Arc::new(tries),
            ledger: Arc::new(ledger),
            remembered: Remembered::default(),
            passed: Passed::default(),
            events_wanted: Notify::new(),
            wake: Notify::new(),
            applying: tokio::sync::Mutex::new(()),
            paths,
            disk,
            run,
            clock,
            identity,
            health,
            wishes,
        };
        cacher.local_names();
        Ok((Arc::new(cacher), receiver))
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other settings in force. The number of parallel checks and the spool's limits stay
    /// until a restart.
    pub fn reconfigure(&self, config: Config) {
        let client = client(&self.paths, &config, &self.run, &self.health);
        *self
            .directory
            .write()
            .unwrap_or_else(PoisonError::into_inner) = client;
        if !config.nss.memory_file {
            self.memory_files.replace(None);
        }
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        self.wake.notify_one();
    }

    /// Who this host is; `None` before enrolment.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The way to the directory; `None` before enrolment.
    #[must_use]
    pub fn directory(&self) -> Option<DirectoryClient> {
        self.identity.as_ref()?;
        let directory = self
            .directory
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        directory.clone()
    }

    /// The tables in force.
    #[must_use]
    pub fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The moment decisions are made for.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.mark.now(&*self.clock)
    }

    /// The host's own clock, right or wrong.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    /// Time since boot.
    #[must_use]
    pub fn since_boot(&self) -> Duration {
        self.clock.since_boot()
    }

    /// The newest signed time seen.
    #[must_use]
    pub fn newest_signed(&self) -> Timestamp {
        self.mark.moment()
    }

    /// Takes a signed time in.
    pub(crate) async fn learn_time(&self, time: Timestamp) {
        self.mark.raise(time);
        let newest = self.mark.milliseconds();
        let kept = self
            .with_mirror(move |mirror| {
                if newest - mirror.marks().newest_signed_ms < TIME_KEPT_EVERY_MS {
                    return Ok(());
                }
                mirror.keep_time(newest)
            })
            .await;
        if let Err(error) = kept {
            tracing::warn!(%error, "the newest signed time could not be kept");
        }
    }

    /// The uid of sshd's key command, from the host's own files.
    #[must_use]
    pub fn keys_command(&self) -> Option<u32> {
        *self
            .keys_command
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the host's own names again.
    fn local_names(&self) -> LocalNames {
        let local = LocalNames::read(&self.paths.etc);
        let uid = local.users.get(KEYS_USER).copied();
        *self
            .keys_command
            .write()
            .unwrap_or_else(PoisonError::into_inner) = uid;
        local
    }

    /// Works on the mirror on a thread of its own.
    ///
    /// # Errors
    /// What the work says, or there is no mirror.
    pub async fn with_mirror<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Mirror) -> Result<T, MirrorError> + Send + 'static,
    ) -> Result<T, MirrorError> {
        let mirror = Arc::clone(&self.mirror);
        tokio::task::spawn_blocking(move || {
            let mut mirror = mirror.lock().unwrap_or_else(PoisonError::into_inner);
            let none = || std::io::Error::other("there is no usable mirror on this host");
            work(mirror.as_mut().ok_or_else(none)?)
        })
        .await
        .map_err(std::io::Error::other)?
    }

    /// Makes tables and map of what is in force, and puts both in force.
    pub async fn apply(&self) {
        let _one_at_a_time = self.applying.lock().await;
        let inputs = self
            .with_mirror(|mirror| {
                let signed = mirror.marks().newest_signed_ms;
                let bundle = mirror.in_force().map(|in_force| {
                    let manifest = in_force.accepted.manifest().clone();
                    let revoked = mirror.marks().revoked(manifest.fast_lane_sequence);
                    (manifest, Arc::clone(&in_force.read), revoked)
                });
                Ok((signed, bundle))
            })
            .await;
        let Ok((signed, Some((manifest, read, revoked)))) = inputs else {
            return;
        };
        if let Ok(signed) = Timestamp::from_millisecond(signed) {
            self.mark.raise(signed);
        }
        let nss = self.config().nss.clone();
        let inputs = Arc::new(Inputs {
            manifest,
            read,
            revoked,
            local: self.local_names(),
            strangers: self.owners.strangers(nss.owners),
            nss,
        });
        let (with, before) = (Arc::clone(&inputs), self.tables());
        match tokio::task::spawn_blocking(move || apply(&with, Some(&before))).await {
            Ok(applied) => self.enforce(inputs, applied).await,
            Err(error) => self.note_error(&error.to_string()),
        }
    }

    async fn enforce(&self, inputs: Arc<Inputs>, applied: Applied) {
        let (tables, dropped) = (Arc::new(applied.tables), inputs.read.dropped.len());
        let fresh = self.tables().version != tables.version;
        // Decisions first: a revocation must bite even where no map can be written.
        *self.tables.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&tables);
        let (disk, paths) = (Arc::clone(&self.disk), self.paths.clone());
        let memory = Arc::clone(&self.memory_files);
        let memory = inputs.nss.memory_file.then_some(memory);
        let published = tokio::task::spawn_blocking(move || {
            let map = map_of(&inputs, &tables)?;
            publish(&*disk, &paths, &map, memory.as_deref())
        });
        let published = published.await;
        // Nobody waits for it.
        drop(tokio::task::spawn_blocking(heap::trim));
        match published.map_err(|error| error.to_string()) {
            Ok(Ok(true)) => self.forget_name_cache().await,
            Ok(Ok(false)) => {}
            Ok(Err(error)) => self.note_error(&error.to_string()),
            Err(error) => self.note_error(&error),
        }
        if fresh {
            self.report(&applied.clashes, dropped).await;
        }
    }

    /// Sees to it that there is a memory file of the published map.
    pub(crate) async fn offer_published(&self) {
        let _one_at_a_time = self.applying.lock().await;
        if !self.config().nss.memory_file || !self.memory_files.is_empty() {
            return;
        }
        let (paths, memory) = (self.paths.clone(), Arc::clone(&self.memory_files));
        let offered = tokio::task::spawn_blocking(move || offer_published(&paths, &memory));
        if let Err(error) = offered.await {
            self.note_error(&error.to_string());
        }
    }

    /// What a bundle said that could not be taken over, once per bundle.
    async fn report(&self, clashes: &[Clash], dropped: usize) {
        if !clashes.is_empty() {
            let names: Vec<&str> = clashes
                .iter()
                .take(50)
                .map(|one| one.name.as_str())
                .collect();
            let ids: Vec<u32> = clashes.iter().take(50).map(|one| one.number).collect();
            let event = Event::new("host.name_clash", "error")
                .detail("names", names)
                .detail("ids", ids)
                .detail("count", clashes.len());
            self.record(event).await;
        }
        if dropped > 0 {
            let event = Event::new("bundle.refused", "error")
                .detail("why", "record")
                .detail("dropped", dropped);
            self.record(event).await;
        }
    }

    async fn forget_name_cache(&self) {
        if let Err(error) = self
            .helper
            .ask(&local_protocol::Verb::ForgetNameCache)
            .await
        {
            tracing::debug!(%error, "nscd was not told");
        }
    }

    /// Writes an event down; it is durable when this returns. What cannot be written is said in
    /// the journal, and never keeps anybody out.
    pub(crate) async fn record(&self, event: Event) {
        let (kind, outcome) = (event.kind, event.outcome);
        tracing::info!(kind, outcome, user = %event.user, details = ?event.details, "event");
        let (spool, time_ms) = (Arc::clone(&self.spool), self.wall().as_millisecond());
        let written = tokio::task::spawn_blocking(move || {
            let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            spool.append(&event, time_ms)
        });
        match written.await {
            Ok(Ok(())) => self.events_wanted.notify_one(),
            Ok(Err(error)) => {
                tracing::error!(%error, kind, "an event could not be written");
                self.note_error(&format!("events: {error}"));
            }
            Err(error) => tracing::error!(%error, kind, "an event could not be written"),
        }
    }

    /// Events that wait for the directory.
    #[must_use]
    pub fn events_waiting(&self) -> u64 {
        self.spool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting()
    }

    /// Highest fast-lane message taken in.
    pub(crate) async fn fast_lane_sequence(&self) -> u64 {
        self.with_mirror(|mirror| Ok(mirror.marks().fast_lane_sequence))
            .await
            .unwrap_or(0)
    }
}

/// A mirror that cannot be opened leaves the host without directory users, and says so; local
/// users are not concerned.
fn opened(
    paths: &Paths,
    disk: &Arc<dyn Disk>,
    enrolled: Option<Enrolled>,
    health: &HealthCell,
) -> Option<Mirror> {
    match Mirror::open(paths, Arc::clone(disk), enrolled?) {
        Ok(mirror) => {
            if let Some(damage) = &mirror.damage {
                tracing::error!(%damage, "the state on disk is damaged");
                health.change(|health| health.last_error.clone_from(damage));
            }
            Some(mirror)
        }
        Err(error) => {
            tracing::error!(%error, "the mirror cannot be opened");
            health.change(|health| health.last_error = error.to_string());
            None
        }
    }
}

fn client(
    paths: &Paths,
    config: &Config,
    run: &Run,
    health: &HealthCell,
) -> Option<DirectoryClient> {
    DirectoryClient::new(paths, &config.directory, run)
        .inspect_err(|error| {
            tracing::error!(%error, "the directory cannot be called");
            health.change(|health| health.last_error = error.to_string());
        })
        .ok()
        .flatten()
}
