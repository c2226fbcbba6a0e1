//! Whether the process is up, and whether it can do its work.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::problem::Answer;
use super::state::AppState;
use crate::domain::Problem;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a job that could run may wait before the workers of this process are thought to be stuck.
const STUCK: Duration = Duration::from_secs(600);

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// `GET /readyz`: the database answers, and this process's workers take jobs. A cluster or a forge that is away is no
/// reason to send nobody here any more.
pub(super) async fn ready(State(state): State<AppState>) -> Result<Json<Value>, Answer> {
    let unready =
        |detail: &str| Answer::from(Problem::new("service.unready", detail)).retry_after(Duration::from_secs(5));
    match tokio::time::timeout(PATIENCE, state.store().ping()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            return Err(unready("the database does not answer"));
        }
        Err(_) => return Err(unready("the database does not answer in time")),
    }
    if state.runs_workers && state.store().oldest_job_wait().await?.is_some_and(|wait| wait > STUCK) {
        return Err(unready("no worker takes the jobs that wait"));
    }
    Ok(Json(json!({"status": "ready"})))
}
