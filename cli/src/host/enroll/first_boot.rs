//! `cloudid enroll --first-boot`: a machine enrols with the token that was put there for it alone, as
//! soon as the directory can be reached. Until then nothing of the machine is changed and nobody
//! waits for it. The token goes when it has been used, or was refused.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Url;
use rustix::fs::OFlags;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::super::backup;
use super::super::places::{FIRST_BOOT, TOKEN};
use super::image::{self, Notes};
use super::{Wanted, enrol};
use crate::context::Context;
use crate::error::{Failure, Kind};

const TOKEN_BYTES_MAX: u64 = 4096;
const PAUSE_MIN: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(300);
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether the machine is to be switched off.
const LOOKED_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn run(interrupted: &AtomicBool, context: &Context) -> Result<(), Failure> {
    let wanted = wanted()?;
    let mut pause = PAUSE_MIN;
    loop {
        let tried = match reachable(&wanted.url).await {
            Ok(()) => enrol(&wanted, interrupted, context).await,
            Err(failure) => Err(failure),
        };
        let failure = match tried {
            Ok(()) => {
                image::forget().await?;
                return Ok(());
            }
            Err(failure) => failure,
        };
        match failure.kind {
            Kind::Unreachable => context.output.warn(&failure.to_string()),
            // No second try would end otherwise, and a token is not left lying about.
            Kind::Refused => {
                backup::remove(Path::new(TOKEN))?;
                return Err(failure.next(format!(
                    "put a new token into {TOKEN}, then: systemctl start cloudid-first-boot"
                )));
            }
            Kind::Failed
            | Kind::Usage
            | Kind::NotSignedIn
            | Kind::NotFound
            | Kind::ChangedMeanwhile
            | Kind::InPart => return Err(failure),
        }
        rest(spread(pause)?, interrupted).await?;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// What the image noted, and what came with the token: its file may name the directory.
fn wanted() -> Result<Wanted, Failure> {
    let notes = Notes::read()?;
    let (_, named) = read_token(Path::new(TOKEN), 0)?;
    let url = named.or_else(|| notes.as_ref().map(|notes| notes.url.clone()));
    let url = url.ok_or_else(|| {
        Failure::failed("which directory?").because(format!(
            "neither {FIRST_BOOT} nor the second line of {TOKEN} says so"
        ))
    })?;
    Ok(Wanted {
        url,
        token_file: TOKEN.into(),
        name: None,
        tags: notes
            .as_ref()
            .map_or_else(Vec::new, |notes| notes.tags.clone()),
        no_pam: notes.as_ref().is_some_and(|notes| notes.no_pam),
        no_ssh: notes.as_ref().is_some_and(|notes| notes.no_ssh),
        wait: notes.as_ref().map_or(super::WAIT, Notes::wait),
    })
}

/// The token and, where a second line has one, the address of its directory. Only from a file that
/// nobody but its owner can have read or written.
fn read_token(path: &Path, owner: u32) -> Result<(Zeroizing<String>, Option<String>), Failure> {
    let failed = |error: io::Error| Failure::file("read", path, &error);
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits() | OFlags::NONBLOCK.bits());
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_link.unwrap_or_default())
        .open(path)
        .map_err(failed)?;
    check_private(&file, path, owner)?;
    let mut text = Zeroizing::new(String::new());
    file.take(TOKEN_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    let mut lines = text.lines().map(str::trim);
    let token = Zeroizing::new(lines.next().unwrap_or_default().to_owned());
    let url = lines.next().filter(|line| !line.is_empty());
    let url = url.map(str::to_owned);
    if lines.any(|line| !line.is_empty()) {
        return Err(
            Failure::failed(format!("{} has more than two lines", path.display()))
                .next("the token, and after it the address of the directory"),
        );
    }
    Ok((token, url))
}

fn check_private(file: &File, path: &Path, owner: u32) -> Result<(), Failure> {
    let state = file
        .metadata()
        .map_err(|error| Failure::file("read", path, &error))?;
    if state.is_file() && state.uid() == owner && state.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Failure::failed(format!("{} is not used", path.display()))
        .because("others than root could have read or written it")
        .next("make a new token; its file belongs to root and has mode 0600"))
}

/// A connection opens. Whom it leads to is found out later, by the token.
async fn reachable(address: &str) -> Result<(), Failure> {
    let url = Url::parse(address)
        .ok()
        .filter(|url| url.scheme() == "https");
    let url = url.ok_or_else(|| {
        Failure::failed(format!(
            "{address} is not an https:// address of a directory"
        ))
    })?;
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let place = (host, url.port_or_known_default().unwrap_or_default());
    let unreachable = |why: String| {
        Failure::new(
            Kind::Unreachable,
            format!("{address} cannot be reached yet"),
        )
        .because(why)
    };
    match tokio::time::timeout(CONNECT_MAX, TcpStream::connect(place)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(unreachable(error.to_string())),
        Err(_) => Err(unreachable("no answer".to_owned())),
    }
}

/// Up to half as long again: machines that start together do not ask together.
fn spread(pause: Duration) -> Result<Duration, Failure> {
    let mut byte = [0];
    getrandom::fill(&mut byte)
        .map_err(|error| Failure::failed("no randomness").because(error.to_string()))?;
    Ok(pause + pause * u32::from(byte[0]) / 510)
}

async fn rest(pause: Duration, interrupted: &AtomicBool) -> Result<(), Failure> {
    for _ in 0..pause.as_millis() / LOOKED_EVERY.as_millis() {
        if interrupted.load(Ordering::Relaxed) {
            return Err(Failure::failed("interrupted"));
        }
        tokio::time::sleep(LOOKED_EVERY).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file_with(text: &str, mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn a_token_may_come_with_the_address_of_its_directory() {
        for (text, url) in [
            ("cloudid1.a.b.c", None),
            ("cloudid1.a.b.c\n", None),
            (
                " cloudid1.a.b.c \r\nhttps://id.example.org\n\n",
                Some("https://id.example.org"),
            ),
        ] {
            let (_folder, path) = file_with(text, 0o600);
            let (token, named) = read_token(&path, me()).unwrap();
            assert_eq!((token.as_str(), named.as_deref()), ("cloudid1.a.b.c", url));
        }
        let (_folder, path) = file_with("a\nb\nc\n", 0o600);
        assert!(read_token(&path, me()).is_err());
    }

    #[test]
    fn a_token_that_others_could_read_or_place_is_not_used() {
        for mode in [0o640, 0o604, 0o620, 0o666] {
            let (_folder, path) = file_with("cloudid1.a.b.c", mode);
            assert!(read_token(&path, me()).is_err(), "{mode:o}");
        }
        let (folder, path) = file_with("cloudid1.a.b.c", 0o600);
        assert!(read_token(&path, me() + 1).is_err(), "of somebody else");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read_token(&link, me()).is_err(), "a link");
        assert!(read_token(folder.path(), me()).is_err(), "a folder");
    }

    #[test]
    fn pauses_are_spread_by_half_at_most() {
        for _ in 0..100 {
            let pause = spread(PAUSE_MIN).unwrap();
            assert!(pause >= PAUSE_MIN && pause <= PAUSE_MIN * 3 / 2);
        }
    }
}
