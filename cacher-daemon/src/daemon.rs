//! Runs the cacher: sockets, push stream, rounds, delivery, sweeps, until it is told to stop.

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;

use rustix::fs::{FlockOperation, Mode, OFlags};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::access::Entrance;
use crate::cacher::Cacher;
use crate::config::Config;
use crate::ending::SWEEP_EVERY;
use crate::events::deliver::deliver;
use crate::listen::{self, Places, SOCKETS};
use crate::owners;
use crate::paths::Paths;
use crate::pulse;
use crate::questions::Questions;
use crate::session;
use crate::sync::{self, Wish};

/// Everything that runs beside each other. Dropping it stops all of it.
#[derive(Debug)]
pub struct Running {
    _tasks: JoinSet<()>,
    _questions: Vec<Questions>,
}

/// Puts the last good bundle in force, opens the sockets and starts all work.
///
/// # Errors
/// A socket cannot be opened.
pub async fn start(
    cacher: &Arc<Cacher>,
    paths: &Paths,
    wishes: mpsc::Receiver<Wish>,
) -> std::io::Result<Running> {
    cacher.apply().await;
    cacher.offer_published().await;
    let places = Arc::new(Places::default());
    let (mut tasks, mut questions) = (JoinSet::new(), Vec::new());
    for (entrance, name, mode) in SOCKETS {
        let listener = listen::open(&paths.socket(name), *mode)?;
        let (places, cacher) = (Arc::clone(&places), Arc::clone(cacher));
        match entrance {
            Entrance::Nss | Entrance::Keys => {
                questions.push(Questions::answer(listener, *entrance, places, cacher)?);
            }
            Entrance::Pam | Entrance::User | Entrance::Admin => {
                tasks.spawn(listen::accept(listener, *entrance, places, cacher));
            }
        }
    }
    if cacher.identity().is_some() {
        tasks.spawn(sync::push(Arc::clone(cacher)));
        tasks.spawn(sync::rounds(Arc::clone(cacher), wishes));
        tasks.spawn(sync::renewal::keep_fresh(Arc::clone(cacher)));
        tasks.spawn(deliver(Arc::clone(cacher)));
        tasks.spawn(owners::learn(Arc::clone(cacher)));
        tasks.spawn(owners::publish(Arc::clone(cacher)));
        tasks.spawn(sweep(Arc::clone(cacher)));
    }
    Ok(Running {
        _tasks: tasks,
        _questions: questions,
    })
}

/// Runs until SIGTERM or SIGINT; SIGHUP reads the settings again. The caller holds [`only_one`].
///
/// # Errors
/// A socket cannot be opened or a signal not be heard.
pub async fn run(
    cacher: Arc<Cacher>,
    paths: &Paths,
    wishes: mpsc::Receiver<Wish>,
) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let running = start(&cacher, paths, wishes).await?;
    let mut beat = pin!(pulse::beat(&cacher, paths));
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => read_again(&cacher, paths).await,
            () = &mut beat => {}
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    drop(running);
    // From here on nobody would tell its readers of a newer map: they ask the next cacher.
    cacher.memory_files.replace(None);
    tracing::info!("stopped");
    Ok(())
}

/// Makes sure that no other cacher works on this state folder. Nobody else can open the lock, and it
/// goes away with the process that holds it.
///
/// # Errors
/// Another one does, or the folder cannot be used.
pub fn only_one(paths: &Paths) -> std::io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let lock = rustix::fs::open(paths.state.join("lock"), flags, Mode::from_raw_mode(0o600))?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
        let place = paths.state.display();
        std::io::Error::other(format!("another cacher works on {place} ({error})"))
    })?;
    Ok(lock)
}

async fn read_again(cacher: &Arc<Cacher>, paths: &Paths) {
    match Config::load(paths) {
        Ok(config) => {
            keep(cacher, &config, paths).await;
            cacher.reconfigure(config);
            cacher.apply().await;
            tracing::info!("settings read again");
        }
        Err(problems) => tracing::error!(%problems, "the old settings stay"),
    }
}

async fn keep(cacher: &Cacher, config: &Config, paths: &Paths) {
    let (config, disk, paths) = (config.clone(), Arc::clone(&cacher.disk), paths.clone());
    let kept = tokio::task::spawn_blocking(move || config.keep(&*disk, &paths));
    if let Ok(Err(error)) = kept.await {
        tracing::warn!(%error, "the settings are not kept for the next start");
    }
}

async fn sweep(cacher: Arc<Cacher>) {
    loop {
        session::sweep(&cacher).await;
        cacher.watch().await;
        cacher.offer_published().await;
        if cacher.tables().version > 0 {
            cacher.end_sessions_due().await;
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}
