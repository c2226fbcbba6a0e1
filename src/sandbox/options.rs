//! What a sandbox is started with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::EnvironmentName;
use crate::git::Remote;

/// Tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>);

impl Clock {
    /// A clock of one's own.
    pub fn new(now: impl Fn() -> jiff::Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(jiff::Timestamp::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Where the fleet that the sandbox syncs is found. The URL that its objects name is not called.
#[derive(Clone, Debug)]
pub enum FleetSource {
    /// A repository on disk, bare or not.
    Folder(PathBuf),
    /// A repository somewhere else, of which the newest commit is fetched.
    Remote(Box<Remote>),
}

/// One cluster of a sandbox.
#[derive(Clone, Debug, Default)]
pub struct ClusterOptions {
    /// Its name, as the fleet's settings have it.
    pub name: String,
    /// The environments that run on it.
    pub environments: Vec<EnvironmentName>,
    /// The API groups that it lacks, as if their definitions had not been installed.
    pub absent_groups: Vec<String>,
}

impl ClusterOptions {
    /// A cluster with every kind that a sandbox knows.
    pub fn new(name: impl Into<String>, environments: impl IntoIterator<Item = EnvironmentName>) -> Self {
        Self { name: name.into(), environments: environments.into_iter().collect(), absent_groups: Vec::new() }
    }
}

/// How long things take.
#[derive(Clone, Debug)]
pub struct Timings {
    /// From a pod's creation until it is ready.
    pub pod_start: Duration,
    /// The same for a pod that is slow.
    pub slow_start: Duration,
    /// From the start of a container that crashes until it does.
    pub crash_after: Duration,
    /// The first wait of a crash loop, which doubles up to five minutes.
    pub crash_backoff: Duration,
    /// How long a leak takes to fill the memory.
    pub leak: Duration,
    /// How often the fleet is looked at.
    pub poll: Duration,
    /// By how much the durations that manifests name (intervals, deadlines, timeouts) are divided.
    pub speed: f64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            pod_start: Duration::from_millis(300),
            slow_start: Duration::from_secs(20),
            crash_after: Duration::from_millis(200),
            crash_backoff: Duration::from_secs(2),
            leak: Duration::from_secs(120),
            poll: Duration::from_millis(500),
            speed: 10.0,
        }
    }
}

impl Timings {
    /// How long a number of seconds in a manifest takes here.
    pub(super) fn scaled(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.speed.max(0.001)).unwrap_or(Duration::from_secs(86_400))
    }
}

/// What a sandbox is started with.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// The port on 127.0.0.1; 0 is any that is free.
    pub port: u16,
    /// Its clusters, at least one. The first is also served without a prefix.
    pub clusters: Vec<ClusterOptions>,
    /// The fleet that it syncs, if it does.
    pub fleet: Option<FleetSource>,
    /// How long things take.
    pub timings: Timings,
    /// How many events of each kind watches can go back.
    pub history: usize,
    /// The clock by which objects are dated.
    pub clock: Clock,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            port: 0,
            clusters: vec![ClusterOptions::new("sandbox", [])],
            fleet: None,
            timings: Timings::default(),
            history: 10_000,
            clock: Clock::default(),
        }
    }
}
