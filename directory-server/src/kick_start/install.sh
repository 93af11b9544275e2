#!/bin/sh
# Installs cloudid on this machine and makes it a host of a directory. Holds no secret. The enrolment
# token comes from standard input, or from a file that is named (--token-file FILE), or is asked for at
# the terminal; it is neither an argument nor in the environment of any program. What is fetched is
# compared with the digests below before it is installed. Arguments go to `cloudid enroll`.

# One group from here to the last line: half a script is no command at all.
{
kick_start() {
    set -eu
    # VALUES
    unset token folder settings word
    umask 077
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    LC_ALL=C
    export PATH LC_ALL
    [ "$(id -u)" = 0 ] || end "this must run as root: put sudo in front of sh"
    look_at_this_machine
    if [ -e /var/lib/cloudid/identity.json ]; then
        is_a_host_already
        return 0
    fi
    token=
    has_token "$@" || read_token
    fetch_packages
    install_packages
    if [ -n "$token" ]; then
        printf '%s\n' "$token" | /usr/bin/cloudid enroll "$directory" --token-file - --yes "$@" ||
            not_enrolled
    else
        /usr/bin/cloudid enroll "$directory" --yes "$@" < /dev/null || not_enrolled
    fi
}

end() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 1
}

look_at_this_machine() {
    system=$(. /etc/os-release 2> /dev/null && printf ' %s %s ' "${ID-}" "${ID_LIKE-}") || system=
    case $system in
        *" debian "* | *" ubuntu "*) family=deb tools="dpkg apt-get" ;;
        *" rhel "* | *" fedora "* | *" centos "*) family=rpm tools="rpm dnf" ;;
        *) end "this system is neither of Debian's nor of Red Hat's family; nothing was changed" ;;
    esac
    for tool in $tools sha256sum mktemp rm; do
        command -v "$tool" > /dev/null || end "$tool is missing here; nothing was changed"
    done
    if command -v curl > /dev/null; then
        fetcher=curl
    elif command -v wget > /dev/null; then
        fetcher=wget
    else
        end "neither curl nor wget is here; install one of them first"
    fi
    case $family in
        deb) machine=$(dpkg --print-architecture) ;;
        rpm) machine=$(rpm --eval '%{_arch}') ;;
    esac
    wanted=$(printf '%s\n' "$packages" | while read -r of architecture digest name; do
        [ "$of $architecture" != "$family $machine" ] || printf '%s %s\n' "$digest" "$name"
    done)
    [ -n "$wanted" ] ||
        end "the directory has no packages for this machine ($family $machine); an administrator puts \
them into the folder that [packages] in its settings names${problems:+
$problems}"
}

is_a_host_already() {
    known=$(cat /etc/cloudid/ca.pem 2> /dev/null) || known=
    [ "$known" = "$ca" ] ||
        end "this machine is a host of another directory; cloudid unenroll first"
    printf 'This machine is a host of %s already; nothing was changed.\n' "$directory"
}

# Whether the arguments say where the token is, or that none is needed now.
has_token() {
    for word in "$@"; do
        case $word in
            --token-file | --token-file=* | --image-prepare) return 0 ;;
        esac
    done
    return 1
}

read_token() {
    if [ -t 0 ]; then
        settings=$(stty -g < /dev/tty)
        trap 'stty "$settings" < /dev/tty; exit 1' HUP INT TERM
        printf 'Enrolment token (it is not shown): ' > /dev/tty
        stty -echo < /dev/tty
        IFS= read -r token < /dev/tty || :
        stty "$settings" < /dev/tty
        trap - HUP INT TERM
        printf '\n' > /dev/tty
    else
        IFS= read -r token || :
    fi
    case $token in
        cloudid1.*.*.*) ;;
        *) end "standard input is no enrolment token (cloudid1.…); nothing was changed" ;;
    esac
}

# Below a folder of root's, under a name that nobody can tell in advance. The files are public, and
# apt reads them as a user of its own.
fetch_packages() {
    folder=$(mktemp -d /var/cache/cloudid-install.XXXXXXXXXX)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    chmod 755 "$folder"
    if [ -n "$fetch_ca" ]; then
        printf '%s\n' "$fetch_ca" > "$folder/ca.pem"
    fi
    printf '%s\n' "$wanted" > "$folder/wanted"
    while read -r digest name; do
        printf 'fetching %s\n' "$name"
        fetch "$directory/packages/$name" "$folder/$name" ||
            end "$name could not be fetched; nothing was changed"
        printf '%s  %s\n' "$digest" "$folder/$name" | sha256sum --check --status ||
            end "$name is not the package that the directory named; nothing was changed"
        chmod 644 "$folder/$name"
    done < "$folder/wanted"
}

fetch() {
    case $fetcher in
        curl)
            curl --fail --silent --show-error --proto =https --connect-timeout 20 \
                ${fetch_ca:+--cacert "$folder/ca.pem"} --output "$2" -- "$1" < /dev/null
            ;;
        wget)
            wget --quiet --https-only --timeout 20 --tries 2 \
                ${fetch_ca:+--ca-certificate "$folder/ca.pem"} -O "$2" -- "$1" < /dev/null
            ;;
    esac
}

# An administrator's settings are kept when there are some from before.
install_packages() {
    case $family in
        deb)
            DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
                -o Dpkg::Options::=--force-confold "$folder"/*.deb < /dev/null
            ;;
        rpm) dnf install -y "$folder"/*.rpm < /dev/null ;;
    esac || end "the packages could not be installed; this machine is no host"
}

not_enrolled() {
    end "this machine is not enrolled. The packages are installed and change nothing; with a new token \
the same line can be run again"
}

kick_start "$@"
}
