//! The kinds of jobs, and what each of them does.

use std::time::Duration;

use crate::domain::ChangeId;
use crate::operations::lifecycle::{self, Next, Service};
use crate::store::{FleetName, Job};

/// What a job is for. Its name is what stands in the table.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, strum::Display, strum::EnumIter, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Make an accepted change: render, commit, open its merge request.
    Propose,
    /// See what became of a change's merge request, and merge it if that is allowed.
    Follow,
    /// See what the cluster makes of a merged change.
    Observe,
    /// Bring the index of a fleet up to date with its repository, forge and clusters.
    Refresh,
    /// Forget what is kept for a while only.
    Prune,
}

impl Kind {
    /// Does the job.
    pub(super) async fn run(self, service: &Service, job: &Job) -> Result<Next, lifecycle::Failure> {
        let fence = job.fence();
        match self {
            Self::Propose => lifecycle::propose(service, &fence, &change(job)?).await,
            Self::Follow => lifecycle::follow(service, &fence, &change(job)?).await,
            Self::Observe => lifecycle::observe(service, &fence, &change(job)?).await,
            Self::Refresh => lifecycle::refresh(service, &fence, &fleet(job)?).await,
            Self::Prune => lifecycle::prune(service, &fence).await,
        }
    }

    /// Says where people see it that the job was given up, and why.
    pub(super) async fn give_up(self, service: &Service, job: &Job, reason: &str) -> Result<(), lifecycle::Failure> {
        match self {
            Self::Propose | Self::Follow | Self::Observe => {
                lifecycle::give_up(service, &job.fence(), &change(job)?, reason).await
            }
            Self::Refresh | Self::Prune => {
                tracing::error!(kind = %self, reason, "a periodic job was given up");
                Ok(())
            }
        }
    }

    /// Whether it is done again and again, so that no failure is its last: what is in its way may be mended by a person.
    pub(super) const fn is_periodic(self) -> bool {
        matches!(self, Self::Refresh | Self::Prune)
    }

    /// How long until a job that failed is tried again, by how often it was tried.
    pub(super) fn pause(self, attempts: u32) -> Duration {
        let (first, longest) = match self {
            Self::Refresh | Self::Prune => (Duration::from_secs(5), Duration::from_secs(300)),
            Self::Propose | Self::Follow | Self::Observe => (Duration::from_secs(1), Duration::from_secs(120)),
        };
        let doubled = first.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
        // Jobs that failed together, because a forge was down, must not come back together.
        doubled.min(longest).mul_f64(rand::random_range(0.5..1.0))
    }
}

fn change(job: &Job) -> Result<ChangeId, lifecycle::Failure> {
    job.payload.parse().map_err(|_| damaged(job))
}

fn fleet(job: &Job) -> Result<FleetName, lifecycle::Failure> {
    job.payload.parse().map_err(|_| damaged(job))
}

fn damaged(job: &Job) -> lifecycle::Failure {
    lifecycle::Failure::lasting(crate::domain::Problem::new("job.damaged", format!("job {} names nothing", job.id)))
}
