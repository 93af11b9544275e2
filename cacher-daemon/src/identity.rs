//! Who this host is: what enrolment left in the state folder. Read once at start.

use std::io;

use serde::{Deserialize, Serialize};
use signed_bundle::SealingKey;
use zeroize::Zeroizing;

use crate::disk::read_bounded;
use crate::paths::Paths;

const FILE_BYTES_MAX: u64 = 64 * 1024;

/// `identity.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `org_…`
    pub organisation: String,
    /// `hst_…`
    pub host_id: String,
    /// The host's name in the directory.
    pub hostname: String,
}

/// The identity with its private key for sealed chunks.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// Who.
    pub identity: Identity,
    /// Opens credential chunks.
    pub sealing_key: SealingKey,
}

impl Enrolled {
    /// Reads what enrolment wrote; `None` before enrolment.
    ///
    /// # Errors
    /// Files are there but cannot be used; the error names them.
    pub fn load(paths: &Paths) -> io::Result<Option<Self>> {
        let Some(identity) = read_bounded(&paths.identity(), FILE_BYTES_MAX)? else {
            return Ok(None);
        };
        let unusable = |path: std::path::PathBuf, problem: &dyn std::fmt::Display| {
            io::Error::other(format!("{}: {problem}", path.display()))
        };
        let identity = serde_json::from_slice(&identity)
            .map_err(|error| unusable(paths.identity(), &error))?;
        let key = read_bounded(&paths.sealing_key(), FILE_BYTES_MAX)?.map(Zeroizing::new);
        let bytes = key
            .and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
            .ok_or_else(|| unusable(paths.sealing_key(), &"must hold 32 bytes; enrol again"))?;
        Ok(Some(Self {
            identity,
            sealing_key: SealingKey::from_bytes(Zeroizing::new(bytes)),
        }))
    }
}
