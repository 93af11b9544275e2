//! Names the shared object as glibc looks for it, keeps it in place once loaded (a program that
//! closes it while a lookup runs in another thread must not pull the code away), has all its tables
//! bound and protected when it is loaded, and links the unwinder into it, so that no process loads
//! another library for it.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libnss_cloudid.so.2");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete,-z,now");
    println!("cargo::rustc-cdylib-link-arg=-Wl,--icf=all,-O2");
    let tried = std::env::var_os("CARGO_CFG_TARGET_ARCH").is_some_and(|arch| arch == "x86_64");
    if let Some(folder) = folder_of_unwinder().filter(|_| tried) {
        println!("cargo::rustc-link-search=native={folder}");
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Where the compiler keeps the unwinder as a static library; without one, or where `unwind/` was
/// not tried, the module loads `libgcc_s`.
fn folder_of_unwinder() -> Option<String> {
    let told = Command::new("cc")
        .arg("-print-file-name=libgcc_eh.a")
        .output();
    let path = String::from_utf8(told.ok()?.stdout).ok()?;
    let folder = Path::new(path.trim()).parent()?;
    folder.is_absolute().then(|| folder.display().to_string())
}
