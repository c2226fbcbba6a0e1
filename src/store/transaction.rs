//! Transactions, plain and fenced. The writes of each entity are methods of [`Tx`] in the entity's own file.

use jiff::Timestamp;
use sqlx::Transaction;
use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;

use super::db::Db;
use super::statement::{On, Statement};
use super::{Error, Store};

/// A transaction. Nothing of it is seen by others before [`Tx::commit`]; dropped, it is as if it had never been.
///
/// On SQLite there is one at a time, so do nothing slow while you have one.
pub struct Tx {
    inner: Inner,
    store: Store,
    wakes: bool,
}

enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Store {
    /// Begins a transaction.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if no connection is to be had, [`Error::Busy`] if another process locks the file.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let inner = match &self.inner.db {
            // A transaction that only becomes a writer later could fail in the middle, so each is one from the start.
            Db::Sqlite { write, .. } => Inner::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Db::Postgres(pool) => Inner::Postgres(pool.begin().await?),
        };
        Ok(Tx { inner, store: self.clone(), wakes: false })
    }
}

impl Tx {
    /// Makes everything in it last.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the connection is lost; whether it lasts is not known then.
    pub async fn commit(self) -> Result<(), Error> {
        match self.inner {
            Inner::Sqlite(transaction) => transaction.commit().await?,
            Inner::Postgres(transaction) => transaction.commit().await?,
        }
        if self.wakes {
            self.store.inner.wake.notify();
        }
        Ok(())
    }

    /// Undoes everything in it. Dropping does the same a little later.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the connection is lost; it is undone then too.
    pub async fn rollback(self) -> Result<(), Error> {
        match self.inner {
            Inner::Sqlite(transaction) => transaction.rollback().await?,
            Inner::Postgres(transaction) => transaction.rollback().await?,
        }
        Ok(())
    }

    /// The time as the database has it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it does not answer.
    pub async fn now(&mut self) -> Result<Timestamp, Error> {
        match Statement::new("SELECT {now} AS now").first(self.on()).await? {
            Some(row) => row.time("now"),
            None => Err(Error::Failed("the database does not say the time".to_owned())),
        }
    }

    /// Where its statements run.
    pub(super) fn on(&mut self) -> On<'_> {
        match &mut self.inner {
            Inner::Sqlite(transaction) => On::Sqlite(transaction),
            Inner::Postgres(transaction) => On::Postgres(transaction),
        }
    }

    /// Says that there is work once it is committed: to this process, and with PostgreSQL to all.
    pub(super) async fn wake(&mut self) -> Result<(), Error> {
        if !self.wakes {
            self.wakes = true;
            if let On::Postgres(_) = self.on() {
                Statement::new("SELECT pg_notify('wooo_jobs', '')").run(self.on()).await?;
            }
        }
        Ok(())
    }
}
