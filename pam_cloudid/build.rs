//! Lets the module link on machines that have libpam but not its development files: the linker
//! looks for `libpam.so`, a name that only the development package brings.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const LIBRARY_FOLDERS: [&str; 6] = [
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
    "/lib",
];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let there = |name: &'static str| {
        LIBRARY_FOLDERS
            .iter()
            .map(move |folder| Path::new(folder).join(name))
            .find(|path| path.exists())
    };
    if let (None, Some(library)) = (there("libpam.so"), there("libpam.so.0")) {
        let folder = folder_with_link(&library)?;
        println!("cargo:rustc-link-search=native={}", folder.display());
    }
    Ok(())
}

fn folder_with_link(library: &Path) -> io::Result<PathBuf> {
    let out = std::env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let folder = PathBuf::from(out).join("libpam");
    std::fs::create_dir_all(&folder)?;
    match symlink(library, folder.join("libpam.so")) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(folder),
    }
}
