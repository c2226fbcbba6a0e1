//! How a worker without work hears of some: by a notification, of PostgreSQL or within this process.
//!
//! It is a hint. Work whose hint is lost is found when the worker looks again by itself.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Store;
use super::db::{Db, Inner};

/// How long a listener waits before it connects again.
const RECONNECT: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Wake {
    notify: Notify,
    listener: Mutex<Option<JoinHandle<()>>>,
}

impl Wake {
    /// Wakes one worker of this process, or the next that is about to sleep.
    pub(super) fn notify(&self) {
        self.notify.notify_one();
    }

    /// Ends the listening.
    pub(super) fn stop(&self) {
        if let Some(task) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Store {
    /// Sleeps until there may be work, but no longer than `at_most`. Ask for work before and after.
    ///
    /// One sleeper is woken for one piece of work; whoever claims a job wakes the next sleeper, so that all of them are
    /// awake when there is work for all.
    pub async fn wait_for_work(&self, at_most: Duration) {
        self.listen();
        // Having slept for as long as was asked is no error.
        let _ = tokio::time::timeout(at_most, self.inner.wake.notify.notified()).await;
    }

    /// Starts listening to PostgreSQL, once.
    fn listen(&self) {
        let Db::Postgres(pool) = &self.inner.db else { return };
        let mut listener = self.inner.wake.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.is_none() && !pool.is_closed() {
            // The task must not keep the store alive that ends it.
            let store = std::sync::Arc::downgrade(&self.inner);
            *listener = Some(tokio::spawn(follow(pool.clone(), store)));
        }
    }
}

/// Passes on what other processes announce, for as long as the store lives.
async fn follow(pool: PgPool, store: std::sync::Weak<Inner>) {
    while !pool.is_closed() {
        if let Ok(mut listener) = PgListener::connect_with(&pool).await
            && listener.listen("wooo_jobs").await.is_ok()
        {
            loop {
                // What was announced before the connection stood, or while it was lost, was not heard.
                let Some(inner) = store.upgrade() else { return };
                inner.wake.notify();
                drop(inner);
                if listener.try_recv().await.is_err() {
                    break;
                }
            }
        }
        tokio::time::sleep(RECONNECT).await;
    }
}
