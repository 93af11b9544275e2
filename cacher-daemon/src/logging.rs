//! Logs of the two programs: to standard error, which the service manager takes to the journal.

use tracing_subscriber::EnvFilter;

/// Begins to log. The environment has no say.
pub fn begin(level: &str, json: bool) {
    let filter = EnvFilter::new(level);
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A log line that cannot be written, on a full disk say, must not end what it was about.
        .log_internal_errors(false)
        .with_ansi(false);
    // A second start in one process (a test) keeps the first.
    let _ = if json {
        logs.json().try_init()
    } else {
        logs.without_time().try_init()
    };
}
