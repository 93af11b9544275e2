//! One round: manifest, missing chunks, verify, commit, apply, publish, acknowledge. No lock is
//! held while the network is waited for.

use std::time::Duration;

use directory_api::agent::Acknowledgement;
use futures_util::{StreamExt, TryStreamExt, stream};
use signed_bundle::{ChunkReference, HostFault, Refusal};

use super::client::{CallError, DirectoryClient};
use crate::cacher::Cacher;
use crate::events::Event;
use crate::mirror::store::Fetched;
use crate::mirror::{MirrorError, Offer};

/// Chunks fetched at once.
const CHUNKS_AT_ONCE: usize = 4;
/// All chunks of one round together.
const ROUND_DEADLINE: Duration = Duration::from_secs(120);

/// Why a round changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// The directory did not give what was asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What it gave was not taken.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
}

/// Fetches and applies what is newer than what is in force. Waits up to `wait` for it. Says whether
/// anything changed.
///
/// # Errors
/// What is in force stays in force.
pub async fn round(
    cacher: &Cacher,
    client: &DirectoryClient,
    wait: Duration,
    accept_shrink: bool,
) -> Result<bool, RoundError> {
    let begun = cacher.since_boot();
    let fetched = client.manifest(cacher.tables().version, wait).await?;
    cacher.is_accepted();
    cacher.come_online();
    let Some(manifest) = fetched else {
        if cacher.acknowledgement_due() {
            acknowledge(cacher, client, None).await;
        }
        return Ok(false);
    };
    let taken = tokio::time::timeout(
        ROUND_DEADLINE,
        take(cacher, client, manifest, accept_shrink),
    )
    .await
    .unwrap_or_else(|_| Err(CallError::Away("chunks took too long".to_owned()).into()));
    match taken {
        Ok(false) => Ok(false),
        Ok(true) => {
            cacher.apply().await;
            let took = cacher.since_boot().saturating_sub(begun);
            let event = Event::new("bundle.applied", "success")
                .detail("version", cacher.tables().version)
                .detail("ms", u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
            cacher.record(event).await;
            // What is in force is said at once; processes that do not end must not delay it.
            acknowledge(cacher, client, None).await;
            cacher.end_sessions_due().await;
            if cacher.acknowledgement_due() {
                acknowledge(cacher, client, None).await;
            }
            Ok(true)
        }
        Err(error) => {
            refused(cacher, client, &error).await;
            Err(error)
        }
    }
}

async fn take(
    cacher: &Cacher,
    client: &DirectoryClient,
    manifest: Vec<u8>,
    accept_shrink: bool,
) -> Result<bool, RoundError> {
    let Some(offer) = considered(cacher, client, manifest).await? else {
        return Ok(false);
    };
    let chunks = chunks(client, &offer.missing).await?;
    let now = cacher.now();
    cacher
        .with_mirror(move |mirror| mirror.take(offer, &chunks, accept_shrink, now))
        .await?;
    Ok(true)
}

/// Looks at the manifest; fetches the root chain first where the manifest asks for a newer one.
async fn considered(
    cacher: &Cacher,
    client: &DirectoryClient,
    manifest: Vec<u8>,
) -> Result<Option<Offer>, RoundError> {
    let now = cacher.now();
    let again = manifest.clone();
    let first = cacher
        .with_mirror(move |mirror| mirror.consider(&manifest, now))
        .await;
    let Err(MirrorError::Refused(Refusal::Host(HostFault::RootNeeded { .. }))) = first else {
        return Ok(first?);
    };
    let chain = client.root_chain().await?;
    let considered = cacher
        .with_mirror(move |mirror| {
            mirror.take_root_chain(&chain, now)?;
            mirror.consider(&again, now)
        })
        .await?;
    Ok(considered)
}

async fn chunks(
    client: &DirectoryClient,
    missing: &[ChunkReference],
) -> Result<Fetched, CallError> {
    stream::iter(missing.to_vec())
        .map(|reference| chunk(client.clone(), reference))
        .buffer_unordered(CHUNKS_AT_ONCE)
        .try_collect()
        .await
}

async fn chunk(
    client: DirectoryClient,
    reference: ChunkReference,
) -> Result<([u8; 32], Vec<u8>), CallError> {
    let length = usize::try_from(reference.length).unwrap_or(usize::MAX);
    let bytes = client.chunk(&reference.name(), length).await?;
    Ok((reference.sha256, bytes))
}

async fn refused(cacher: &Cacher, client: &DirectoryClient, error: &RoundError) {
    cacher.note_error(&error.to_string());
    let RoundError::Mirror(MirrorError::Refused(refusal)) = error else {
        return;
    };
    // The same refusal at every poll is one event.
    if cacher.is_news(&error.to_string()) {
        let event = Event::new("bundle.refused", "denied")
            .detail("why", refusal.why())
            .detail("detail", refusal.to_string());
        cacher.record(event).await;
    }
    if matches!(refusal, Refusal::Administrator(_)) {
        // What a held-back bundle suspends applies all the same.
        cacher.apply().await;
        cacher.end_sessions_due().await;
    }
    acknowledge(cacher, client, Some(refusal.to_string())).await;
}

/// Says what is in force. What could not be said is said the next time.
pub async fn acknowledge(cacher: &Cacher, client: &DirectoryClient, refused: Option<String>) {
    let ended = cacher.take_proofs();
    let acknowledgement = Acknowledgement {
        bundle_version: cacher.tables().version,
        fast_lane_sequence: cacher.fast_lane_sequence().await,
        host_time_ms: cacher.wall().as_millisecond(),
        ended,
        refused,
    };
    if let Err(error) = client.acknowledge(&acknowledgement).await {
        tracing::warn!(%error, "acknowledgement not taken");
        cacher.give_back_proofs(acknowledgement.ended);
    } else {
        cacher.acknowledged();
    }
}
