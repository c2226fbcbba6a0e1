//! Changes and deployments: what is written is read, versions, pages.

use jiff::Timestamp;
use serde_json::json;
use wooo::domain::{Action, ChangeId, ChangeState, Intent, Outcome};
use wooo::store::{
    AppId, Change, ChangeContent, ChangeFilter, ChangeUpdate, Deployment, DeploymentFilter, DeploymentStatus, Error,
    Limit, NewJob, Paging, Scope, Store, TenantKey,
};

use super::{Database, on_both};

on_both! {
    a_change_is_read_as_it_was_written,
    an_update_needs_the_version_that_was_read,
    pages_are_stable_while_changes_come_in,
    filters_and_scopes_hold,
    deployments_are_rows_of_changes,
}

/// A change of an app, accepted so many milliseconds after a certain time.
pub(super) fn change(app: &str, at: i64) -> Change {
    let intent = Intent {
        app: app.parse().unwrap(),
        environment: Some("staging".parse().unwrap()),
        action: Action::Deploy { image: "r.example/a:1".parse().unwrap() },
    };
    let at = Timestamp::from_millisecond(1_700_000_000_000 + at).unwrap();
    Change::accepted(uuid::Uuid::now_v7().into(), "main".parse().unwrap(), intent, "github:alice", None, at)
}

async fn insert(store: &Store, change: &Change) {
    let mut tx = store.begin().await.unwrap();
    tx.insert_change(change, &ChangeContent::default()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_change_is_read_as_it_was_written(db: Database) {
    let store = db.open().await;
    let mut written = change("shop", 1);
    written.reason = Some("ünïcödé 活動 'quoted'".to_owned());
    written.problem = Some(json!({"code": "x.y"}));
    written.outcome = Some(Outcome::TimedOut);
    written.merge_request = Some(i64::MAX);
    written.tenant = Some("growth".parse().unwrap());
    let content = ChangeContent { diffs: json!([{"risk": "high"}]), files: json!(["a"]) };
    let mut tx = store.begin().await.unwrap();
    tx.insert_change(&written, &content).await.unwrap();
    tx.enqueue(&NewJob::new("change", written.id.as_str())).await.unwrap();
    assert_eq!(tx.change(&written.id).await.unwrap().as_ref(), Some(&written));
    tx.commit().await.unwrap();
    assert_eq!(store.change(&written.id).await.unwrap().as_ref(), Some(&written));
    assert_eq!(store.change_content(&written.id).await.unwrap(), Some(content));
    let absent = ChangeId::from(uuid::Uuid::now_v7());
    assert_eq!(store.change(&absent).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    let again = tx.insert_change(&written, &ChangeContent::default()).await;
    assert!(matches!(again, Err(Error::Conflict { .. })), "{again:?}");
}

async fn an_update_needs_the_version_that_was_read(db: Database) {
    let store = db.open().await;
    let change = change("shop", 1);
    insert(&store, &change).await;
    let proposed = ChangeUpdate {
        state: Some(ChangeState::Proposed),
        branch: Some("wooo/shop/staging/deploy-1".to_owned()),
        merge_request: Some(7),
        ..ChangeUpdate::default()
    };
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.update_change(&change.id, 1, &proposed).await.unwrap(), 2);
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let stale = tx.update_change(&change.id, 1, &proposed).await;
    assert!(matches!(stale, Err(Error::Stale { .. })), "{stale:?}");
    let absent = tx.update_change(&uuid::Uuid::now_v7().into(), 1, &proposed).await;
    assert!(matches!(absent, Err(Error::NotFound { .. })), "{absent:?}");
    drop(tx);
    let settled = ChangeUpdate {
        state: Some(ChangeState::Settled),
        outcome: Some(Outcome::Healthy),
        problem: Some(Some(json!(1))),
        ..ChangeUpdate::default()
    };
    let mut tx = store.begin().await.unwrap();
    tx.update_change(&change.id, 2, &settled).await.unwrap();
    tx.update_change(&change.id, 3, &ChangeUpdate { problem: Some(None), ..ChangeUpdate::default() }).await.unwrap();
    tx.commit().await.unwrap();
    let read = store.change(&change.id).await.unwrap().unwrap();
    assert_eq!((read.state, read.outcome, read.version), (ChangeState::Settled, Some(Outcome::Healthy), 4));
    assert_eq!((read.problem, read.merge_request), (None, Some(7)));
    assert!(read.proposed_at.is_some() && read.merged_at.is_none() && read.settled_at.is_some());
    let fleet = "main".parse().unwrap();
    let found = store.changes_on_branch(&fleet, "wooo/shop/staging/deploy-1").await.unwrap();
    assert_eq!(found.iter().map(|found| &found.id).collect::<Vec<_>>(), [&change.id]);
    assert_eq!(store.changes_of_merge_request(&fleet, 7).await.unwrap().len(), 1);
    assert!(store.changes_of_merge_request(&fleet, 8).await.unwrap().is_empty());
}

async fn pages_are_stable_while_changes_come_in(db: Database) {
    let store = db.open().await;
    let mut expected = Vec::new();
    for number in 0..25 {
        // Some have the same time.
        let change = change("shop", number / 4);
        insert(&store, &change).await;
        expected.push((change.created_at, change.id));
    }
    expected.sort();
    expected.reverse();
    let mut paging = Paging { limit: Limit::new(4), after: None };
    let mut seen = Vec::new();
    loop {
        let page = store.changes(&ChangeFilter::default(), &paging).await.unwrap();
        assert!(page.items.len() <= 4);
        seen.extend(page.items.into_iter().map(|change| (change.created_at, change.id)));
        insert(&store, &change("later", 1_000_000)).await;
        let Some(next) = page.next else { break };
        paging.after = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(seen, expected);
}

async fn filters_and_scopes_hold(db: Database) {
    let store = db.open().await;
    let mut shop = change("shop", 1);
    shop.tenant = Some("growth".parse().unwrap());
    let mut news = change("news", 2);
    news.state = ChangeState::Merged;
    news.environment = None;
    let mut other = change("shop", 3);
    other.fleet = "other".parse().unwrap();
    other.tenant = Some("growth".parse().unwrap());
    for change in [&shop, &news, &other] {
        insert(&store, change).await;
    }
    let ids = async |filter: ChangeFilter| {
        let page = store.changes(&filter, &Paging::default()).await.unwrap();
        page.items.into_iter().map(|change| change.id).collect::<Vec<_>>()
    };
    let all = ChangeFilter::default;
    assert_eq!(ids(all()).await, [other.id.clone(), news.id.clone(), shop.id.clone()]);
    let mine = Scope::Tenants(vec![
        TenantKey { fleet: "main".parse().unwrap(), tenant: "growth".parse().unwrap() },
        TenantKey { fleet: "third".parse().unwrap(), tenant: "growth".parse().unwrap() },
    ]);
    assert!(mine.contains(&shop.fleet, shop.tenant.as_ref()) && !mine.contains(&news.fleet, None));
    assert_eq!(ids(ChangeFilter { scope: mine, ..all() }).await, [shop.id.clone()]);
    assert!(ids(ChangeFilter { scope: Scope::Tenants(Vec::new()), ..all() }).await.is_empty());
    let states = vec![ChangeState::Merged, ChangeState::Proposed];
    assert_eq!(ids(ChangeFilter { states, ..all() }).await, [news.id.clone()]);
    let app = Some("shop".parse().unwrap());
    let fleet = Some("main".parse().unwrap());
    assert_eq!(ids(ChangeFilter { app, fleet: fleet.clone(), ..all() }).await, [shop.id.clone()]);
    let environment = Some("staging".parse().unwrap());
    assert_eq!(ids(ChangeFilter { environment, fleet, ..all() }).await, [news.id, shop.id]);
    let actor = Some("'; DROP TABLE changes; --".to_owned());
    assert!(ids(ChangeFilter { actor, ..all() }).await.is_empty());
}

async fn deployments_are_rows_of_changes(db: Database) {
    let store = db.open().await;
    let change = change("shop", 1);
    let deployment = |environment: &str, at: i64| Deployment {
        app_id: AppId::of(&change.fleet, &change.app),
        environment: environment.parse().unwrap(),
        change_id: change.id.clone(),
        version: Some("1".to_owned()),
        image: None,
        status: DeploymentStatus::Pending,
        rollback_version: None,
        deployed_by: "github:alice".to_owned(),
        deployed_at: Timestamp::from_millisecond(at).unwrap(),
        completed_at: None,
        outcome: None,
        detail: Some(json!({"a": 1})),
    };
    let mut staging = deployment("staging", 1);
    let production = deployment("production", 2);
    let mut tx = store.begin().await.unwrap();
    tx.put_deployment(&staging).await.unwrap();
    tx.put_deployment(&production).await.unwrap();
    staging.status = DeploymentStatus::RolledBack;
    staging.outcome = Some(Outcome::Degraded);
    tx.put_deployment(&staging).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.deployments_of(&change.id).await.unwrap(), [production.clone(), staging.clone()]);
    let first = Paging { limit: Limit::new(1), after: None };
    let page = store.deployments(&DeploymentFilter::default(), &first).await.unwrap();
    assert_eq!(page.items, [production]);
    let second = Paging { after: page.next, ..first };
    let filter = DeploymentFilter { app: Some(staging.app_id.clone()), ..DeploymentFilter::default() };
    let page = store.deployments(&filter, &second).await.unwrap();
    assert_eq!((page.items, page.next), (vec![staging], None));
    let key = TenantKey { fleet: change.fleet, tenant: "growth".parse().unwrap() };
    let none = DeploymentFilter { scope: Scope::Tenants(vec![key]), ..DeploymentFilter::default() };
    assert!(store.deployments(&none, &Paging::default()).await.unwrap().items.is_empty());
}
