//! Failed attempts to sign in, and the locks that follow. Counted in the database, so that neither a restart nor another
//! replica starts afresh.

use std::time::Duration;

use jiff::Timestamp;

use super::statement::{Row, Statement, arg};
use super::{Error, Store};

/// When a key is locked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LockRule {
    /// So many failures...
    pub limit: u32,
    /// ...within this time...
    pub within: Duration,
    /// ...lock for this long.
    pub locked_for: Duration,
}

/// The failures of a key: an address, a network address, or both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LoginFailures {
    /// How many, since the first that counts.
    pub failures: u32,
    /// When the first of them was.
    pub first_at: Timestamp,
    /// Until when the key is locked, if it was locked.
    pub locked_until: Option<Timestamp>,
}

impl Store {
    /// How long a key is still locked; `None` if it is not.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn login_lock(&self, key: &str) -> Result<Option<Duration>, Error> {
        let statement = Statement::new("SELECT locked_until - {now} AS rest FROM login_failures WHERE key = ").arg(key);
        let row = statement.sql(" AND locked_until > {now}").first(self.read()).await?;
        let rest = row.map(|row| row.get::<i64>("rest")).transpose()?;
        Ok(rest.map(|rest| Duration::from_millis(u64::try_from(rest).unwrap_or_default())))
    }

    /// Counts a failure, and locks the key if `rule` says so.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn record_login_failure(&self, key: &str, rule: &LockRule) -> Result<LoginFailures, Error> {
        let mut tx = self.begin().await?;
        let count = Statement::insert("login_failures", vec![("key", arg(key)), ("failures", arg(1_i64))])
            .with_now("first_at")
            .sql(" ON CONFLICT (key) DO UPDATE SET failures = CASE WHEN login_failures.first_at + ")
            .arg(rule.within)
            .sql(" < {now} THEN 1 ELSE login_failures.failures + 1 END, ")
            .sql("first_at = CASE WHEN login_failures.first_at + ")
            .arg(rule.within)
            .sql(" < {now} THEN {now} ELSE login_failures.first_at END");
        count.run(tx.on()).await?;
        let lock = Statement::new("UPDATE login_failures SET locked_until = {now} + ")
            .arg(rule.locked_for)
            .sql(" WHERE key = ")
            .arg(key)
            .sql(" AND failures >= ")
            .arg(rule.limit);
        lock.run(tx.on()).await?;
        let read = |row: Row| {
            Ok(LoginFailures {
                failures: row.number("failures")?,
                first_at: row.time("first_at")?,
                locked_until: row.time_or_null("locked_until")?,
            })
        };
        let statement = Statement::new("SELECT failures, first_at, locked_until FROM login_failures WHERE key = ");
        let row = statement.arg(key).first(tx.on()).await?;
        let failures = row.map_or(Err(Error::NotFound { what: "login failure" }), read)?;
        tx.commit().await?;
        Ok(failures)
    }

    /// Forgets the failures of a key: somebody signed in.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn reset_login_failures(&self, key: &str) -> Result<(), Error> {
        Statement::new("DELETE FROM login_failures WHERE key = ").arg(key).run(self.write()).await?;
        Ok(())
    }

    /// Deletes what is older than `age` and locks nobody, and says how many.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn prune_login_failures(&self, age: Duration) -> Result<u64, Error> {
        Statement::new("DELETE FROM login_failures WHERE first_at < {now} - ")
            .arg(age)
            .sql(" AND (locked_until IS NULL OR locked_until < {now})")
            .run(self.write())
            .await
    }
}
