//! The queue: dedup, order, one at a time by key, leases, fences, waking.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use wooo::store::{Job, JobState, NewJob, Store};

use super::{Database, is_lease_lost, on_both};

const MINUTE: Duration = Duration::from_secs(60);
/// Long enough for a statement, short enough to wait for.
const SHORT: Duration = Duration::from_millis(400);

on_both! {
    a_queued_job_is_queued_once,
    a_running_job_can_be_queued_again,
    the_most_urgent_job_comes_first,
    jobs_of_one_key_run_one_at_a_time,
    no_job_is_lost_or_run_twice,
    an_expired_lease_is_taken_over,
    an_exhausted_job_is_handed_out_to_be_given_up,
    failures_count_and_end,
    looking_again_later_is_no_failure,
    a_retry_gives_way_to_its_twin,
    a_job_is_queued_with_its_transaction,
    sleepers_are_woken,
    the_queue_can_be_counted,
    a_named_lease_has_one_holder,
}

async fn claim(store: &Store, lease: Duration) -> Option<Job> {
    store.claim("w", &["a", "b"], lease).await.unwrap()
}

async fn a_queued_job_is_queued_once(db: Database) {
    let store = db.open().await;
    let late = Timestamp::now() + Duration::from_secs(3600);
    let first = store.enqueue(&NewJob::new("a", "1").dedup("k").at(late).priority(5)).await.unwrap();
    assert!(claim(&store, MINUTE).await.is_none(), "it is not due");
    let second = store.enqueue(&NewJob::new("a", "1").dedup("k")).await.unwrap();
    assert_eq!(first, second);
    let job = claim(&store, MINUTE).await.expect("it is due since the earlier time was kept");
    assert_eq!((job.id.clone(), job.priority, job.attempts, job.token), (first, 5, 1, 1));
    assert!(claim(&store, MINUTE).await.is_none());
    // Jobs without a key are all different.
    store.enqueue(&NewJob::new("b", "x")).await.unwrap();
    store.enqueue(&NewJob::new("b", "x")).await.unwrap();
    assert!(claim(&store, MINUTE).await.is_some() && claim(&store, MINUTE).await.is_some());
    assert!(store.claim("w", &[], MINUTE).await.unwrap().is_none());
    assert!(store.claim("w", &["other"], MINUTE).await.unwrap().is_none());
}

async fn a_running_job_can_be_queued_again(db: Database) {
    let store = db.open().await;
    let first = store.enqueue(&NewJob::new("a", "1").dedup("k").serial("s")).await.unwrap();
    let running = claim(&store, MINUTE).await.unwrap();
    let second = store.enqueue(&NewJob::new("a", "1").dedup("k").serial("s")).await.unwrap();
    assert_ne!(first, second, "what happens while it runs may be unseen by it");
    assert!(claim(&store, MINUTE).await.is_none(), "not while the first runs");
    store.complete(&running.fence()).await.unwrap();
    assert_eq!(claim(&store, MINUTE).await.unwrap().id, second);
}

async fn the_most_urgent_job_comes_first(db: Database) {
    let store = db.open().await;
    let past = |seconds| Timestamp::now() - Duration::from_secs(seconds);
    for (payload, priority, age) in [("3", 0, 10), ("4", 0, 5), ("1", 9, 1), ("2", 0, 20)] {
        let job = NewJob::new("a", payload).priority(priority).at(past(age));
        store.enqueue(&job).await.unwrap();
    }
    let mut order = Vec::new();
    while let Some(job) = claim(&store, MINUTE).await {
        order.push(job.payload);
    }
    assert_eq!(order, ["1", "2", "3", "4"]);
}

/// Runs all jobs with eight workers; returns how often each payload ran, and the most jobs of one key at a time.
async fn work_off(store: &Store) -> (HashMap<String, usize>, usize) {
    let running: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let ran: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    let most = Arc::new(Mutex::new(0));
    let mut workers = Vec::new();
    for number in 0..8 {
        let (store, running, ran, most) = (store.clone(), Arc::clone(&running), Arc::clone(&ran), Arc::clone(&most));
        workers.push(tokio::spawn(async move {
            let mut idle = 0;
            while idle < 20 {
                let Some(job) = store.claim(&format!("w{number}"), &["a"], MINUTE).await.unwrap() else {
                    idle += 1;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                idle = 0;
                let key = job.serial_key.clone().unwrap_or_else(|| job.payload.clone());
                {
                    let mut running = running.lock().unwrap();
                    let count = running.entry(key.clone()).or_default();
                    *count += 1;
                    let mut most = most.lock().unwrap();
                    *most = (*most).max(*count);
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
                *ran.lock().unwrap().entry(job.payload.clone()).or_default() += 1;
                *running.lock().unwrap().get_mut(&key).unwrap() -= 1;
                store.complete(&job.fence()).await.unwrap();
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    let ran = ran.lock().unwrap().clone();
    let most = *most.lock().unwrap();
    (ran, most)
}

async fn jobs_of_one_key_run_one_at_a_time(db: Database) {
    let store = db.open().await;
    for number in 0..60 {
        let job = NewJob::new("a", number.to_string()).serial(format!("app{}", number % 3));
        store.enqueue(&job).await.unwrap();
    }
    let (ran, most) = work_off(&store).await;
    assert_eq!(most, 1);
    assert_eq!((ran.len(), ran.values().sum::<usize>()), (60, 60));
}

async fn no_job_is_lost_or_run_twice(db: Database) {
    let store = db.open().await;
    for number in 0..200 {
        store.enqueue(&NewJob::new("a", number.to_string())).await.unwrap();
    }
    let (ran, _) = work_off(&store).await;
    assert_eq!((ran.len(), ran.values().sum::<usize>()), (200, 200));
    let counts = store.job_counts().await.unwrap();
    assert_eq!(counts.iter().map(|count| (count.state, count.count)).collect::<Vec<_>>(), [(JobState::Done, 200)]);
}

async fn an_expired_lease_is_taken_over(db: Database) {
    let store = db.open().await;
    store.enqueue(&NewJob::new("a", "1").serial("s")).await.unwrap();
    let slow = claim(&store, SHORT).await.unwrap();
    assert!(claim(&store, MINUTE).await.is_none());
    store.extend(&slow.fence(), SHORT).await.unwrap();
    store.fenced(&slow.fence()).await.unwrap().commit().await.unwrap();
    tokio::time::sleep(SHORT + Duration::from_millis(100)).await;
    // Nobody has taken it yet, and still its time is over.
    assert!(is_lease_lost(&store.fenced(&slow.fence()).await));
    assert!(is_lease_lost(&store.extend(&slow.fence(), MINUTE).await));
    let quick = claim(&store, MINUTE).await.expect("it is claimed again");
    assert_eq!((&quick.id, quick.token, quick.attempts), (&slow.id, slow.token + 1, 2));
    assert!(is_lease_lost(&store.fenced(&slow.fence()).await));
    assert!(is_lease_lost(&store.complete(&slow.fence()).await));
    assert!(is_lease_lost(&store.fail(&slow.fence(), "x", None).await));
    assert!(is_lease_lost(&store.reschedule(&slow.fence(), MINUTE).await));
    store.complete(&quick.fence()).await.unwrap();
    assert!(is_lease_lost(&store.fenced(&quick.fence()).await), "what is done is done");
    assert_eq!(store.job(&quick.id).await.unwrap().unwrap().state, JobState::Done);
}

async fn an_exhausted_job_is_handed_out_to_be_given_up(db: Database) {
    let store = db.open().await;
    store.enqueue(&NewJob::new("a", "1").attempts(1)).await.unwrap();
    assert!(!claim(&store, Duration::ZERO).await.unwrap().is_exhausted());
    tokio::time::sleep(Duration::from_millis(20)).await;
    let job = claim(&store, MINUTE).await.unwrap();
    assert!(job.is_exhausted());
    let state = store.fail(&job.fence(), "its workers died", Some(Duration::ZERO)).await.unwrap();
    assert_eq!(state, JobState::Failed);
}

async fn failures_count_and_end(db: Database) {
    let store = db.open().await;
    store.enqueue(&NewJob::new("a", "1").attempts(2)).await.unwrap();
    let job = claim(&store, MINUTE).await.unwrap();
    let state = store.fail(&job.fence(), "once", Some(SHORT)).await.unwrap();
    assert_eq!(state, JobState::Queued);
    assert!(claim(&store, MINUTE).await.is_none(), "it waits");
    tokio::time::sleep(SHORT).await;
    let again = claim(&store, MINUTE).await.unwrap();
    assert_eq!((again.attempts, again.last_error.as_deref(), again.token), (2, Some("once"), 2));
    assert!(again.run_at >= job.run_at + SHORT);
    let state = store.fail(&again.fence(), "twice", Some(Duration::ZERO)).await.unwrap();
    assert_eq!(state, JobState::Failed);
    let ended = store.job(&job.id).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.last_error.as_deref()), (JobState::Failed, Some("twice")));
    assert!(ended.finished_at.is_some() && ended.lease_until.is_none());
    assert!(claim(&store, MINUTE).await.is_none());
    assert_eq!(store.prune_jobs(MINUTE).await.unwrap(), 0);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(store.prune_jobs(Duration::ZERO).await.unwrap(), 1);
}

async fn looking_again_later_is_no_failure(db: Database) {
    let store = db.open().await;
    store.enqueue(&NewJob::new("a", "1").attempts(1).serial("s")).await.unwrap();
    for round in 1..=5 {
        let job = claim(&store, MINUTE).await.unwrap();
        assert_eq!((job.attempts, job.token, job.is_exhausted()), (1, round, false));
        store.reschedule(&job.fence(), Duration::ZERO).await.unwrap();
    }
}

async fn a_retry_gives_way_to_its_twin(db: Database) {
    let store = db.open().await;
    store.enqueue(&NewJob::new("a", "1").dedup("k")).await.unwrap();
    let first = claim(&store, MINUTE).await.unwrap();
    let twin = store.enqueue(&NewJob::new("a", "1").dedup("k")).await.unwrap();
    store.fail(&first.fence(), "x", Some(Duration::ZERO)).await.unwrap();
    assert_eq!(store.job(&first.id).await.unwrap().unwrap().state, JobState::Done);
    let second = claim(&store, MINUTE).await.unwrap();
    assert_eq!(second.id, twin);
    store.enqueue(&NewJob::new("a", "1").dedup("k")).await.unwrap();
    store.reschedule(&second.fence(), Duration::ZERO).await.unwrap();
    assert!(claim(&store, MINUTE).await.is_some());
    assert!(claim(&store, MINUTE).await.is_none());
}

async fn a_job_is_queued_with_its_transaction(db: Database) {
    let store = db.open().await;
    let mut tx = store.begin().await.unwrap();
    tx.enqueue(&NewJob::new("a", "1")).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.enqueue(&NewJob::new("a", "2")).await.unwrap();
    drop(tx);
    assert!(claim(&store, MINUTE).await.is_none());
    let mut tx = store.begin().await.unwrap();
    tx.enqueue(&NewJob::new("a", "3")).await.unwrap();
    tx.commit().await.unwrap();
    let job = claim(&store, MINUTE).await.unwrap();
    assert_eq!(job.payload, "3");
    // The last write of a job and its end are one.
    let mut tx = store.fenced(&job.fence()).await.unwrap();
    tx.enqueue(&NewJob::new("b", "4")).await.unwrap();
    tx.complete(&job.fence()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(&store, MINUTE).await.unwrap().payload, "4");
}

async fn sleepers_are_woken(db: Database) {
    let store = db.open().await;
    // On PostgreSQL another process announces the work.
    let other = if store.is_shared() { db.open().await } else { store.clone() };
    store.wait_for_work(Duration::from_secs(1)).await;
    let started = Instant::now();
    let sleepers: Vec<_> = (0..3)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                loop {
                    if let Some(job) = store.claim("w", &["a"], MINUTE).await.unwrap() {
                        return job.payload;
                    }
                    store.wait_for_work(Duration::from_secs(20)).await;
                }
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut tx = other.begin().await.unwrap();
    for payload in ["1", "2", "3"] {
        tx.enqueue(&NewJob::new("a", payload)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut payloads = Vec::new();
    for sleeper in sleepers {
        payloads.push(sleeper.await.unwrap());
    }
    payloads.sort();
    assert_eq!(payloads, ["1", "2", "3"]);
    assert!(started.elapsed() < Duration::from_millis(1200), "{:?}", started.elapsed());
    let started = Instant::now();
    store.wait_for_work(Duration::from_millis(50)).await;
    store.wait_for_work(Duration::from_millis(50)).await;
    store.close().await;
    assert!(started.elapsed() < Duration::from_secs(2));
}

async fn the_queue_can_be_counted(db: Database) {
    let store = db.open().await;
    assert_eq!(store.oldest_job_wait().await.unwrap(), None);
    store.enqueue(&NewJob::new("a", "1").at(Timestamp::now() - MINUTE)).await.unwrap();
    store.enqueue(&NewJob::new("b", "1").at(Timestamp::now() + MINUTE)).await.unwrap();
    let wait = store.oldest_job_wait().await.unwrap().unwrap();
    assert!((MINUTE..MINUTE * 2).contains(&wait), "{wait:?}");
    claim(&store, MINUTE).await.unwrap();
    assert_eq!(store.oldest_job_wait().await.unwrap(), None);
    let counts = store.job_counts().await.unwrap();
    let counts: Vec<_> = counts.iter().map(|count| (count.kind.as_str(), count.state, count.count)).collect();
    assert_eq!(counts, [("a", JobState::Running, 1), ("b", JobState::Queued, 1)]);
}

async fn a_named_lease_has_one_holder(db: Database) {
    let store = db.open().await;
    let first = store.acquire("refresh", "a", SHORT).await.unwrap().unwrap();
    assert_eq!(store.acquire("refresh", "b", SHORT).await.unwrap(), None);
    store.renew(&first, SHORT).await.unwrap();
    store.leased(&first).await.unwrap().commit().await.unwrap();
    tokio::time::sleep(SHORT + Duration::from_millis(50)).await;
    assert!(is_lease_lost(&store.renew(&first, SHORT).await));
    assert!(is_lease_lost(&store.leased(&first).await));
    let second = store.acquire("refresh", "b", MINUTE).await.unwrap().unwrap();
    assert!(second.token > first.token);
    store.release(&first).await.unwrap();
    assert_eq!(store.acquire("refresh", "a", MINUTE).await.unwrap(), None, "what was lost cannot be given back");
    store.release(&second).await.unwrap();
    let third = store.acquire("refresh", "a", MINUTE).await.unwrap().unwrap();
    assert!(third.token > second.token);
}
