//! What each kind of job does, and how its failures are taken.

use std::time::Duration;

use crate::chatops;
use crate::domain::ChangeId;
use crate::forge::MergeRequestNumber;
use crate::operations::lifecycle::{self, Failure, Kind, Next, Service};
use crate::store::{FleetName, Job};

/// Does a job.
pub(super) async fn run(kind: Kind, service: &Service, job: &Job) -> Result<Next, Failure> {
    let fence = job.fence();
    match kind {
        Kind::Propose => lifecycle::propose(service, &fence, &change(job)?).await,
        Kind::Follow => lifecycle::follow(service, &fence, &change(job)?).await,
        Kind::Observe => lifecycle::observe(service, &fence, &change(job)?).await,
        Kind::Hear => lifecycle::hear(service, &fence, &job.payload).await,
        Kind::Converse => {
            let (source, number) = conversation(job)?;
            chatops::converse(service, &fence, source, number).await
        }
        Kind::Refresh => lifecycle::refresh(service, &fence, &fleet(job)?).await,
        Kind::Prune => lifecycle::prune(service, &fence).await,
    }
}

/// Says where people see it that a job was given up, and why.
pub(super) async fn give_up(kind: Kind, service: &Service, job: &Job, reason: &str) -> Result<(), Failure> {
    if is_periodic(kind) {
        tracing::error!(%kind, reason, "a periodic job was given up");
        return Ok(());
    }
    if matches!(kind, Kind::Hear | Kind::Converse) {
        // A hint is no promise: the next one, or the next pass over the fleet, comes to the same end.
        tracing::error!(%kind, payload = %job.payload, reason, "what came in from a forge was given up");
        return Ok(());
    }
    lifecycle::give_up(service, &job.fence(), &change(job)?, reason).await
}

/// Whether it is done again and again, so that no failure is its last: what is in its way may be mended by a person.
pub(super) const fn is_periodic(kind: Kind) -> bool {
    matches!(kind, Kind::Refresh | Kind::Prune)
}

/// How long until a job that failed is tried again, by how often it was tried.
pub(super) fn pause(kind: Kind, attempts: u32) -> Duration {
    let (first, longest) = if is_periodic(kind) {
        (Duration::from_secs(5), Duration::from_secs(300))
    } else {
        (Duration::from_secs(1), Duration::from_secs(120))
    };
    let doubled = first.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
    // Jobs that failed together, because a forge was down, must not come back together.
    doubled.min(longest).mul_f64(rand::random_range(0.5..1.0))
}

fn change(job: &Job) -> Result<ChangeId, Failure> {
    job.payload.parse().map_err(|_| damaged(job))
}

/// The source and number of `<source>/<number>`. The name of a source may have a `/` in it.
fn conversation(job: &Job) -> Result<(&str, MergeRequestNumber), Failure> {
    let parts = job.payload.rsplit_once('/');
    let parsed = parts.and_then(|(source, number)| Some((source, MergeRequestNumber(number.parse().ok()?))));
    parsed.ok_or_else(|| damaged(job))
}

fn fleet(job: &Job) -> Result<FleetName, Failure> {
    job.payload.parse().map_err(|_| damaged(job))
}

fn damaged(job: &Job) -> Failure {
    Failure::lasting(crate::domain::Problem::new("job.damaged", format!("job {} names nothing", job.id)))
}
