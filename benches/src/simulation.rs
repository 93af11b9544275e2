//! Many hosts at once: every one enrolled, every one on the push stream, one user suspended.

use std::thread;
use std::time::Duration;

use system_tests::Directory;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::timeout;

use crate::Failure;
use crate::administrator::Administrator;
use crate::figures::Figures;
use crate::simulated_host::{Refused, SimulatedHost};

/// The longest a message may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Nothing has arrived for this long: the bundles of the round before are all there.
const QUIET: Duration = Duration::from_millis(1_500);
const PERSON: &str = "sim";

/// Enrols the hosts and measures, on every host, how long each suspension takes.
pub(crate) fn measure(directory: &Directory, hosts: u32, rounds: u32) -> Result<Figures, Failure> {
    directory.add_group_with_access("simulated", "env=simulated");
    directory.add_person(PERSON, "a person of the simulation", &["simulated"]);
    let uses = hosts.to_string();
    let token = directory.new_token_with("simulated", &["env=simulated"], &["--uses", &uses]);
    let ca = std::fs::read_to_string(directory.certificate_authority())?;
    let (door, base) = (directory.door(), directory.url());
    let inside = thread::spawn(move || {
        door.enter();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        runtime.block_on(simulate(base, ca, token, hosts, rounds))
    });
    inside.join().map_err(|_| "the simulation panicked")?
}

async fn simulate(
    base: String,
    ca: String,
    token: String,
    hosts: u32,
    rounds: u32,
) -> Result<Figures, Failure> {
    let (refused, mut refusals) = mpsc::unbounded_channel();
    let (ready, mut readiness) = mpsc::unbounded_channel();
    for number in 0..hosts {
        let name = format!("simulated-{number}");
        let host = SimulatedHost::enrol(&base, &ca, &token, &name, refused.clone()).await?;
        let ready = ready.clone();
        tokio::spawn(async move {
            if let Err(error) = host.follow(ready).await {
                println!("{name}: {error}");
            }
        });
    }
    for _ in 0..hosts {
        timeout(PATIENCE, readiness.recv()).await?;
    }
    let (name, password) = system_tests::ADMINISTRATOR;
    let administrator = Administrator::sign_in(&base, &ca, name, password).await?;
    let user = administrator.id_of(PERSON).await?;
    let mut figures = Figures::default();
    for _ in 0..rounds {
        // One revocation is measured, not how many fit into a second.
        while timeout(QUIET, readiness.recv()).await.is_ok() {}
        round(&administrator, &user, hosts, &mut refusals, &mut figures).await?;
    }
    Ok(figures)
}

async fn round(
    administrator: &Administrator,
    user: &str,
    hosts: u32,
    refusals: &mut UnboundedReceiver<Refused>,
    figures: &mut Figures,
) -> Result<(), Failure> {
    let suspension = administrator.suspend(user).await?;
    let mut arrived = 0;
    while arrived < hosts {
        let refused = timeout(PATIENCE, refusals.recv()).await?;
        let refused = refused.ok_or("every simulated host has gone")?;
        if refused.user == user && refused.at >= suspension.asked {
            figures.add(suspension.until(refused.at));
            arrived += 1;
        }
    }
    administrator.activate(user).await?;
    Ok(())
}
