//! Following one kind of object of one cluster: list, watch, and again, for ever.
//!
//! This is kube-rs' client under a loop of our own and not its `watcher`, which keeps bookmarks to itself: here they are
//! the heartbeat. What is remembered counts as known up to the time at which the cluster last *said* something about the
//! kind: an object, a bookmark, the end of a watch at the time that we asked for, or a list. A watch that only stays open
//! proves nothing, so one that is silent is given up for a list.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::Request;
use kube::{Client, Error};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::cache::Cache;
use super::timing::Timing;
use super::watched::{Selector, Watched};

/// Objects of one page of a list.
const PAGE: u32 = 500;
/// After how many failed watches the objects are listed again, in case it is the version that the cluster cannot stand.
const FAILURES: u32 = 3;

/// What the tasks of one cluster share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    cache: Mutex<Cache>,
    pub(super) has_changed: Notify,
}

impl Shared {
    /// The cache. A panic elsewhere leaves it as true as it was: rows are replaced whole.
    pub(super) fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the cache, and wakes who waits for changes if there are any.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Cache) -> T) -> T {
        let mut cache = self.lock();
        let result = work(&mut cache);
        if cache.has_changes() {
            self.has_changed.notify_one();
        }
        result
    }
}

#[derive(Deserialize)]
#[serde(bound = "W: Watched")]
struct Page<W> {
    metadata: PageMeta,
    items: Option<Vec<W>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageMeta {
    resource_version: Option<String>,
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// How a watch ended.
enum End {
    /// The cluster closed it, as it does; it is resumed from this version.
    Closed(String),
    /// The version is too old to go on from.
    Gone,
    /// Nothing came.
    Silent,
    /// It broke; it is resumed from this version.
    Broken(String, String),
}

/// Why a list did not come.
enum Fault {
    Absent,
    Gone,
    Other(String),
}

/// One kind of object in one cluster.
pub(super) struct Follower {
    client: Client,
    shared: Arc<Shared>,
    timing: Timing,
}

impl Follower {
    /// Nothing is asked before [`Follower::run`].
    pub(super) fn new(client: Client, shared: Arc<Shared>, timing: Timing) -> Self {
        Self { client, shared, timing }
    }

    /// Follows until it is dropped.
    pub(super) async fn run<W: Watched>(self) {
        let mut version: Option<String> = None;
        let mut failures = 0_u32;
        loop {
            let Some(from) = version.take() else {
                match self.list::<W>().await {
                    Ok(listed) => (version, failures) = (Some(listed), 0),
                    Err(Fault::Gone) => self.pause(&mut failures).await,
                    Err(Fault::Absent) if !W::KIND.is_built_in() => {
                        self.shared.with(|cache| cache.absent::<W>(Timestamp::now()));
                        failures = 0;
                        sleep(self.timing.absent).await;
                    }
                    // No cluster is without pods: whatever answers is not an API server, or not all of one.
                    Err(Fault::Absent) => {
                        let error = "the cluster answers 404".to_owned();
                        self.shared.with(|cache| cache.failed(W::KIND, error));
                        self.pause(&mut failures).await;
                    }
                    Err(Fault::Other(error)) => {
                        self.shared.with(|cache| cache.failed(W::KIND, error));
                        self.pause(&mut failures).await;
                    }
                }
                continue;
            };
            let began = Instant::now();
            match self.watch::<W>(from).await {
                End::Closed(last) => {
                    // Something in between may close every watch before the cluster says anything on it. Lists still come.
                    version = (!self.is_old::<W>()).then_some(last);
                    // A cluster that closes every watch at once is not to be asked as fast as it can close.
                    if began.elapsed() < self.timing.watch / 4 {
                        self.pause(&mut failures).await;
                    } else {
                        failures = 0;
                    }
                }
                End::Gone => self.pause(&mut failures).await,
                End::Silent => {
                    let error = "a watch stayed silent for longer than the cluster was asked to keep it".to_owned();
                    self.shared.with(|cache| cache.failed(W::KIND, error));
                }
                End::Broken(last, error) => {
                    self.shared.with(|cache| cache.failed(W::KIND, error));
                    self.pause(&mut failures).await;
                    version = (!failures.is_multiple_of(FAILURES)).then_some(last);
                }
            }
        }
    }

    /// Whether the kind was last heard of so long ago that it is about to be too long.
    fn is_old<W: Watched>(&self) -> bool {
        let heard_at = self.shared.lock().progress(W::KIND).heard_at;
        let age = heard_at.map(|time| Timestamp::now().duration_since(time).unsigned_abs());
        age.is_none_or(|age| age > self.timing.stale_after / 2)
    }

    /// Waits longer each time, with some chance so that not all kinds come back in the same moment.
    async fn pause(&self, failures: &mut u32) {
        let (least, most) = (self.timing.retry_least, self.timing.retry_most);
        let step = least.saturating_mul(1 << (*failures).min(10)).min(most);
        *failures = failures.saturating_add(1);
        sleep(step.mul_f64(rand::random_range(0.75..1.25))).await;
    }

    async fn list<W: Watched>(&self) -> Result<String, Fault> {
        let mut next: Option<String> = None;
        let began = Timestamp::now();
        self.shared.with(Cache::begin::<W>);
        loop {
            let (label_selector, field_selector) = selectors::<W>();
            let params = ListParams {
                label_selector,
                field_selector,
                limit: Some(PAGE),
                continue_token: next.take(),
                ..ListParams::default()
            };
            let request = Request::new(W::PATH).list(&params).map_err(|error| Fault::Other(error.to_string()))?;
            let answer = timeout(self.timing.request, self.client.request::<Page<W>>(request)).await;
            let page =
                answer.map_err(|_| Fault::Other("a list was not answered in time".to_owned()))?.map_err(fault)?;
            let now = Timestamp::now();
            self.shared.with(|cache| page.items.into_iter().flatten().for_each(|object| cache.put(object, now)));
            next = page.metadata.next.filter(|token| !token.is_empty());
            if next.is_none() {
                let version = page.metadata.resource_version.filter(|version| !version.is_empty());
                let version = version.ok_or_else(|| Fault::Other("a list has no resourceVersion".to_owned()))?;
                self.shared.with(|cache| cache.end::<W>(began));
                return Ok(version);
            }
        }
    }

    async fn watch<W: Watched>(&self, mut version: String) -> End {
        let (label_selector, field_selector) = selectors::<W>();
        let seconds = u32::try_from(self.timing.watch.as_secs()).unwrap_or(u32::MAX).max(1);
        let params = WatchParams {
            label_selector,
            field_selector,
            timeout: Some(seconds),
            bookmarks: true,
            send_initial_events: false,
        };
        let request = match Request::new(W::PATH).watch(&params, &version) {
            Ok(request) => request,
            Err(error) => return End::Broken(version, error.to_string()),
        };
        let began = Instant::now();
        let stream = match timeout(self.timing.request, self.client.request_events::<W>(request)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return broken(version, error),
            Err(_) => return End::Silent,
        };
        let mut stream = std::pin::pin!(stream);
        let asked_for = Duration::from_secs(u64::from(seconds));
        loop {
            let Ok(event) = timeout(asked_for + self.timing.grace, stream.next()).await else { return End::Silent };
            let now = Timestamp::now();
            match event {
                None => {
                    // An end at the time that we asked for is an answer; an earlier one may be a cable.
                    if began.elapsed() + Duration::from_millis(500) >= asked_for {
                        self.shared.with(|cache| cache.heard::<W>(now));
                    }
                    return End::Closed(version);
                }
                Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                    step(&mut version, object.meta().resource_version.as_deref());
                    self.shared.with(|cache| {
                        cache.put(object, now);
                        cache.heard::<W>(now);
                    });
                }
                Some(Ok(WatchEvent::Deleted(object))) => {
                    step(&mut version, object.meta().resource_version.as_deref());
                    self.shared.with(|cache| {
                        cache.remove(&object);
                        cache.heard::<W>(now);
                    });
                }
                Some(Ok(WatchEvent::Bookmark(bookmark))) => {
                    step(&mut version, Some(&bookmark.metadata.resource_version));
                    self.shared.with(|cache| cache.heard::<W>(now));
                }
                Some(Ok(WatchEvent::Error(status))) => return broken(version, Error::Api(status)),
                Some(Err(error)) => return broken(version, error),
            }
        }
    }
}

fn selectors<W: Watched>() -> (Option<String>, Option<String>) {
    match W::SELECTOR {
        Selector::Labels(labels) => (Some(labels.to_owned()), None),
        Selector::Fields(fields) => (None, Some(fields.to_owned())),
    }
}

fn step(version: &mut String, next: Option<&str>) {
    if let Some(next) = next.filter(|next| !next.is_empty()) {
        next.clone_into(version);
    }
}

fn broken(version: String, error: Error) -> End {
    match fault(error) {
        // A kind that is taken away while it is watched is found to be absent by the next list.
        Fault::Gone | Fault::Absent => End::Gone,
        Fault::Other(text) => End::Broken(version, text),
    }
}

fn fault(error: Error) -> Fault {
    match &error {
        Error::Api(status) if status.code == 404 => Fault::Absent,
        Error::Api(status) if status.code == 410 => Fault::Gone,
        _ => Fault::Other(told(&error)),
    }
}

/// An error in a sentence: what the cluster says, or the innermost cause, because the outer ones repeat each other.
pub(super) fn told(error: &Error) -> String {
    if let Error::Api(status) = error {
        let text = if status.message.is_empty() { &status.reason } else { &status.message };
        return format!("the cluster answers {}: {}", status.code, super::wire::short(text.clone()));
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    super::wire::short(cause.to_string())
}
