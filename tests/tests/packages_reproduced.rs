//! Whoever has the sources can tell that packages are of them: what two builders make is the same bytes.
//! `cargo xtask package deb --reproduce` shows it of everything; here it is shown of the packages, and
//! of what builds fast. And whoever made packages can sign for them.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use system_tests::{
    Builder, Lab, Packages, Recipe, build_copy, copy_sources, differences, gather_programs, sign,
    write_sums,
};

#[test]
fn pkg_11_a_second_builder_makes_the_same_packages() {
    let lab = Lab::new();
    let programs = lab.folder().join("programs");
    gather_programs(&programs);
    let recipe = Recipe::quick(&programs);
    let first = Packages::of_this_build();
    let second = lab.folder().join("second");
    let second = Packages::make_by(&Builder::SECOND, &recipe, &second);
    assert_eq!(first.files().len(), 5, "{first:?}");
    let found = differences(&first, &second);
    assert!(found.is_empty(), "{found:#?}");

    // one byte of one file in one of them
    let altered = second.copied_to(&lab.folder().join("altered"));
    let of_the_command = |file: &PathBuf| file.to_string_lossy().contains("/cloudid_");
    let package = altered.files().into_iter().find(of_the_command).unwrap();
    let name = package.file_name().unwrap().to_string_lossy().into_owned();
    let repack = "dpkg-deb --raw-extract \"$1\" \"$2\" && printf x >> \"$2/usr/bin/cloudid\" && \
                  dpkg-deb -Zgzip -z1 --root-owner-group --build \"$2\" \"$1\"";
    let unpacked = lab.folder().join("unpacked");
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", repack, "sh"])
        .args([&package, &unpacked]);
    assert!(shell.output().unwrap().status.success());
    let found = differences(&first, &altered);
    let of_the_package = |line: &String| line.starts_with(&name);
    assert!(
        !found.is_empty() && found.iter().all(of_the_package),
        "{found:#?}"
    );
    let told = |line: &String| line.ends_with("./usr/bin/cloudid");
    assert!(found.iter().any(told), "{found:#?}");
}

/// In every program, and built within seconds.
const FAST_TO_BUILD: &str = "posix-names";
const BUILT: &str = "debug/libposix_names.rlib";

#[test]
fn pkg_11_a_second_builder_builds_the_same_library_elsewhere() {
    let lab = Lab::new();
    let [first, second] = [Builder::FIRST, Builder::SECOND].map(|builder| {
        copy_sources(&builder, lab.folder());
        let built = build_copy(&builder, "dev", &[FAST_TO_BUILD], lab.folder());
        fs::read(built.join(BUILT)).unwrap()
    });
    assert!(first == second, "with its debugging information");
    let place = lab.folder().to_string_lossy().into_owned();
    let mut parts = first.windows(place.len());
    assert!(!parts.any(|part| part == place.as_bytes()), "{place}");
}

/// Whoever makes packages: keys of their own in a folder that gpg keeps.
struct Maker<'a>(&'a Path);

impl<'a> Maker<'a> {
    const NAME: &'static str = "releases@example.org";

    fn new(home: &'a Path) -> Self {
        fs::create_dir(home).unwrap();
        fs::set_permissions(home, fs::Permissions::from_mode(0o700)).unwrap();
        let maker = Self(home);
        let key = [
            "--passphrase",
            "",
            "--quick-generate-key",
            Self::NAME,
            "ed25519",
        ];
        maker.gpg(&[&["--batch", "--quiet"], &key[..]].concat());
        maker
    }

    fn gpg(&self, arguments: &[&str]) {
        let ended = Command::new("gpg")
            .arg("--homedir")
            .arg(self.0)
            .args(arguments)
            .output();
        let ended = ended.unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }

    fn public_key(&self, file: &Path) {
        self.gpg(&[
            "--yes",
            "--output",
            file.to_str().unwrap(),
            "--export",
            Self::NAME,
        ]);
    }
}

impl Drop for Maker<'_> {
    fn drop(&mut self) {
        let end = ["--kill", "gpg-agent"];
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.0)
            .args(end)
            .output();
    }
}

/// As the operations guide says it.
const CHECK: &str =
    "gpgv --keyring ./releases.gpg SHA256SUMS.asc SHA256SUMS && sha256sum --check SHA256SUMS";

fn is_checked(folder: &Path) -> bool {
    let mut shell = Command::new("sh");
    let ended = shell
        .args(["-c", CHECK])
        .current_dir(folder)
        .output()
        .unwrap();
    ended.status.success()
}

#[test]
fn pkg_11_tampering_with_packages_or_their_digests_is_seen() {
    let guide = include_str!("../../docs/operations.md");
    assert!(guide.contains(CHECK));
    let lab = Lab::new();
    let folder = lab.folder().join("packages");
    let packages = Packages::of_this_build().copied_to(&folder);
    let (home, home_of_other) = (lab.folder().join("maker"), lab.folder().join("other"));
    let (maker, other) = (Maker::new(&home), Maker::new(&home_of_other));
    write_sums(&folder);
    sign(&folder, Maker::NAME, Some(maker.0));
    maker.public_key(&folder.join("releases.gpg"));
    assert!(is_checked(&folder), "as it was made");

    let package = packages.files().remove(0);
    let whole = fs::read(&package).unwrap();
    let mut tampered = whole.clone();
    *tampered.last_mut().unwrap() ^= 1;
    fs::write(&package, &tampered).unwrap();
    assert!(!is_checked(&folder), "a package was tampered with");

    let signature = fs::read(folder.join("SHA256SUMS.asc")).unwrap();
    write_sums(&folder);
    assert!(!is_checked(&folder), "new digests take the signature away");
    fs::write(folder.join("SHA256SUMS.asc"), &signature).unwrap();
    assert!(
        !is_checked(&folder),
        "the digests were tampered with as well"
    );

    sign(&folder, Maker::NAME, Some(other.0));
    assert!(
        !is_checked(&folder),
        "signed by somebody else under the same name"
    );

    fs::write(&package, &whole).unwrap();
    write_sums(&folder);
    fs::write(folder.join("SHA256SUMS.asc"), &signature).unwrap();
    assert!(is_checked(&folder), "as it was made again");
}
