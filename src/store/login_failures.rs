//! Attempts to sign in, counted before they are looked at, and the growing waits between them. Counted in the database, so
//! that neither a restart nor another replica starts afresh.

use std::time::Duration;

use super::statement::{Statement, arg};
use super::{Error, Store};

impl Store {
    /// Counts an attempt to sign in, before anybody looks at the password: many attempts at once get no further than as
    /// many one after the other. `Some` is how long the key is still locked; the attempt is not counted then. Else the
    /// attempt may go on, and the key is locked for as long as `wait` says after so many; forgetting the
    /// failures takes that back if the password is right. What is older than `forget_after` does not count.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn admit_login(
        &self,
        key: &str,
        forget_after: Duration,
        wait: impl Fn(u32) -> Option<Duration>,
    ) -> Result<Option<Duration>, Error> {
        let mut tx = self.begin().await?;
        let count = Statement::insert("login_failures", vec![("key", arg(key)), ("failures", arg(1_i64))])
            .with_now("first_at")
            .sql(" ON CONFLICT (key) DO UPDATE SET failures = CASE WHEN login_failures.first_at + ")
            .arg(forget_after)
            .sql(" < {now} THEN 1 ELSE login_failures.failures + 1 END, ")
            .sql("first_at = CASE WHEN login_failures.first_at + ")
            .arg(forget_after)
            .sql(" < {now} THEN {now} ELSE login_failures.first_at END ")
            .sql(
                "WHERE login_failures.locked_until IS NULL OR login_failures.locked_until <= {now} RETURNING failures",
            );
        let Some(row) = count.first(tx.on()).await? else {
            let statement =
                Statement::new("SELECT locked_until - {now} AS rest FROM login_failures WHERE key = ").arg(key);
            let rest = statement.first(tx.on()).await?.map(|row| row.get::<Option<i64>>("rest")).transpose()?.flatten();
            tx.rollback().await?;
            // It may have ended just now.
            let rest = rest.and_then(|rest| u64::try_from(rest).ok()).unwrap_or_default();
            return Ok(Some(Duration::from_millis(rest.max(1))));
        };
        if let Some(wait) = wait(row.number("failures")?) {
            let lock = Statement::new("UPDATE login_failures SET locked_until = {now} + ").arg(wait);
            lock.sql(" WHERE key = ").arg(key).run(tx.on()).await?;
        }
        tx.commit().await?;
        Ok(None)
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
