//! Git over smart HTTP: serves the repositories of the local forge to every Git client, through the `git` program.
//!
//! Owns what goes in and out of that program, its closed environment, and the rules that a push must keep. Does not own
//! who may come in: it asks the function that it is given, once for each request. An absent repository and one that
//! somebody may not see have the same answer.

mod commands;
mod input;
mod process;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use serde::Deserialize;
use tokio::sync::Semaphore;

use commands::Commands;
use input::Input;
use process::{Job, Output};

use crate::domain::Problem;
use crate::forge::{self, LocalForges, RepositoryName, User};

/// What somebody wants of a repository.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// To read it: clone, fetch, list its refs.
    Fetch,
    /// To push to it.
    Push,
}

impl Service {
    fn program(self) -> &'static str {
        match self {
            Self::Fetch => "upload-pack",
            Self::Push => "receive-pack",
        }
    }
}

/// What the service is asked before anything is done.
#[derive(Clone, Debug)]
pub struct Question {
    /// Which repository. Whether it exists has not been looked at yet.
    pub repository: RepositoryName,
    /// What is wanted of it.
    pub service: Service,
    /// All headers of the request; Git clients send a password or token as `Authorization: Basic`.
    pub headers: HeaderMap,
}

/// Whether somebody comes in.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// They may do what they asked for.
    Allowed {
        /// Who they are.
        user: User,
        /// Whether it is wooo itself, which also writes notes.
        is_service: bool,
    },
    /// Nobody knows who they are: Git asks its user for a password.
    Unknown,
    /// They may not, and are not told whether there is such a repository.
    Refused,
    /// It cannot be found out now.
    Unavailable,
}

/// Decides about each request.
pub type Authorise = Arc<dyn Fn(Question) -> BoxFuture<'static, Verdict> + Send + Sync>;

/// What one request may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request to read, unpacked: what a client has and wants.
    pub request: u64,
    /// Bytes of a push.
    pub push: u64,
    /// The time from the first to the last byte.
    pub total: Duration,
    /// How many requests run a program at the same time. Others wait for five seconds, then are told to come back.
    pub at_once: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request: 32 << 20, push: 512 << 20, total: Duration::from_secs(600), at_once: 16 }
    }
}

/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(5);

struct Shared {
    forges: LocalForges,
    authorise: Authorise,
    limits: Limits,
    git: PathBuf,
    turns: Arc<Semaphore>,
}

/// The routes below `/git/`. `git` is the program, usually just `git`.
///
/// Layers around it must neither read bodies whole nor end a request before [`Limits::total`].
pub fn router(forges: LocalForges, authorise: Authorise, limits: Limits, git: impl Into<PathBuf>) -> Router {
    let turns = Arc::new(Semaphore::new(limits.at_once));
    let shared = Arc::new(Shared { forges, authorise, limits, git: git.into(), turns });
    Router::new()
        .route("/git/{repository}/info/refs", get(advertise))
        .route("/git/{repository}/git-upload-pack", post(upload_pack))
        .route("/git/{repository}/git-receive-pack", post(receive_pack))
        // The dumb protocol would ask for files here.
        .route("/git/{repository}/{*rest}", any(|headers: HeaderMap| async move { absent(&headers) }))
        .with_state(shared)
}

#[derive(Deserialize)]
struct Advertised {
    service: Option<String>,
}

async fn advertise(
    State(shared): State<Arc<Shared>>,
    Path(repository): Path<String>,
    Query(query): Query<Advertised>,
    headers: HeaderMap,
) -> Response {
    let service = match query.service.as_deref() {
        Some("git-upload-pack") => Service::Fetch,
        Some("git-receive-pack") => Service::Push,
        _ => {
            let problem = Problem::new("forge.dumb_http", "only Git's smart HTTP protocol is served here")
                .hint("use a Git of version 1.6.6 or later");
            return refusal(&headers, StatusCode::FORBIDDEN, &problem);
        }
    };
    let entered = match shared.enter(&repository, service, &headers).await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let protocol = protocol(&headers);
    let mut before = Vec::new();
    if !protocol.is_some_and(|protocol| protocol.split(':').any(|part| part == "version=2")) {
        let line = format!("# service=git-{}\n", service.program());
        before = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    }
    let mut job = shared.job(service, entered.path, protocol, Vec::new());
    job.is_advertisement = true;
    let kind = format!("application/x-git-{}-advertisement", service.program());
    answer(&headers, &kind, before, job, Bytes::new(), Input::empty(), entered.turn).await
}

async fn upload_pack(State(shared): State<Arc<Shared>>, Path(repository): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let service = Service::Fetch;
    let entered = match shared.enter(&repository, service, &headers).await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let input = match shared.input(service, &headers, body) {
        Ok(input) => input,
        Err(response) => return response,
    };
    let job = shared.job(service, entered.path, protocol(&headers), Vec::new());
    answer(&headers, "application/x-git-upload-pack-result", Vec::new(), job, Bytes::new(), input, entered.turn).await
}

async fn receive_pack(State(shared): State<Arc<Shared>>, Path(repository): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = parts.headers;
    let service = Service::Push;
    let entered = match shared.enter(&repository, service, &headers).await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let mut input = match shared.input(service, &headers, body) {
        Ok(input) => input,
        Err(response) => return response,
    };
    let read = tokio::time::timeout(shared.limits.total, Commands::read(&mut input)).await;
    let commands = match read.unwrap_or(Err(input::Failure::Late)) {
        Ok(commands) => commands,
        Err(failure) => return failed(&headers, failure),
    };
    let branches = match entered.protected_branches().await {
        Ok(branches) => branches,
        Err(error) => return refusal(&headers, StatusCode::SERVICE_UNAVAILABLE, &error.into()),
    };
    let kind = "application/x-git-receive-pack-result";
    if let Some(report) = commands.refusal(&branches, entered.is_service) {
        // Git wants to have said everything before it listens.
        let drained = tokio::time::timeout(shared.limits.total, input.drain()).await;
        return match drained.unwrap_or(Err(input::Failure::Late)) {
            Ok(()) => success(kind, Body::from(report)),
            Err(failure) => failed(&headers, failure),
        };
    }
    let mut settings = vec![format!("receive.maxInputSize={}", shared.limits.push)];
    if commands.touch(&branches) {
        settings.push("receive.denyNonFastForwards=true".to_owned());
    }
    let job = shared.job(service, entered.path, protocol(&headers), settings);
    answer(&headers, kind, Vec::new(), job, commands.into_bytes(), input, entered.turn).await
}

/// Somebody who was let in.
struct Entered {
    path: PathBuf,
    forge: forge::LocalForge,
    is_service: bool,
    turn: tokio::sync::OwnedSemaphorePermit,
}

impl Entered {
    async fn protected_branches(&self) -> Result<Vec<(crate::git::BranchName, forge::Protection)>, forge::Error> {
        self.forge.protected_branches().await
    }
}

impl Shared {
    /// Lets somebody in, or says why not. The repository is looked for last, so that its absence says nothing.
    async fn enter(&self, repository: &str, service: Service, headers: &HeaderMap) -> Result<Entered, Response> {
        let name: Option<RepositoryName> = repository.strip_suffix(".git").and_then(|name| name.parse().ok());
        let Some(repository) = name else { return Err(absent(headers)) };
        let question = Question { repository: repository.clone(), service, headers: headers.clone() };
        let (user, is_service) = match (self.authorise)(question).await {
            Verdict::Allowed { user, is_service } => (user, is_service),
            Verdict::Unknown => return Err(unknown(headers)),
            Verdict::Refused => return Err(absent(headers)),
            Verdict::Unavailable => {
                let problem =
                    Problem::new("forge.unavailable", "it cannot be found out now who may use this repository");
                return Err(refusal(headers, StatusCode::SERVICE_UNAVAILABLE, &problem));
            }
        };
        let forges = self.forges.clone();
        let opened = tokio::task::spawn_blocking(move || forges.open(&repository, user)).await;
        let Ok(Ok(forge)) = opened else { return Err(absent(headers)) };
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            let problem = Problem::new("forge.busy", "too many Git requests are being served").hint("try again soon");
            return Err(refusal(headers, StatusCode::SERVICE_UNAVAILABLE, &problem));
        };
        Ok(Entered { path: forge.path().to_owned(), forge, is_service, turn })
    }

    fn input(&self, service: Service, headers: &HeaderMap, body: Body) -> Result<Input, Response> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if kind != Some(&format!("application/x-git-{}-request", service.program())) {
            let problem = Problem::new("forge.content_type", "this is not what a Git client sends");
            return Err(refusal(headers, StatusCode::UNSUPPORTED_MEDIA_TYPE, &problem));
        }
        let limit = match service {
            Service::Fetch => self.limits.request,
            Service::Push => self.limits.push,
        };
        let is_packed = match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity") => false,
            Some(b"gzip" | b"x-gzip") => true,
            Some(_) => {
                let problem = Problem::new("forge.content_type", "a request is packed with gzip or not at all");
                return Err(refusal(headers, StatusCode::UNSUPPORTED_MEDIA_TYPE, &problem));
            }
        };
        Ok(Input::new(body.into_data_stream(), is_packed, limit))
    }

    fn job(&self, service: Service, path: PathBuf, protocol: Option<&str>, settings: Vec<String>) -> Job {
        Job {
            git: self.git.clone(),
            service,
            path,
            protocol: protocol.map(str::to_owned),
            settings,
            is_advertisement: false,
            total: self.limits.total,
        }
    }
}

/// The version of the protocol that a client speaks, if it says so in a way that can go into an environment.
fn protocol(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("git-protocol")?.to_str().ok()?;
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'=' | b':' | b'.' | b'_' | b'-');
    (text.len() <= 100 && text.bytes().all(is_plain)).then_some(text)
}

/// Runs the program and answers with what it says, as it says it.
async fn answer(
    headers: &HeaderMap,
    kind: &str,
    before: Vec<u8>,
    job: Job,
    first: Bytes,
    input: Input,
    turn: tokio::sync::OwnedSemaphorePermit,
) -> Response {
    let mut output: Output = match job.start(first, input, turn) {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let problem =
                Problem::new("forge.no_git_program", "the server has no `git` program, so it cannot serve Git")
                    .hint("install git on the server");
            return refusal(headers, StatusCode::SERVICE_UNAVAILABLE, &problem);
        }
        Err(error) => {
            tracing::error!(%error, "the git program does not start");
            let problem = Problem::new("forge.unavailable", "the `git` program does not start on the server");
            return refusal(headers, StatusCode::SERVICE_UNAVAILABLE, &problem);
        }
    };
    // Nothing has been promised until the program says something.
    match output.next().await {
        Some(Err(failure)) => failed(headers, failure),
        Some(Ok(bytes)) => {
            let head = Bytes::from([&before[..], &bytes[..]].concat());
            success(kind, Body::from_stream(stream::iter([Ok(head)]).chain(output)))
        }
        None => success(kind, Body::from(before)),
    }
}

fn success(kind: &str, body: Body) -> Response {
    let no_cache = "no-cache, max-age=0, must-revalidate";
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, no_cache), (header::PRAGMA, "no-cache")], body)
        .into_response()
}

fn failed(headers: &HeaderMap, failure: input::Failure) -> Response {
    let (status, code) = match failure {
        input::Failure::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "forge.too_large"),
        input::Failure::Garbled { .. } => (StatusCode::BAD_REQUEST, "forge.garbled"),
        input::Failure::Late => (StatusCode::REQUEST_TIMEOUT, "forge.late"),
        input::Failure::Program => (StatusCode::INTERNAL_SERVER_ERROR, "forge.git_failed"),
    };
    refusal(headers, status, &Problem::new(code, failure.to_string()))
}

fn absent(headers: &HeaderMap) -> Response {
    let problem = Problem::new("forge.not_found", "there is no such repository, or you may not use it");
    refusal(headers, StatusCode::NOT_FOUND, &problem)
}

fn unknown(headers: &HeaderMap) -> Response {
    let problem = Problem::new("forge.unauthenticated", "say who you are").hint("use a token as the password");
    let mut response = refusal(headers, StatusCode::UNAUTHORIZED, &problem);
    let basic = HeaderValue::from_static("Basic realm=\"wooo\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
    response
}

/// A refusal in the words of [`Problem`]. Git shows its user plain text only.
fn refusal(headers: &HeaderMap, status: StatusCode, problem: &Problem) -> Response {
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let (kind, body) = if agent.starts_with(b"git/") {
        let hints = problem.hints.iter().map(|hint| format!("\nhint: {hint}"));
        ("text/plain", format!("{problem}{}\n", hints.collect::<String>()))
    } else {
        let document = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "code": problem.code,
            "detail": problem.detail,
            "hint": problem.hints.first(),
        });
        ("application/problem+json", document.to_string())
    };
    let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
