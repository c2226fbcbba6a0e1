//! Which merge requests people talk to wooo on, and when their comments are to be read. What is said there is a matter of
//! `chatops`, which stands above the operations.

use std::sync::Arc;

use jiff::SignedDuration;

use super::service::{Accounts, ServedFleet, Service};
use super::{Failure, Kind};
use crate::domain::AppName;
use crate::forge::{self, Filter, Forge, MergeRequest, MergeRequestNumber, MergeRequestState, PageRequest};
use crate::store::{Conversation, Fence, FleetName, NewJob};

/// A merge request that changed this shortly before it was read may have changed again within what its forge's clock
/// tells apart, so it is read once more.
const GRACE: SignedDuration = SignedDuration::from_secs(10);
/// How many merge requests of one repository are looked through for new comments.
const MAX_OPEN: usize = 10_000;

/// A repository whose merge requests people talk to wooo on: that of a fleet, or one that is linked to an app.
#[derive(Clone)]
pub struct Source {
    /// Its name: that of the fleet or of the link.
    pub name: String,
    /// Where its merge requests are.
    pub forge: Arc<dyn Forge>,
    /// Whose accounts that forge knows.
    pub accounts: Accounts,
    /// The fleet that is talked about.
    pub fleet: FleetName,
    /// The app that it is linked to; none for the fleet's own repository.
    pub app: Option<AppName>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Source {
    /// The source of that name, if the service has it.
    #[must_use]
    pub fn find(service: &Service, name: &str) -> Option<Self> {
        let fleet = name.parse::<FleetName>().ok().and_then(|name| service.fleets.get(&name));
        if let Some(fleet) = fleet {
            return Some(Self::of_fleet(fleet));
        }
        service.link(name).map(|link| Self {
            name: link.name.clone(),
            forge: Arc::clone(&link.forge),
            accounts: link.accounts,
            fleet: link.fleet.clone(),
            app: Some(link.app.clone()),
        })
    }

    fn of_fleet(fleet: &ServedFleet) -> Self {
        Self {
            name: fleet.name.to_string(),
            forge: Arc::clone(&fleet.forge),
            accounts: fleet.accounts,
            fleet: fleet.name.clone(),
            app: None,
        }
    }
}

/// The job that reads the comments of a merge request.
pub(super) fn job(source: &str, number: MergeRequestNumber) -> NewJob {
    let payload = format!("{source}/{number}");
    let key = format!("{} {payload}", Kind::Converse);
    NewJob::new(Kind::Converse.to_string(), payload).dedup(key.clone()).serial(key).priority(10)
}

/// Has the comments of a merge request read as soon as a worker is free. `source` is the name of a fleet or of a link.
///
/// # Errors
/// Those of a write.
pub async fn converse_soon(
    service: &Service,
    source: &str,
    number: MergeRequestNumber,
) -> Result<(), crate::store::Error> {
    service.store.enqueue(&job(source, number)).await.map(drop)
}

/// Writes down that the comments of a merge request were read as it stood, and ends the job.
///
/// # Errors
/// [`Failure`].
pub async fn conversed(
    service: &Service,
    fence: &Fence,
    source: &Source,
    number: MergeRequestNumber,
    seen: Conversation,
) -> Result<(), Failure> {
    let mut tx = service.store.fenced(fence).await?;
    tx.put_conversation(&source.name, as_row(number), seen).await?;
    tx.complete(fence).await?;
    tx.commit().await?;
    Ok(())
}

/// A number as the database has it.
fn as_row(number: MergeRequestNumber) -> i64 {
    i64::try_from(number.0).unwrap_or(i64::MAX)
}

/// Has every open merge request read that has changed since it was, in the fleet's repository and in those that are
/// linked to its apps. With no webhook at all, this alone hears everything.
pub(super) async fn listen(service: &Service, fence: &Fence, fleet: &ServedFleet) -> Result<(), Failure> {
    let mut sources = vec![Source::of_fleet(fleet)];
    let own = service.links.iter().filter(|link| link.fleet == fleet.name);
    sources.extend(own.filter_map(|link| Source::find(service, &link.name)));
    for source in sources {
        match listen_to(service, fence, &source).await {
            Err(Failure::Lost) => return Err(Failure::Lost),
            // A repository that does not answer must not keep the fleet from being looked at.
            Err(failure) => tracing::warn!(?failure, source = source.name, "its merge requests are not read"),
            Ok(()) => {}
        }
    }
    Ok(())
}

async fn listen_to(service: &Service, fence: &Fence, source: &Source) -> Result<(), Failure> {
    let open = open_ones(source).await?;
    let known = service.store.conversations(&source.name).await?;
    let is_news = |found: &&MergeRequest| {
        known
            .get(&as_row(found.number))
            .is_none_or(|seen| seen.updated != found.updated || seen.looked_at.duration_since(found.updated) < GRACE)
    };
    let news: Vec<MergeRequestNumber> = open.iter().filter(is_news).map(|found| found.number).collect();
    if !news.is_empty() {
        let mut tx = service.store.fenced(fence).await?;
        for number in news {
            tx.enqueue(&job(&source.name, number).priority(0)).await?;
        }
        tx.commit().await?;
    }
    let is_gone = |number: &&i64| !open.iter().any(|found| as_row(found.number) == **number);
    if open.len() < MAX_OPEN && known.keys().any(|number| is_gone(&number)) {
        let numbers: Vec<i64> = open.iter().map(|found| as_row(found.number)).collect();
        service.store.retain_conversations(&source.name, &numbers).await?;
    }
    Ok(())
}

async fn open_ones(source: &Source) -> Result<Vec<MergeRequest>, forge::Error> {
    let filter = Filter { state: Some(MergeRequestState::Open), ..Filter::default() };
    let mut found = Vec::new();
    let mut page = PageRequest::first();
    loop {
        let answer = source.forge.list(&filter, page).await?;
        found.extend(answer.items);
        match answer.next {
            Some(next) if found.len() < MAX_OPEN => page = next,
            _ => return Ok(found),
        }
    }
}
