//! A real Git server: `git http-backend` behind HTTP on a port of this machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::runtime::Runtime;

/// Answers a request in the place of Git, or lets it pass.
pub(crate) type Interceptor = dyn Fn(&str, &str) -> Option<Response> + Send + Sync;

/// Serves the repositories in a folder until it is dropped.
pub(crate) struct GitServer {
    root: tempfile::TempDir,
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _runtime: Runtime,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Path and query.
    pub(crate) target: String,
    /// The `Authorization` header.
    pub(crate) authorization: Option<String>,
}

struct Shared {
    root: PathBuf,
    authorization: Option<String>,
    interceptor: Box<Interceptor>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl GitServer {
    /// A server that lets everybody in.
    pub(crate) fn open() -> Self {
        Self::new(None, Box::new(|_, _| None))
    }

    /// A server that wants this `Authorization` header (for all or none), and asks `interceptor` first, with the method
    /// and the path with query.
    pub(crate) fn new(authorization: Option<&str>, interceptor: Box<Interceptor>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new(Shared {
            root: root.path().to_owned(),
            authorization: authorization.map(str::to_owned),
            interceptor,
            seen: Arc::clone(&seen),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(shared);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { root, address, seen, _runtime: runtime }
    }

    /// The folder whose repositories are served.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// `http://127.0.0.1:port`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let authorization = parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    shared.seen.lock().unwrap().push(Seen { target: target.clone(), authorization: authorization.clone() });
    if let Some(answer) = (shared.interceptor)(parts.method.as_str(), &target) {
        return answer;
    }
    if shared.authorization.is_some() && shared.authorization != authorization {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")], "").into_response();
    }
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROJECT_ROOT", &shared.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("REMOTE_USER", "test")
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Written beside reading, because the backend answers while it still reads.
    tokio::spawn(async move {
        let _ends_early_when_refused = stdin.write_all(&body).await;
    });
    let output = child.wait_with_output().await.unwrap().stdout;
    from_cgi(&output)
}

fn from_cgi(output: &[u8]) -> Response {
    let end = output.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let (head, body) = (std::str::from_utf8(&output[..end]).unwrap(), &output[end + 4..]);
    let mut status = StatusCode::OK;
    let mut headers = HeaderMap::new();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name == "Status" {
            status = StatusCode::from_bytes(&value.as_bytes()[..3]).unwrap();
        } else {
            headers.insert(name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap());
        }
    }
    (status, headers, Body::from(body.to_vec())).into_response()
}
