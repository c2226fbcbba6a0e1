//! Workers: claim, run, keep the lease, say how it ended.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use strum::IntoEnumIterator;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::kind;
use crate::domain::Problem;
use crate::operations::lifecycle::{Failure, Kind, Next, Service};
use crate::store::{self, Job, JobState};

/// How workers work.
#[derive(Clone, Debug)]
pub struct WorkersOptions {
    /// Who they are, for people who look at the table.
    pub name: String,
    /// How many jobs run at once in this process.
    pub count: usize,
    /// How long a job belongs to its worker without a sign of life.
    pub lease: Duration,
    /// How long a worker without work sleeps before it looks by itself.
    pub idle: Duration,
}

impl WorkersOptions {
    /// Four workers with a lease of a minute.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), count: 4, lease: Duration::from_secs(60), idle: Duration::from_secs(2) }
    }
}

/// Workers that share one service.
#[derive(Debug)]
pub struct Workers {
    service: Arc<Service>,
    options: WorkersOptions,
}

impl Workers {
    /// Workers for a service. Nothing runs before [`Workers::run`].
    #[must_use]
    pub fn new(service: Arc<Service>, options: WorkersOptions) -> Self {
        Self { service, options }
    }

    /// Works until `stop` is cancelled; what runs then is finished, and what is left stays queued.
    pub async fn run(self, stop: CancellationToken) {
        let mut workers = JoinSet::new();
        for number in 0..self.options.count {
            let worker = Worker {
                service: Arc::clone(&self.service),
                name: format!("{}/{number}", self.options.name),
                options: self.options.clone(),
            };
            let stop = stop.clone();
            workers.spawn(async move { worker.run(&stop).await });
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker died");
            }
        }
    }
}

struct Worker {
    service: Arc<Service>,
    name: String,
    options: WorkersOptions,
}

impl Worker {
    async fn run(&self, stop: &CancellationToken) {
        let kinds: Vec<&'static str> = Kind::iter().map(Into::into).collect();
        while !stop.is_cancelled() {
            match self.service.store.claim(&self.name, &kinds, self.options.lease).await {
                Ok(Some(job)) => self.work(&job).await,
                Ok(None) => {
                    tokio::select! {
                        () = self.service.store.wait_for_work(self.options.idle) => {}
                        () = stop.cancelled() => {}
                    }
                }
                Err(error) => {
                    // The service says so in its readiness; here it is enough to wait for the database.
                    tracing::warn!(%error, "no job can be claimed");
                    tokio::select! {
                        () = tokio::time::sleep(self.options.idle) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
    }

    /// Runs a job and says how it ended.
    async fn work(&self, job: &Job) {
        let span = tracing::info_span!("job", kind = %job.kind, payload = %job.payload, attempt = job.attempts);
        let ended = tracing::Instrument::instrument(self.end(job), span).await;
        match ended {
            Ok(()) => {}
            // Somebody else has it now, and what this worker did not write is written there.
            Err(store::Error::LeaseLost) => {
                tracing::warn!(kind = %job.kind, payload = %job.payload, "the lease was lost");
            }
            // It stays running until the lease ends, and is claimed again then.
            Err(error) => tracing::warn!(%error, kind = %job.kind, "the end of a job could not be written"),
        }
    }

    async fn end(&self, job: &Job) -> Result<(), store::Error> {
        let store = &self.service.store;
        let fence = job.fence();
        let Ok(kind) = job.kind.parse::<Kind>() else {
            store.fail(&fence, "this version does not know this kind of job", None).await?;
            return Ok(());
        };
        if job.is_exhausted() {
            return self.give_up(kind, job, job.last_error.as_deref().unwrap_or("its workers died")).await;
        }
        match self.attempt(kind, job).await {
            Ok(Next::Done) => match store.complete(&fence).await {
                // It ended itself together with its last write.
                Err(store::Error::LeaseLost) => Ok(()),
                ended => ended,
            },
            Ok(Next::Ended) => Ok(()),
            Ok(Next::Again(after)) => store.reschedule(&fence, after).await,
            Err(Failure::Lost) => Err(store::Error::LeaseLost),
            Err(Failure::Problem { problem, is_temporary }) => {
                tracing::warn!(%problem, is_temporary, "a job failed");
                let is_last = !(is_temporary || kind::is_periodic(kind)) || job.attempts >= job.max_attempts;
                if is_last {
                    return self.give_up(kind, job, &problem.to_string()).await;
                }
                let pause = kind::pause(kind, job.attempts);
                store.fail(&fence, &problem.to_string(), Some(pause)).await.map(drop)
            }
        }
    }

    /// Runs the job while its lease is kept. When the lease is lost, it is not waited for.
    async fn attempt(&self, kind: Kind, job: &Job) -> Result<Next, Failure> {
        let fence = job.fence();
        let keep = async {
            let mut lost = 0;
            loop {
                tokio::time::sleep(self.options.lease / 3).await;
                match self.service.store.extend(&fence, self.options.lease).await {
                    Ok(()) => lost = 0,
                    Err(store::Error::LeaseLost) => return,
                    Err(_) if lost < 2 => lost += 1,
                    Err(_) => return,
                }
            }
        };
        let work = std::panic::AssertUnwindSafe(kind::run(kind, &self.service, job)).catch_unwind();
        tokio::select! {
            ended = work => ended.unwrap_or_else(|_| {
                Err(Failure::lasting(Problem::new("job.panicked", "a fault of wooo ended the job; its log says more")))
            }),
            () = keep => Err(Failure::Lost),
        }
    }

    async fn give_up(&self, kind: Kind, job: &Job, reason: &str) -> Result<(), store::Error> {
        if let Err(failure) = kind::give_up(kind, &self.service, job, reason).await {
            tracing::error!(?failure, "it could not be said that a job was given up");
        }
        let state = self.service.store.fail(&job.fence(), reason, None).await?;
        debug_assert_eq!(state, JobState::Failed);
        Ok(())
    }
}
