//! One organisation with one host, made anew for each test.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacher_daemon::cacher::{Cacher, Parts};
use cacher_daemon::config::Config;
use cacher_daemon::daemon;
use cacher_daemon::disk::{Disk, HostDisk};
use cacher_daemon::identity::Enrolled;
use cacher_daemon::mirror::Mirror;
use cacher_daemon::paths::Paths;
use cacher_daemon::run::Run;
use cacher_daemon::sync::round::round;
use cacher_daemon::time::Clock;
use hpke::rand_core::{TryCryptoRng, TryRng};
use jiff::{SignedDuration, Timestamp};
use policy::{AccessRule, HostState, UserState};
use posix_names::{Gecos, Gid, GroupName, HomeDirectory, LoginShell, Uid, UserName};
use sha2::{Digest, Sha256};
use signed_bundle::*;
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(crate) const ORGANISATION: &str = "org_1";
pub(crate) const HOST: &str = "hst_1";
/// `correct horse`, by crypt(3) with the fewest rounds there are.
pub(crate) const VERIFIER: &str = "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1";

/// A hash chain: enough to make every draw different.
pub(crate) struct Counter(pub(crate) u64);

impl TryRng for Counter {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(32) {
            self.0 += 1;
            let block = Sha256::digest(self.0.to_le_bytes());
            part.copy_from_slice(&block[..part.len()]);
        }
        Ok(())
    }
}
impl TryCryptoRng for Counter {}

pub(crate) fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// A clock that goes where the test turns it.
pub(crate) struct TestClock(Mutex<(Timestamp, Duration)>);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((noon(), Duration::from_secs(100)))))
    }
    pub(crate) fn turn_to(&self, time: Timestamp) {
        self.0.lock().unwrap().0 = time;
    }
    pub(crate) fn pass(&self, time: Duration) {
        let mut both = self.0.lock().unwrap();
        both.0 = both
            .0
            .checked_add(SignedDuration::try_from(time).unwrap())
            .unwrap();
        both.1 += time;
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        self.0.lock().unwrap().0
    }
    fn since_boot(&self) -> Duration {
        self.0.lock().unwrap().1
    }
}

/// Who signs.
pub(crate) struct Organisation {
    pub(crate) root_key: SigningKey,
    pub(crate) signing_key: SigningKey,
    pub(crate) sealing_key: SealingKey,
}

/// A bundle as it travels.
#[derive(Clone, Default)]
pub(crate) struct Bundle {
    pub(crate) manifest: Vec<u8>,
    pub(crate) chunks: BTreeMap<String, Vec<u8>>,
}

impl Organisation {
    pub(crate) fn new() -> Self {
        Self {
            root_key: SigningKey::from_seed(&[1; 32]),
            signing_key: SigningKey::from_seed(&[2; 32]),
            sealing_key: SealingKey::from_bytes(Zeroizing::new([3; 32])),
        }
    }

    pub(crate) fn chain(&self) -> Vec<u8> {
        let document = RootDocument {
            organisation: ORGANISATION.to_owned(),
            version: 1,
            issued: noon() - SignedDuration::from_hours(1),
            expires: noon() + SignedDuration::from_hours(24 * 365 * 100),
            root: Role::new([self.root_key.public()], 1),
            bundle: Role::new([self.signing_key.public()], 1),
            limits: Limits::default(),
        };
        encode_root_chain(&[make_root(&document, &[&self.root_key])])
    }

    pub(crate) fn bundle(&self, version: u64, slice: &Slice) -> Bundle {
        self.bundle_with(slice, |manifest| manifest.version = version)
    }

    pub(crate) fn bundle_with(&self, slice: &Slice, change: impl FnOnce(&mut Manifest)) -> Bundle {
        let plan = plan_chunks(slice).unwrap();
        let plain: Vec<_> = plan
            .iter()
            .map(|chunk| (chunk.kind, chunk.bytes.clone()))
            .collect();
        self.bundle_of(&plain, change)
    }

    pub(crate) fn bundle_of(
        &self,
        plain: &[(ChunkKind, Vec<u8>)],
        change: impl FnOnce(&mut Manifest),
    ) -> Bundle {
        let key = self.sealing_key.public().unwrap();
        let recipient = Recipient {
            organisation: ORGANISATION,
            host: HOST,
            key: &key,
        };
        let mut bundle = Bundle::default();
        let mut references = Vec::new();
        for (kind, plain) in plain {
            let bytes = if kind.is_sealed() {
                seal(plain, &recipient, &mut Counter(7)).unwrap()
            } else {
                plain.clone()
            };
            let reference = ChunkReference::of(*kind, &bytes).unwrap();
            bundle.chunks.insert(reference.name(), bytes);
            references.push(reference);
        }
        let mut manifest = Manifest {
            organisation: ORGANISATION.to_owned(),
            host: HOST.to_owned(),
            version: 1,
            issued: noon(),
            expires: noon() + SignedDuration::from_hours(24),
            root_version: 1,
            fast_lane_sequence: 0,
            confirmed_removals: 0,
            chunks: references,
        };
        change(&mut manifest);
        bundle.manifest = sign_manifest(&manifest, &self.signing_key);
        bundle
    }

    pub(crate) fn suspension(&self, sequence: u64, user: &str) -> Vec<u8> {
        let message = FastMessage {
            organisation: ORGANISATION.to_owned(),
            sequence,
            issued: noon(),
            action: FastAction::SuspendUser {
                user: user.to_owned(),
            },
        };
        sign_fast_message(&message, &self.signing_key)
    }
}

pub(crate) fn person(number: u32) -> PersonRecord {
    let username = UserName::parse(&format!("user{number}")).unwrap();
    let uid = Uid::new(u64::from(71_000 + number)).unwrap();
    PersonRecord {
        id: format!("usr_{number}"),
        home: HomeDirectory::of(&username),
        username,
        uid,
        gid: uid.private_group(),
        shell: LoginShell::parse("/bin/sh").unwrap(),
        gecos: Gecos::cleaned("A Person"),
        state: UserState::Active,
        expires_at: None,
        groups: ["grp_1"].into_iter().collect(),
        ssh_keys: vec![SshKeyRecord {
            fingerprint: fingerprint(KEY),
            line: KEY.to_owned(),
            expires_at: None,
        }],
    }
}

pub(crate) fn fingerprint(line: &str) -> String {
    use base64::Engine;
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
    let blob = BASE64_STANDARD
        .decode(line.split_once(' ').unwrap().1)
        .unwrap();
    format!(
        "SHA256:{}",
        BASE64_STANDARD_NO_PAD.encode(Sha256::digest(blob))
    )
}

pub(crate) fn slice(people: Vec<PersonRecord>) -> Slice {
    let rule: AccessRule = serde_json::from_value(serde_json::json!({
        "id": "acc_1", "effect": "allow", "subjects": [{"group": "grp_1"}], "hosts": "env=prod",
    }))
    .unwrap();
    Slice {
        host: HostRecord {
            id: HOST.to_owned(),
            name: "web-1".to_owned(),
            project: "web".to_owned(),
            tags: BTreeSet::from(["env=prod".to_owned()]),
            state: HostState::Active,
            virtual_groups: BTreeMap::from([(VirtualGroup::Everybody, Gid::new(70_001).unwrap())]),
            policy: EffectivePolicy::default(),
        },
        factors: Vec::new(),
        check_bits: Vec::new(),
        credentials: people
            .iter()
            .map(|person| CredentialRecord {
                user: person.id.clone(),
                password_verifier: VERIFIER.to_owned(),
                must_change: false,
            })
            .collect(),
        people,
        groups: vec![GroupRecord {
            id: "grp_1".to_owned(),
            name: GroupName::parse("engineers").unwrap(),
            gid: Gid::new(70_500).unwrap(),
        }],
        access_rules: vec![rule],
    }
}

/// Another one for each start.
pub(crate) fn new_run() -> Run {
    let mut random = [0; 16];
    getrandom::fill(&mut random).unwrap();
    Run::of(random)
}

/// A host in a folder of its own.
pub(crate) struct TestHost {
    _folder: TempDir,
    pub(crate) paths: Paths,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) boot: String,
}

impl TestHost {
    /// Enrolled with the organisation; no bundle yet.
    pub(crate) fn new(organisation: &Organisation) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        for path in [&paths.state, &paths.run, &paths.drop_ins(), &paths.etc] {
            std::fs::create_dir_all(path).unwrap();
        }
        std::fs::write(
            paths.etc.join("passwd"),
            "root:x:0:0::/root:/bin/sh\ncloudid-keys:x:990:990::/:/bin/false\n",
        )
        .unwrap();
        std::fs::write(paths.etc.join("group"), "root:x:0:\n").unwrap();
        std::fs::write(paths.etc.join("shells"), "/bin/sh\n").unwrap();
        std::fs::write(paths.root_chain(), organisation.chain()).unwrap();
        std::fs::write(paths.sealing_key(), organisation.sealing_key.as_bytes()).unwrap();
        let identity = serde_json::json!({
            "organisation": ORGANISATION, "host_id": HOST, "hostname": "web-1",
        });
        std::fs::write(paths.identity(), identity.to_string()).unwrap();
        Self {
            _folder: folder,
            paths,
            clock: TestClock::new(),
            boot: "boot-1".to_owned(),
        }
    }

    pub(crate) fn config(&self) -> Config {
        let mut config = Config::load(&self.paths).unwrap();
        config.pam.fail_delay = Duration::from_millis(1);
        config.pam.create_home = false;
        config.events.spool_reserve = 4096;
        config
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.wall()
    }

    pub(crate) fn map_bytes(&self) -> Vec<u8> {
        std::fs::read(self.paths.published_map()).unwrap()
    }

    /// What a cacher that starts now would find on disk.
    pub(crate) fn mirror(&self) -> Mirror {
        let enrolled = Enrolled::load(&self.paths).unwrap().unwrap();
        Mirror::open(&self.paths, Arc::new(HostDisk), enrolled).unwrap()
    }

    pub(crate) fn cacher(&self) -> Arc<Cacher> {
        self.cacher_on(Arc::new(HostDisk))
    }

    pub(crate) fn cacher_on(&self, disk: Arc<dyn Disk>) -> Arc<Cacher> {
        self.started(disk).0
    }

    pub(crate) fn started(
        &self,
        disk: Arc<dyn Disk>,
    ) -> (
        Arc<Cacher>,
        tokio::sync::mpsc::Receiver<cacher_daemon::sync::Wish>,
    ) {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Cacher::start(Parts {
            paths: self.paths.clone(),
            config: self.config(),
            clock,
            disk,
            boot: self.boot.clone(),
            run: new_run(),
        })
        .unwrap()
    }
}

/// Puts a bundle in force without a network.
pub(crate) async fn give(cacher: &Cacher, bundle: &Bundle) -> Result<(), String> {
    let result = take(cacher, bundle, false).await;
    cacher.apply().await;
    result
}

pub(crate) async fn take(
    cacher: &Cacher,
    bundle: &Bundle,
    accept_shrink: bool,
) -> Result<(), String> {
    let bundle = bundle.clone();
    let now = cacher.now();
    cacher
        .with_mirror(move |mirror| {
            let Some(offer) = mirror.consider(&bundle.manifest, now)? else {
                return Ok(());
            };
            let fetched = offer
                .missing
                .iter()
                .filter_map(|chunk| Some((chunk.sha256, bundle.chunks.get(&chunk.name())?.clone())))
                .collect();
            mirror.take(offer, &fetched, accept_shrink, now)
        })
        .await
        .map_err(|error| error.to_string())
}

/// Takes a suspension in, as the push stream would.
pub(crate) async fn revoke(cacher: &Cacher, signed: Vec<u8>) -> Result<(), String> {
    let result = cacher
        .with_mirror(move |mirror| mirror.revoke(&signed))
        .await;
    cacher.apply().await;
    result.map(drop).map_err(|error| error.to_string())
}

/// Waits for something that another task brings about.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let deadline = tokio::time::timeout(Duration::from_secs(20), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    deadline.await.expect("it did not come about");
}

/// Whether a test can do what only root may: give files away, end processes of others, publish a
/// map that is believed. `cargo xtask test` counts what this says, so that no skip is silent.
#[expect(clippy::print_stdout, reason = "what it is for")]
pub(crate) fn has_root() -> bool {
    let has_root = rustix::process::geteuid().is_root();
    if !has_root {
        println!("SKIPPED: needs root");
    }
    has_root
}

/// A host of one person, whose cacher listens.
pub(crate) async fn running() -> (TestHost, Arc<Cacher>, daemon::Running) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let (cacher, wishes) = host.started(Arc::new(HostDisk));
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    let running = daemon::start(&cacher, &host.paths, wishes).await.unwrap();
    (host, cacher, running)
}

/// Takes over once what the directory has.
pub(crate) async fn heard(cacher: &Cacher) {
    let client = cacher.directory().unwrap();
    round(cacher, &client, Duration::ZERO, false).await.unwrap();
}
