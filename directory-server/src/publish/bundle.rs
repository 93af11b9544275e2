//! One host's bundle: chunks, manifest and their rows. What has not changed keeps its hash, and
//! nothing is published when nothing has changed.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use signed_bundle::{
    ChunkReference, Manifest, PlainChunk, Recipient, SealingPublicKey, Slice, plan_chunks, seal,
};

use super::PublishError;
use super::world::{World, WorldHost};
use crate::clock::Random;
use crate::keys::{Drawing, SigningKeys};
use crate::store::Writing;

/// What every bundle of a pass is made with.
pub(super) struct Maker<'a> {
    pub(super) keys: &'a SigningKeys,
    pub(super) random: &'a Random,
    pub(super) now: Timestamp,
    pub(super) lifetime: SignedDuration,
}

/// A chunk ready to be stored.
struct Ready {
    reference: ChunkReference,
    plain: String,
    /// Absent for a chunk that is stored already.
    content: Option<String>,
}

impl Maker<'_> {
    /// Writes a host's next bundle and returns its version, or does nothing where the newest one
    /// says the same and is still fresh.
    pub(super) async fn make(
        &self,
        tx: &mut Writing,
        host: &WorldHost,
        slice: &Slice,
        world: &World,
    ) -> Result<Option<u64>, PublishError> {
        let id = &host.policy.id;
        let chunks = plan_chunks(slice).map_err(|error| PublishError::Plan(id.clone(), error))?;
        let plan = self.plan(&chunks, (host, slice), world);
        if self.is_published(tx, id, &plan).await? {
            return Ok(None);
        }
        let stored = stored_chunks(tx, id).await?;
        let ready = chunks
            .iter()
            .map(|chunk| self.ready(host, chunk, &stored))
            .collect::<Result<Vec<Ready>, PublishError>>()?;
        let manifest = Manifest {
            organisation: self.keys.root().organisation.clone(),
            host: id.clone(),
            version: self.next_version(host),
            issued: self.now,
            expires: self.now.checked_add(self.lifetime)?,
            root_version: self.keys.root().version,
            fast_lane_sequence: world.newest_sequence(),
            confirmed_removals: host.confirmed_removals,
            chunks: ready.iter().map(|chunk| chunk.reference).collect(),
        };
        self.store(tx, &manifest, &ready, &plan).await?;
        Ok(Some(manifest.version))
    }

    /// A hash of all that a bundle says but its version and times. Of the fast lane only what
    /// concerns somebody here counts: who is suspended and active again must be heard of.
    fn plan(
        &self,
        chunks: &[PlainChunk],
        (host, slice): (&WorldHost, &Slice),
        world: &World,
    ) -> String {
        let concerns = |subject: &String| slice.people.iter().any(|person| person.id == *subject);
        let sequence = world
            .fast_lane
            .iter()
            .rev()
            .find(|(_, subject)| concerns(subject))
            .map_or(0, |(sequence, _)| *sequence);
        let mut hash = Sha256::new();
        hash.update(self.keys.root().version.to_be_bytes());
        hash.update(sequence.to_be_bytes());
        if host.confirmed_removals > 0 {
            hash.update(host.confirmed_removals.to_be_bytes());
        }
        for chunk in chunks {
            hash.update(plain_name(chunk));
        }
        hex(&hash.finalize())
    }

    /// Time is the floor, so that versions go on growing when an old backup was restored.
    fn next_version(&self, host: &WorldHost) -> u64 {
        let floor = u64::try_from(self.now.as_millisecond()).unwrap_or_default();
        floor.max(host.bundle_version.saturating_add(1))
    }

    async fn is_published(
        &self,
        tx: &mut Writing,
        host: &str,
        plan: &str,
    ) -> Result<bool, PublishError> {
        let newest: Option<(String, i64)> = sqlx::query_as(
            "SELECT plan, expires_at FROM manifests WHERE host_id = $1
             ORDER BY version DESC LIMIT 1",
        )
        .bind(host)
        .fetch_optional(&mut **tx)
        .await?;
        let half = i64::try_from(self.lifetime.as_millis() / 2).unwrap_or(i64::MAX);
        let fresh_until = |expires_at: i64| expires_at.saturating_sub(half);
        Ok(newest.is_some_and(|(published, expires_at)| {
            published == plan && self.now.as_millisecond() < fresh_until(expires_at)
        }))
    }

    fn ready(
        &self,
        host: &WorldHost,
        chunk: &PlainChunk,
        stored: &BTreeMap<String, ([u8; 32], u32)>,
    ) -> Result<Ready, PublishError> {
        let plain = plain_name(chunk);
        if let Some((sha256, length)) = stored.get(&plain) {
            return Ok(Ready {
                reference: ChunkReference {
                    kind: chunk.kind,
                    sha256: *sha256,
                    length: *length,
                },
                plain,
                content: None,
            });
        }
        let bytes = if chunk.kind.is_sealed() {
            self.sealed(host, chunk)?
        } else {
            chunk.bytes.clone()
        };
        let reference = ChunkReference::of(chunk.kind, &bytes).ok_or_else(|| {
            let too_long = signed_bundle::PlanError::RecordTooLong(plain.clone());
            PublishError::Plan(host.policy.id.clone(), too_long)
        })?;
        Ok(Ready {
            reference,
            plain,
            content: Some(BASE64_STANDARD.encode(bytes)),
        })
    }

    fn sealed(&self, host: &WorldHost, chunk: &PlainChunk) -> Result<Vec<u8>, PublishError> {
        let unusable = || PublishError::SealingKey(host.policy.id.clone());
        let key = BASE64_STANDARD
            .decode(&host.sealing_key)
            .map_err(|_| unusable())?;
        let key = SealingPublicKey::from_bytes(&key).map_err(|_| unusable())?;
        let recipient = Recipient {
            organisation: &self.keys.root().organisation,
            host: &host.policy.id,
            key: &key,
        };
        let mut drawing = Drawing::from(self.random);
        let sealed = seal(&chunk.bytes, &recipient, &mut drawing).map_err(|_| unusable())?;
        drawing.finish()?;
        Ok(sealed)
    }

    /// The newest manifest and the one before it stay, with their chunks: a host may be in the
    /// middle of fetching.
    async fn store(
        &self,
        tx: &mut Writing,
        manifest: &Manifest,
        chunks: &[Ready],
        plan: &str,
    ) -> Result<(), PublishError> {
        let (host, version) = (&manifest.host, signed(manifest.version));
        let before: Option<i64> =
            sqlx::query_scalar("SELECT MAX(version) FROM manifests WHERE host_id = $1")
                .bind(host)
                .fetch_one(&mut **tx)
                .await?;
        for chunk in chunks {
            store_chunk(tx, host, version, chunk).await?;
        }
        sqlx::query(
            "INSERT INTO manifests
             (host_id, version, manifest, plan, fast_lane_sequence, issued_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(host)
        .bind(version)
        .bind(BASE64_STANDARD.encode(self.keys.manifest(manifest)))
        .bind(plan)
        .bind(signed(manifest.fast_lane_sequence))
        .bind(manifest.issued.as_millisecond())
        .bind(manifest.expires.as_millisecond())
        .execute(&mut **tx)
        .await?;
        let oldest = before.unwrap_or(version);
        for table in [
            "DELETE FROM manifests WHERE host_id = $1 AND version < $2",
            "DELETE FROM chunks WHERE host_id = $1 AND version < $2",
        ] {
            sqlx::query(table)
                .bind(host)
                .bind(oldest)
                .execute(&mut **tx)
                .await?;
        }
        sqlx::query("UPDATE hosts SET bundle_version = $1 WHERE id = $2")
            .bind(version)
            .bind(host)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

async fn store_chunk(
    tx: &mut Writing,
    host: &str,
    version: i64,
    chunk: &Ready,
) -> Result<(), PublishError> {
    let hash = chunk.reference.name();
    let query = match &chunk.content {
        Some(content) => sqlx::query(
            "INSERT INTO chunks (host_id, hash, version, plain, length, content)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(host)
        .bind(hash)
        .bind(version)
        .bind(&chunk.plain)
        .bind(i64::from(chunk.reference.length))
        .bind(content),
        None => sqlx::query("UPDATE chunks SET version = $3 WHERE host_id = $1 AND hash = $2")
            .bind(host)
            .bind(hash)
            .bind(version),
    };
    query.execute(&mut **tx).await?;
    Ok(())
}

/// Hash and length of the host's stored chunks, by what is inside.
async fn stored_chunks(
    tx: &mut Writing,
    host: &str,
) -> Result<BTreeMap<String, ([u8; 32], u32)>, PublishError> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT plain, hash, length FROM chunks WHERE host_id = $1")
            .bind(host)
            .fetch_all(&mut **tx)
            .await?;
    let stored = rows.into_iter().filter_map(|(plain, hash, length)| {
        Some((plain, (unhex(&hash)?, u32::try_from(length).ok()?)))
    });
    Ok(stored.collect())
}

/// Kind and content of a chunk in one name.
fn plain_name(chunk: &PlainChunk) -> String {
    format!("{:?}:{}", chunk.kind, hex(&chunk.digest()))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}
