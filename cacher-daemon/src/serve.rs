//! One connection from its first request to its last: the table first, then the work.

use std::os::fd::AsFd;

use local_protocol::{Login, Outcome, Purpose, Reply, Request};
use tracing::warn;

use crate::access::{self, KnownUsers, Stage};
use crate::cacher::Cacher;
use crate::connection::{Broken, Connection, IDLE_TIMEOUT};
use crate::conversation::{authenticate, authenticate_after_key, change};
use crate::{account, keys, session, status};

/// Answers requests until the peer leaves.
///
/// # Errors
/// The peer broke the protocol; its connection is closed.
pub(crate) async fn serve(cacher: &Cacher, mut connection: Connection) -> Result<(), Broken> {
    while let Some(request) = connection.next(IDLE_TIMEOUT).await? {
        if refused(cacher, &connection, &request) {
            connection.send(&Reply::Refused).await?;
            return Ok(());
        }
        answer(cacher, &mut connection, request).await?;
        connection.stage = Stage::Served;
    }
    connection.taken().await;
    Ok(())
}

fn refused(cacher: &Cacher, connection: &Connection, request: &Request) -> bool {
    let named = access::named_user(request);
    let tables = cacher.tables();
    let users = KnownUsers {
        keys_command: cacher.keys_command(),
        named: named.and_then(|name| Some(tables.people.named(name)?.view().uid)),
    };
    let standing = connection.peer.standing();
    let checked = access::check(
        request,
        connection.entrance,
        standing,
        connection.stage,
        users,
    );
    if let Err(refusal) = checked {
        let (uid, pid) = (connection.peer.uid, connection.peer.pid);
        warn!(?refusal, uid, pid, entrance = ?connection.entrance, "request refused");
        return true;
    }
    false
}

async fn answer(
    cacher: &Cacher,
    connection: &mut Connection,
    request: Request,
) -> Result<(), Broken> {
    match request {
        Request::BeginAfterKey(after) => {
            connection.stage = Stage::Begun;
            let outcome = authenticate_after_key(cacher, connection, &after).await?;
            connection.send(&Reply::Done(outcome)).await
        }
        Request::Begin(begin) => {
            connection.stage = Stage::Begun;
            let outcome = match begin.purpose {
                Purpose::Authenticate => authenticate(cacher, connection, &begin).await?,
                Purpose::ChangePassword => change::change(cacher, connection, &begin).await?,
                Purpose::MayChangePassword => change::possible(cacher, connection, &begin).await?,
            };
            connection.send(&Reply::Done(outcome)).await
        }
        // The table lets an answer in only while a conversation waits for it.
        Request::Answer(_) => connection.send(&Reply::Refused).await,
        Request::Account(login) => {
            // The kernel's word, not the message's.
            let process = connection.peer.pid;
            let verdict = account::decide(cacher, &Login { process, ..login }).await;
            for sentence in verdict.sentences {
                connection.send(&Reply::Say(sentence)).await?;
            }
            connection.send(&Reply::Done(verdict.outcome)).await
        }
        Request::OpenSession(login) => {
            let reply = session::open(cacher, &connection.peer, &login).await;
            connection.send(&reply).await
        }
        Request::CloseSession(id) => {
            session::close(cacher, id).await;
            connection.send(&Reply::Done(Outcome::Allowed)).await
        }
        Request::AuthorizedKeys(question) => {
            let reply = Reply::Keys(keys::lines(cacher, &question));
            connection.send(&reply).await
        }
        Request::OwnerOfId(question) => {
            let reply = cacher.owners.of_id(cacher, question).await;
            connection.send(&reply).await
        }
        Request::OwnerOfName(question) => {
            let reply = cacher.owners.of_name(cacher, question).await;
            connection.send(&reply).await
        }
        Request::IdentityMap => identity_map(cacher, connection).await,
        Request::IdentityMemory => {
            let reply = "memory files of this kind are not made any more".to_owned();
            connection.send(&Reply::Unavailable(reply)).await
        }
        Request::Status => {
            let reply = Reply::Status(status::of(cacher));
            connection.send(&reply).await
        }
        Request::SyncNow(how) => {
            let reply = tokio::select! {
                reply = cacher.sync_now(how) => reply,
                () = connection.hung_up() => return Err(Broken::Closed),
            };
            connection.send(&reply).await
        }
        Request::Explain(login) => {
            let reply = account::explain(cacher, &login);
            connection.send(&reply).await
        }
    }
}

async fn identity_map(cacher: &Cacher, connection: &mut Connection) -> Result<(), Broken> {
    match cacher.memory_files.newest() {
        Some([map, mark]) => {
            let files = [map.as_fd(), mark.as_fd()];
            connection.send_with_files(&Reply::IdentityMap, files).await
        }
        None => {
            let reply = Reply::Unavailable("there is no memory file".to_owned());
            connection.send(&reply).await
        }
    }
}
