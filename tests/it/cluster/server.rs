//! A small API server: lists in pages, watches with versions, bookmarks and 410, and ways to misbehave. It knows nothing
//! of Kubernetes but this.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How the server behaves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Mood {
    /// As it should.
    #[default]
    Well,
    /// It accepts everything and answers nothing.
    Hangs,
    /// It answers everything with 500.
    Fails,
    /// It answers everything with 403.
    Refuses,
    /// Watches are opened and nothing is ever sent on them.
    Silent,
    /// Watches are ended as soon as they are opened, without a word.
    Curt,
    /// As `Silent`, and lists hang; only the version is answered.
    Frozen,
}

#[derive(Default)]
struct Model {
    version: u64,
    objects: BTreeMap<(String, String), Value>,
    log: Vec<(u64, String, &'static str, Value)>,
    oldest: u64,
    mood: Mood,
    absent: BTreeSet<String>,
}

/// The server. It ends with the runtime.
#[derive(Clone, Default)]
pub(super) struct Server {
    model: Arc<Mutex<Model>>,
    watches: Arc<AtomicUsize>,
    lists: Arc<AtomicUsize>,
    url: String,
}

/// Where kinds live.
pub(super) const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";
pub(super) const STATEFUL_SETS: &str = "/apis/apps/v1/statefulsets";
pub(super) const REPLICA_SETS: &str = "/apis/apps/v1/replicasets";
pub(super) const PODS: &str = "/api/v1/pods";
pub(super) const EVENTS: &str = "/api/v1/events";
pub(super) const CERTIFICATES: &str = "/apis/cert-manager.io/v1/certificates";
pub(super) const APPLICATIONS: &str = "/apis/argoproj.io/v1alpha1/applications";
pub(super) const KUSTOMIZATIONS: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations";

/// The token that it wants.
pub(super) const TOKEN: &str = "a-token";

impl Server {
    /// Starts one on a free port of this machine.
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = Self { url, ..Self::default() };
        server.model().version = 1;
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    fn model(&self) -> std::sync::MutexGuard<'_, Model> {
        self.model.lock().expect("no test panics while it holds the model")
    }

    /// Adds or replaces an object.
    pub(super) fn put(&self, path: &str, mut object: Value) {
        let mut model = self.model();
        model.version += 1;
        let version = model.version;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let key = (path.to_owned(), key(&object));
        let kind = if model.objects.contains_key(&key) { "MODIFIED" } else { "ADDED" };
        model.objects.insert(key, object.clone());
        model.log.push((version, path.to_owned(), kind, object));
    }

    /// Removes an object.
    pub(super) fn remove(&self, path: &str, namespace: &str, name: &str) {
        let mut model = self.model();
        model.version += 1;
        let version = model.version;
        let gone = model.objects.remove(&(path.to_owned(), format!("{namespace}/{name}")));
        let mut object = gone.expect("the object is there");
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        model.log.push((version, path.to_owned(), "DELETED", object));
    }

    /// Forgets what happened: a watch from before now is answered with 410.
    pub(super) fn compact(&self) {
        let mut model = self.model();
        model.version += 1;
        model.oldest = model.version;
        model.log.clear();
    }

    pub(super) fn set(&self, mood: Mood) {
        self.model().mood = mood;
    }

    /// Takes a kind away, or gives it back.
    pub(super) fn set_absent(&self, path: &str, is_absent: bool) {
        let mut model = self.model();
        if is_absent {
            model.absent.insert(path.to_owned())
        } else {
            model.absent.remove(path)
        };
    }

    /// How many watches are open.
    pub(super) fn watches(&self) -> usize {
        self.watches.load(Ordering::SeqCst)
    }

    /// How many lists were asked for.
    pub(super) fn lists(&self) -> usize {
        self.lists.load(Ordering::SeqCst)
    }
}

fn key(object: &Value) -> String {
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text("namespace"), text("name"))
}

fn refusal(status: StatusCode, reason: &str, message: &str) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason,
        "message": message, "code": status.as_u16()});
    (status, Json(body)).into_response()
}

async fn answer(
    State(server): State<Server>,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let path = uri.path().to_owned();
    let mood = server.model().mood;
    let has_token = headers.get("authorization").is_some_and(|value| value == &format!("Bearer {TOKEN}"));
    if !has_token {
        return refusal(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
    }
    match mood {
        Mood::Hangs => sleep(Duration::from_secs(3600)).await,
        Mood::Fails => return refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "etcd is sad"),
        Mood::Refuses => return refusal(StatusCode::FORBIDDEN, "Forbidden", "pods is forbidden: User \"wooo\""),
        Mood::Well | Mood::Silent | Mood::Curt | Mood::Frozen => {}
    }
    if path == "/version" {
        let version = json!({"major": "1", "minor": "34", "gitVersion": "v1.34.1", "gitCommit": "", "gitTreeState": "",
            "buildDate": "", "goVersion": "", "compiler": "", "platform": ""});
        return Json(version).into_response();
    }
    if server.model().absent.contains(&path) {
        return refusal(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource");
    }
    if query.get("watch").is_some_and(|watch| watch == "true") {
        watch(server, path, &query)
    } else {
        list(server, path, query).await
    }
}

fn is_selected(object: &Value, query: &HashMap<String, String>) -> bool {
    match (query.get("labelSelector"), query.get("fieldSelector")) {
        (Some(labels), None) => {
            let (name, value) = labels.split_once('=').expect("one label");
            object["metadata"]["labels"][name] == value
        }
        (None, Some(fields)) => {
            let (name, value) = fields.split_once('=').expect("one field");
            object[name] == value
        }
        _ => false,
    }
}

async fn list(server: Server, path: String, query: HashMap<String, String>) -> Response {
    if server.model().mood == Mood::Frozen {
        sleep(Duration::from_secs(3600)).await;
    }
    server.lists.fetch_add(1, Ordering::SeqCst);
    let model = server.model();
    let limit: usize = query.get("limit").and_then(|limit| limit.parse().ok()).expect("a limit");
    let after = query.get("continue").cloned().unwrap_or_default();
    let own =
        model.objects.iter().filter(|((at, key), object)| *at == path && *key > after && is_selected(object, &query));
    let page: Vec<(String, Value)> =
        own.take(limit + 1).map(|((_, key), object)| (key.clone(), object.clone())).collect();
    let next = if page.len() > limit { page[limit - 1].0.clone() } else { String::new() };
    let items: Vec<Value> = page.into_iter().take(limit).map(|(_, object)| object).collect();
    let metadata = json!({"resourceVersion": model.version.to_string(), "continue": next});
    Json(json!({"kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items})).into_response()
}

/// Counts a watch for as long as it is open.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Watch {
    server: Server,
    path: String,
    query: HashMap<String, String>,
    position: u64,
    until: Instant,
    is_over: bool,
    _open: Open,
}

fn watch(server: Server, path: String, query: &HashMap<String, String>) -> Response {
    let position: u64 = query["resourceVersion"].parse().expect("a version");
    let seconds: u64 = query["timeoutSeconds"].parse().expect("a time");
    server.watches.fetch_add(1, Ordering::SeqCst);
    let state = Watch {
        path,
        query: query.clone(),
        position,
        until: Instant::now() + Duration::from_secs(seconds),
        is_over: false,
        _open: Open(Arc::clone(&server.watches)),
        server,
    };
    let stream = futures::stream::unfold(state, |mut watch| async move {
        loop {
            if watch.is_over {
                return None;
            }
            let lines = watch.next_lines();
            if !lines.is_empty() {
                return Some((Ok::<_, Infallible>(Bytes::from(lines)), watch));
            }
            sleep(Duration::from_millis(10)).await;
        }
    });
    Body::from_stream(stream).into_response()
}

impl Watch {
    fn next_lines(&mut self) -> String {
        let model = self.server.model();
        if matches!(model.mood, Mood::Silent | Mood::Frozen | Mood::Hangs) {
            return String::new();
        }
        if model.mood == Mood::Curt {
            self.is_over = true;
            return String::new();
        }
        if self.position < model.oldest {
            self.is_over = true;
            let status = json!({"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410,
                "message": "too old resource version"});
            return format!("{}\n", json!({"type": "ERROR", "object": status}));
        }
        let new = model.log.iter().filter(|(version, ..)| *version > self.position);
        let own = new.filter(|(_, path, _, object)| *path == self.path && is_selected(object, &self.query));
        let mut lines: String =
            own.map(|(_, _, kind, object)| format!("{}\n", json!({"type": kind, "object": object}))).collect();
        self.position = model.version;
        if Instant::now() >= self.until {
            self.is_over = true;
            let object =
                json!({"kind": "X", "apiVersion": "v1", "metadata": {"resourceVersion": model.version.to_string()}});
            lines.push_str(&format!("{}\n", json!({"type": "BOOKMARK", "object": object})));
        }
        lines
    }
}
