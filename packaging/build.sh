#!/bin/sh
# Builds what all packages hold, the same bytes whoever builds it and wherever:
#     build.sh release|dev TARGET [CRATE...]
# Released programs come to lie in TARGET/release and the two modules in TARGET/module; those of
# development, or of them the crates that are named, in TARGET/debug. Run above packaging/.
set -eu
profile=$1
mkdir -p "$2"
CARGO_TARGET_DIR=$(cd "$2" && pwd -P)
shift 2
sources=$(pwd -P)
cargo_home=$(mkdir -p "${CARGO_HOME:-$HOME/.cargo}" && cd "${CARGO_HOME:-$HOME/.cargo}" && pwd)

# Panics and debugging information name source files. Three folders differ from builder to builder;
# where one lies in another, the last that fits is taken. What the builder's own environment says
# about flags is replaced.
separator=$(printf '\037')
CARGO_ENCODED_RUSTFLAGS=
CFLAGS=
for renamed in "$sources=/cloudid" "$cargo_home=/cargo" "$CARGO_TARGET_DIR=/target"; do
    CARGO_ENCODED_RUSTFLAGS="$CARGO_ENCODED_RUSTFLAGS${CARGO_ENCODED_RUSTFLAGS:+$separator}"
    CARGO_ENCODED_RUSTFLAGS="$CARGO_ENCODED_RUSTFLAGS--remap-path-prefix=$renamed"
    CFLAGS="$CFLAGS -ffile-prefix-map=$renamed"
done
CXXFLAGS=$CFLAGS
CARGO_INCREMENTAL=0
export CARGO_TARGET_DIR CARGO_ENCODED_RUSTFLAGS CFLAGS CXXFLAGS CARGO_INCREMENTAL

case $profile in
release)
    cargo build --locked --release -p cli -p cacher-daemon -p directory-server
    # sshd starts it at each login: no time for a dynamic linker, and little of it is to be read
    cargo rustc --locked --profile module -p ssh-commands --bin cloudid-authorized-keys -- \
        -C target-feature=+crt-static
    install -m 755 "$CARGO_TARGET_DIR/module/cloudid-authorized-keys" "$CARGO_TARGET_DIR/release/"
    # as one kind of library only: cargo optimises none as a whole that it makes in two kinds
    cargo rustc --locked --profile module -p pam_cloudid --lib --crate-type cdylib
    # calls inside it go straight, not through a table; the linker protects the whole table all the same
    cargo rustc --locked --profile module -p nss_cloudid --lib --crate-type cdylib -- \
        -C relro-level=partial
    ;;
dev)
    if [ $# = 0 ]; then
        set -- cli cacher-daemon directory-server ssh-commands nss_cloudid pam_cloudid
    fi
    for crate; do
        set -- "$@" -p "$crate"
        shift
    done
    cargo build --locked "$@"
    ;;
*)
    echo "build.sh: release or dev, not $profile" >&2
    exit 2
    ;;
esac
