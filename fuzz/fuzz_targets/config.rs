//! Settings of a host: read into a whole configuration, or refused with at least one reason. The
//! files themselves are compiled in; their crate would bring the whole daemon.
#![no_main]

#[expect(dead_code, reason = "of the daemon only its settings are used")]
#[path = "../../cacher-daemon/src/config/mod.rs"]
mod config;
#[expect(dead_code, reason = "of the daemon only its settings are used")]
#[path = "../../cacher-daemon/src/disk.rs"]
mod disk;
#[expect(dead_code, reason = "of the daemon only its settings are used")]
#[path = "../../cacher-daemon/src/paths.rs"]
mod paths;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match config::Config::parse("cloudid.toml", text) {
        Ok(config) => {
            assert!((0.0..=1.0).contains(&config.directory.poll_jitter));
            assert!(config.offline.password_tries > 0);
            assert!(config.events.batch <= config.events.spool_max);
        }
        Err(problems) => assert!(!problems.0.is_empty()),
    }
});
