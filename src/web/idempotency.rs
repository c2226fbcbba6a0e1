//! `Idempotency-Key`: a request that is sent twice is done once, and the second gets the first's answer.
//!
//! The key is written down before anything is done. Only success is kept as an answer: what was refused has done nothing,
//! and may be tried again with the same key. A process that dies in between leaves a key without an answer, which others
//! may take over after a while; what they ask for then is found to be on its way already.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use axum::Extension;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::auth::Access;
use super::body::{MAX_BODY, limited};
use super::problem::{Answer, internal};
use super::state::AppState;
use crate::domain::Problem;
use crate::store::{self, Attempt, IdempotencyKey, Store};

/// How long a key is remembered.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a request may be at work before its key is thought to be abandoned.
const ABANDONED: Duration = Duration::from_secs(300);
/// The longest key.
const MAX_KEY: usize = 255;

/// For the description of the API.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct Header {
    /// Any text of the caller's that is new for each act, such as a UUID. The same key with the same body gets the answer
    /// of the first request, for 24 hours.
    #[param(rename = "Idempotency-Key", max_length = 255)]
    #[expect(dead_code, reason = "it is only described; the middleware reads the header")]
    key: Option<String>,
}

/// An answer as it is kept.
#[derive(Deserialize, Serialize)]
struct Kept {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    body: String,
}

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Middleware around routes that make something.
///
/// # Errors
/// `idempotency.key`, `idempotency.mismatch`, `idempotency.running`; those of the body and of the database.
pub async fn once(
    Extension(state): Extension<AppState>,
    access: Access,
    request: Request,
    next: Next,
) -> Result<Response, Answer> {
    let Some(value) = request.headers().get(KEY) else { return Ok(next.run(request).await) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > MAX_KEY {
        let detail = format!("an Idempotency-Key has 1 to {MAX_KEY} printable ASCII characters");
        return Err(Problem::new("idempotency.key", detail).into());
    }
    let pattern = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let key = IdempotencyKey {
        key: text.to_owned(),
        user_id: digest(&[access.principal().key().as_bytes()]).parse().map_err(|_| internal())?,
        route: format!("{} {pattern}", request.method()),
    };
    let (parts, body) = request.into_parts();
    let bytes = limited(Request::from_parts(parts.clone(), body), MAX_BODY).await?;
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let hash = digest(&[path.as_bytes(), &bytes]);
    match begin(state.store(), &key, &hash).await? {
        Attempt::First => {}
        Attempt::Answered(answer) => {
            // Whose it was was asked when it was answered, and it was this caller's.
            let _asked = access.visible("");
            return replay(&answer);
        }
        Attempt::Different => {
            let problem = Problem::new("idempotency.mismatch", "this Idempotency-Key came with another request before");
            return Err(problem.hint("use a new key for a new request").into());
        }
        Attempt::Unanswered => {
            let problem = Problem::new("idempotency.running", "the first request with this Idempotency-Key is at work");
            return Err(Answer::from(problem).retry_after(Duration::from_secs(2)));
        }
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    finish(state.store(), &key, response).await
}

async fn begin(store: &Store, key: &IdempotencyKey, hash: &str) -> Result<Attempt, store::Error> {
    let mut tx = store.begin().await?;
    tx.expire_request(key, LIFE, ABANDONED).await?;
    let attempt = tx.begin_request(key, hash).await?;
    tx.commit().await?;
    Ok(attempt)
}

/// Keeps the answer, or forgets the key.
async fn finish(store: &Store, key: &IdempotencyKey, response: Response) -> Result<Response, Answer> {
    let (parts, body) = response.into_parts();
    if !parts.status.is_success() {
        if let Err(error) = forget(store, key).await {
            tracing::warn!(%error, "an idempotency key stays without an answer for a while");
        }
        return Ok(Response::from_parts(parts, body));
    }
    let bytes = axum::body::to_bytes(body, 16 * MAX_BODY).await.map_err(|_| internal())?;
    let location = parts.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let kept = Kept { location: location.map(str::to_owned), body: String::from_utf8_lossy(&bytes).into_owned() };
    if let Err(error) = keep(store, key, parts.status, &kept).await {
        // It is done, and who asked must hear it. A second request finds what the first has made.
        tracing::warn!(%error, "an answer could not be kept");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

async fn forget(store: &Store, key: &IdempotencyKey) -> Result<(), store::Error> {
    let mut tx = store.begin().await?;
    tx.forget_request(key).await?;
    tx.commit().await
}

async fn keep(store: &Store, key: &IdempotencyKey, status: StatusCode, kept: &Kept) -> Result<(), store::Error> {
    let response = serde_json::to_string(kept).unwrap_or_default();
    let mut tx = store.begin().await?;
    tx.finish_request(key, &store::Answer { status: u32::from(status.as_u16()), response }).await?;
    tx.commit().await
}

fn replay(answer: &store::Answer) -> Result<Response, Answer> {
    let status = u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    let (Some(status), Ok(kept)) = (status, serde_json::from_str::<Kept>(&answer.response)) else {
        return Err(internal());
    };
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], kept.body).into_response();
    if let Some(location) = kept.location.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// A digest of parts none of which can be taken for another.
fn digest(parts: &[&[u8]]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
