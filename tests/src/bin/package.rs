//! Makes packages from programs that are built already: `package deb|rpm release|dev FOLDER`. Started by
//! `cargo xtask package`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the answer of this program")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use system_tests::{Packages, Recipe, gather_programs, rpm_packages};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["deb", profile @ ("release" | "dev"), folder] => {
            let made = match *profile {
                "dev" => Packages::of_this_build().copied_to(Path::new(folder)),
                _ => release(Path::new(folder)),
            };
            for file in made.files() {
                println!("{}", file.display());
            }
            let complaints = made.lintian();
            println!("{complaints}");
            ExitCode::from(u8::from(!complaints.is_empty()))
        }
        ["rpm", profile @ ("release" | "dev"), folder] => {
            for file in rpms(profile, Path::new(folder)) {
                println!("{}", file.display());
            }
            ExitCode::SUCCESS
        }
        _ => {
            println!("package deb|rpm release|dev FOLDER");
            ExitCode::from(2)
        }
    }
}

fn release(folder: &Path) -> Packages {
    let target = target();
    let recipe = Recipe {
        programs: &target.join("release"),
        modules: &target.join("module"),
        version_suffix: "",
        thorough: true,
    };
    Packages::make(&recipe, folder)
}

fn rpms(profile: &str, folder: &Path) -> Vec<PathBuf> {
    let target = target();
    let (programs, modules) = match profile {
        "dev" => {
            let programs = folder.join("programs");
            gather_programs(&programs);
            (programs.clone(), programs)
        }
        _ => (target.join("release"), target.join("module")),
    };
    let recipe = Recipe {
        programs: &programs,
        modules: &modules,
        version_suffix: "",
        thorough: true,
    };
    rpm_packages(&recipe, &["1"], folder)
}

/// The folder that cargo builds into: this program lies in a folder of it.
fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors()
        .nth(2)
        .map(Path::to_owned)
        .unwrap_or_default()
}
