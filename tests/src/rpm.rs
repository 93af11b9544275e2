//! RPM packages, made by Debian's `rpmbuild` of the same programs. No RPM distribution is at hand: what
//! is shown of them is their mechanics (scriptlets, files, upgrades), on a Debian root.

use crate::command::OrFail;
use crate::lab::Lab;
use crate::layer::PACKAGING;
use crate::packages::{Recipe, at_length, fetch, send_sources};
use crate::programs::{PACKAGED, built, stripped};
use std::fs;
use std::path::{Path, PathBuf};

/// The first argument is the release number.
const BUILD: &str = r#"
cd /build/cloudid
sed -i "s/^Release: .*/Release: $1/" packaging/rpm/cloudid.spec
rpmbuild -bb --build-in-place --target x86_64 --define "_topdir /build/rpm" \
    --define "programs /build/programs" --define "modules /build/programs" \
    --define "_libdir /usr/lib64" QUICKLY packaging/rpm/cloudid.spec
mkdir -p /build/made
mv /build/rpm/RPMS/*/*.rpm /build/made/
"#;

/// Makes RPM packages into a folder; answers them by name.
#[must_use]
#[track_caller]
pub fn rpm_packages(recipe: &Recipe<'_>, releases: &[&str], folder: &Path) -> Vec<PathBuf> {
    let lab = Lab::new();
    let builder = lab.host_with("builder", &PACKAGING);
    send_sources(&builder, recipe);
    let quickly = r#"--define "__os_install_post %{nil}" --define "_binary_payload w1.gzdio""#;
    let script = BUILD.replace("QUICKLY", if recipe.thorough { "" } else { quickly });
    for release in releases {
        at_length(&builder, &[], &script, &[release]);
    }
    fs::create_dir_all(folder).or_fail("make the folder of packages");
    fetch(&builder, folder);
    let entries = fs::read_dir(folder).or_fail("list the packages");
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "rpm"))
        .collect();
    files.sort();
    files
}

/// The programs that were built beside this one, small, in a folder.
#[track_caller]
pub fn gather_programs(folder: &Path) {
    fs::create_dir_all(folder).or_fail("make a folder for programs");
    for name in PACKAGED {
        fs::copy(stripped(&built(name)), folder.join(name)).or_fail("copy a program");
        let program = folder.join(name);
        crate::command::run("chmod", &["755".as_ref(), program.as_path()]);
    }
}
