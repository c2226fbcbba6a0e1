//! Deliveries, alerts, incidents, repairs, messages, metrics, templates, the audit trail, and building the index anew.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use wooo::domain::ChangeState;
use wooo::store::{
    Alert, AlertFilter, AlertId, AlertStatus, AppId, AppRecord, AuditEntry, AuditFilter, AuditSource, CachedMetric,
    ChangeApproval, ChangeFilter, ChangeUpdate, CommentAnswer, Conversation, Deployment, DeploymentFilter,
    DeploymentStatus, Error, HandledComment, IncidentFilter, Limit, NewDelivery, NewNotification, NotificationState,
    Paging, Repair, RepairFilter, RepairId, Scope, Store, TemplateRecord, TenantKey,
};

use super::changes::change;
use super::{Database, on_both};

on_both! {
    a_delivery_is_written_down_once,
    a_firing_is_one_row_and_does_not_fire_again,
    one_incident_is_open_at_a_time,
    repairs_are_counted,
    a_message_is_sent_once,
    metrics_go_stale,
    templates_are_replaced,
    the_audit_trail_is_read_in_pages,
    a_comment_is_dealt_with_once,
    a_yes_is_replaced_by_the_next,
    the_index_is_rebuilt_and_the_rest_stays,
}

fn handled(comment: i64, answer: CommentAnswer) -> HandledComment {
    HandledComment {
        source: "main".to_owned(),
        comment,
        merge_request: 7,
        author_id: "4711".to_owned(),
        author: "alice".to_owned(),
        verbs: json!(["restart"]),
        answer,
        reply: Some(comment + 1),
    }
}

async fn a_comment_is_dealt_with_once(db: Database) {
    let store = db.open().await;
    let mut tx = store.begin().await.unwrap();
    tx.put_comment(&handled(1, CommentAnswer::Done)).await.unwrap();
    tx.put_comment(&handled(1, CommentAnswer::Refused)).await.unwrap();
    tx.put_comment(&HandledComment { reply: None, ..handled(3, CommentAnswer::Outsider) }).await.unwrap();
    let conversation = Conversation { updated: time(10), looked_at: time(20) };
    tx.put_conversation("main", 7, Conversation { updated: time(5), looked_at: time(6) }).await.unwrap();
    tx.put_conversation("main", 7, conversation).await.unwrap();
    tx.put_conversation("main", 8, conversation).await.unwrap();
    tx.put_conversation("other", 7, conversation).await.unwrap();
    tx.commit().await.unwrap();
    let known = store.handled_comments("main", 7).await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [(1, CommentAnswer::Done), (3, CommentAnswer::Outsider)]);
    assert!(store.handled_comments("other", 7).await.unwrap().is_empty());
    assert_eq!(store.conversations("main").await.unwrap().get(&7), Some(&conversation));
    assert_eq!(store.retain_conversations("main", &[8]).await.unwrap(), 1);
    assert_eq!(store.conversations("main").await.unwrap().into_keys().collect::<Vec<_>>(), [8]);
    assert_eq!(store.retain_conversations("main", &[]).await.unwrap(), 1);
    assert_eq!(store.conversations("other").await.unwrap().len(), 1);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(store.prune_comments(Duration::ZERO).await.unwrap(), 2);
}

async fn a_yes_is_replaced_by_the_next(db: Database) {
    let store = db.open().await;
    let id: wooo::domain::ChangeId = "0195e7a0-7c1e-7000-8000-0123456789ab".parse().unwrap();
    let yes = |user: &str, subject: &str, at| ChangeApproval {
        change_id: id.clone(),
        user_id: user.to_owned(),
        login: user.to_owned(),
        subject: subject.to_owned(),
        at: time(at),
    };
    let mut tx = store.begin().await.unwrap();
    for approval in [yes("ann", "one", 1), yes("bob", "one", 2), yes("ann", "two", 3)] {
        tx.put_change_approval(&approval).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(store.change_approvals(&id).await.unwrap(), [yes("bob", "one", 2), yes("ann", "two", 3)]);
}

const MINUTE: Duration = Duration::from_secs(60);

fn time(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap()
}

async fn app(store: &Store, fleet: &str, tenant: &str) -> AppRecord {
    let mut app = AppRecord::new(fleet.parse().unwrap(), "shop".parse().unwrap(), "standard".parse().unwrap(), time(1));
    app.tenant = Some(tenant.parse().unwrap());
    let mut tx = store.begin().await.unwrap();
    tx.put_app(&app).await.unwrap();
    tx.commit().await.unwrap();
    app
}

fn scope(app: &AppRecord, tenant: &str) -> Scope {
    Scope::Tenants(vec![TenantKey { fleet: app.fleet.clone(), tenant: tenant.parse().unwrap() }])
}

async fn a_delivery_is_written_down_once(db: Database) {
    let store = db.open().await;
    let delivery = |id: &str| NewDelivery {
        source: "github".to_owned(),
        delivery: id.to_owned(),
        kind: "push".to_owned(),
        body: "{\"a\": 1}".to_owned(),
    };
    let mut tx = store.begin().await.unwrap();
    let first = tx.insert_delivery(&delivery("1")).await.unwrap().unwrap();
    assert_eq!(tx.insert_delivery(&delivery("1")).await.unwrap(), None);
    let second = tx.insert_delivery(&delivery("2")).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let pending = store.pending_deliveries(10).await.unwrap();
    assert_eq!(pending.iter().map(|delivery| &delivery.id).collect::<Vec<_>>(), [&first, &second]);
    let mut tx = store.begin().await.unwrap();
    tx.finish_delivery(&first, Some("it is no JSON")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.pending_deliveries(10).await.unwrap().len(), 1);
    let read = store.delivery(&first).await.unwrap().unwrap();
    assert_eq!((read.content, read.error.as_deref()), (delivery("1"), Some("it is no JSON")));
    assert!(read.processed_at.is_some());
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.insert_delivery(&delivery("1")).await.unwrap(), None, "also after it was dealt with");
    tx.rollback().await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(store.prune_inbox(Duration::ZERO).await.unwrap(), 1);
}

fn alert(app: Option<&AppId>, status: AlertStatus, fired_at: i64) -> Alert {
    Alert {
        id: AlertId::random(),
        app_id: app.cloned(),
        environment: "staging".parse().unwrap(),
        fingerprint: "f00d".to_owned(),
        alert_name: "AppDown".to_owned(),
        severity: "critical".to_owned(),
        status,
        description: None,
        labels: json!({"namespace": "app-shop"}),
        annotations: json!({}),
        fired_at: time(fired_at),
        resolved_at: (status == AlertStatus::Resolved).then(|| time(fired_at + 1)),
        created_at: time(fired_at),
    }
}

async fn a_firing_is_one_row_and_does_not_fire_again(db: Database) {
    let store = db.open().await;
    let app = app(&store, "main", "growth").await;
    let mut tx = store.begin().await.unwrap();
    let firing = alert(Some(&app.id), AlertStatus::Firing, 10);
    assert_eq!(tx.put_alert(&firing).await.unwrap(), firing.id);
    let resolved = alert(Some(&app.id), AlertStatus::Resolved, 10);
    assert_eq!(tx.put_alert(&resolved).await.unwrap(), firing.id);
    assert_eq!(tx.put_alert(&alert(Some(&app.id), AlertStatus::Firing, 10)).await.unwrap(), firing.id);
    let again = tx.put_alert(&alert(Some(&app.id), AlertStatus::Firing, 20)).await.unwrap();
    // One that no app claims is one too.
    let stray = tx.put_alert(&alert(None, AlertStatus::Firing, 30)).await.unwrap();
    assert_eq!(tx.put_alert(&alert(None, AlertStatus::Firing, 30)).await.unwrap(), stray);
    tx.commit().await.unwrap();
    let read = store.alert(&firing.id).await.unwrap().unwrap();
    assert_eq!(read, Alert { id: firing.id.clone(), created_at: firing.created_at, ..resolved });
    let ids = async |filter: AlertFilter| {
        let page = store.alerts(&filter, &Paging::default()).await.unwrap();
        page.items.into_iter().map(|alert| alert.id).collect::<Vec<_>>()
    };
    let all = AlertFilter::default;
    assert_eq!(ids(all()).await, [stray, again.clone(), firing.id.clone()]);
    assert_eq!(ids(AlertFilter { scope: scope(&app, "growth"), ..all() }).await, [again.clone(), firing.id.clone()]);
    assert!(ids(AlertFilter { scope: scope(&app, "other"), ..all() }).await.is_empty());
    assert_eq!(ids(AlertFilter { status: Some(AlertStatus::Resolved), ..all() }).await, [firing.id]);
    assert_eq!(ids(AlertFilter { app: Some(app.id), since: Some(time(15)), ..all() }).await, [again]);
}

async fn one_incident_is_open_at_a_time(db: Database) {
    let store = db.open().await;
    let app = app(&store, "main", "growth").await;
    let staging = "staging".parse().unwrap();
    let mut tx = store.begin().await.unwrap();
    let first = tx.open_incident(&app.id, &staging, "restart", "diagnosing").await.unwrap();
    let same = tx.open_incident(&app.id, &staging, "restart", "other").await.unwrap();
    assert_eq!(first, same);
    tx.update_incident(&first.id, "escalated", Some(&json!({"why": "x"})), true).await.unwrap();
    let over = tx.update_incident(&first.id, "x", None, false).await;
    assert!(matches!(over, Err(Error::NotFound { .. })), "{over:?}");
    let second = tx.open_incident(&app.id, &staging, "restart", "diagnosing").await.unwrap();
    assert_ne!(first.id, second.id);
    tx.commit().await.unwrap();
    let read = store.incident(&first.id).await.unwrap().unwrap();
    assert_eq!((read.state.as_str(), read.closed_at.is_some()), ("escalated", true));
    let open = IncidentFilter { open_only: true, scope: scope(&app, "growth"), ..IncidentFilter::default() };
    assert_eq!(store.incidents(&open, &Paging::default()).await.unwrap().items, [second]);
}

fn repair(app: &AppId, at: Timestamp) -> Repair {
    Repair {
        id: RepairId::random(),
        app_id: app.clone(),
        alert_id: None,
        incident_id: None,
        change_id: None,
        repair_type: "restart".to_owned(),
        action_taken: "restarted the pods".to_owned(),
        result: None,
        success: None,
        duration_seconds: None,
        created_at: at,
    }
}

async fn repairs_are_counted(db: Database) {
    let store = db.open().await;
    let app = app(&store, "main", "growth").await;
    let now = store.now().await.unwrap();
    let old = repair(&app.id, now - MINUTE * 10);
    let mut new = repair(&app.id, now - MINUTE);
    let mut tx = store.begin().await.unwrap();
    tx.put_repair(&old).await.unwrap();
    tx.put_repair(&new).await.unwrap();
    new.success = Some(true);
    new.duration_seconds = Some(12);
    tx.put_repair(&new).await.unwrap();
    assert_eq!(tx.count_repairs(Some(&app.id), MINUTE * 5).await.unwrap(), 1);
    assert_eq!(tx.count_repairs(None, MINUTE * 15).await.unwrap(), 2);
    assert_eq!(tx.count_repairs(Some(&"app-0".parse().unwrap()), MINUTE * 15).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let worked = RepairFilter { success: Some(true), scope: scope(&app, "growth"), ..RepairFilter::default() };
    assert_eq!(store.repairs(&worked, &Paging::default()).await.unwrap().items, [new.clone()]);
    let first = Paging { limit: Limit::new(1), after: None };
    let page = store.repairs(&RepairFilter::default(), &first).await.unwrap();
    assert_eq!(page.items, [new]);
    let page = store.repairs(&RepairFilter::default(), &Paging { after: page.next, ..first }).await.unwrap();
    assert_eq!((page.items, page.next), (vec![old], None));
}

async fn a_message_is_sent_once(db: Database) {
    let store = db.open().await;
    let message = |key: &str| NewNotification {
        channel: "telegram".to_owned(),
        app_id: None,
        event: "deploy.settled".to_owned(),
        body: json!({"text": "ok"}),
        dedup_key: Some(key.to_owned()),
    };
    let mut tx = store.begin().await.unwrap();
    for number in 0..20 {
        let key = format!("k{number}");
        assert!(tx.insert_notification(&message(&key)).await.unwrap().is_some());
        assert_eq!(tx.insert_notification(&message(&key)).await.unwrap(), None);
    }
    tx.commit().await.unwrap();
    let senders: Vec<_> = (0..5)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.claim_notifications(6, MINUTE).await.unwrap() })
        })
        .collect();
    let mut claimed = Vec::new();
    for sender in senders {
        claimed.extend(sender.await.unwrap());
    }
    claimed.extend(store.claim_notifications(20, MINUTE).await.unwrap());
    let mut ids: Vec<_> = claimed.iter().map(|message| message.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((claimed.len(), ids.len()), (20, 20));
    let [sent, again, lost, ..] = claimed.as_slice() else { panic!("there are twenty") };
    store.notification_sent(&sent.id).await.unwrap();
    store.notification_failed(&again.id, "503", Some(Duration::ZERO)).await.unwrap();
    store.notification_failed(&lost.id, "404", None).await.unwrap();
    store.notification_failed(&sent.id, "late", Some(Duration::ZERO)).await.unwrap();
    let retried = store.claim_notifications(20, MINUTE).await.unwrap();
    assert_eq!(retried.iter().map(|message| (&message.id, message.attempts)).collect::<Vec<_>>(), [(&again.id, 2)]);
    let state = async |id| store.notification(id).await.unwrap().unwrap().state;
    assert_eq!(state(&sent.id).await, NotificationState::Sent);
    assert_eq!(state(&lost.id).await, NotificationState::Failed);
    assert_eq!(store.prune_notifications(MINUTE).await.unwrap(), 0);
}

async fn metrics_go_stale(db: Database) {
    let store = db.open().await;
    let app: AppId = "app-1".parse().unwrap();
    let staging = "staging".parse().unwrap();
    let metric = |name: &str, value| CachedMetric { metric: name.to_owned(), at: time(5), value };
    store.cache_metric(&app, &staging, &metric("cpu", 0.1), MINUTE).await.unwrap();
    store.cache_metric(&app, &staging, &metric("cpu", 0.25), MINUTE).await.unwrap();
    store.cache_metric(&app, &staging, &metric("memory", 1e9), Duration::ZERO).await.unwrap();
    assert_eq!(store.cached_metrics(&app, &staging).await.unwrap(), [metric("cpu", 0.25)]);
    assert_eq!(store.prune_metrics().await.unwrap(), 1);
}

async fn templates_are_replaced(db: Database) {
    let store = db.open().await;
    let template = |name: &str, digest: &str, at| TemplateRecord {
        name: name.to_owned(),
        kind: "framework".to_owned(),
        description: None,
        source: "built in".to_owned(),
        digest: digest.to_owned(),
        updated_at: time(at),
    };
    let mut tx = store.begin().await.unwrap();
    tx.replace_templates(&[template("a", "1", 1), template("b", "1", 1), template("c", "1", 1)]).await.unwrap();
    tx.replace_templates(&[template("b", "1", 2), template("c", "2", 2)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.templates().await.unwrap(), [template("b", "1", 1), template("c", "2", 2)]);
    assert_eq!(store.template("a").await.unwrap(), None);
}

async fn the_audit_trail_is_read_in_pages(db: Database) {
    let store = db.open().await;
    let entry = |number: i64| {
        let mut entry = AuditEntry::service(time(number), "github:alice", "login");
        entry.address = Some("192.0.2.1".to_owned());
        entry.fleet = Some("main".parse().unwrap());
        entry.tenant = Some(if number % 2 == 0 { "even" } else { "odd" }.parse().unwrap());
        entry
    };
    let mut tx = store.begin().await.unwrap();
    for number in 0..10 {
        let entry = entry(number);
        assert!(tx.append_audit(&entry).await.unwrap());
        assert!(!tx.append_audit(&AuditEntry { actor: "mallory".to_owned(), ..entry }).await.unwrap());
    }
    tx.commit().await.unwrap();
    let times = async |filter: &AuditFilter| {
        let mut paging = Paging { limit: Limit::new(3), after: None };
        let mut times = Vec::new();
        loop {
            let page = store.audit(filter, &paging).await.unwrap();
            times.extend(page.items.iter().map(|entry| entry.at.as_millisecond()));
            paging.after = page.next;
            if paging.after.is_none() {
                return times;
            }
        }
    };
    assert_eq!(times(&AuditFilter::default()).await, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    let tenant = TenantKey { fleet: "main".parse().unwrap(), tenant: "odd".parse().unwrap() };
    let filter = AuditFilter { scope: Scope::Tenants(vec![tenant]), since: Some(time(3)), ..AuditFilter::default() };
    assert_eq!(times(&filter).await, [9, 7, 5, 3]);
    let filter = AuditFilter { until: Some(time(2)), actor: Some("github:alice".to_owned()), ..AuditFilter::default() };
    assert_eq!(times(&filter).await, [1, 0]);
    let filter = AuditFilter { actor: Some("mallory".to_owned()), ..AuditFilter::default() };
    assert!(times(&filter).await.is_empty());
}

/// What an index of a fleet has, and a row of each kind that it does not have.
async fn fill(store: &Store, fleet: &str) {
    let app = app(store, fleet, "growth").await;
    let mut change = change("shop", 1);
    change.fleet = app.fleet.clone();
    change.state = ChangeState::Merged;
    let deployment = Deployment {
        app_id: app.id.clone(),
        environment: "staging".parse().unwrap(),
        change_id: change.id.clone(),
        version: None,
        image: None,
        status: DeploymentStatus::Success,
        rollback_version: None,
        deployed_by: "x".to_owned(),
        deployed_at: time(1),
        completed_at: None,
        outcome: None,
        detail: None,
    };
    let mut from_git = AuditEntry::service(time(1), "x", "deploy");
    (from_git.source, from_git.fleet) = (AuditSource::Git, Some(app.fleet.clone()));
    let mut seen = AuditEntry::service(time(2), "x", "login");
    seen.fleet = Some(app.fleet.clone());
    let mut tx = store.begin().await.unwrap();
    tx.insert_change(&change, &wooo::store::ChangeContent::default()).await.unwrap();
    tx.put_deployment(&deployment).await.unwrap();
    tx.put_repair(&repair(&app.id, time(1))).await.unwrap();
    tx.put_alert(&alert(Some(&app.id), AlertStatus::Firing, 1)).await.unwrap();
    tx.append_audit(&from_git).await.unwrap();
    tx.append_audit(&seen).await.unwrap();
    tx.commit().await.unwrap();
}

/// How many rows there are: apps, changes, deployments, repairs, alerts, audit.
async fn count(store: &Store) -> [usize; 6] {
    let all = Paging { limit: Limit::new(200), after: None };
    [
        store.apps(&wooo::store::AppFilter::default(), &all).await.unwrap().items.len(),
        store.changes(&ChangeFilter::default(), &all).await.unwrap().items.len(),
        store.deployments(&DeploymentFilter::default(), &all).await.unwrap().items.len(),
        store.repairs(&RepairFilter::default(), &all).await.unwrap().items.len(),
        store.alerts(&AlertFilter::default(), &all).await.unwrap().items.len(),
        store.audit(&AuditFilter::default(), &all).await.unwrap().items.len(),
    ]
}

async fn the_index_is_rebuilt_and_the_rest_stays(db: Database) {
    let store = db.open().await;
    fill(&store, "main").await;
    fill(&store, "other").await;
    assert_eq!(count(&store).await, [2, 2, 2, 2, 2, 4]);
    let mut tx = store.begin().await.unwrap();
    tx.reset_index(&"main".parse().unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    // The change of `main` was accepted and never made, so Git does not know of it.
    assert_eq!(count(&store).await, [1, 2, 1, 1, 2, 3]);
    let made = ChangeUpdate { commit_sha: Some("0".repeat(40)), ..ChangeUpdate::default() };
    let mut tx = store.begin().await.unwrap();
    for change in store.changes(&ChangeFilter::default(), &Paging::default()).await.unwrap().items {
        tx.update_change(&change.id, change.version, &made).await.unwrap();
    }
    tx.reset_index(&"main".parse().unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&store).await, [1, 1, 1, 1, 2, 3]);
}
