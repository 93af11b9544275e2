//! One organisation with one host, made anew for each test. Randomness is a counter.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use jiff::{SignedDuration, Timestamp};
use policy::{AccessRule, HostState, UserState};
use posix_names::{Gecos, Gid, GroupName, HomeDirectory, LoginShell, Uid, UserName};
use sha2::{Digest, Sha256};
use signed_bundle::*;
use zeroize::Zeroizing;

pub(crate) const ORGANISATION: &str = "org_1";
pub(crate) const HOST: &str = "hst_1";

/// A hash chain: enough to make every draw different.
pub(crate) struct Counter(pub(crate) u64);

impl hpke_rng::TryRng for Counter {
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
impl hpke_rng::TryCryptoRng for Counter {}
use hpke::rand_core as hpke_rng;

pub(crate) struct World {
    pub(crate) root_key: SigningKey,
    pub(crate) signing_key: SigningKey,
    pub(crate) sealing_key: SealingKey,
    pub(crate) root: RootDocument,
    pub(crate) chunks: BTreeMap<[u8; 32], Vec<u8>>,
}

pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

pub(crate) fn sealing_key(number: u8) -> SealingKey {
    SealingKey::from_bytes(Zeroizing::new([number; 32]))
}

pub(crate) fn root_document(version: u64, root: Role, bundle: Role) -> RootDocument {
    RootDocument {
        organisation: ORGANISATION.to_owned(),
        version,
        issued: now() - hours(1),
        expires: now() + hours(24 * 365),
        root,
        bundle,
        limits: Limits::default(),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let (root_key, signing_key) = (key(1), key(2));
        let root = root_document(
            1,
            Role::new([root_key.public()], 1),
            Role::new([signing_key.public()], 1),
        );
        Self {
            root_key,
            signing_key,
            sealing_key: sealing_key(3),
            root,
            chunks: BTreeMap::new(),
        }
    }

    pub(crate) fn chain(&self) -> Vec<u8> {
        encode_root_chain(&[make_root(&self.root, &[&self.root_key])])
    }

    /// Stores a plain chunk, sealing it where its kind asks for that.
    pub(crate) fn store(&mut self, plain: &PlainChunk) -> ChunkReference {
        let key = self.sealing_key.public().unwrap();
        let recipient = Recipient {
            organisation: ORGANISATION,
            host: HOST,
            key: &key,
        };
        let bytes = if plain.kind.is_sealed() {
            seal(&plain.bytes, &recipient, &mut Counter(7)).unwrap()
        } else {
            plain.bytes.clone()
        };
        let reference = ChunkReference::of(plain.kind, &bytes).unwrap();
        self.chunks.insert(reference.sha256, bytes);
        reference
    }

    /// Stores text as it is, so that bad records can be tried.
    pub(crate) fn store_lines(&mut self, kind: ChunkKind, lines: &[String]) -> ChunkReference {
        self.store(&PlainChunk {
            kind,
            bytes: lines.join("\n").into_bytes(),
        })
    }

    pub(crate) fn manifest(&mut self, slice: &Slice) -> Manifest {
        let plan = plan_chunks(slice).unwrap();
        let chunks = plan.iter().map(|chunk| self.store(chunk)).collect();
        manifest_of(chunks)
    }

    /// A bundle of the host record and one chunk of lines, read as the host reads it.
    pub(crate) fn read_lines(&mut self, kind: ChunkKind, lines: &[String]) -> ReadSlice {
        let mut manifest = self.manifest(&slice(Vec::new()));
        manifest.chunks.push(self.store_lines(kind, lines));
        self.read(&manifest).unwrap()
    }

    pub(crate) fn sign(&self, manifest: &Manifest) -> Vec<u8> {
        sign_manifest(manifest, &self.signing_key)
    }

    pub(crate) fn accept(
        &self,
        bytes: &[u8],
        held: Option<Held>,
    ) -> Result<AcceptedManifest, Refusal> {
        accept_manifest(
            bytes,
            &Accepting {
                root: &self.root,
                organisation: ORGANISATION,
                host: HOST,
                held,
                now: now(),
            },
        )
    }

    pub(crate) fn read(&self, manifest: &Manifest) -> Result<ReadSlice, Refusal> {
        let accepted = self.accept(&self.sign(manifest), None)?;
        read_slice(
            &accepted,
            |reference| self.chunks.get(&reference.sha256).cloned(),
            &self.sealing_key,
        )
    }
}

pub(crate) fn manifest_of(chunks: Vec<ChunkReference>) -> Manifest {
    Manifest {
        organisation: ORGANISATION.to_owned(),
        host: HOST.to_owned(),
        version: 5,
        issued: now(),
        expires: now() + hours(24),
        root_version: 1,
        fast_lane_sequence: 0,
        confirmed_removals: 0,
        chunks,
    }
}

pub(crate) fn host_record() -> HostRecord {
    HostRecord {
        id: HOST.to_owned(),
        name: "web-1".to_owned(),
        project: "web".to_owned(),
        tags: BTreeSet::from(["env=prod".to_owned()]),
        state: HostState::Active,
        virtual_groups: BTreeMap::from([(VirtualGroup::Everybody, Gid::new(70_001).unwrap())]),
        policy: EffectivePolicy::default(),
    }
}

pub(crate) fn person(number: u32) -> PersonRecord {
    let username = UserName::parse(&format!("user{number}")).unwrap();
    let uid = Uid::new(u64::from(71_000 + number)).unwrap();
    PersonRecord {
        id: format!("usr_{number}"),
        home: HomeDirectory::parse(&format!("/home/user{number}")).unwrap(),
        username,
        uid,
        gid: uid.private_group(),
        shell: LoginShell::parse("/bin/bash").unwrap(),
        gecos: Gecos::cleaned("A Person"),
        state: UserState::Active,
        expires_at: None,
        groups: ["grp_1"].into_iter().collect(),
        ssh_keys: Vec::new(),
    }
}

pub(crate) fn credential(number: u32) -> CredentialRecord {
    CredentialRecord {
        user: format!("usr_{number}"),
        password_verifier: format!("$6$salt$secret{number}"),
        must_change: false,
    }
}

pub(crate) fn slice(people: Vec<PersonRecord>) -> Slice {
    let rule: AccessRule = serde_json::from_value(rule_json("acc_1")).unwrap();
    Slice {
        host: host_record(),
        people,
        groups: vec![GroupRecord {
            id: "grp_1".to_owned(),
            name: GroupName::parse("engineers").unwrap(),
            gid: Gid::new(70_500).unwrap(),
        }],
        access_rules: vec![rule],
        credentials: Vec::new(),
        factors: Vec::new(),
        check_bits: Vec::new(),
    }
}

pub(crate) fn rule_json(id: &str) -> serde_json::Value {
    serde_json::json!({
        "id": id,
        "effect": "allow",
        "subjects": [{"group": "grp_1"}],
        "hosts": "env=prod",
    })
}

pub(crate) fn why<T>(result: Result<T, Refusal>) -> &'static str {
    result.err().map_or("accepted", |refusal| refusal.why())
}
