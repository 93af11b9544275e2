//! Places with next to nothing around a program: the first moments of a boot, an initramfs, a root
//! that is read-only or locked to a few algorithms. Whoever is known is known, and who cannot be
//! told is not waited for.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::host::{Host, module};
use crate::people::three;
use crate::programs::{Said, compiled};

/// The longest a lookup may hold up a boot, in microseconds.
const BRIEF: u64 = 5_000;

/// Runs `early` behind a command that makes the place, with the module at a path.
fn early(host: &Host, place: &str, program: &str, module: &str) -> Said {
    let script = format!("{place} {program} {module}");
    let output = host.run(&["sh", "-euc", &script]);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{place}: {complaints}");
    Said(String::from_utf8(output.stdout).unwrap())
}

fn early_at(host: &Host, place: &str) -> Said {
    let module = host.path("lib/libnss_cloudid.so.2");
    early(
        host,
        place,
        &compiled(host, "early"),
        module.to_str().unwrap(),
    )
}

#[test]
fn nss_20_before_anything_is_mounted_nobody_waits_and_root_is_known() {
    let host = Host::new();
    for (what, place) in [
        ("no map yet", ""),
        ("no folder yet", "umount /run/cloudid; rmdir /run/cloudid;"),
        ("no /run yet", "umount /run/cloudid; umount /run;"),
    ] {
        let said = early_at(&host, place);
        assert_eq!(said.number("unavailable"), 1, "{what}: {said:?}");
        assert!(said.number("quickest") < BRIEF, "{what}: {said:?}");
    }
}

#[test]
fn nss_20_people_are_known_where_nothing_can_be_written() {
    let host = Host::knowing(&three());
    let read_only = "mount -o remount,bind,ro /run/cloudid; mount -o remount,ro /run; \
        mount --bind / /mnt; mount -o remount,bind,ro /mnt; mount --move /run /mnt/run; \
        mount --bind /tmp /mnt/tmp; mount -o remount,bind,ro /mnt/tmp; \
        for file in passwd group nsswitch.conf; do mount --bind /etc/$file /mnt/etc/$file; done; \
        mount --bind /dev /mnt/dev; if touch /mnt/run/x /mnt/x 2> /dev/null; then exit 7; fi; \
        chroot /mnt env LD_LIBRARY_PATH=$LD_LIBRARY_PATH";
    let said = early_at(&host, read_only);
    assert_eq!(said.number("known"), 1, "{said:?}");
    assert!(said.number("quickest") < BRIEF, "{said:?}");
}

/// What `ldd` says a program or library needs, copied to the same paths below a root.
fn copy_with_libraries(program: &Path, root: &Path) {
    let said = Command::new("ldd").arg(program).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let paths = said
        .split_whitespace()
        .filter(|word| word.starts_with('/') && word.contains(".so"));
    for path in paths {
        let target = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
}

#[test]
fn nss_20_an_initramfs_with_libc_and_the_module_alone_knows_root_and_waits_for_nobody() {
    let host = Host::knowing(&three());
    let root = host.path("initramfs");
    for folder in ["etc", "bin", "run/cloudid"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for file in ["nsswitch.conf", "passwd", "group"] {
        fs::copy(host.path(file), root.join("etc").join(file)).unwrap();
    }
    let program = compiled(&host, "early");
    fs::copy(&program, root.join("bin/early")).unwrap();
    copy_with_libraries(Path::new(&program), &root);
    copy_with_libraries(&module(), &root);
    let library = "lib/x86_64-linux-gnu/libnss_cloudid.so.2";
    fs::create_dir_all(root.join("lib/x86_64-linux-gnu")).unwrap();
    fs::copy(module(), root.join(library)).unwrap();

    let enter = format!("env -i /usr/sbin/chroot {}", root.display());
    let inside = |place: &str| early(&host, place, "/bin/early", &format!("/{library}"));
    let without = inside(&enter);
    assert_eq!(without.number("unavailable"), 1, "{without:?}");
    assert!(without.number("quickest") < BRIEF, "{without:?}");
    let with = format!(
        "mount --bind /run/cloudid {}/run/cloudid; {enter}",
        root.display()
    );
    let with = inside(&with);
    assert_eq!(with.number("known"), 1, "{with:?}");
}

/// A kernel says at its start whether it keeps to FIPS 140, and no test can switch that on. What
/// such a kernel refuses is cryptography that it has not approved of: the module has none, neither
/// of its own nor of a library.
#[test]
fn nss_20_a_kernel_that_keeps_to_fips_has_nothing_to_refuse() {
    let symbols = Command::new("nm").arg(module()).output().unwrap();
    let symbols = String::from_utf8(symbols.stdout).unwrap().to_lowercase();
    assert!(
        symbols.contains("nss_cloudid"),
        "no symbols: {}",
        symbols.len()
    );
    for provider in [
        "aws_lc",
        "ring_core",
        "openssl",
        "evp_",
        "sha2",
        "chacha",
        "dalek",
        "hmac",
        "getrandom",
    ] {
        let used = symbols.lines().find(|line| line.contains(provider));
        assert_eq!(used, None, "{provider}");
    }
}
