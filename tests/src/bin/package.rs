//! Makes packages from programs that are built already: `package deb|rpm release|dev FOLDER [KEY]`, the
//! digests of them signed by a key of gpg; or has two builders build all of it and compares:
//! `package reproduce release|dev FOLDER`. Started by `cargo xtask package`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the answer of this program")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use system_tests::{
    Builder, Packages, Recipe, build_copy, copy_sources, differences, gather_programs,
    rpm_packages, sign, write_sums,
};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["deb", profile @ ("release" | "dev"), folder, key @ ..] => {
            let folder = Path::new(folder);
            let made = match *profile {
                "dev" => Packages::of_this_build().copied_to(folder),
                _ => release(folder),
            };
            told(folder, &made.files(), key);
            let complaints = made.lintian();
            println!("{complaints}");
            ExitCode::from(u8::from(!complaints.is_empty()))
        }
        ["rpm", profile @ ("release" | "dev"), folder, key @ ..] => {
            let folder = Path::new(folder);
            told(folder, &rpms(profile, folder), key);
            ExitCode::SUCCESS
        }
        ["reproduce", profile @ ("release" | "dev"), folder] => {
            reproduced(profile, &Path::new(folder).join("reproduce"))
        }
        _ => {
            println!(
                "package deb|rpm release|dev FOLDER [KEY]\npackage reproduce release|dev FOLDER"
            );
            ExitCode::from(2)
        }
    }
}

/// Says what was made, with digests beside it.
fn told(folder: &Path, files: &[PathBuf], key: &[&str]) {
    write_sums(folder);
    if let [key] = key {
        sign(folder, key, None);
    }
    for file in files {
        println!("{}", file.display());
    }
}

fn release(folder: &Path) -> Packages {
    let (programs, modules) = folders("release", &folder.join("built"));
    let recipe = Recipe {
        sources: None,
        programs: &programs,
        modules: &modules,
        version_suffix: "",
        thorough: true,
    };
    Packages::make(&recipe, folder)
}

fn rpms(profile: &str, folder: &Path) -> Vec<PathBuf> {
    let (programs, modules) = match profile {
        "dev" => {
            let programs = folder.join("programs");
            gather_programs(&programs);
            (programs.clone(), programs)
        }
        _ => folders(profile, &folder.join("built")),
    };
    let recipe = Recipe {
        sources: None,
        programs: &programs,
        modules: &modules,
        version_suffix: "",
        thorough: true,
    };
    rpm_packages(&recipe, &["1"], folder)
}

/// Two builders make the same packages, one after the other, from the sources on.
fn reproduced(profile: &str, folder: &Path) -> ExitCode {
    let builders = [Builder::FIRST, Builder::SECOND];
    // Both before anything is built: somebody may go on working on the sources.
    for builder in &builders {
        copy_sources(builder, folder);
    }
    let [first, second] = builders.map(|builder| {
        let built = build_copy(&builder, profile, &[], folder);
        let (programs, modules) = folders(profile, &built);
        let sources = builder.sources(folder);
        let recipe = Recipe {
            sources: Some(&sources),
            programs: &programs,
            modules: &modules,
            version_suffix: "",
            thorough: profile == "release",
        };
        let made = folder.join(builder.name).join("packages");
        Packages::make_by(&builder, &recipe, &made)
    });
    let found = differences(&first, &second);
    for line in &found {
        println!("{line}");
    }
    if found.is_empty() {
        let packages = first.files().len();
        println!("two builders made the same bytes: {packages} packages");
    }
    ExitCode::from(u8::from(!found.is_empty()))
}

/// Where `packaging/build.sh` puts programs and modules.
fn folders(profile: &str, built: &Path) -> (PathBuf, PathBuf) {
    match profile {
        "dev" => (built.join("debug"), built.join("debug")),
        _ => (built.join("release"), built.join("module")),
    }
}
