//! Reading the body of a delivery: as JSON, up to a limit, in time, and never so many large ones at once that they fill
//! the memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::Problem;
use crate::web::body::is_json;
use crate::web::problem::Answer;

/// The most bytes of one delivery, which is the most that GitHub sends.
pub const MAX_BODY: usize = 25 << 20;
/// The most bytes that everybody may send. Whoever sends more needs room, of which there is some for a few.
const SMALL: usize = 512 << 10;
/// How many bodies of more than [`SMALL`] bytes are held at once.
pub(super) const LARGE_BODIES: usize = 8;
/// How long a body may take to come in. Forges give up themselves after ten seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body, and the room that it takes.
pub(super) struct Body {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Body {
    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Refuses what is not plain JSON. A form that holds JSON would have to be unpacked before its signature is checked.
pub(super) fn check_type(headers: &HeaderMap) -> Result<(), Answer> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::new("body.content_type", "the body is compressed, and is not taken so").into());
    }
    if !is_json(headers) {
        return Err(Problem::new("body.content_type", "the body is not declared as JSON")
            .hint("choose `application/json` as the content type of the webhook")
            .into());
    }
    Ok(())
}

/// Reads the body.
pub(super) async fn body(room: &Arc<Semaphore>, request: Request) -> Result<Body, Answer> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let declared = declared.and_then(|text| text.parse::<usize>().ok()).unwrap_or_default();
    if declared > MAX_BODY {
        return Err(too_large());
    }
    match tokio::time::timeout(PATIENCE, chunks(room, request, declared)).await {
        Ok(read) => read,
        Err(_) => {
            let problem = Problem::new("service.timeout", "the body did not come in in time");
            Err(Answer::from(problem).retry_after(Duration::from_secs(5)))
        }
    }
}

async fn chunks(room: &Arc<Semaphore>, request: Request, declared: usize) -> Result<Body, Answer> {
    let mut taken = None;
    let mut bytes = Vec::with_capacity(declared.min(SMALL));
    let mut stream = request.into_body().into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::new("body.malformed", "the body ended before it was complete"))?;
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(too_large());
        }
        if taken.is_none() && bytes.len() + chunk.len() > SMALL {
            taken = Some(Arc::clone(room).try_acquire_owned().map_err(|_| busy())?);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Body { bytes: bytes.into(), _room: taken })
}

fn too_large() -> Answer {
    Problem::new("body.too_large", format!("the body is larger than {MAX_BODY} bytes, which is the limit here")).into()
}

fn busy() -> Answer {
    let problem = Problem::new("service.busy", "too many large deliveries are coming in");
    Answer::from(problem).retry_after(Duration::from_secs(5))
}
