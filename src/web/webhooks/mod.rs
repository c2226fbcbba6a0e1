//! What forges send: checked, written down, and answered at once.
//!
//! A delivery is read up to a limit, its signature is checked over the very bytes that came in, and only then is it
//! parsed, for the few fields that say what changed. Those are what is written down; the body itself is thrown away, with
//! everything that somebody wrote in it. What follows from a delivery is the business of a job.
//!
//! Whoever has no valid secret gets one and the same answer, whatever is wrong. Whoever has one gets 2xx for every event,
//! wanted or not: a forge switches a hook off that is answered with errors.

mod receive;
mod registry;
mod signature;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::json;

use super::auth::{Routes, Rule};
use super::problem::{Answer, internal};
use super::state::AppState;
use crate::domain::Problem;
use crate::forge::hooks::{self, Changed, ForgeKind, OTHER, Read};
use crate::operations::lifecycle::Hint;
use crate::store::NewDelivery;
use registry::Bound;
use signature::Claim;
use writer::{Arrival, What};

pub use receive::MAX_BODY;
pub use registry::{HookSource, Hooks};
pub(super) use writer::Writer;

/// How long a sender waits for the database. GitHub gives up after ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// A body of more bytes than this is checked and read on a thread that may block.
const LARGE: usize = 256 << 10;
/// The longest name of a delivery; forges use UUIDs.
const MAX_DELIVERY: usize = 128;

/// The routes.
#[must_use]
pub fn routes() -> Routes<AppState> {
    let one = |kind: ForgeKind| post(move |State(state): State<AppState>, request: Request| take(kind, state, request));
    Routes::new()
        .plain(Rule::Public, &[Method::POST], "/webhooks/github", one(ForgeKind::Github))
        .plain(Rule::Public, &[Method::POST], "/webhooks/gitlab", one(ForgeKind::Gitlab))
        .plain(Rule::Public, &[Method::POST], "/webhooks/gitea", one(ForgeKind::Gitea))
}

/// What became of a delivery, as the sender and the counters are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
enum End {
    /// It is written down, and a job will look at what it names.
    Queued,
    /// It came before.
    Duplicate,
    /// It is written down, and nothing follows from it.
    Ignored,
    /// It is written down, and is not as the forge documents it.
    Unreadable,
    /// Nothing that is known signed it.
    Refused,
    /// It could not be written down.
    Failed,
}

async fn take(kind: ForgeKind, state: AppState, request: Request) -> Response {
    let mut event = OTHER;
    let taken = deliver(kind, &state, request, &mut event).await;
    let end = match &taken {
        Ok(end) => *end,
        Err(answer) if answer.status().is_server_error() => End::Failed,
        Err(_) => End::Refused,
    };
    let word: &'static str = end.into();
    state.telemetry().count_hook(kind.into(), event, word);
    match taken {
        Ok(End::Queued) => (StatusCode::ACCEPTED, Json(json!({ "status": word }))).into_response(),
        Ok(_) => (StatusCode::OK, Json(json!({ "status": word }))).into_response(),
        Err(answer) => answer.into_response(),
    }
}

async fn deliver(kind: ForgeKind, state: &AppState, request: Request, event: &mut &'static str) -> Result<End, Answer> {
    let hooks = state.hooks();
    let headers = request.headers().clone();
    let claim = Claim::of(kind, &headers, jiff::Timestamp::now())?;
    if !hooks.has(kind) {
        return Err(refused().into());
    }
    receive::check_type(&headers)?;
    let body = receive::body(hooks.room(), request).await?;
    let (source, read) = examine(kind, &hooks, claim, &headers, body.bytes().clone()).await?;
    *event = read.event;
    let end = match &read.changed {
        Ok(changed) if changed.is_empty() => End::Ignored,
        Ok(_) => End::Queued,
        Err(_) => End::Unreadable,
    };
    let arrival = arrival(kind, &source, &headers, body.bytes(), read)?;
    // The body is done with, and others may want the room.
    drop(body);
    let written = tokio::time::timeout(PATIENCE, state.hook_writer().write(arrival)).await;
    let late = || Err(Problem::new("service.timeout", "the delivery could not be written down in time"));
    let is_new = written
        .unwrap_or_else(|_| late())
        .map_err(|problem| Answer::from(problem).retry_after(Duration::from_secs(5)))?;
    Ok(if is_new { end } else { End::Duplicate })
}

/// Checks who sent it, reads it, and checks that it is about what the sender's secret is for.
async fn examine(
    kind: ForgeKind,
    hooks: &Arc<Hooks>,
    claim: Claim,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(Arc<Bound>, Read), Answer> {
    let event = event(kind, headers);
    let is_large = body.len() > LARGE;
    let hooks = Arc::clone(hooks);
    let work = move || {
        let signed = hooks.signed(kind, &claim, &body);
        // Nobody signed it: not a byte of it is parsed.
        let first = signed.first().cloned()?;
        let read = hooks::read(kind, &event, &body);
        let source = match &read.repository {
            Some(repository) => signed.into_iter().find(|source| source.repository == *repository)?,
            None => first,
        };
        Some((source, read))
    };
    let examined = match is_large {
        true => tokio::task::spawn_blocking(work).await.map_err(|_| internal())?,
        false => work(),
    };
    examined.ok_or_else(|| refused().into())
}

/// The one answer to everybody without a valid secret for what they send. It does not say which part is wrong, nor
/// whether a repository is known here.
fn refused() -> Problem {
    Problem::new("hook.signature", "the delivery is not signed with a secret of the repository that it is about")
        .hint("give the forge's webhook the secret that the settings name for this repository")
}

/// What the header calls the event. It is not signed.
fn event(kind: ForgeKind, headers: &HeaderMap) -> String {
    let names: &[&str] = match kind {
        ForgeKind::Github => &["x-github-event"],
        ForgeKind::Gitlab => &["x-gitlab-event"],
        ForgeKind::Gitea => &["x-forgejo-event", "x-gitea-event"],
    };
    let text = names.iter().find_map(|name| headers.get(*name)?.to_str().ok());
    text.unwrap_or_default().to_owned()
}

/// What the sender calls the delivery. It is sent again under the same name; without a name it is named by what is in it.
fn delivery(kind: ForgeKind, headers: &HeaderMap, body: &[u8]) -> String {
    let names: &[&str] = match kind {
        ForgeKind::Github => &["x-github-delivery"],
        ForgeKind::Gitlab => &["webhook-id", "x-gitlab-event-uuid", "idempotency-key"],
        ForgeKind::Gitea => &["x-forgejo-delivery", "x-gitea-delivery"],
    };
    let text = names.iter().find_map(|name| headers.get(*name)?.to_str().ok());
    let is_plain = |text: &&str| (1..=MAX_DELIVERY).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic());
    text.filter(is_plain).map_or_else(|| signature::to_hex(digest(&SHA256, body).as_ref()), str::to_owned)
}

/// What is written down of a delivery.
fn arrival(kind: ForgeKind, source: &Bound, headers: &HeaderMap, body: &[u8], read: Read) -> Result<Arrival, Answer> {
    let (what, changed) = match read.changed {
        Ok(changed) if changed.is_empty() => (What::Ended(None), changed),
        Ok(changed) => (What::Heard, changed),
        Err(error) => (What::Ended(Some(error.to_string())), Changed::default()),
    };
    let hint = Hint { fleet: source.fleet.clone(), changed };
    let delivery = NewDelivery {
        source: source.source.clone(),
        // What one repository sends can never pass for what another one has sent already.
        delivery: format!("{}:{}", source.repository, delivery(kind, headers, body)),
        kind: read.event.to_owned(),
        body: serde_json::to_string(&hint).map_err(|_| internal())?,
    };
    Ok(Arrival { delivery, what })
}
