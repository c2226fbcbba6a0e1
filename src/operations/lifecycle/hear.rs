//! What forges say has changed: hints in the inbox, out of which come the jobs that ask what is true.
//!
//! Nothing of a hint is believed. It names merge requests and branches, and all that follows is that somebody looks at
//! them now instead of at the next refresh. So one that is forged, late, doubled or out of order does no harm, and one
//! that is lost costs time only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::service::{Service, job_about};
use super::{Failure, Kind, Next, converse, refresh};
use crate::domain::ChangeState;
use crate::forge::MergeRequestNumber;
use crate::forge::hooks::Changed;
use crate::store::{self, Change, Delivery, DeliveryId, Fence, FleetName, NewJob, Tx};

/// How many deliveries one run takes. What they say of the same merge request leads to one job.
const BATCH: u32 = 500;
/// What people wait for comes before what comes by itself.
const PRIORITY: i64 = 20;

/// What the inbox keeps of a delivery of a forge: which fleet it is about, and what is said to have changed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Hint {
    /// The fleet whose repository it is.
    pub fleet: FleetName,
    /// What is said to have changed.
    #[serde(flatten)]
    pub changed: Changed,
}

/// Queues the job that reads the deliveries of a source, in the transaction that writes them down. While it is queued
/// there is no second one.
///
/// # Errors
/// Those of a write.
pub async fn hear_soon(tx: &mut Tx, source: &str) -> Result<(), store::Error> {
    let key = format!("{} {source}", Kind::Hear);
    let job = NewJob::new(Kind::Hear.to_string(), source).dedup(key.clone()).serial(key).priority(PRIORITY);
    tx.enqueue(&job).await.map(drop)
}

/// Reads what has come in from a source.
///
/// # Errors
/// [`Failure`].
pub async fn hear(service: &Service, fence: &Fence, source: &str) -> Result<Next, Failure> {
    let pending = service.store.pending_deliveries_from(source, BATCH).await?;
    let is_all = pending.len() < BATCH as usize;
    let heard = Heard::new(service, pending);
    let mut jobs = Vec::new();
    for (fleet, news) in &heard.news {
        jobs.extend(news.jobs(service, fleet).await?);
    }
    let mut tx = service.store.fenced(fence).await?;
    for job in &jobs {
        tx.enqueue(job).await?;
    }
    tx.finish_deliveries(&heard.good).await?;
    for (id, error) in &heard.bad {
        tx.finish_delivery(id, Some(error)).await?;
    }
    if !is_all {
        tx.commit().await?;
        return Ok(Next::Again(Duration::ZERO));
    }
    tx.complete(fence).await?;
    tx.commit().await?;
    Ok(Next::Ended)
}

/// Deliveries, sorted by whether they can be read, and what the readable ones say together.
struct Heard {
    news: BTreeMap<FleetName, News>,
    good: Vec<DeliveryId>,
    bad: Vec<(DeliveryId, String)>,
}

impl Heard {
    fn new(service: &Service, deliveries: Vec<Delivery>) -> Self {
        let mut heard = Self { news: BTreeMap::new(), good: Vec::new(), bad: Vec::new() };
        for delivery in deliveries {
            // Its text is not repeated: it came from outside.
            let hint = serde_json::from_str::<Hint>(&delivery.content.body).map_err(|_| "it cannot be read".to_owned());
            let hint = hint.and_then(|hint| match service.fleets.contains_key(&hint.fleet) {
                true => Ok(hint),
                false => Err(format!("this service has no fleet `{}`", hint.fleet)),
            });
            match hint {
                Ok(hint) => {
                    heard.news.entry(hint.fleet).or_default().add(hint.changed);
                    heard.good.push(delivery.id);
                }
                Err(error) => heard.bad.push((delivery.id, error)),
            }
        }
        heard
    }
}

/// What many hints about one fleet say together.
#[derive(Default)]
struct News {
    merge_requests: BTreeSet<MergeRequestNumber>,
    comments: BTreeSet<MergeRequestNumber>,
    branches: BTreeSet<String>,
}

impl News {
    fn add(&mut self, changed: Changed) {
        self.merge_requests.extend(changed.merge_requests);
        self.comments.extend(changed.comments);
        self.branches.extend(changed.branches.into_iter().map(String::from));
    }

    /// The jobs that ask.
    async fn jobs(&self, service: &Service, fleet: &FleetName) -> Result<Vec<NewJob>, Failure> {
        let store = &service.store;
        let mut jobs = Vec::new();
        let mut changes: Vec<Change> = Vec::new();
        for number in &self.merge_requests {
            let Ok(number) = i64::try_from(number.0) else { continue };
            changes.extend(store.changes_of_merge_request(fleet, number).await?);
        }
        let record = store.fleets().await?.into_iter().find(|record| record.name == *fleet);
        for branch in &self.branches {
            if record.as_ref().is_some_and(|record| record.branch == *branch) {
                jobs.push(refresh::job(fleet).priority(PRIORITY));
            } else {
                changes.extend(store.changes_on_branch(fleet, branch).await?);
            }
        }
        jobs.extend(changes.iter().filter(|change| is_followed(change)).map(follow));
        jobs.extend(self.comments.iter().map(|number| converse::job(fleet.as_str(), *number).priority(PRIORITY)));
        // All who write these rows take them in one order, or they would wait for each other in a circle.
        jobs.sort_by(|one, other| one.dedup_key.cmp(&other.dedup_key));
        jobs.dedup();
        Ok(jobs)
    }
}

/// Whether what becomes of its merge request matters. One that was closed can be opened again.
fn is_followed(change: &Change) -> bool {
    matches!(change.state, ChangeState::Proposed | ChangeState::Closed) && change.merge_request.is_some()
}

/// The job that asks about a change's merge request.
pub(super) fn follow(change: &Change) -> NewJob {
    job_about(Kind::Follow, change).priority(PRIORITY)
}
