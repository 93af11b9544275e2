//! Who is compared, and how each is brought to answer, in a root where nothing else does.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// Lines that wait for a condition, half a minute at most, and fail without it.
macro_rules! wait_for {
    ($condition:literal) => {
        concat!(
            "for i in $(seq 300); do if ",
            $condition,
            "; then break; fi; sleep 0.1; done; ",
            $condition
        )
    };
}

/// Something that answers names and ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Competitor {
    /// A module that answers a constant.
    Floor,
    /// A module that finds and copies a user, and checks nothing.
    Copier,
    /// Our module beside a running cacher.
    Cloudid,
    /// Our module with the published map alone.
    Stateless,
    /// SSSD with everything in its memory cache.
    Sssd,
    /// SSSD without its memory cache.
    SssdUncached,
    /// nscd, large enough for everybody.
    Nscd,
    /// libnss-cache
    NssCache,
    /// libnss-extrausers
    Extrausers,
    /// glibc's own `files`.
    Files,
    /// `files` with two users: what a program takes that has nobody to look for.
    TwoUsers,
}

impl fmt::Display for Competitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Floor => "floor",
            Self::Copier => "copier",
            Self::Cloudid => "cloudid",
            Self::Stateless => "stateless",
            Self::Sssd => "sssd",
            Self::SssdUncached => "sssd-uncached",
            Self::Nscd => "nscd",
            Self::NssCache => "nss-cache",
            Self::Extrausers => "extrausers",
            Self::Files => "files",
            Self::TwoUsers => "two users",
        })
    }
}

impl Competitor {
    /// Everybody who is measured with all users.
    pub(crate) const ALL: [Self; 10] = [
        Self::Floor,
        Self::Copier,
        Self::Cloudid,
        Self::Stateless,
        Self::Sssd,
        Self::SssdUncached,
        Self::Nscd,
        Self::NssCache,
        Self::Extrausers,
        Self::Files,
    ];

    /// Whether it is somebody else's work.
    pub(crate) fn is_peer(self) -> bool {
        !matches!(
            self,
            Self::Floor | Self::Copier | Self::Cloudid | Self::Stateless | Self::TwoUsers
        )
    }

    /// Whose stage it is asked on.
    pub(crate) fn stage(self) -> Self {
        if self == Self::SssdUncached {
            Self::Sssd
        } else {
            self
        }
    }

    /// Whether it answers from what it was asked before, and so is asked everything once.
    pub(crate) fn remembers(self) -> bool {
        matches!(self, Self::Sssd | Self::SssdUncached | Self::Nscd)
    }

    /// Whether `getent passwd` without a name lists everybody.
    pub(crate) fn enumerates(self) -> bool {
        !matches!(self, Self::Floor | Self::Copier | Self::TwoUsers) && !self.remembers()
    }

    /// How the service is called in `/etc/nsswitch.conf`.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Copier => "copier",
            // What nscd remembers does not depend on where it has it from: here from our module.
            Self::Cloudid | Self::Stateless | Self::Nscd => "cloudid",
            Self::Sssd | Self::SssdUncached => "sss",
            Self::NssCache => "cache",
            Self::Extrausers => "extrausers",
            Self::Files | Self::TwoUsers => "files",
        }
    }

    /// Variables of the processes that ask.
    pub(crate) fn environment(self) -> Option<&'static str> {
        (self == Self::SssdUncached).then_some("SSS_NSS_USE_MEMCACHE=NO")
    }

    /// What is done in the root before anybody asks. `/bench/USERS` holds the people.
    pub(crate) fn preparation(self, users: usize) -> String {
        let steps = match self {
            Self::Floor => "",
            Self::Copier => "cp /bench/$users/copier.table /run/",
            Self::Cloudid => CACHER,
            Self::Stateless => MAP,
            Self::Sssd | Self::SssdUncached => SSSD,
            Self::Nscd => NSCD,
            Self::NssCache => "cp -p /bench/$users/*.cache /bench/$users/*.cache.ix* /etc/",
            Self::Extrausers => "cp /bench/$users/passwd /bench/$users/group /var/lib/extrausers/",
            Self::Files => "cp /bench/$users/passwd /bench/$users/group /etc/",
            Self::TwoUsers => {
                "printf 'root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n' > /etc/passwd
                 printf 'root:x:0:\nalice:x:1000:\n' > /etc/group"
            }
        };
        let (service, steps) = (self.service(), steps.replace("$map", MAP));
        format!(
            "users={users}\nservice() {{ printf 'passwd: %s\\ngroup: %s\\n' $1 $1 \
             > /etc/nsswitch.conf; }}\n{steps}\nservice {service}\n"
        )
    }
}

/// A host that is enrolled and cut off: the real cacher starts from the bundle it holds.
const CACHER: &str = concat!(
    "cp -r /bench/$users/state/. /var/lib/cloudid/
    chown -R cloudid:cloudid /var/lib/cloudid
    install -d -o cloudid -g cloudid /run/cloudid
    install -d /etc/cloudid/conf.d
    printf '[nss]\nenumerate = true\n' > /etc/cloudid/cloudid.toml
    setpriv --reuid cloudid --regid cloudid --clear-groups \
        /bench/bin/cloudid-cacher > /var/log/cacher.log 2>&1 &
    ",
    wait_for!("test -S /run/cloudid/nss.sock -a -s /run/cloudid/identity.map"),
    " || { cat /var/log/cacher.log >&2; exit 1; }"
);

/// The map that the cacher wrote, and nobody to ask.
const MAP: &str = "install -d -o cloudid -g cloudid /run/cloudid
    install -o cloudid -g cloudid -m 644 /bench/$users/identity.map /run/cloudid/identity.map";

/// SSSD with its LDAP provider, and a server of its own to learn from.
const SSSD: &str = concat!(
    "mkdir -p /run/slapd /tmp/ldap
    cat > /tmp/slapd.conf <<'END'
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile /run/slapd/slapd.pid
sizelimit unlimited
timelimit unlimited
loglevel 0
database mdb
suffix \"dc=bench\"
directory /tmp/ldap
maxsize 4294967296
dbnosync
index objectClass eq
index uid,cn,memberUid eq
index uidNumber,gidNumber pres,eq
index entryUUID,modifyTimestamp eq
access to * by * read
END
    slapadd -q -f /tmp/slapd.conf -l /bench/$users/ldif
    slapd -h ldap://127.0.0.1/ -f /tmp/slapd.conf
    mkdir -p /var/log/sssd
    cd /var/lib/sss; mkdir -p db mc pipes/private pubconf gpo_cache secrets deskprofile keytabs
    chmod 700 db pipes/private
    cat > /etc/sssd/sssd.conf <<'END'
[sssd]
services = nss
domains = bench
[nss]
filter_users = root
filter_groups = root
memcache_timeout = 36000
memcache_size_passwd = 64
memcache_size_group = 64
memcache_size_initgroups = 64
[domain/bench]
id_provider = ldap
auth_provider = none
chpass_provider = none
access_provider = permit
sudo_provider = none
autofs_provider = none
ldap_uri = ldap://127.0.0.1
ldap_search_base = dc=bench
ldap_schema = rfc2307
ldap_referrals = false
entry_cache_timeout = 36000
END
    chmod 600 /etc/sssd/sssd.conf
    sssd --interactive --logger=files > /dev/null 2>&1 &
    ",
    wait_for!("test -S /var/lib/sss/pipes/nss"),
    "
    service sss
    first=$(head -n 1 /bench/$users/names)
    ",
    wait_for!("getent passwd $first > /dev/null")
);

/// Debian's settings, but room for everybody and no forgetting.
const NSCD: &str = concat!(
    "$map
    service cloudid
    mkdir -p /run/nscd
    for table in passwd group; do printf '%s\n' \"enable-cache $table yes\" \
        \"positive-time-to-live $table 36000\" \"negative-time-to-live $table 3600\" \
        \"suggested-size $table 200003\" \"check-files $table yes\" \"persistent $table yes\" \
        \"shared $table yes\" \"max-db-size $table 268435456\" \"auto-propagate $table yes\"
    done > /etc/nscd.conf
    nscd
    ",
    wait_for!("test -S /run/nscd/socket")
);
