//! Opening: addresses, the lock of a file, the schema and its history, and a database that goes away.

use std::time::{Duration, Instant};

use wooo::store::{AppRecord, ChangeContent, Error, NewJob, Options, Paging, Store};

use super::changes::change;
use super::{Database, on_both};
use crate::postgres::Postgres;

on_both! {
    a_database_opens_again_and_keeps_what_it_has,
    a_later_schema_is_refused,
    each_migration_keeps_what_is_there,
    the_store_has_a_clock,
    writers_wait_for_each_other,
}

/// The version of the schema that this program makes.
const NEWEST: i64 = 4;

async fn a_database_opens_again_and_keeps_what_it_has(db: Database) {
    let store = db.open().await;
    store.ping().await.unwrap();
    let id = store.enqueue(&NewJob::new("a", "1")).await.unwrap();
    store.close().await;
    assert!(store.ping().await.is_err());
    let store = db.open().await;
    assert!(store.job(&id).await.unwrap().is_some());
    assert_eq!(store.schema_version().await.unwrap(), NEWEST);
}

async fn a_later_schema_is_refused(db: Database) {
    let store = db.open().await;
    store.close().await;
    run(&db.address, "INSERT INTO schema_versions (version, name, digest, applied_at) VALUES (99, 'x', 'y', 0)").await;
    let error = Store::open(&db.address).await.unwrap_err();
    assert!(matches!(error, Error::Newer { found: 99, known: NEWEST }), "{error:?}");
    assert_eq!(error.code(), "store.newer");
    run(&db.address, "DELETE FROM schema_versions WHERE version = 99").await;
    run(&db.address, "UPDATE schema_versions SET digest = 'z' WHERE version = 1").await;
    let error = Store::open(&db.address).await.unwrap_err();
    assert!(matches!(error, Error::Schema { version: 1 }), "{error:?}");
}

async fn each_migration_keeps_what_is_there(db: Database) {
    let old = Store::open_at(&db.address, 1).await.unwrap();
    assert_eq!(old.schema_version().await.unwrap(), 1);
    let change = change("shop", 1);
    let at = change.created_at;
    let app = AppRecord::new(change.fleet.clone(), change.app.clone(), "standard".parse().unwrap(), at);
    let mut tx = old.begin().await.unwrap();
    tx.put_app(&app).await.unwrap();
    tx.insert_change(&change, &ChangeContent::default()).await.unwrap();
    tx.enqueue(&NewJob::new("a", change.id.as_str()).dedup("k")).await.unwrap();
    tx.commit().await.unwrap();
    let running = old.claim("w", &["a"], Duration::from_secs(60)).await.unwrap().unwrap();
    assert!(old.users(&Paging::default()).await.is_err(), "that table comes with the second");
    old.close().await;
    let new = db.open().await;
    assert_eq!(new.schema_version().await.unwrap(), NEWEST);
    assert_eq!(new.app(&app.id).await.unwrap(), Some(app));
    assert_eq!(new.change(&change.id).await.unwrap(), Some(change));
    new.complete(&running.fence()).await.unwrap();
    assert!(new.users(&Paging::default()).await.unwrap().items.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_may_start_together() {
    let db = Database::postgres();
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let address = db.address.clone();
            tokio::spawn(async move { Store::open(&address).await })
        })
        .collect();
    for start in starts {
        assert_eq!(start.await.unwrap().unwrap().schema_version().await.unwrap(), NEWEST);
    }
}

/// A statement past the store.
async fn run(address: &str, sql: &'static str) {
    use sqlx::{Connection, Executor};
    if address.starts_with("postgres") {
        let mut connection = sqlx::PgConnection::connect(address).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = sqlx::SqliteConnection::connect(address).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    }
}

async fn the_store_has_a_clock(db: Database) {
    let store = db.open().await;
    let before = jiff::Timestamp::now();
    let now = store.now().await.unwrap();
    assert!((now - before).total(jiff::Unit::Millisecond).unwrap().abs() < 2000.0);
}

async fn writers_wait_for_each_other(db: Database) {
    let store = db.open().await;
    let writers: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.enqueue(&NewJob::new("a", number.to_string())).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(store.job_counts().await.unwrap().iter().map(|count| count.count).sum::<i64>(), 100);
}

#[tokio::test]
async fn a_second_process_is_refused_the_file() {
    let db = Database::sqlite();
    let store = db.open().await;
    let error = Store::open(&db.address).await.unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error:?}");
    assert_eq!(error.code(), "store.in_use");
    assert!(error.to_string().ends_with("wooo.db` is in use by another process"), "{error}");
    store.close().await;
    db.open().await;
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let db = Database::sqlite();
    db.open().await;
    let path = db.address.strip_prefix("sqlite://").unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_database_in_memory_is_always_empty() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    store.enqueue(&NewJob::new("a", "1")).await.unwrap();
    let other = Store::open("sqlite::memory:").await.unwrap();
    assert!(other.job_counts().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_address_is_never_repeated() {
    for address in ["mysql://u:hunter2@h/d", "postgres://u:hunter2@127.0.0.1:1/d", "postgres://u:hunter2@:x/d", ""] {
        let error = Store::open(address).await.unwrap_err();
        let text = format!("{error:?} {error} {:?}", error.problem());
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_may_go_away_and_come_back() {
    let server = Postgres::start();
    let options = Options { acquire_timeout: Duration::from_secs(2), ..Options::default() };
    let store = Store::open_with(&server.database(), &options).await.unwrap();
    let id = store.enqueue(&NewJob::new("a", "1")).await.unwrap();
    store.wait_for_work(Duration::from_millis(500)).await;
    server.stop();
    for result in [store.ping().await, store.enqueue(&NewJob::new("a", "2")).await.map(drop)] {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert!(error.is_temporary());
    }
    server.start_again();
    let started = Instant::now();
    while store.ping().await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(store.job(&id).await.unwrap().is_some());
    assert!(store.claim("w", &["a"], Duration::from_secs(9)).await.unwrap().is_some());
    // The listener comes back too.
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    store.wait_for_work(Duration::from_millis(1)).await;
    let other = store.clone();
    let sleeper = tokio::spawn(async move { other.wait_for_work(Duration::from_secs(20)).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    store.enqueue(&NewJob::new("a", "3")).await.unwrap();
    sleeper.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
