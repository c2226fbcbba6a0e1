//! `GET /api/changes/{id}/events`: the life of a change as server-sent events.
//!
//! The database is asked again and again, so that a stream tells the same on every replica. An event's id is the
//! change's version with a digest of what was told, so that a browser that comes back is told only what is new.

use std::convert::Infallible;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream::{self, Stream};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::answers::Reading;
use super::changes::steps_of;
use super::reach;
use super::view::{ChangeView, DeploymentView, StepView};
use crate::domain::{ChangeId, Problem};
use crate::web::auth::Access;
use crate::web::body::Id;
use crate::web::problem::Answer;
use crate::web::state::{AppState, OpenStream};

/// Between two looks at the database.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a stream lasts. Who asked may have lost the right to hear more; a browser comes back by itself and is asked.
const LIFE: Duration = Duration::from_secs(1800);
/// Between two comments that keep proxies from closing the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One server-sent event. OpenAPI 3.1 has no word for the items of a stream, so this is what one of them is.
#[derive(Clone, Debug, ToSchema)]
#[expect(dead_code, reason = "it only describes what axum writes")]
pub(super) struct ChangeMessage {
    /// `change`
    event: String,
    /// What `Last-Event-ID` resumes after.
    id: String,
    /// A `ChangeEvent`, as JSON.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// What the data of an event says.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::web) struct ChangeEvent {
    /// The change as it is now.
    change: ChangeView,
    /// How far it has come.
    steps: Vec<StepView>,
    /// What it is in each environment, and what is waited for.
    deployments: Vec<DeploymentView>,
}

/// Follow a change
///
/// Server-sent events named `change`, one for each time that its state, its outcome or what it waits for is another. The
/// stream ends when nothing more will happen. `Last-Event-ID` resumes; where there is nothing more to tell, the answer is
/// 204, at which browsers stop asking.
#[utoipa::path(get, path = "/api/changes/{id}/events", tag = "changes", operation_id = "follow_change",
    params(("id" = String, Path, description = "The change's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was heard")),
    responses((status = 200, description = "The events", body = ChangeMessage, content_type = "text/event-stream"),
        (status = 204, description = "Nothing more will happen, and it was heard"), Reading))]
pub(super) async fn follow(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
    headers: HeaderMap,
) -> Result<Response, Answer> {
    let change = reach::change(&state, &access, &id).await?;
    let heard = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let now = look(&state, &change.id).await?;
    if let (Some(now), Some(heard)) = (&now, &heard)
        && now.is_final
        && now.id == *heard
    {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let Some(open) = state.open_stream(&access.principal().key()) else {
        let problem = Problem::new("rate.streams", "too many streams are open").hint("close one of them");
        return Err(Answer::from(problem).retry_after(HEARTBEAT));
    };
    let watch = Watch { state, change: change.id, heard, is_over: false, until: Instant::now() + LIFE, _open: open };
    let mut response = Sse::new(events(watch)).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx holds answers back otherwise.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// A stream in progress.
struct Watch {
    state: AppState,
    change: ChangeId,
    heard: Option<String>,
    is_over: bool,
    until: Instant,
    _open: OpenStream,
}

/// What is to be told at one time.
struct Sight {
    id: String,
    data: String,
    is_final: bool,
}

fn events(watch: Watch) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(watch, |mut watch| async move {
        while !watch.is_over && Instant::now() < watch.until {
            match look(&watch.state, &watch.change).await {
                Ok(Some(sight)) => {
                    watch.is_over = sight.is_final;
                    if watch.heard.as_deref() != Some(sight.id.as_str()) {
                        let event = Event::default().event("change").id(&sight.id).data(sight.data);
                        watch.heard = Some(sight.id);
                        return Some((Ok(event), watch));
                    }
                }
                Ok(None) => watch.is_over = true,
                // The database may be back in a moment.
                Err(answer) => tracing::debug!(code = answer.code(), "a stream of events cannot look"),
            }
            if !watch.is_over {
                tokio::time::sleep(PAUSE).await;
            }
        }
        None
    })
}

async fn look(state: &AppState, id: &ChangeId) -> Result<Option<Sight>, Answer> {
    let Some(change) = state.store().change(id).await? else { return Ok(None) };
    let deployments = state.store().deployments_of(id).await?;
    let steps = steps_of(state, &change).await?;
    let (version, is_final) = (change.version, change.state.is_final());
    let told = (change.state, change.outcome, change.merge_request, &change.commit_sha);
    let waits: Vec<_> = deployments.iter().map(|row| (row.status.to_string(), row.detail.clone())).collect();
    let key = serde_json::to_vec(&(told, &waits, &steps)).unwrap_or_default();
    let hash: String = digest(&SHA256, &key).as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let deployments = deployments.into_iter().map(Into::into).collect();
    let event = ChangeEvent { change: change.into(), steps, deployments };
    let data = serde_json::to_string(&event).unwrap_or_default();
    Ok(Some(Sight { id: format!("{version}.{hash}"), data, is_final }))
}
