#!/bin/sh
# Lays out what all packages hold, below a folder:
#     install.sh DESTINATION PROGRAMS MODULES LIBRARIES UNITS
# PROGRAMS is the folder of the built programs, MODULES that of the two modules; LIBRARIES and UNITS
# are where this distribution keeps libraries and units, from the root on. Run above packaging/.
set -eu
destination=$1 programs=$2 modules=$3 libraries=$4 units=$5

program() { install -D -m 755 "$programs/$1" "$destination/$2"; }
file() { install -D -m 644 "$1" "$destination/$2"; }

program cloudid usr/bin/cloudid
program cloudid-directory usr/sbin/cloudid-directory
for name in cloudid-cacher cloudid-helper cloudid-authorized-keys; do
    program "$name" "usr/libexec/cloudid/$name"
done
file "$modules/libnss_cloudid.so" "$libraries/libnss_cloudid.so.2"
file "$modules/libpam_cloudid.so" "$libraries/security/pam_cloudid.so"

for unit in packaging/systemd/*; do
    file "$unit" "$units/${unit##*/}"
done
for folder in sysusers.d tmpfiles.d; do
    for settings in "packaging/$folder"/*; do
        file "$settings" "usr/lib/$folder/${settings##*/}"
    done
done
file packaging/cloudid.toml etc/cloudid/cloudid.toml
file packaging/examples/cloudid.toml usr/share/doc/cloudid-cacher/examples/cloudid.toml
file packaging/examples/directory.toml usr/share/doc/cloudid-directory/examples/directory.toml

install -d "$destination/usr/share/man/man1"
"$programs/cloudid" man "$destination/usr/share/man/man1"
file packaging/man/cloudid-directory.8 usr/share/man/man8/cloudid-directory.8
install -d "$destination/usr/share/bash-completion/completions" \
    "$destination/usr/share/zsh/vendor-completions" \
    "$destination/usr/share/fish/vendor_completions.d"
"$programs/cloudid" completions bash > "$destination/usr/share/bash-completion/completions/cloudid"
"$programs/cloudid" completions zsh > "$destination/usr/share/zsh/vendor-completions/_cloudid"
"$programs/cloudid" completions fish > "$destination/usr/share/fish/vendor_completions.d/cloudid.fish"

# Profiles are how Debian makes PAM's stacks; other families have their own way.
for profile in packaging/pam-configs/*; do
    file "$profile" "usr/share/pam-configs/${profile##*/}"
done
