//! Apps, their settings and placements; lists of ten thousand.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use wooo::store::{
    AppConfig, AppFilter, AppRecord, Cursor, Error, FleetName, FleetRecord, Limit, Paging, Placement, Scope, Seen,
    Store, TenantKey,
};

use super::{Database, on_both};

on_both! {
    an_app_keeps_its_age_and_status_when_it_is_indexed_again,
    the_value_of_a_secret_cannot_be_stored,
    what_was_seen_last_counts,
    fleets_and_tenants_are_replaced,
    ten_thousand_apps_are_listed_quickly,
}

fn fleet() -> FleetName {
    "main".parse().unwrap()
}

fn app(name: &str) -> AppRecord {
    let at = Timestamp::from_millisecond(1_700_000_000_000).unwrap();
    AppRecord::new(fleet(), name.parse().unwrap(), "standard".parse().unwrap(), at)
}

async fn put(store: &Store, app: &AppRecord) {
    let mut tx = store.begin().await.unwrap();
    tx.put_app(app).await.unwrap();
    tx.commit().await.unwrap();
}

async fn an_app_keeps_its_age_and_status_when_it_is_indexed_again(db: Database) {
    let store = db.open().await;
    let mut written = app("shop");
    written.domain = Some("shop.example.com".parse().unwrap());
    written.framework = Some(wooo::domain::Framework::Flask);
    written.source_type = Some(wooo::domain::app_spec::SourceType::Git);
    put(&store, &written).await;
    assert_eq!(store.app(&written.id).await.unwrap().as_ref(), Some(&written));
    let mut tx = store.begin().await.unwrap();
    tx.set_app_status(&written.id, "running").await.unwrap();
    let absent = tx.set_app_status(&"app-0".parse().unwrap(), "x").await;
    assert!(matches!(absent, Err(Error::NotFound { .. })), "{absent:?}");
    let later = Timestamp::from_millisecond(1_800_000_000_000).unwrap();
    let again = AppRecord { created_at: later, updated_at: later, domain: None, ..written.clone() };
    tx.put_app(&again).await.unwrap();
    tx.commit().await.unwrap();
    let read = store.app_named(&fleet(), &written.name).await.unwrap().unwrap();
    assert_eq!((read.status.as_str(), read.created_at, read.updated_at), ("running", written.created_at, later));
    assert_eq!((read.version, read.domain), (3, None));
    let mut tx = store.begin().await.unwrap();
    tx.delete_app(&written.id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.app(&written.id).await.unwrap(), None);
}

async fn the_value_of_a_secret_cannot_be_stored(db: Database) {
    let store = db.open().await;
    let app = app("shop");
    put(&store, &app).await;
    let config = |key: &str, value: Option<&str>, is_secret| AppConfig {
        environment: None,
        key: key.to_owned(),
        value: value.map(str::to_owned),
        is_secret,
    };
    let good = [config("DATABASE_URL", None, true), config("TZ", Some("Asia/Taipei"), false)];
    let mut tx = store.begin().await.unwrap();
    tx.replace_app_configs(&app.id, &good).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let refused = tx.replace_app_configs(&app.id, &[config("DATABASE_URL", Some("x"), true)]).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    drop(tx);
    assert_eq!(store.app_configs(&app.id).await.unwrap(), good);
}

async fn what_was_seen_last_counts(db: Database) {
    let store = db.open().await;
    let app = app("shop");
    put(&store, &app).await;
    let seen = |health: &str, at: i64| Seen {
        health: Some(health.to_owned()),
        observed_at: Some(Timestamp::from_millisecond(at).unwrap()),
        detail: Some(json!({"pods": 2})),
        ..Seen::default()
    };
    let staging = "staging".parse().unwrap();
    let mut placement = Placement::new(app.id.clone(), "staging".parse().unwrap());
    placement.replicas_max = Some(3);
    placement.host = Some("shop.example.com".parse().unwrap());
    let mut tx = store.begin().await.unwrap();
    tx.put_placement(&placement).await.unwrap();
    tx.put_placement(&Placement::new(app.id.clone(), "production".parse().unwrap())).await.unwrap();
    tx.put_seen(&app.id, &staging, &seen("healthy", 20)).await.unwrap();
    tx.put_seen(&app.id, &staging, &seen("degraded", 10)).await.unwrap();
    tx.put_placement(&placement).await.unwrap();
    tx.retain_placements(&app.id, std::slice::from_ref(&staging)).await.unwrap();
    tx.commit().await.unwrap();
    placement.seen = seen("healthy", 20);
    assert_eq!(store.placements(&app.id).await.unwrap(), [placement.clone()]);
    assert_eq!(store.placements_in(&staging, None, 10).await.unwrap(), [placement]);
    assert!(store.placements_in(&staging, Some(&app.id), 10).await.unwrap().is_empty());
    let orphan = Placement::new("app-0".parse().unwrap(), staging);
    let refused = store.begin().await.unwrap().put_placement(&orphan).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
}

async fn fleets_and_tenants_are_replaced(db: Database) {
    let store = db.open().await;
    let record = FleetRecord {
        name: fleet(),
        url: "https://git.example/fleet.git".to_owned(),
        branch: "main".to_owned(),
        tip: None,
        indexed_at: None,
    };
    let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>();
    let mut tx = store.begin().await.unwrap();
    tx.put_fleet(&record).await.unwrap();
    let record = FleetRecord { tip: Some("abc".to_owned()), ..record };
    tx.put_fleet(&record).await.unwrap();
    tx.replace_tenants(&fleet(), &names(&["a", "b"])).await.unwrap();
    tx.replace_tenants(&fleet(), &names(&["b", "c"])).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.fleets().await.unwrap(), [record]);
    assert_eq!(store.tenants(&fleet()).await.unwrap(), names(&["b", "c"]));
}

async fn ten_thousand_apps_are_listed_quickly(db: Database) {
    let store = db.open().await;
    let mut tx = store.begin().await.unwrap();
    for number in 0..10_000 {
        let mut app = app(&format!("a{number:05}"));
        app.tenant = Some(format!("t{}", number % 50).parse().unwrap());
        app.status = if number % 2 == 0 { "running" } else { "initializing" }.to_owned();
        tx.put_app(&app).await.unwrap();
        if number % 5 == 0 {
            tx.put_placement(&Placement::new(app.id, "staging".parse().unwrap())).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let tenant = TenantKey { fleet: fleet(), tenant: "t7".parse().unwrap() };
    let filters = [
        AppFilter::default(),
        AppFilter { scope: Scope::Tenants(vec![tenant]), ..AppFilter::default() },
        AppFilter { status: Some("running".to_owned()), ..AppFilter::default() },
        AppFilter { environment: Some("staging".parse().unwrap()), ..AppFilter::default() },
        AppFilter { prefix: Some("a09".to_owned()), ..AppFilter::default() },
    ];
    let mut times = Vec::new();
    for (filter, expected) in filters.iter().zip([10_000, 200, 5_000, 2_000, 1_000]) {
        let counted: i64 = store.app_counts(filter).await.unwrap().iter().map(|(_, count)| count).sum();
        assert_eq!(counted, expected);
        let mut names: Vec<String> = Vec::new();
        let mut after: Option<Cursor> = None;
        loop {
            let started = Instant::now();
            let page = store.apps(filter, &Paging { limit: Limit::default(), after }).await.unwrap();
            times.push(started.elapsed());
            names.extend(page.items.into_iter().map(|app| app.name.as_str().to_owned()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(names.is_sorted());
        names.dedup();
        assert_eq!(i64::try_from(names.len()).unwrap(), expected);
    }
    times.sort();
    let p99 = times[times.len() * 99 / 100];
    // Much more than it takes, because other tests run at the same time.
    assert!(p99 < Duration::from_millis(500), "{p99:?}");
}
