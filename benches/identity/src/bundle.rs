//! What a directory would have sent a host: its signed bundle with all the people, laid down as
//! the state folder of an enrolled host, for a real cacher to start from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use policy::{HostState, UserState};
use posix_names::{Gecos, Gid, GroupName, HomeDirectory, LoginShell, Uid, UserName};
use sha2::{Digest, Sha256};
use signed_bundle::{
    ChunkReference, EffectivePolicy, GroupRecord, HostRecord, Limits, Manifest, PersonRecord, Role,
    RootDocument, SigningKey, Slice, SshKeyRecord, encode_root_chain, make_root, plan_chunks,
    sign_manifest,
};

use crate::Failure;
use crate::population::{Group, PRIMARY_GROUP_ID, Population, User};

const ORGANISATION: &str = "org_bench";
const HOST: &str = "hst_bench";
/// Nothing is secret here: the keys are numbers, and nobody has a password.
const ROOT_KEY: [u8; 32] = [1; 32];
const BUNDLE_KEY: [u8; 32] = [2; 32];
const SEALING_KEY: [u8; 32] = [3; 32];
const VALID_DAYS: i64 = 30;

/// Writes the state folder.
pub(crate) fn write(population: &Population, folder: &Path, now: Timestamp) -> Result<(), Failure> {
    let chunks_folder = folder.join("bundle/chunks");
    fs::create_dir_all(&chunks_folder)?;
    let mut references = Vec::new();
    for chunk in plan_chunks(&slice(population)?)? {
        let reference =
            ChunkReference::of(chunk.kind, &chunk.bytes).ok_or("a chunk is too long")?;
        fs::write(chunks_folder.join(reference.name()), &chunk.bytes)?;
        references.push(reference);
    }
    let key = SigningKey::from_seed(&BUNDLE_KEY);
    let manifest = sign_manifest(&manifest(references, now), &key);
    fs::write(folder.join("bundle/manifest"), manifest)?;
    fs::write(folder.join("root-chain"), root_chain(now))?;
    fs::write(folder.join("sealing.key"), SEALING_KEY)?;
    let identity = serde_json::json!({
        "organisation": ORGANISATION, "host_id": HOST, "hostname": "bench",
    });
    Ok(fs::write(
        folder.join("identity.json"),
        identity.to_string(),
    )?)
}

fn root_chain(now: Timestamp) -> Vec<u8> {
    let (root, bundle) = (
        SigningKey::from_seed(&ROOT_KEY),
        SigningKey::from_seed(&BUNDLE_KEY),
    );
    let document = RootDocument {
        organisation: ORGANISATION.to_owned(),
        version: 1,
        issued: now,
        expires: now + SignedDuration::from_hours(24 * VALID_DAYS),
        root: Role::new([root.public()], 1),
        bundle: Role::new([bundle.public()], 1),
        limits: Limits::default(),
    };
    encode_root_chain(&[make_root(&document, &[&root])])
}

fn manifest(chunks: Vec<ChunkReference>, now: Timestamp) -> Manifest {
    Manifest {
        organisation: ORGANISATION.to_owned(),
        host: HOST.to_owned(),
        version: 1,
        issued: now,
        expires: now + SignedDuration::from_hours(24 * VALID_DAYS),
        root_version: 1,
        fast_lane_sequence: 0,
        confirmed_removals: 0,
        chunks,
    }
}

fn slice(population: &Population) -> Result<Slice, Failure> {
    let groups = population.groups.iter().enumerate();
    let groups: Result<Vec<_>, Failure> = groups
        .map(|(place, group)| group_record(place, group))
        .collect();
    let people = population.users.iter().enumerate();
    let people: Result<Vec<_>, Failure> =
        people.map(|(number, user)| person(number, user)).collect();
    let rule = serde_json::json!({
        "id": "acc_1", "effect": "allow", "subjects": [{"group": group_id(0)}], "hosts": "env=bench",
    });
    Ok(Slice {
        host: HostRecord {
            id: HOST.to_owned(),
            name: "bench".to_owned(),
            project: "bench".to_owned(),
            tags: BTreeSet::from(["env=bench".to_owned()]),
            state: HostState::Active,
            // The peers have no group of everybody, so there is none here.
            virtual_groups: BTreeMap::new(),
            policy: EffectivePolicy::default(),
        },
        people: people?,
        groups: groups?,
        access_rules: vec![serde_json::from_value(rule)?],
        credentials: Vec::new(),
        factors: Vec::new(),
        check_bits: Vec::new(),
    })
}

fn group_record(place: usize, group: &Group) -> Result<GroupRecord, Failure> {
    Ok(GroupRecord {
        id: group_id(place),
        name: GroupName::parse(&group.name)?,
        gid: Gid::new(u64::from(group.id))?,
    })
}

fn group_id(place: usize) -> String {
    format!("grp_{place}")
}

fn person(number: usize, user: &User) -> Result<PersonRecord, Failure> {
    let username = UserName::parse(&user.name)?;
    let uid = Uid::new(u64::from(user.id))?;
    Ok(PersonRecord {
        id: format!("usr_{number}"),
        home: HomeDirectory::of(&username),
        username,
        uid,
        gid: Gid::new(u64::from(PRIMARY_GROUP_ID))?,
        shell: LoginShell::parse("/bin/bash")?,
        gecos: Gecos::cleaned(&user.comment),
        state: UserState::Active,
        expires_at: None,
        groups: user.groups.iter().map(|place| group_id(*place)).collect(),
        ssh_keys: vec![key_of(number)],
    })
}

/// A public key of its own for each, of which nobody has the private half.
pub(crate) fn key_of(number: usize) -> SshKeyRecord {
    let mut blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    blob.extend_from_slice(&Sha256::digest(number.to_le_bytes()));
    let fingerprint = BASE64_STANDARD_NO_PAD.encode(Sha256::digest(&blob));
    SshKeyRecord {
        fingerprint: format!("SHA256:{fingerprint}"),
        line: format!("ssh-ed25519 {}", BASE64_STANDARD.encode(&blob)),
        expires_at: None,
    }
}
