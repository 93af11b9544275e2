//! Names the shared object as glibc looks for it, and keeps it in place once loaded: a program that
//! closes it while a lookup runs in another thread must not pull the code away.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libnss_cloudid.so.2");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
