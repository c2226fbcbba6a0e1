//! What every handler can reach: the service, the ways out of it, and what this process counts.

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::scout::Scout;
use super::telemetry::Telemetry;
use super::webhooks::{Hooks, Writer};
use crate::domain::ClusterName;
use crate::metrics::Prometheus;
use crate::operations::dns::Resolver;
use crate::operations::lifecycle::Service;
use crate::store::Store;

/// How many streams of events one caller may hold open, and how many all callers together.
const STREAMS_EACH: usize = 16;
const STREAMS: usize = 512;

/// What the state is made of.
#[derive(Debug)]
pub struct StateParts {
    /// Fleets, forges, clusters and the database.
    pub service: Arc<Service>,
    /// The name servers.
    pub resolver: Resolver,
    /// The way to sources that are looked at.
    pub scout: Scout,
    /// Where the metrics of each cluster's apps are.
    pub prometheus: BTreeMap<ClusterName, Prometheus>,
    /// The address under which people reach the service, without a final slash.
    pub public_url: String,
    /// Whether all of it is a sandbox, which every page says.
    pub is_sandbox: bool,
    /// Whether this process runs workers, so that jobs that nobody takes are its fault.
    pub runs_workers: bool,
}

/// The state of the HTTP service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: StateParts,
    telemetry: Telemetry,
    hooks: Arc<Hooks>,
    hook_writer: Writer,
    streams: Arc<Streams>,
}

impl Deref for AppState {
    type Target = StateParts;

    fn deref(&self) -> &StateParts {
        &self.0.parts
    }
}

impl AppState {
    /// The state out of its parts. No forge sends anything.
    #[must_use]
    pub fn new(parts: StateParts) -> Self {
        Self::with_hooks(parts, Hooks::default())
    }

    /// The state of a service to which forges send what happens.
    #[must_use]
    pub fn with_hooks(parts: StateParts, hooks: Hooks) -> Self {
        let streams = Arc::new(Streams { all: Arc::new(Semaphore::new(STREAMS)), by_caller: Mutex::default() });
        let hook_writer = Writer::new(parts.service.store.clone());
        Self(Arc::new(Inner { parts, telemetry: Telemetry::new(), hooks: Arc::new(hooks), hook_writer, streams }))
    }

    /// What may send deliveries here.
    pub(super) fn hooks(&self) -> Arc<Hooks> {
        Arc::clone(&self.0.hooks)
    }

    /// What writes deliveries down.
    pub(super) fn hook_writer(&self) -> &Writer {
        &self.0.hook_writer
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.parts.service.store
    }

    /// What this process counts about itself.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// Lets a caller hold one more stream open, for as long as the answer lives.
    #[must_use]
    pub fn open_stream(&self, caller: &str) -> Option<OpenStream> {
        let streams = &self.0.streams;
        let all = Arc::clone(&streams.all).try_acquire_owned().ok()?;
        let mut by_caller = streams.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_caller.entry(caller.to_owned()).or_insert(0);
        if *count >= STREAMS_EACH {
            return None;
        }
        *count += 1;
        drop(by_caller);
        Some(OpenStream { streams: Arc::clone(streams), caller: caller.to_owned(), _all: all })
    }
}

#[derive(Debug)]
struct Streams {
    all: Arc<Semaphore>,
    by_caller: Mutex<HashMap<String, usize>>,
}

/// A stream that is open; dropping it makes room for another one.
#[derive(Debug)]
pub struct OpenStream {
    streams: Arc<Streams>,
    caller: String,
    _all: tokio::sync::OwnedSemaphorePermit,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut by_caller = self.streams.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_caller.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                by_caller.remove(&self.caller);
            }
        }
    }
}
