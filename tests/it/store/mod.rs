//! The store: every test runs on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod apps;
mod changes;
mod events;
mod jobs;
mod opening;
mod people;

use wooo::store::{Error, Store};

use crate::postgres::Postgres;

/// A database of a test's own.
pub(crate) struct Database {
    pub(crate) address: String,
    _folder: Option<tempfile::TempDir>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = format!("sqlite://{}", folder.path().join("wooo.db").display());
        Self { address, _folder: Some(folder) }
    }

    pub(crate) fn postgres() -> Self {
        Self { address: Postgres::shared().database(), _folder: None }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.address).await.expect("the database opens")
    }
}

/// Runs each of the functions, which take a [`Database`], on both kinds of it.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::store::Database::sqlite()).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::store::Database::postgres()).await;
            })+
        }
    };
}
pub(crate) use on_both;

/// Whether the error is the one that says: somebody else has it now.
fn is_lease_lost<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::LeaseLost))
}
