//! Starts the service of a directory that was just made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Command;

use super::{CommandError, say};

const SYSTEMCTL: &str = "/usr/bin/systemctl";
const UNIT: &str = "cloudid-directory.service";
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// Starts it now; the package has it started at every boot. Answers when it listens.
pub(super) async fn service(listen: SocketAddr) -> Result<(), CommandError> {
    let failed =
        |why: &str| CommandError::Operator(format!("{UNIT} {why}: systemctl status {UNIT}"));
    let started = Command::new(SYSTEMCTL).args(["start", UNIT]).status().await;
    if !started.is_ok_and(|ended| ended.success()) {
        return Err(failed("could not be started"));
    }
    let address = SocketAddr::new(reachable(listen.ip()), listen.port());
    for _ in 0..TRIES {
        if TcpStream::connect(address).await.is_ok() {
            say("It is started, and will be at every boot.");
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(failed("does not answer"))
}

/// An address of this machine that leads to whoever listens there.
fn reachable(listened: IpAddr) -> IpAddr {
    match listened {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address @ (IpAddr::V4(_) | IpAddr::V6(_)) => address,
    }
}
