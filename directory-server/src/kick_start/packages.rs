//! The packages that new hosts fetch: files of one folder with the names that packages of a host
//! have, and nothing else of it. A digest is computed once, and anew when the file has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

/// What every host needs.
const OF_A_HOST: [&str; 4] = [
    "cloudid",
    "cloudid-cacher",
    "libnss-cloudid",
    "libpam-cloudid",
];
const NAME_BYTES_MAX: usize = 128;
/// Files of a folder that are looked at.
const FILES_MAX: usize = 256;
/// Files that are offered: of so many systems and processors.
const PACKAGES_MAX: usize = 64;
const PACKAGE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Files that are fetched at the same time, each with a descriptor of its own.
const FETCHED_MAX: usize = 256;

/// The folder, and what is known of its files.
#[derive(Debug, Clone)]
pub struct Packages {
    folder: Arc<Path>,
    digests: Arc<Mutex<Digests>>,
    places: Arc<Semaphore>,
}

/// Digests by the name of the file, with the state that the file had.
type Digests = BTreeMap<String, (State, String)>;
type State = (u64, u64, i64, i64);

/// A file that a host may install.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// `deb` or `rpm`.
    pub family: &'static str,
    /// As the family calls it.
    pub architecture: String,
    /// Name of the file.
    pub file: String,
    /// SHA-256, hexadecimal.
    pub digest: String,
}

/// What hosts can install today, and why some cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Whole sets only.
    pub packages: Vec<Package>,
    /// A sentence for each set that is not whole.
    pub problems: Vec<String>,
}

/// A package on its way to a host.
#[derive(Debug)]
pub struct OpenPackage {
    /// Its content.
    pub file: File,
    /// Its length.
    pub bytes: u64,
}

/// What the name of a file says.
#[derive(Debug, PartialEq, Eq)]
struct Named<'a> {
    family: &'static str,
    package: &'static str,
    architecture: &'a str,
}

impl Packages {
    /// Those in a folder, which need not be there.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            digests: Arc::default(),
            places: Arc::new(Semaphore::new(FETCHED_MAX)),
        }
    }

    /// What lies there now.
    ///
    /// # Errors
    /// The folder or a file of it cannot be read.
    pub async fn offered(&self) -> io::Result<Offer> {
        // One at a time: whoever comes meanwhile finds the digests made.
        let mut digests = Arc::clone(&self.digests).lock_owned().await;
        let folder = Arc::clone(&self.folder);
        let work = tokio::task::spawn_blocking(move || offered(&folder, &mut digests));
        work.await.map_err(io::Error::other)?
    }

    /// The file of a package; `None` when there is none of that name.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub async fn open(&self, name: &str) -> io::Result<Option<OpenPackage>> {
        if Named::read(name).is_none() {
            return Ok(None);
        }
        let path = self.folder.join(name);
        match tokio::fs::symlink_metadata(&path).await {
            Ok(state) if is_package(&state) => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let file = File::open(&path).await?;
        let bytes = file.metadata().await?.len();
        Ok(Some(OpenPackage { file, bytes }))
    }

    /// The right to fetch one; `None` when too many are fetched.
    #[must_use]
    pub fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }
}

fn offered(folder: &Path, digests: &mut Digests) -> io::Result<Offer> {
    let mut systems: BTreeMap<(&'static str, String), Vec<(&'static str, Package)>> =
        BTreeMap::new();
    let files = files(folder)?;
    digests.retain(|name, _| files.contains_key(name));
    for (file, state) in files {
        let Some(named) = Named::read(&file) else {
            continue;
        };
        let package = Package {
            family: named.family,
            architecture: named.architecture.to_owned(),
            digest: digest(folder, &file, &state, digests)?,
            file: file.clone(),
        };
        let system = (named.family, package.architecture.clone());
        let set = systems.entry(system).or_default();
        set.push((named.package, package));
    }
    let mut offer = Offer::default();
    for ((family, architecture), set) in systems {
        match lacking(&set) {
            None => offer
                .packages
                .extend(set.into_iter().map(|(_, package)| package)),
            Some(why) => offer
                .problems
                .push(format!("{family} {architecture}: {why}")),
        }
    }
    Ok(offer)
}

/// Names of packages in the folder, with the state of each file.
fn files(folder: &Path) -> io::Result<BTreeMap<String, Metadata>> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(named(error)),
    };
    let mut files = BTreeMap::new();
    for entry in entries.take(FILES_MAX) {
        let entry = entry.map_err(named)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // of the entry itself: a link leads out of the folder
        let state = entry.metadata().map_err(named)?;
        if Named::read(&name).is_some() && is_package(&state) && files.len() < PACKAGES_MAX {
            files.insert(name, state);
        }
    }
    Ok(files)
}

fn is_package(state: &Metadata) -> bool {
    state.is_file() && state.len() <= PACKAGE_BYTES_MAX
}

/// Why a host could not install this set: each package once, and none missing.
fn lacking(set: &[(&'static str, Package)]) -> Option<String> {
    let mut seen = BTreeSet::new();
    for (package, file) in set {
        if !seen.insert(*package) {
            return Some(format!(
                "{package} is there in several versions, {} is one; leave the one to install",
                file.file
            ));
        }
    }
    let missing = OF_A_HOST.iter().find(|package| !seen.contains(*package))?;
    Some(format!("{missing} is missing"))
}

fn digest(
    folder: &Path,
    name: &str,
    state: &Metadata,
    digests: &mut Digests,
) -> io::Result<String> {
    let state = (state.ino(), state.len(), state.mtime(), state.mtime_nsec());
    if let Some((known, digest)) = digests.get(name)
        && *known == state
    {
        return Ok(digest.clone());
    }
    let path: PathBuf = folder.join(name);
    let hashed = hash(&path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    digests.insert(name.to_owned(), (state, hashed.clone()));
    Ok(hashed)
}

fn hash(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?.take(PACKAGE_BYTES_MAX);
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut chunk)?;
        let Some(part) = chunk.get(..read).filter(|part| !part.is_empty()) else {
            break;
        };
        hasher.update(part);
    }
    let digest = hasher.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl<'a> Named<'a> {
    /// `NAME_VERSION_ARCHITECTURE.deb`, `NAME-VERSION-RELEASE.ARCHITECTURE.rpm`. Whatever is no
    /// package of a host has no name here.
    fn read(file: &'a str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".+~_-".contains(&byte);
        if file.len() > NAME_BYTES_MAX || !file.bytes().all(plain) {
            return None;
        }
        let (family, package, architecture) = if let Some(stem) = file.strip_suffix(".deb") {
            let mut parts = stem.split('_');
            let (package, version) = (parts.next()?, parts.next()?);
            let architecture = parts.next()?;
            if parts.next().is_some() || version.is_empty() {
                return None;
            }
            ("deb", package, architecture)
        } else {
            let (stem, architecture) = file.strip_suffix(".rpm")?.rsplit_once('.')?;
            let mut parts = stem.rsplitn(3, '-');
            let (release, version) = (parts.next()?, parts.next()?);
            let package = parts.next()?;
            if release.is_empty() || version.is_empty() {
                return None;
            }
            ("rpm", package, architecture)
        };
        let package = OF_A_HOST.iter().find(|known| **known == package)?;
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        (!architecture.is_empty() && architecture.bytes().all(word)).then_some(Self {
            family,
            package,
            architecture,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(folder.path().join(file), file).unwrap();
        }
        folder
    }

    const WHOLE: [&str; 4] = [
        "cloudid_0.1.0_amd64.deb",
        "cloudid-cacher_0.1.0_amd64.deb",
        "libnss-cloudid_0.1.0_amd64.deb",
        "libpam-cloudid_0.1.0_amd64.deb",
    ];

    #[test]
    fn only_packages_of_a_host_have_a_name() {
        let named = |file| Named::read(file).map(|named| (named.family, named.package));
        assert_eq!(named(WHOLE[1]), Some(("deb", "cloudid-cacher")));
        let rpm = "libnss-cloudid-0.1.0-1.el9.x86_64.rpm";
        assert_eq!(named(rpm), Some(("rpm", "libnss-cloudid")));
        for other in [
            "",
            ".deb",
            "cloudid.deb",
            "cloudid__amd64.deb",
            "cloudid_1_amd64_x.deb",
            "cloudid_1_amd64.deb.exe",
            "cloudid_1_.deb",
            "../cloudid_1_amd64.deb",
            "cloudid_1/../../x_amd64.deb",
            "cloudid_1 _amd64.deb",
            "cloudid_1'_amd64.deb",
            "cloudid_1\n_amd64.deb",
            "cloudid-directory_1_amd64.deb",
            "signing.key",
            "cloudid-1.x86_64.rpm",
            "bash-5.2-1.x86_64.rpm",
        ] {
            assert_eq!(named(other), None, "{other:?}");
        }
    }

    #[tokio::test]
    async fn a_set_is_offered_when_it_is_whole_and_clear() {
        let folder = folder_with(&WHOLE[..3]);
        let packages = Packages::at(folder.path());
        let offer = packages.offered().await.unwrap();
        assert!(offer.packages.is_empty());
        assert_eq!(offer.problems, ["deb amd64: libpam-cloudid is missing"]);

        fs::write(folder.path().join(WHOLE[3]), "content").unwrap();
        let offer = packages.offered().await.unwrap();
        assert_eq!(offer.problems, [""; 0]);
        assert_eq!(offer.packages.len(), 4);
        let of_content = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
        assert_eq!(offer.packages[3].digest, of_content);

        fs::write(folder.path().join("cloudid_0.2.0_amd64.deb"), "").unwrap();
        let offer = packages.offered().await.unwrap();
        assert!(offer.packages.is_empty());
        assert!(offer.problems[0].contains("several versions"));
    }

    #[tokio::test]
    async fn a_changed_file_has_another_digest() {
        let folder = folder_with(&WHOLE);
        let packages = Packages::at(folder.path());
        let before = packages.offered().await.unwrap();
        fs::write(folder.path().join(WHOLE[0]), "something else").unwrap();
        let after = packages.offered().await.unwrap();
        let differing = before.packages.iter().zip(&after.packages);
        assert_eq!(differing.filter(|(one, two)| one != two).count(), 1);
    }

    #[tokio::test]
    async fn links_and_other_files_are_not_served() {
        let folder = folder_with(&WHOLE[..1]);
        fs::write(folder.path().join("signing.key"), "secret").unwrap();
        let link = folder.path().join(WHOLE[1]);
        std::os::unix::fs::symlink(folder.path().join("signing.key"), link).unwrap();
        let packages = Packages::at(folder.path());
        assert!(packages.open(WHOLE[0]).await.unwrap().is_some());
        for name in ["signing.key", "../signing.key", WHOLE[1], WHOLE[2]] {
            assert!(packages.open(name).await.unwrap().is_none(), "{name}");
        }
        let none = Packages::at(Path::new("/nowhere"));
        assert_eq!(none.offered().await.unwrap(), Offer::default());
    }
}
