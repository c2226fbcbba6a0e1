//! A pass over a whole fleet that takes no input: the index follows the repository, open changes follow their merge
//! requests, merged ones are observed, and what runs is compared with what should. With every event lost, this alone
//! comes to the same end.

use std::collections::HashMap;
use std::time::Duration;

use super::converse;
use super::index::{self, IndexedApp};
use super::observe::{as_seen, look};
use super::service::{Service, job_about};
use super::{Failure, Kind, Next};
use crate::cluster::drift::{Intended, drift};
use crate::domain::{AppName, ChangeState, FleetSettings, Problem, Problems};
use crate::git::CommitId;
use crate::operations::batch::Unit;
use crate::operations::fleet::Fleet;
use crate::operations::place::{OWN_PREFIX, Place};
use crate::operations::{audit, change, git_problems};
use crate::store::{
    AppFilter, AppId, AppRecord, Change, ChangeFilter, Fence, FleetName, FleetRecord, Limit, NewJob, Paging, Store,
};

/// How long jobs that ended are kept.
const KEEP_JOBS: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the keys of requests are kept, which is longer than they are good for.
const KEEP_KEYS: Duration = Duration::from_secs(2 * 24 * 3600);
/// How long deliveries that were dealt with are kept, so that one which is sent again is known.
const KEEP_DELIVERIES: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long it is remembered what became of a comment: much longer than it is listened to.
const KEEP_COMMENTS: Duration = Duration::from_secs(90 * 24 * 3600);
/// How often what is kept for a while only is forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// The job that refreshes a fleet.
pub(super) fn job(fleet: &FleetName) -> NewJob {
    let key = format!("{} {fleet}", Kind::Refresh);
    NewJob::new(Kind::Refresh.to_string(), fleet.as_str()).dedup(key.clone()).serial(key).attempts(1_000_000)
}

fn prune_job() -> NewJob {
    let key = Kind::Prune.to_string();
    NewJob::new(key.clone(), "all").dedup(key.clone()).serial(key).attempts(1_000_000)
}

/// Queues the periodic work, unless it is queued, and lets go of what the process before may have held: called when a
/// service starts.
///
/// # Errors
/// [`Failure`].
pub async fn start(service: &Service) -> Result<(), Failure> {
    let mut tx = service.store.begin().await?;
    if !service.store.is_shared() {
        // Whoever asked is told to ask again, and must not be told that somebody is at it.
        tx.forget_unanswered_requests().await?;
    }
    for fleet in service.fleets.keys() {
        tx.enqueue(&job(fleet)).await?;
    }
    tx.enqueue(&prune_job()).await?;
    tx.commit().await?;
    Ok(())
}

/// Has a fleet refreshed as soon as a worker is free.
///
/// # Errors
/// Those of a write.
pub async fn refresh_soon(service: &Service, fleet: &FleetName) -> Result<(), crate::store::Error> {
    let mut tx = service.store.begin().await?;
    tx.enqueue(&job(fleet).priority(20)).await?;
    tx.commit().await
}

/// Forgets what is kept for a while only.
///
/// # Errors
/// [`Failure`].
pub async fn prune(service: &Service, fence: &Fence) -> Result<Next, Failure> {
    service.store.prune_jobs(KEEP_JOBS).await?;
    service.store.prune_idempotency_keys(KEEP_KEYS).await?;
    service.store.prune_inbox(KEEP_DELIVERIES).await?;
    service.store.prune_metrics().await?;
    service.store.prune_sessions(KEEP_JOBS).await?;
    service.store.prune_login_failures(KEEP_KEYS).await?;
    service.store.prune_comments(KEEP_COMMENTS).await?;
    again(&service.store, fence, &prune_job(), PRUNE_EVERY).await
}

/// Ends a periodic job and queues the next one, in one step. One that was queued meanwhile is that next one.
async fn again(store: &Store, fence: &Fence, job: &NewJob, after: Duration) -> Result<Next, Failure> {
    let mut tx = store.fenced(fence).await?;
    let at = tx.now().await? + after;
    tx.complete(fence).await?;
    tx.enqueue(&job.clone().at(at)).await?;
    tx.commit().await?;
    Ok(Next::Ended)
}

/// Brings a fleet's index up to date.
///
/// # Errors
/// [`Failure`].
pub async fn refresh(service: &Service, fence: &Fence, name: &FleetName) -> Result<Next, Failure> {
    let Ok(fleet) = service.fleet(name) else {
        tracing::info!(fleet = %name, "this service no longer has the fleet");
        return Ok(Next::Done);
    };
    let known = service.store.fleets().await?.into_iter().find(|record| record.name == *name);
    let indexed = known.and_then(|known| Some((known.tip.as_deref()?.parse::<CommitId>().ok()?, known)));
    let Some((tip, known)) = indexed else {
        index::build(service, name).await?;
        return again(&service.store, fence, &job(name), Duration::ZERO).await;
    };
    let now = service.now().await?;
    let own = name.clone();
    let news = fleet.with_place(move |place| news(place, &own, tip, now)).await?;
    let (settings, tip) = match news {
        News::Rewritten => {
            tracing::error!(fleet = %name, "the synced branch was rewritten: the index is built anew");
            index::rebuild(service, name).await?;
            return again(&service.store, fence, &job(name), Duration::ZERO).await;
        }
        News::None { settings } => (settings, tip),
        News::Some(news) => write(service, fence, known, *news).await?,
    };
    fleet.with_place(sweep).await?;
    keep_going(service, fence, name).await?;
    for looked in [super::reopen::find(service, fence, fleet).await, converse::listen(service, fence, fleet).await] {
        match looked {
            // A forge that is away, or wants to be asked less, keeps nobody from seeing how the clusters are.
            Err(Failure::Problem { problem, .. }) => tracing::warn!(%problem, fleet = %name, "not looked at"),
            looked => looked?,
        }
    }
    see(service, fence, name, &settings, tip).await?;
    again(&service.store, fence, &job(name), service.timing.refresh).await
}

/// What came to the synced branch since it was indexed.
enum News {
    None {
        settings: Box<FleetSettings>,
    },
    Some(Box<Fresh>),
    /// What was indexed is not part of it any more.
    Rewritten,
}

struct Fresh {
    settings: Box<FleetSettings>,
    tip: CommitId,
    branch: String,
    apps: Vec<IndexedApp>,
    gone: Vec<AppName>,
    changes: Vec<index::ReadChange>,
    acts: Vec<audit::Act>,
}

fn news(place: &Place, name: &FleetName, known: CommitId, now: jiff::Timestamp) -> Result<News, Problems> {
    let tip = place.tip()?;
    let tree = place.repository.tree(tip).map_err(git_problems)?;
    let fleet = Fleet::open(&tree)?;
    if tip == known {
        return Ok(News::None { settings: Box::new(fleet.settings) });
    }
    if !place.repository.is_ancestor(known, tip).unwrap_or(false) {
        return Ok(News::Rewritten);
    }
    let before = place.repository.tree(known).map_err(git_problems)?;
    let changed = place.repository.changes(Some(before.id()), tree.id()).map_err(git_problems)?;
    // With other settings every app may belong to another tenant.
    let all = changed.iter().any(|file| file.path == crate::operations::fleet::SETTINGS_FILE);
    let names: std::collections::BTreeSet<AppName> = if all {
        fleet.apps_and_strays()?.0.into_iter().collect()
    } else {
        changed.iter().filter_map(|file| app_of(&file.path)).collect()
    };
    let (mut apps, mut gone) = (Vec::new(), Vec::new());
    for app in names {
        match IndexedApp::read(name, &fleet, &app, now) {
            Ok(Some(found)) => apps.push(found),
            Ok(None) => gone.push(app),
            Err(problems) => tracing::warn!(%problems, %app, "not indexed"),
        }
    }
    let changes = index::changes(place, name, Some(known))?;
    let acts = audit::since(place, known)?;
    let branch = place.base.to_string();
    Ok(News::Some(Box::new(Fresh { settings: Box::new(fleet.settings), tip, branch, apps, gone, changes, acts })))
}

/// The app that a file of a fleet is about.
fn app_of(path: &str) -> Option<AppName> {
    let mut parts = path.split('/');
    match parts.next()? {
        "apps" => parts.next()?.parse().ok(),
        "rendered" => parts.nth(1)?.parse().ok(),
        _ => None,
    }
}

/// Writes the news down, and returns what they say of the fleet and up to which commit.
async fn write(
    service: &Service,
    fence: &Fence,
    known: FleetRecord,
    news: Fresh,
) -> Result<(Box<FleetSettings>, CommitId), Failure> {
    let name = &known.name;
    let mut tx = service.store.fenced(fence).await?;
    tx.replace_tenants(name, &index::tenants(&news.settings)).await?;
    for app in &news.apps {
        app.write(&mut tx).await?;
    }
    for app in &news.gone {
        tx.delete_app(&AppId::of(name, app)).await?;
    }
    for read in &news.changes {
        index::write_change(&mut tx, read).await?;
    }
    for act in news.acts {
        if let Some(entry) = index::act_record(name, &news.settings, act) {
            tx.append_audit(&entry).await?;
        }
    }
    let indexed_at = Some(tx.now().await?);
    let tip = Some(news.tip.to_string());
    tx.put_fleet(&FleetRecord { branch: news.branch, tip, indexed_at, ..known.clone() }).await?;
    tx.commit().await?;
    Ok((news.settings, news.tip))
}

/// Deletes wooo's own branches whose commits are on the synced branch: a worker that was stopped at the wrong moment can
/// have put one back.
fn sweep(place: &Place) -> Result<(), Problems> {
    let tip = place.tip()?;
    for (branch, at) in place.repository.branches_with_prefix(OWN_PREFIX).map_err(git_problems)? {
        if place.repository.is_ancestor(at, tip).map_err(git_problems)? {
            change::clean_up_merged(place, &branch, tip).map_err(git_problems)?;
        }
    }
    Ok(())
}

/// Queues the next step of every change that is not done, unless it is queued.
async fn keep_going(service: &Service, fence: &Fence, name: &FleetName) -> Result<(), Failure> {
    let filter = ChangeFilter {
        fleet: Some(name.clone()),
        states: vec![ChangeState::Accepted, ChangeState::Proposed, ChangeState::Merged],
        ..ChangeFilter::default()
    };
    let mut paging = Paging { limit: Limit::new(Limit::MAX), after: None };
    loop {
        let page = service.store.changes(&filter, &paging).await?;
        let mut tx = service.store.fenced(fence).await?;
        for change in &page.items {
            if let Some(kind) = next_step(change) {
                tx.enqueue(&job_about(kind, change).priority(0)).await?;
            }
        }
        tx.commit().await?;
        match page.next {
            Some(next) => paging.after = Some(next),
            None => return Ok(()),
        }
    }
}

pub(super) fn next_step(change: &Change) -> Option<Kind> {
    match change.state {
        ChangeState::Accepted => Some(Kind::Propose),
        ChangeState::Proposed => Some(Kind::Follow),
        ChangeState::Merged => Some(Kind::Observe),
        _ => None,
    }
}

/// Writes down how every app is, as its cluster says.
async fn see(
    service: &Service,
    fence: &Fence,
    name: &FleetName,
    settings: &FleetSettings,
    tip: CommitId,
) -> Result<(), Failure> {
    let filter = AppFilter { fleet: Some(name.clone()), ..AppFilter::default() };
    let mut paging = Paging { limit: Limit::new(Limit::MAX), after: None };
    loop {
        let page = service.store.apps(&filter, &paging).await?;
        let ids: Vec<AppId> = page.items.iter().map(|app| app.id.clone()).collect();
        let names: HashMap<&AppId, &AppRecord> = page.items.iter().map(|app| (&app.id, app)).collect();
        let mut seen = Vec::new();
        let mut healths: HashMap<AppId, Vec<String>> = HashMap::new();
        for placement in service.store.placements_of(&ids).await? {
            let Some(app) = names.get(&placement.app_id) else { continue };
            let unit = Unit { app: app.name.clone(), environment: placement.environment.clone() };
            let fresh = fresh(service, settings, &unit, &placement, tip)?;
            let health = fresh.as_ref().map_or(&placement.seen.health, |fresh| &fresh.health);
            healths.entry(placement.app_id.clone()).or_default().extend(health.clone());
            if let Some(fresh) = fresh {
                seen.push((placement.app_id.clone(), placement.environment.clone(), fresh));
            }
        }
        let told = |app: &AppRecord| Some((app.id.clone(), status(app, healths.get(&app.id)?)?));
        let statuses: Vec<(AppId, &str)> = page.items.iter().filter_map(told).collect();
        if !seen.is_empty() || !statuses.is_empty() {
            let mut tx = service.store.fenced(fence).await?;
            for (app, environment, fresh) in &seen {
                tx.put_seen(app, environment, fresh).await?;
            }
            for (app, status) in &statuses {
                tx.set_app_status(app, status).await?;
            }
            tx.commit().await?;
        }
        match page.next {
            Some(next) => paging.after = Some(next),
            None => return Ok(()),
        }
    }
}

/// What an app's status becomes by what is seen of it in its environments, if it becomes another one. Before its first
/// change has settled it is that change which tells.
fn status(app: &AppRecord, healths: &[String]) -> Option<&'static str> {
    let is = |word: &str| healths.iter().any(|health| health == word);
    let status = match () {
        () if app.status == "initializing" => return None,
        () if is("degraded") => "degraded",
        () if is("timed_out") => "stalled",
        () if is("unknown") => "unknown",
        // What is on its way is not there yet, and tells nothing of what was there.
        () if is("progressing") => return None,
        () => "running",
    };
    (status != app.status).then_some(status)
}

/// What is new about an app in an environment, if anything is.
fn fresh(
    service: &Service,
    settings: &FleetSettings,
    unit: &Unit,
    known: &crate::store::Placement,
    tip: CommitId,
) -> Result<Option<crate::store::Seen>, Problem> {
    let Some(report) = look(service, settings, unit).ok().and_then(|sight| sight.report) else {
        let is_told = known.seen.health.as_deref() == Some("unknown");
        let unknown = crate::store::Seen { health: Some("unknown".to_owned()), ..known.seen.clone() };
        return Ok((!is_told && known.seen.health.is_some()).then_some(unknown));
    };
    let applied: Option<CommitId> = report
        .controller
        .as_ref()
        .and_then(|controller| controller.applied_revision.as_deref())
        .and_then(crate::cluster::report::commit_of)
        .and_then(|commit| commit.parse().ok());
    let mut seen = as_seen(&report, applied);
    let intended: Vec<Intended> =
        known.intended.clone().and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    // While the controller is not at what the index shows, a difference is a sync to come and no drift.
    if applied == Some(tip) {
        let drift = drift(&report, &intended);
        seen.drift = (!drift.is_empty()).then(|| serde_json::to_value(drift).unwrap_or_default());
    }
    let same = |one: &crate::store::Seen, two: &crate::store::Seen| {
        let key = |seen: &crate::store::Seen| {
            (seen.health.clone(), seen.sync_state.clone(), seen.applied_revision.clone(), seen.drift.clone())
        };
        key(one) == key(two)
    };
    Ok((!same(&seen, &known.seen)).then_some(seen))
}
