//! How much a host takes in. Every limit is checked before anything is allocated or decoded.

/// A signed manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 1024 * 1024;
/// One chunk as it travels, in bytes.
pub const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// All chunks of one bundle together, in bytes.
pub const BUNDLE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A chain of root documents, in bytes.
pub const ROOT_CHAIN_BYTES_MAX: usize = 1024 * 1024;
/// A fast-lane message or a signed time, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Objects and lists within each other in a record.
pub const NESTING_MAX: usize = 16;
/// Signatures on one document.
pub const SIGNATURES_MAX: usize = 32;
/// Keys of one role.
pub const ROLE_KEYS_MAX: usize = 32;
/// Fewer people than this may vanish from a bundle without a confirmation.
pub const SHRINK_PEOPLE_MIN: usize = 10;
