//! What every request needs: the store, the organisation, the time, and the ways to those who wait.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::dirty::Dirty;
use crate::factors::{SeedKey, YubiKeys};
use crate::kick_start::Packages;
use crate::limiter::Limiter;
use crate::mail::Mailer;
use crate::password::Passwords;
use crate::store::{Organisation, Store};
use crate::tls::Authority;
use crate::turns::Turns;

/// Fast-lane messages that a slow stream may fall behind before it must start anew.
const FAST_LANE_BACKLOG: usize = 1024;

/// Somebody who types a password sees how good it is now, a few times a second at most.
const ESTIMATES_PER_MINUTE: u32 = 120;

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// Whose directory this is.
    pub organisation: Arc<Organisation>,
    /// The settings.
    pub config: Arc<Config>,
    /// Issues the hosts' certificates.
    pub authority: Arc<Authority>,
    /// Tells the publisher what has changed.
    pub dirty: Dirty,
    /// Signed fast-lane messages (sequence, base64) on their way to all open streams.
    pub fast_lane: broadcast::Sender<(u64, Arc<str>)>,
    /// Hashes and compares passwords.
    pub passwords: Passwords,
    /// Opens the seeds of one-time codes.
    pub seed_key: SeedKey,
    /// Asks the validation servers of YubiKeys.
    pub yubikeys: YubiKeys,
    /// Logins per source address.
    pub logins_by_source: Limiter,
    /// Logins per account.
    pub logins_by_account: Limiter,
    /// Who signs in, one after the other.
    pub turns: Turns,
    /// Sends mail, where a relay is set.
    pub mailer: Mailer,
    /// What new hosts install.
    pub packages: Packages,
    /// Estimates of passwords that nobody has set yet.
    pub estimates: Limiter,
    /// The time.
    pub clock: Clock,
    /// Random numbers.
    pub random: Random,
}

impl AppState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        store: Store,
        organisation: Organisation,
        config: Config,
        authority: Authority,
        (clock, random): (Clock, Random),
    ) -> Self {
        let (fast_lane, _) = broadcast::channel(FAST_LANE_BACKLOG);
        let passwords = Passwords::new(&config.password, config.limits.argon2_parallel);
        Self {
            mailer: Mailer::new(config.mail.as_ref()),
            turns: Turns::beside(config.limits.argon2_parallel),
            store,
            passwords,
            seed_key: SeedKey::at(&config.keys.totp_key_file),
            yubikeys: YubiKeys::new(&config.yubico),
            logins_by_source: Limiter::new(config.limits.login_per_minute_ip),
            logins_by_account: Limiter::new(config.limits.login_per_minute_user),
            packages: Packages::at(&config.packages),
            estimates: Limiter::new(ESTIMATES_PER_MINUTE),
            organisation: Arc::new(organisation),
            config: Arc::new(config),
            authority: Arc::new(authority),
            dirty: Dirty::default(),
            fast_lane,
            clock,
            random,
        }
    }
}
