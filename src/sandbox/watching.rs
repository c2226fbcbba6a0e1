//! Watches: what happens to the objects of a kind, as a stream of lines.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::cluster::Cluster;
use super::kinds::KindId;
use super::refusal::Refusal;
use super::request::{Query, Shape, Target};
use super::selector::Selector;
use super::store::{Event, Object};

/// How long a watch lasts if the client does not say.
const DEFAULT_TIMEOUT: u64 = 300;
/// How often a client that wants bookmarks gets one.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(10);
/// How many of the first objects are sent at once.
const BATCH: usize = 200;

/// Begins a watch.
///
/// # Errors
/// [`Refusal`] if a parameter makes no sense. A version that is too old is told in the stream, as the real server does.
pub(super) fn watch(
    cluster: &Arc<Cluster>,
    target: &Target,
    query: &Query,
    selector: Selector,
    shape: Shape,
) -> Result<Response, Refusal> {
    let sends_initial = query.flag("sendInitialEvents");
    if sends_initial && query.text("resourceVersionMatch") != "NotOlderThan" {
        return Err(Refusal::invalid("sendInitialEvents needs resourceVersionMatch=NotOlderThan"));
    }
    let asked = query.number("resourceVersion")?.unwrap_or(0);
    let timeout = query.number("timeoutSeconds")?.unwrap_or(DEFAULT_TIMEOUT);
    let store = cluster.store();
    let Some(latest) = store.subscribe(target.kind) else { return Err(Refusal::no_resource()) };
    let name = query.text("fieldSelector").strip_prefix("metadata.name=").map(str::to_owned);
    let mut watch = Watch {
        cluster: Arc::clone(cluster),
        kind: target.kind,
        namespace: target.namespace.clone(),
        name: target.name.clone().or(name.filter(|name| !name.contains(','))),
        selector,
        shape,
        wants_bookmarks: query.flag("allowWatchBookmarks"),
        ends_initial: sends_initial,
        initial: VecDeque::new(),
        cursor: asked,
        latest,
        ends_at: Instant::now() + Duration::from_secs(timeout),
        is_over: false,
    };
    if sends_initial || asked == 0 {
        watch.initial = store.list(target.kind, target.namespace.as_deref(), None).cloned().collect();
        watch.cursor = store.version();
    }
    let is_of_another_life = asked > store.version();
    drop(store);
    if is_of_another_life {
        // Versions begin anew with each sandbox: one from before must lead to a new list, and not to silence.
        return Err(Refusal::expired(asked, watch.cursor));
    }
    let lines = stream::unfold(watch, async |mut watch| {
        let bytes = watch.next().await?;
        Some((Ok::<_, std::convert::Infallible>(bytes), watch))
    });
    Ok(([(CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response())
}

struct Watch {
    cluster: Arc<Cluster>,
    kind: KindId,
    namespace: Option<String>,
    /// The one object that is meant, which is cheaper to tell than a selector.
    name: Option<String>,
    selector: Selector,
    shape: Shape,
    wants_bookmarks: bool,
    /// Whether a bookmark must still say that the first objects are over.
    ends_initial: bool,
    initial: VecDeque<Arc<Object>>,
    cursor: u64,
    latest: watch::Receiver<u64>,
    ends_at: Instant,
    is_over: bool,
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        while !self.initial.is_empty() {
            let batch: Vec<_> = (0..BATCH).map_while(|_| self.initial.pop_front()).collect();
            let lines: String =
                batch.iter().filter(|object| self.is_meant(object)).map(|object| self.line("ADDED", object)).collect();
            if !lines.is_empty() {
                return Some(lines.into());
            }
        }
        if std::mem::take(&mut self.ends_initial) {
            return Some(self.bookmark(true).into());
        }
        loop {
            let bookmark_at = Instant::now() + BOOKMARK_INTERVAL;
            self.latest.borrow_and_update();
            let events = self.cluster.store().events_after(self.kind, self.cursor);
            match events {
                Ok(events) => {
                    self.cursor = events.last().map_or(self.cursor, |event| event.version);
                    let lines: String = events.iter().filter_map(|event| self.told(event)).collect();
                    if !lines.is_empty() {
                        return Some(lines.into());
                    }
                }
                Err(refusal) => {
                    self.is_over = true;
                    return Some(format!("{}\n", json!({"type": "ERROR", "object": refusal.status()})).into());
                }
            }
            tokio::select! {
                changed = self.latest.changed() => changed.ok()?,
                () = self.cluster.stop.cancelled() => return None,
                () = sleep_until(self.ends_at) => return None,
                () = sleep_until(bookmark_at), if self.wants_bookmarks => return Some(self.bookmark(false).into()),
            }
        }
    }

    fn is_meant(&self, object: &Object) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| namespace == &*object.key.namespace)
            && self.name.as_deref().is_none_or(|name| name == &*object.key.name)
            && (self.selector.is_empty() || self.selector.matches(&object.value()))
    }

    /// What the watcher learns of an event: an object that no longer fits the selector is gone for it.
    fn told(&self, event: &Event) -> Option<String> {
        let before = event.before.as_ref().filter(|object| self.is_meant(object));
        let after = event.after.as_ref().filter(|object| self.is_meant(object));
        match (before, after) {
            (None, None) => None,
            (None, Some(object)) => Some(self.line("ADDED", object)),
            (Some(_), Some(object)) => Some(self.line("MODIFIED", object)),
            (Some(object), None) => Some(self.line("DELETED", event.after.as_ref().unwrap_or(object))),
        }
    }

    fn line(&self, word: &str, object: &Object) -> String {
        format!("{{\"type\":\"{word}\",\"object\":{}}}\n", self.shape.text(&object.raw))
    }

    fn bookmark(&self, ends_initial: bool) -> String {
        let kind = self.cluster.kinds.all().get(self.kind);
        let (kind, api_version) = match (self.shape, kind) {
            (Shape::Full, Some(kind)) => (kind.kind, kind.api_version()),
            _ => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
        };
        let annotations = if ends_initial { json!({"k8s.io/initial-events-end": "true"}) } else { json!({}) };
        let metadata = json!({"resourceVersion": self.cursor.to_string(), "annotations": annotations});
        let object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        format!("{}\n", json!({"type": "BOOKMARK", "object": object}))
    }
}
