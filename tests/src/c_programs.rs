//! Small programs in C, of `tests/programs/`, that ask glibc on a host what others would ask it.
//! The machine compiles them; hosts are of the same release.

use crate::base_root::{cache, recipe_of};
use crate::command::{OrFail, run};
use crate::host::Host;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A compiler, and how it links.
type Compiler = &'static [&'static str];
const GLIBC: Compiler = &["gcc"];
const MUSL: Compiler = &["musl-gcc", "-static"];

impl Host {
    /// Compiles a program and puts it into `/usr/local/bin` of the host.
    #[track_caller]
    pub fn install_c_program(&self, name: &str) {
        let path = format!("/usr/local/bin/{name}");
        self.copy_in(&compiled(name, GLIBC), &path, 0o755);
    }

    /// The same with musl, static: a program that knows no NSS. Its name ends in `-musl`.
    #[track_caller]
    pub fn install_static_c_program(&self, name: &str) {
        let path = format!("/usr/local/bin/{name}-musl");
        self.copy_in(&compiled(name, MUSL), &path, 0o755);
    }
}

fn compiled(name: &str, compiler: Compiler) -> PathBuf {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let source = programs.join(format!("{name}.c"));
    let text = fs::read_to_string(&source).or_fail(&format!("read {}", source.display()));
    let folder = cache().join("programs");
    fs::create_dir_all(&folder).or_fail("make the folder of programs");
    let lock = File::create(folder.join("lock")).or_fail("make the lock of the programs");
    lock.lock().or_fail("lock the programs");
    let program = folder.join(format!(
        "in-c-{name}-{}",
        recipe_of(&[&text, &compiler.join(" ")])
    ));
    if !program.exists() {
        let half = folder.join("half-in-c").display().to_string();
        let source = source.display().to_string();
        let strict = ["-O2", "-Wall", "-Wextra", "-Werror"];
        let command = [compiler, &strict, &["-o", &half, &source]].concat();
        run("env", &command);
        fs::rename(&half, &program).or_fail("put a compiled program in its place");
    }
    program
}
