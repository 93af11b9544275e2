//! The verified copy of this host's bundle: what is in force, how an offered one is taken in, and
//! what sticks. Does disk work and no network; whoever calls it brings the bytes.

pub mod marks;
mod revoke;
mod soundness;
pub mod store;

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use signed_bundle::{
    AcceptedManifest, Accepting, ChunkReference, DirectoryFault, Held, HeldPerson, ReadSlice,
    Refusal, RootDocument, accept_manifest, read_next_slice, reopen_manifest, reopen_root_chain,
    shrink_guard, suspensions, vanished, verify_root_chain,
};

use crate::disk::{Disk, read_bounded};
use crate::identity::Enrolled;
use crate::paths::Paths;
use marks::{Leaving, Marks, Revocation};
pub use revoke::Revoked;
use soundness::Soundness;
use store::{Fetched, Store, Which};

/// How long people who lose access to this host keep their open sessions.
pub const LEAVING_GRACE_MS: i64 = 60_000;
const ROOT_CHAIN_BYTES_MAX: u64 = signed_bundle::ROOT_CHAIN_BYTES_MAX as u64;

/// Why something offered was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// It is not right, or somebody must act first.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The host's disk does not take it.
    #[error("the disk refuses: {0}")]
    Disk(#[from] io::Error),
}

/// A bundle in force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Its manifest, verified.
    pub accepted: AcceptedManifest,
    /// As it was signed.
    pub signed: Arc<Vec<u8>>,
    /// Its content.
    pub read: Arc<ReadSlice>,
}

/// A manifest that may be taken once its chunks are here.
#[derive(Debug)]
pub struct Offer {
    accepted: AcceptedManifest,
    signed: Vec<u8>,
    /// Chunks that are not on disk yet, or damaged there.
    pub missing: Vec<ChunkReference>,
    /// So many chunks were read and hashed to know that they are sound.
    pub hashed: usize,
}

/// The mirror.
pub struct Mirror {
    paths: Paths,
    disk: Arc<dyn Disk>,
    store: Store,
    soundness: Soundness,
    enrolled: Enrolled,
    roots: Vec<RootDocument>,
    in_force: Option<InForce>,
    /// Fast-lane sequence of the manifest kept as previous.
    previous_contains: u64,
    marks: Marks,
    /// What was damaged on disk: the newest bundle, so that the previous one had to serve, or the marks.
    pub damage: Option<String>,
}

impl Mirror {
    /// Opens what is on disk: the newest bundle that is sound.
    ///
    /// # Errors
    /// The state folder cannot be used, or the root chain in it is damaged.
    pub fn open(
        paths: &Paths,
        disk: Arc<dyn Disk>,
        enrolled: Enrolled,
    ) -> Result<Self, MirrorError> {
        let store = Store::open(paths.bundle())?;
        let chain = read_bounded(&paths.root_chain(), ROOT_CHAIN_BYTES_MAX)?.unwrap_or_default();
        let roots = reopen_root_chain(&enrolled.identity.organisation, &chain)?;
        let (marks, damage) = match Marks::load(&paths.marks()) {
            Ok(marks) => (marks, None),
            Err(damaged) => (Marks::default(), Some(damaged.to_string())),
        };
        let mut mirror = Self {
            paths: paths.clone(),
            disk,
            store,
            soundness: Soundness::default(),
            enrolled,
            roots,
            in_force: None,
            previous_contains: 0,
            marks,
            damage,
        };
        mirror.reopen();
        Ok(mirror)
    }

    fn reopen(&mut self) {
        let previous = self.stored(Which::Previous, None);
        if let Ok(Some(previous)) = &previous {
            self.previous_contains = previous.accepted.manifest().fast_lane_sequence;
        }
        let previous = previous.ok().flatten();
        let before = previous.as_ref().map(|previous| &*previous.read);
        self.in_force = match self.stored(Which::Newest, before) {
            Ok(Some(newest)) => {
                self.in_force = Some(newest);
                self.note_interrupted(previous.as_ref());
                return;
            }
            Ok(None) => previous,
            Err(error) => {
                let damage =
                    format!("the newest bundle is damaged, the previous one serves: {error}");
                let before = self.damage.take().into_iter();
                self.damage = Some(before.chain([damage]).collect::<Vec<_>>().join("; "));
                previous
            }
        };
    }

    /// The power went after the newest bundle was durable and before the marks were: what its
    /// coming meant is noted now.
    fn note_interrupted(&mut self, previous: Option<&InForce>) {
        let Some(newest) = self.in_force.as_ref().map(|now| now.accepted.manifest()) else {
            return;
        };
        if self.marks.bundle_version == newest.version {
            return;
        }
        let came = newest.issued;
        self.note_change(previous, came);
    }

    fn stored(
        &self,
        which: Which,
        before: Option<&ReadSlice>,
    ) -> Result<Option<InForce>, MirrorError> {
        let Some(signed) = self.store.manifest(which)? else {
            return Ok(None);
        };
        let identity = &self.enrolled.identity;
        let accepted = reopen_manifest(
            &signed,
            &self.roots,
            &identity.organisation,
            &identity.host_id,
        )?;
        let read = read_next_slice(
            before,
            &accepted,
            |reference| self.store.chunk(reference),
            &self.enrolled.sealing_key,
        )?;
        Ok(Some(InForce {
            accepted,
            signed: Arc::new(signed),
            read: Arc::new(read),
        }))
    }

    /// The bundle in force.
    #[must_use]
    pub fn in_force(&self) -> Option<&InForce> {
        self.in_force.as_ref()
    }

    /// Counters and revocations.
    #[must_use]
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Version in force; 0 for none.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.held().map_or(0, |held| held.version)
    }

    fn held(&self) -> Option<Held> {
        self.in_force.as_ref().map(|now| now.accepted.held())
    }

    fn root(&self) -> Result<&RootDocument, Refusal> {
        let missing = DirectoryFault::Malformed("no root document");
        Ok(self.roots.last().ok_or(missing)?)
    }

    /// Follows a fetched root chain and makes it durable.
    ///
    /// # Errors
    /// The chain does not continue the one held, or the disk refuses.
    pub fn take_root_chain(&mut self, chain: &[u8], now: Timestamp) -> Result<(), MirrorError> {
        let organisation = &self.enrolled.identity.organisation;
        verify_root_chain(self.roots.last(), organisation, chain, now)?;
        let roots = reopen_root_chain(organisation, chain)?;
        self.disk.replace(&self.paths.root_chain(), chain, 0o600)?;
        self.roots = roots;
        Ok(())
    }

    /// Looks at a manifest. `None` when it is the one in force.
    ///
    /// # Errors
    /// It is refused; two manifests of one version are both kept as evidence.
    pub fn consider(
        &mut self,
        signed: &[u8],
        now: Timestamp,
    ) -> Result<Option<Offer>, MirrorError> {
        let identity = &self.enrolled.identity;
        let accepting = Accepting {
            root: self.root()?,
            organisation: &identity.organisation,
            host: &identity.host_id,
            held: self.held(),
            now,
        };
        let accepted =
            accept_manifest(signed, &accepting).map_err(|refusal| self.kept(refusal, signed))?;
        if Some(accepted.held()) == self.held() {
            return Ok(None);
        }
        let checked =
            self.soundness
                .check(&accepted.manifest().chunks, self.store.traces(), |chunk| {
                    self.store.chunk(chunk).is_some()
                });
        Ok(Some(Offer {
            accepted,
            signed: signed.to_vec(),
            missing: checked.damaged,
            hashed: checked.hashed,
        }))
    }

    fn kept(&self, refusal: Refusal, signed: &[u8]) -> MirrorError {
        if let Refusal::Directory(DirectoryFault::Equivocation { version }) = &refusal {
            let held = self.in_force.as_ref().map(|now| now.signed.as_slice());
            let both: Vec<&[u8]> = held.into_iter().chain([signed]).collect();
            if let Err(error) = self.store.keep_evidence(&*self.disk, *version, &both) {
                tracing::error!(%error, "evidence of equivocation could not be kept");
            }
        }
        refusal.into()
    }

    /// Takes a considered bundle in with its chunks.
    ///
    /// # Errors
    /// It is refused or held back, or the disk refuses; what was in force stays.
    pub fn take(
        &mut self,
        offer: Offer,
        fetched: &Fetched,
        accept_shrink: bool,
        now: Timestamp,
    ) -> Result<(), MirrorError> {
        let read = read_next_slice(
            self.in_force.as_ref().map(|now| &*now.read),
            &offer.accepted,
            |reference| match fetched.get(&reference.sha256) {
                Some(chunk) => Some(chunk.clone()),
                None => self.store.chunk(reference),
            },
            &self.enrolled.sealing_key,
        )?;
        self.guard(&offer, &read, accept_shrink)?;
        let current = self.in_force.as_ref().map(|now| Arc::clone(&now.signed));
        self.store.commit(
            &*self.disk,
            &offer.signed,
            fetched,
            current.as_ref().map(|signed| signed.as_slice()),
        )?;
        self.enter(offer, read, now)
    }

    /// Most people would vanish: the bundle waits, what it suspends does not.
    fn guard(&mut self, offer: &Offer, read: &ReadSlice, accept: bool) -> Result<(), MirrorError> {
        let Some(now) = &self.in_force else {
            return Ok(());
        };
        let confirmed = if accept {
            u32::MAX
        } else {
            offer.accepted.manifest().confirmed_removals
        };
        let Err(refusal) = shrink_guard(&now.read.slice, &read.slice, confirmed) else {
            return Ok(());
        };
        let suspended = suspensions(&now.read.slice, &read.slice);
        self.marks.held_back.extend(suspended);
        self.save_marks()?;
        Err(refusal.into())
    }

    /// The bundle is durable; from here on it is in force.
    fn enter(&mut self, offer: Offer, read: ReadSlice, now: Timestamp) -> Result<(), MirrorError> {
        let new = InForce {
            accepted: offer.accepted,
            signed: Arc::new(offer.signed),
            read: Arc::new(read),
        };
        let old = self.in_force.replace(new);
        self.damage = None;
        if let Some(old) = &old {
            self.previous_contains = old.accepted.manifest().fast_lane_sequence;
        }
        self.note_change(old.as_ref(), now);
        self.marks.held_back.clear();
        let manifests = [self.in_force.as_ref(), old.as_ref()];
        let kept: Vec<_> = manifests
            .into_iter()
            .flatten()
            .map(|kept| kept.accepted.manifest())
            .collect();
        self.store.forget_others(&*self.disk, &kept);
        self.save_marks()
    }

    /// Notes what the change from the bundle before to the one in force means.
    fn note_change(&mut self, old: Option<&InForce>, now: Timestamp) {
        self.note_leaving(old, now);
        let Some(new) = self.in_force.as_ref().map(|new| new.accepted.manifest()) else {
            return;
        };
        let (version, contained) = (new.version, new.fast_lane_sequence);
        let issued = new.issued.as_millisecond();
        if let Some(old) = old {
            self.note_suspended(old, contained);
        }
        // The previous bundle may have to serve after a damage: what it lacks still sticks.
        let in_both = contained.min(self.previous_contains);
        self.marks
            .revocations
            .retain(|revocation| revocation.sequence > in_both);
        self.marks.fast_lane_sequence = self.marks.fast_lane_sequence.max(contained);
        self.marks.newest_signed_ms = self.marks.newest_signed_ms.max(issued);
        self.marks.bundle_version = version;
    }

    /// What this bundle suspends must hold as well when the previous one has to serve after a
    /// damage, also where the fast-lane message itself never came.
    fn note_suspended(&mut self, old: &InForce, contained: u64) {
        let Some(new) = &self.in_force else { return };
        for user in suspensions(&old.read.slice, &new.read.slice) {
            self.marks.stick(Revocation {
                sequence: contained,
                user,
            });
        }
    }

    /// Who was here and is no more keeps open sessions for the grace; who came back stays.
    fn note_leaving(&mut self, old: Option<&InForce>, now: Timestamp) {
        let Some(new) = &self.in_force else { return };
        let new = &new.read.slice;
        if !self.marks.leaving.is_empty() {
            let here: HashSet<&str> = new.people.iter().map(|one| one.view().id).collect();
            let leaving = &mut self.marks.leaving;
            leaving.retain(|leaving| !here.contains(leaving.user.as_str()));
        }
        let due_ms = now.as_millisecond().saturating_add(LEAVING_GRACE_MS);
        let gone = old.map(|old| vanished(&old.read.slice, new));
        let gone = gone.into_iter().flatten().map(HeldPerson::view);
        let leaving = gone.map(|person| Leaving {
            user: person.id.to_owned(),
            uid: person.uid,
            due_ms,
        });
        self.marks.leaving.extend(leaving);
    }

    /// Sessions of these people have been ended.
    ///
    /// # Errors
    /// The disk refuses; they will be ended once more after a restart.
    pub fn left(&mut self, users: &[String]) -> io::Result<()> {
        self.marks
            .leaving
            .retain(|leaving| !users.contains(&leaving.user));
        self.save_marks().map_err(io::Error::other)
    }

    fn save_marks(&mut self) -> Result<(), MirrorError> {
        Ok(self.marks.save(&*self.disk, &self.paths.marks())?)
    }
}
