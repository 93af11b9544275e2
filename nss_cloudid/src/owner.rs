//! Asks the cacher whose an id or a name is that the map lacks: a file here of somebody without
//! rights here. No answer in time, or one that does not fit, is *cannot tell*.

use std::path::Path;
use std::time::Duration;

use local_protocol::{Client, ClientError, Known, NSS_SOCKET, SmallFrame, Sought};
use posix_names::{Gid, NAME_BYTES_MAX, is_name};

use crate::answer::Failure;
use crate::pack::{self, GroupPlaces, UserPlaces};
use crate::pause::Pause;
use crate::thread::{milliseconds, uncancelled};

/// From connecting to the whole answer.
const DEADLINE: Duration = Duration::from_millis(50);
/// After a cacher that said nothing in time no question is put for so many milliseconds: `ls -l`
/// over thousands of unknown owners must not wait for each of them.
static SILENCE: Pause = Pause::new(2_000, 2_000);
/// Shell of people without rights on this host.
const NO_LOGIN: &[u8] = b"/usr/sbin/nologin";
const HOMES: &[u8] = b"/home/";

/// As [`crate::held::forget`].
pub(crate) fn forget() {
    SILENCE.end();
}

#[inline(never)]
pub(crate) fn user(sought: Sought<'_>, buffer: &mut [u8]) -> Result<UserPlaces, Failure> {
    let mut room = SmallFrame::new();
    match ask(sought, &mut room)? {
        Known::User { name, uid, gid } if fits(sought, uid, name) => {
            for id in [uid, gid] {
                Gid::new(u64::from(id)).map_err(|_| Failure::Unavailable)?;
            }
            let name = name.as_bytes();
            let mut home = [0; HOMES.len() + NAME_BYTES_MAX];
            let (homes, own) = home.split_at_mut(HOMES.len());
            homes.copy_from_slice(HOMES);
            let own = own.get_mut(..name.len()).ok_or(Failure::Unavailable)?;
            own.copy_from_slice(name);
            let home = home.get(..HOMES.len() + name.len()).unwrap_or_default();
            pack::fields((uid, gid), [name, b"x", b"", home, NO_LOGIN], buffer)
        }
        Known::Nobody => Err(Failure::NotFound),
        Known::User { .. } | Known::Group { .. } => Err(Failure::Unavailable),
    }
}

#[inline(never)]
pub(crate) fn group(sought: Sought<'_>, buffer: &mut [u8]) -> Result<GroupPlaces, Failure> {
    let mut room = SmallFrame::new();
    match ask(sought, &mut room)? {
        Known::Group { name, gid } if fits(sought, gid, name) => {
            Gid::new(u64::from(gid)).map_err(|_| Failure::Unavailable)?;
            pack::bare_group(gid, name.as_bytes(), buffer)
        }
        Known::Nobody => Err(Failure::NotFound),
        Known::User { .. } | Known::Group { .. } => Err(Failure::Unavailable),
    }
}

/// Whether an answer is one to the question, with a name that somebody can have.
fn fits(sought: Sought<'_>, id: u32, name: &str) -> bool {
    let asked_for = match sought {
        Sought::UserOfId(asked) | Sought::GroupOfId(asked) => asked == id,
        Sought::UserOfName(asked) | Sought::GroupOfName(asked) => asked == name,
    };
    asked_for && is_name(name)
}

fn ask<'a>(sought: Sought<'_>, room: &'a mut SmallFrame) -> Result<Known<'a>, Failure> {
    let now = milliseconds();
    if !SILENCE.is_over(now) {
        return Err(Failure::Unavailable);
    }
    let reply = uncancelled(|| {
        Client::connect(Path::new(NSS_SOCKET), DEADLINE)
            .and_then(|mut cacher| cacher.ask_owner(sought, room))
    });
    if matches!(reply, Err(ClientError::TooLate)) {
        SILENCE.begin(now);
    }
    reply.ok().flatten().ok_or(Failure::Unavailable)
}
