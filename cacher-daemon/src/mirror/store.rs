//! The bundle on disk. Commit order: chunks, the previous manifest kept, the new manifest, each by
//! temporary file, fsync, rename, fsync of the folder. Whenever the power goes, the old or the new
//! bundle is there whole.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io;
use std::path::PathBuf;

use rustix::fs::{AtFlags, statat};
use signed_bundle::{CHUNK_BYTES_MAX, ChunkReference, MANIFEST_BYTES_MAX, Manifest, check_chunk};

use super::soundness::Trace;
use crate::disk::{Disk, make_folder, read_bounded};

/// Chunks just fetched, by hash.
pub type Fetched = BTreeMap<[u8; 32], Vec<u8>>;

/// Which of the two manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one in force.
    Newest,
    /// The one before it.
    Previous,
}

/// The folder of the bundle.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens the folder, making it where needed.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        make_folder(&folder, 0o700)?;
        make_folder(&folder.join("chunks"), 0o700)?;
        make_folder(&folder.join("evidence"), 0o700)?;
        Ok(Self { folder })
    }

    /// A stored manifest as it was signed.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn manifest(&self, which: Which) -> io::Result<Option<Vec<u8>>> {
        read_bounded(&self.manifest_path(which), MANIFEST_BYTES_MAX as u64)
    }

    /// A stored chunk, if it is there and is what its name says.
    #[must_use]
    pub fn chunk(&self, reference: &ChunkReference) -> Option<Vec<u8>> {
        let path = self.chunk_path(&reference.name());
        let bytes = read_bounded(&path, CHUNK_BYTES_MAX as u64).ok()??;
        check_chunk(reference, &bytes).ok()?;
        Some(bytes)
    }

    /// By what the kernel tells that the file of a chunk is still the same; `None` without a file. The
    /// way to the folder is looked for once for all of them.
    pub fn traces(&self) -> impl Fn(&ChunkReference) -> Option<Trace> {
        let folder = File::open(self.folder.join("chunks")).ok();
        move |reference| {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let facts = statat(folder.as_ref()?, reference.name(), flags);
            Some(Trace::of(&facts.ok()?))
        }
    }

    /// Puts a bundle in force. `current` is what is in force and sound, to be kept as previous.
    ///
    /// # Errors
    /// The disk refuses; the bundle in force before is still there.
    pub fn commit(
        &self,
        disk: &dyn Disk,
        manifest: &[u8],
        chunks: &Fetched,
        current: Option<&[u8]>,
    ) -> io::Result<()> {
        let chunks: Vec<(PathBuf, &[u8])> = chunks
            .iter()
            .map(|(hash, bytes)| (self.chunk_path(&hex(hash)), bytes.as_slice()))
            .collect();
        disk.replace_all(&chunks, 0o600)?;
        let previous = current.map(|current| (self.manifest_path(Which::Previous), current));
        let newest = (self.manifest_path(Which::Newest), manifest);
        let manifests: Vec<_> = previous.into_iter().chain([newest]).collect();
        disk.replace_all(&manifests, 0o600)
    }

    /// Removes chunks that neither manifest names. Nothing depends on its success.
    pub fn forget_others(&self, disk: &dyn Disk, kept: &[&Manifest]) {
        let names: HashSet<String> = kept
            .iter()
            .flat_map(|manifest| &manifest.chunks)
            .map(ChunkReference::name)
            .collect();
        let entries = std::fs::read_dir(self.folder.join("chunks"));
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if names.contains(&name) {
                continue;
            }
            if let Err(error) = disk.remove(&entry.path()) {
                tracing::warn!(%name, %error, "an unused chunk stays");
            }
        }
    }

    /// Keeps two contents that were signed under one version.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn keep_evidence(
        &self,
        disk: &dyn Disk,
        version: u64,
        manifests: &[&[u8]],
    ) -> io::Result<()> {
        use sha2::{Digest, Sha256};
        for manifest in manifests {
            let digest: [u8; 32] = Sha256::digest(manifest).into();
            let name = format!("{version}-{}", hex(&digest));
            disk.replace(&self.folder.join("evidence").join(name), manifest, 0o600)?;
        }
        Ok(())
    }

    fn manifest_path(&self, which: Which) -> PathBuf {
        self.folder.join(match which {
            Which::Newest => "manifest",
            Which::Previous => "manifest.previous",
        })
    }

    /// Names of chunks are hashes in hex: nothing the directory says becomes a path.
    fn chunk_path(&self, name: &str) -> PathBuf {
        self.folder.join("chunks").join(name)
    }
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
