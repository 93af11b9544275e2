//! Debian packages of cloudid: made by Debian's own means in a throw-away root of the release they
//! must run on, from programs that were built outside. Kept until a program or a file of
//! `packaging/` changes.

use crate::base_root::{cache, recipe_of, say};
use crate::builder::Builder;
use crate::command::{OrFail, fail, finish, run};
use crate::host::Host;
use crate::lab::Lab;
use crate::layer::PACKAGING;
use crate::programs::{PACKAGED, built, stripped};
use crate::rpm::gather_programs;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What a host needs; the directory server has a package of its own.
const OF_A_HOST: [&str; 4] = [
    "cloudid",
    "cloudid-cacher",
    "libnss-cloudid",
    "libpam-cloudid",
];
/// Where packages lie on a host that is about to install them.
const ON_THE_HOST: &str = "/root/packages";
/// How long dpkg and lintian may take, in seconds.
const LIMIT: &str = "1800";

/// Packages of one version in a folder of the machine.
#[derive(Debug, Clone)]
pub struct Packages {
    folder: PathBuf,
    /// As dpkg tells it.
    pub version: String,
}

/// What packages are made of and how.
#[derive(Debug)]
pub struct Recipe<'a> {
    /// A copy of the sources, or those that this was built from.
    pub sources: Option<&'a Path>,
    /// The folder of the built programs.
    pub programs: &'a Path,
    /// The folder of the two built modules.
    pub modules: &'a Path,
    /// Goes to the end of the version: for a test that upgrades.
    pub version_suffix: &'a str,
    /// Small packages with debugging information beside them, or quickly made ones.
    pub thorough: bool,
}

impl<'a> Recipe<'a> {
    /// Quickly made ones of the programs and modules of one folder.
    #[must_use]
    pub fn quick(programs: &'a Path) -> Self {
        Self {
            sources: None,
            programs,
            modules: programs,
            version_suffix: "",
            thorough: false,
        }
    }
}

impl Packages {
    /// Packages of the programs that were built beside this test.
    #[must_use]
    #[track_caller]
    pub fn of_this_build() -> Self {
        Self::kept("")
    }

    /// The same programs in packages of a later version.
    #[must_use]
    #[track_caller]
    pub fn of_a_later_version() -> Self {
        Self::kept("+later")
    }

    /// Makes packages into a folder.
    #[must_use]
    #[track_caller]
    pub fn make(recipe: &Recipe<'_>, folder: &Path) -> Self {
        Self::make_by(&Builder::FIRST, recipe, folder)
    }

    /// Has a builder make packages, in surroundings of their own, into a folder.
    #[must_use]
    #[track_caller]
    pub fn make_by(builder: &Builder, recipe: &Recipe<'_>, folder: &Path) -> Self {
        let lab = Lab::new();
        let host = lab.host_with("builder", &PACKAGING);
        send_sources(&host, recipe);
        let prepare = [builder.folder, builder.account, builder.sources_of];
        at_length(&host, &[], PREPARE, &prepare);
        let quick = "export DPKG_DEB_COMPRESSOR_TYPE=gzip DPKG_DEB_COMPRESSOR_LEVEL=1 \
                     DEB_BUILD_OPTIONS=noautodbgsym";
        let speed = if recipe.thorough { ":" } else { quick };
        let script = BUILD.replace("SPEED", speed);
        let arguments = [builder.folder, builder.umask, recipe.version_suffix];
        at_length(&host, &builder.on_a_host(), &script, &arguments);
        fs::create_dir_all(folder).or_fail("make the folder of packages");
        fetch(&host, folder);
        Self::in_folder(folder)
    }

    /// Packages that lie in a folder.
    #[must_use]
    #[track_caller]
    pub fn in_folder(folder: &Path) -> Self {
        let version = fs::read_to_string(folder.join("version")).or_fail("read a version");
        Self {
            folder: folder.to_owned(),
            version: version.trim().to_owned(),
        }
    }

    /// Errors and warnings of lintian, and overrides that override nothing; empty when all is well.
    #[must_use]
    #[track_caller]
    pub fn lintian(&self) -> String {
        let lab = Lab::new();
        let checker = lab.host_with("checker", &PACKAGING);
        checker.receive_all(self);
        let check = format!("lintian --allow-root --tag-display-limit 0 {ON_THE_HOST}/*.deb");
        let mut words = checker.command(&["timeout", LIMIT, "/bin/sh", "-c", &check]);
        let said = finish(words.stdin(Stdio::null()));
        format!("{}{}", said.stdout, said.stderr).trim().to_owned()
    }

    /// The same packages in another folder.
    #[must_use]
    #[track_caller]
    pub fn copied_to(&self, folder: &Path) -> Self {
        fs::create_dir_all(folder).or_fail("make the folder of packages");
        fs::copy(self.folder.join("version"), folder.join("version")).or_fail("copy a file");
        for file in self.files() {
            let name = file.file_name().unwrap_or_default();
            fs::copy(&file, folder.join(name)).or_fail("copy a package");
        }
        Self::in_folder(folder)
    }

    /// The files of the packages, by the name of each.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).or_fail("list the packages");
        let mut files: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "deb"))
            .collect();
        files.sort();
        files
    }

    #[track_caller]
    fn kept(version_suffix: &str) -> Self {
        let cache = cache().join("packages");
        fs::create_dir_all(&cache).or_fail("make the folder of packages");
        let lock = File::create(cache.join(format!("lock{version_suffix}")));
        let lock = lock.or_fail("make the lock of the packages");
        lock.lock().or_fail("lock the packages");
        let programs: Vec<PathBuf> = PACKAGED.iter().map(|name| stripped(&built(name))).collect();
        let folder = cache.join(format!("{}{version_suffix}", key(&programs)));
        if !folder.join("version").exists() {
            remove_others(&cache, version_suffix);
            say("making the Debian packages ...");
            let beside = cache.join(format!("programs{version_suffix}"));
            let _ = fs::remove_dir_all(&beside);
            gather_programs(&beside);
            let recipe = Recipe {
                sources: None,
                programs: &beside,
                modules: &beside,
                version_suffix,
                thorough: false,
            };
            let half = cache.join(format!("half{version_suffix}"));
            let _ = fs::remove_dir_all(&half);
            let _made = Self::make(&recipe, &half);
            let _ = fs::remove_dir_all(&beside);
            fs::rename(&half, &folder).or_fail("put new packages in their place");
        }
        Self::in_folder(&folder)
    }
}

const PROGRAMS: &[&str] = &[
    "cloudid",
    "cloudid-cacher",
    "cloudid-helper",
    "cloudid-authorized-keys",
    "cloudid-directory",
];
const MODULES: &[&str] = &["libnss_cloudid.so", "libpam_cloudid.so"];

/// Arguments: where the sources shall lie, whose they are, when they were written.
const PREPARE: &str = r#"
folder=$1 account=$2 sources_of=$3
mkdir -p "${folder%/*}" /build/made
if [ "$folder" != /build/cloudid ]; then mv /build/cloudid "$folder"; fi
find "$folder" -exec touch --date="$sources_of" {} +
chown -R "$account:" "${folder%/*}" /build/made /build/programs
"#;

/// Arguments: where the sources lie, the umask, the end of the version.
const BUILD: &str = r#"
umask "$2"
cd "$1"
cp -a packaging/debian debian
sed -i "1s/)/$3)/" debian/changelog
export CLOUDID_PROGRAMS=/build/programs CLOUDID_MODULES=/build/programs
SPEED
# nothing is compiled here, so no compiler has to be there
dpkg-buildpackage --build=binary --no-sign --no-check-builddeps
dpkg-parsechangelog -S Version > /build/made/version
mv ../*.deb ../*.changes ../*.buildinfo /build/made/
"#;

impl Host {
    /// Puts the packages of a host onto it and installs them, as an administrator would.
    #[track_caller]
    pub fn install_packages(&self, packages: &Packages) {
        self.receive(packages, &OF_A_HOST);
        let installed = self.apt(&format!("install --allow-downgrades {ON_THE_HOST}/*.deb"));
        if installed.code != 0 {
            fail(&format!("{}: not installed: {installed:?}", self.name()));
        }
    }

    /// Puts packages onto the host, into `/root/packages`, and nothing else there.
    #[track_caller]
    pub fn receive(&self, packages: &Packages, names: &[&str]) {
        self.receive_those(packages, |file| {
            let name = |name: &&str| file.starts_with(&format!("{name}_"));
            names.iter().any(name)
        });
    }

    /// Puts files of the machine onto the host, into `/root/packages`, and nothing else there.
    #[track_caller]
    pub fn receive_files(&self, files: &[PathBuf]) {
        self.ok(&format!("rm -rf {ON_THE_HOST}"));
        for file in files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            self.copy_in(file, &format!("{ON_THE_HOST}/{name}"), 0o644);
        }
    }

    #[track_caller]
    fn receive_all(&self, packages: &Packages) {
        self.receive_those(packages, |_| true);
    }

    #[track_caller]
    fn receive_those(&self, packages: &Packages, wanted: impl Fn(&str) -> bool) {
        let mut files = packages.files();
        files.retain(|file| wanted(&file.file_name().unwrap_or_default().to_string_lossy()));
        self.receive_files(&files);
    }

    /// `apt-get` without questions and without a network.
    #[track_caller]
    pub fn apt(&self, arguments: &str) -> crate::Outcome {
        self.run(&format!(
            "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends {arguments}"
        ))
    }
}

/// Puts what packages are made of into `/build` of their builder.
#[track_caller]
pub(crate) fn send_sources(builder: &Host, recipe: &Recipe<'_>) {
    let licences = [
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "nss_cloudid",
        "pam_cloudid",
    ];
    let own = sources();
    let sources = recipe.sources.unwrap_or(&own);
    send(builder, sources, &["packaging"], "/build/cloudid");
    send(builder, sources, &licences, "/build/cloudid");
    send(builder, recipe.programs, PROGRAMS, "/build/programs");
    send(builder, recipe.modules, MODULES, "/build/programs");
}

/// Fetches what a builder made, from `/build/made`.
#[track_caller]
pub(crate) fn fetch(builder: &Host, folder: &Path) {
    let archive = builder.folder().join("made.tar");
    let into = File::create(&archive).or_fail("make a file for packages");
    let mut pack = builder.command(&["tar", "-C", "/build/made", "-cf", "-", "."]);
    let packed = pack.stdout(into).status().or_fail("fetch packages");
    if !packed.success() {
        fail("the packages could not be fetched from their builder");
    }
    run(
        "tar",
        &["-C".as_ref(), folder, "-xf".as_ref(), archive.as_path()],
    );
}

/// Sends files of a folder of the machine into a folder of a host.
#[track_caller]
fn send(host: &Host, folder: &Path, names: &[&str], to: &str) {
    let archive = host.folder().join("incoming.tar");
    let mut arguments = vec!["-C".into(), folder.as_os_str().to_owned(), "-cf".into()];
    arguments.push(archive.as_os_str().to_owned());
    arguments.extend(names.iter().map(Into::into));
    // what is a link here is a file there
    arguments.insert(0, "--dereference".into());
    run("tar", &arguments);
    host.ok(&format!("mkdir -p {to}"));
    let content = File::open(&archive).or_fail("open an archive");
    let mut unpack = host.command(&["tar", "-C", to, "--no-same-owner", "-xf", "-"]);
    let unpacked = finish(unpack.stdin(content));
    if !unpacked.succeeded() {
        fail(&format!("{to} could not be filled: {unpacked:?}"));
    }
}

/// Runs what may take longer than a command of a test, by the words that shall start it.
#[track_caller]
pub(crate) fn at_length(host: &Host, starting: &[&str], script: &str, arguments: &[&str]) {
    let mut words = vec!["timeout", LIMIT];
    words.extend(starting);
    words.extend(["/bin/sh", "-euc", script, "sh"]);
    words.extend(arguments);
    let ended = finish(host.command(&words).stdin(Stdio::null()));
    if !ended.succeeded() {
        fail(&format!(
            "packages could not be made: {}\n{}",
            ended.stdout, ended.stderr
        ));
    }
}

/// The sources this was built from.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Changes with every program and every file of `packaging/`.
fn key(programs: &[PathBuf]) -> String {
    let packaging = sources().join("packaging");
    let hashed = format!(
        "cd '{}' && find . -type f -print0 | sort -z | xargs -0 sha256sum",
        packaging.display()
    );
    let script = format!("{PREPARE}{BUILD}{:?}", Builder::FIRST);
    let mut parts = vec![run("sh", &["-c", &hashed]), script];
    parts.extend(programs.iter().map(|path| path.display().to_string()));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    recipe_of(&parts)
}

fn remove_others(cache: &Path, version_suffix: &str) {
    let entries = fs::read_dir(cache).or_fail("list the packages");
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let of_this_kind = match version_suffix {
            "" => !name.contains('+'),
            suffix => name.ends_with(suffix),
        };
        if of_this_kind && entry.path().join("version").exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
