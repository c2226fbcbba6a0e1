//! How often and how long: the times by which clusters are followed.

use std::time::Duration;

/// The times by which clusters are followed. The defaults fit a real cluster; the embedded one and tests are faster.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long the cluster is asked to keep a watch open, in whole seconds. It proves at least this often that it is there,
    /// so this is how old a report of a quiet cluster may be.
    pub watch: Duration,
    /// How much longer than that a watch may be silent before it is given up.
    pub grace: Duration,
    /// How long anything else may take.
    pub request: Duration,
    /// The first wait after a failure. Each further one is twice as long.
    pub retry_least: Duration,
    /// The longest wait after failures.
    pub retry_most: Duration,
    /// How often it is looked whether a kind has appeared that the cluster did not have.
    pub absent: Duration,
    /// How often the cluster is asked for its version.
    pub probe: Duration,
    /// The age from which nothing is known.
    pub stale_after: Duration,
    /// How long changes are collected before observers are woken.
    pub debounce: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            watch: Duration::from_secs(20),
            grace: Duration::from_secs(5),
            request: Duration::from_secs(30),
            retry_least: Duration::from_secs(1),
            retry_most: Duration::from_secs(30),
            absent: Duration::from_secs(60),
            probe: Duration::from_secs(30),
            stale_after: Duration::from_secs(120),
            debounce: Duration::from_millis(300),
        }
    }
}
