//! Makes, signs, seals, verifies and reads a host's bundle. No network, no disk: callers hand in
//! bytes, keys, the time and randomness.
//!
//! Directory: [`plan_chunks`], [`seal`], [`sign_manifest`], [`sign_fast_message`], [`sign_time`],
//! [`make_root`]. Host: [`verify_root_chain`], [`accept_manifest`], [`read_slice`],
//! [`read_next_slice`], [`shrink_guard`], [`open_fast_message`], [`open_signed_time`]; after a restart
//! [`reopen_root_chain`] and [`reopen_manifest`].
#![forbid(unsafe_code)]

mod check_bits;
mod checks;
mod decode;
mod envelope;
mod group_ids;
mod held;
mod key;
mod limits;
mod manifest;
mod message;
mod nesting;
mod orders;
mod plan;
mod read;
mod record;
mod refusal;
mod root;
mod sealing;
mod shrink;
mod since;

pub use check_bits::{CHECK_BITS, CheckBits, STEP_SECONDS};
pub use group_ids::GroupIds;
pub use held::{GroupNumbers, HeldCredential, HeldPerson, Lies, Moves, PersonView, Placed};
pub use hpke::rand_core::CryptoRng;
pub use key::{KeyFileError, KeyId, PublicKey, RootKey, SigningKey};
pub use limits::{
    BUNDLE_BYTES_MAX, CHUNK_BYTES_MAX, MANIFEST_BYTES_MAX, MESSAGE_BYTES_MAX, NESTING_MAX,
    ROLE_KEYS_MAX, ROOT_CHAIN_BYTES_MAX, SHRINK_PEOPLE_MIN, SIGNATURES_MAX,
};
pub use manifest::{
    AcceptedManifest, Accepting, ChunkKind, ChunkReference, Held, Manifest, accept_manifest,
    check_chunk, reopen_manifest, sign_manifest,
};
pub use message::{
    FastAction, FastMessage, open_fast_message, open_signed_time, sign_fast_message, sign_time,
};
pub use orders::{Orders, find};
pub use plan::{PlainChunk, PlanError, plan_chunks};
pub use read::{DropReason, DroppedRecord, ReadSlice, read_next_slice, read_slice};
pub use record::{
    BackupCodeRecord, CheckBitsRecord, CredentialRecord, EffectivePolicy, FactorsRecord,
    GroupRecord, HostRecord, PersonRecord, SharedSlice, Slice, SshKeyRecord, VirtualGroup,
};
pub use refusal::{DirectoryFault, HostFault, Refusal, Shrink};
pub use root::{
    IdRange, Limits, Role, RootDocument, SignedRoot, decode_root_chain, encode_root_chain,
    make_root, reopen_root_chain, verify_root_chain,
};
pub use sealing::{Recipient, SEALED_CONTENT_MAX, SealError, SealingKey, SealingPublicKey, seal};
pub use shrink::{Listed, shrink_guard, suspensions, vanished};
