//! What the module tells the system log: decisions and alarms, never a secret.

/// A log that a host's administrator reads.
pub(crate) trait Log {
    /// Somebody should look.
    fn warning(&self, text: &str);
    /// A decision.
    fn notice(&self, text: &str);
    /// Only with the option `debug`.
    fn debug(&self, text: &str);
}
