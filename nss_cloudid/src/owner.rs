//! Asks the cacher whose an id is that the map lacks: a file here of somebody without rights here.
//! No answer in time, or one that does not fit, is *cannot tell*.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use local_protocol::{Client, ClientError, IdQuestion, Owner, Reply, Request};
use posix_names::{Gid, GroupName, HomeDirectory, UserName};

use crate::answer::Failure;
use crate::pack::{self, GroupPlaces, UserPlaces};

/// From connecting to the whole answer.
const DEADLINE: Duration = Duration::from_millis(50);
/// After a cacher that said nothing in time, so many questions are not put at all: `ls -l` over
/// thousands of unknown owners must not wait for each of them.
const UNASKED_AFTER_SILENCE: u32 = 200;
static LEFT_UNASKED: AtomicU32 = AtomicU32::new(0);
/// Shell of people without rights on this host.
const NO_LOGIN: &[u8] = b"/usr/sbin/nologin";

pub(crate) fn user(socket: &Path, uid: u32, buffer: &mut [u8]) -> Result<UserPlaces, Failure> {
    match ask(socket, IdQuestion::User(uid))? {
        Owner::User {
            name,
            uid: told,
            gid,
        } if told == uid => {
            let name = UserName::parse(&name).map_err(|_| Failure::Unavailable)?;
            let gid = Gid::new(u64::from(gid)).map_err(|_| Failure::Unavailable)?;
            let home = HomeDirectory::of(&name);
            let texts = [
                name.as_str().as_bytes(),
                b"x",
                b"",
                home.as_str().as_bytes(),
                NO_LOGIN,
            ];
            pack::fields((uid, gid.get()), texts, buffer)
        }
        Owner::Nobody => Err(Failure::NotFound),
        Owner::User { .. } | Owner::Group { .. } => Err(Failure::Unavailable),
    }
}

pub(crate) fn group(socket: &Path, gid: u32, buffer: &mut [u8]) -> Result<GroupPlaces, Failure> {
    match ask(socket, IdQuestion::Group(gid))? {
        Owner::Group { name, gid: told } if told == gid => {
            let name = GroupName::parse(&name).map_err(|_| Failure::Unavailable)?;
            pack::bare_group(gid, name.as_str().as_bytes(), buffer)
        }
        Owner::Nobody => Err(Failure::NotFound),
        Owner::User { .. } | Owner::Group { .. } => Err(Failure::Unavailable),
    }
}

fn ask(socket: &Path, question: IdQuestion) -> Result<Owner, Failure> {
    if LEFT_UNASKED
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        })
        .is_ok()
    {
        return Err(Failure::Unavailable);
    }
    let reply = Client::connect(socket, DEADLINE)
        .and_then(|mut cacher| cacher.ask(&Request::OwnerOfId(question)));
    match reply {
        Ok(Reply::Owner(owner)) => Ok(owner),
        Err(ClientError::TooLate) => {
            LEFT_UNASKED.store(UNASKED_AFTER_SILENCE, Ordering::Relaxed);
            Err(Failure::Unavailable)
        }
        Ok(_) | Err(_) => Err(Failure::Unavailable),
    }
}
