//! Requests that are sent twice: the second gets the answer of the first.
//!
//! The key is written in the transaction of what the request does. So there is either both, with the answer, or neither;
//! a twin that comes meanwhile waits for the first.

use std::time::Duration;

use super::statement::{Row, Statement, arg};
use super::{Error, Store, Tx, UserId};

/// What tells a request from others.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct IdempotencyKey {
    /// What the caller sent as its key.
    pub key: String,
    /// The caller.
    pub user_id: UserId,
    /// The method and path pattern.
    pub route: String,
}

/// An answer that was given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u32,
    /// The body.
    pub response: String,
}

/// What is known of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Attempt {
    /// It is the first with its key: do it, and finish in the same transaction.
    First,
    /// It was answered.
    Answered(Answer),
    /// The key was used for a request with another body.
    Different,
    /// One with its key was begun, and committed without an answer.
    Unanswered,
}

impl Store {
    /// Forgets keys older than `age`, and says how many.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn prune_idempotency_keys(&self, age: Duration) -> Result<u64, Error> {
        Statement::new("DELETE FROM idempotency_keys WHERE created_at < {now} - ").arg(age).run(self.write()).await
    }
}

impl Tx {
    /// Forgets a key that is older than `answered`, or that has had no answer for longer than `unanswered`: whoever began
    /// it is gone.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn expire_request(
        &mut self,
        key: &IdempotencyKey,
        answered: Duration,
        unanswered: Duration,
    ) -> Result<(), Error> {
        let statement = of(Statement::new("DELETE FROM idempotency_keys"), key).sql(" AND (created_at < {now} - ");
        let statement = statement.arg(answered).sql(" OR (status IS NULL AND created_at < {now} - ").arg(unanswered);
        statement.sql("))").run(self.on()).await?;
        Ok(())
    }

    /// Forgets a key whose request came to nothing, so that it can be used again.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn forget_request(&mut self, key: &IdempotencyKey) -> Result<(), Error> {
        of(Statement::new("DELETE FROM idempotency_keys"), key).run(self.on()).await?;
        Ok(())
    }

    /// Forgets every key whose request has no answer: for the one process of a database, when it starts.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn forget_unanswered_requests(&mut self) -> Result<(), Error> {
        Statement::new("DELETE FROM idempotency_keys WHERE status IS NULL").run(self.on()).await?;
        Ok(())
    }

    /// Writes the key down, if it is new. A twin in another transaction is waited for.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn begin_request(&mut self, key: &IdempotencyKey, body_hash: &str) -> Result<Attempt, Error> {
        let fields = vec![
            ("key", arg(&key.key)),
            ("user_id", arg(&key.user_id)),
            ("route", arg(&key.route)),
            ("body_hash", arg(body_hash)),
        ];
        let insert = Statement::insert("idempotency_keys", fields).with_now("created_at");
        if insert.sql(" ON CONFLICT (user_id, route, key) DO NOTHING").run(self.on()).await? == 1 {
            return Ok(Attempt::First);
        }
        let statement = Statement::new("SELECT body_hash, status, response FROM idempotency_keys");
        let row = of(statement, key).first(self.on()).await?.ok_or(Error::Busy("a key was just forgotten".into()))?;
        if row.get::<String>("body_hash")? != body_hash {
            return Ok(Attempt::Different);
        }
        let answer = |row: &Row| {
            let status: Option<i64> = row.get("status")?;
            let status = status.and_then(|status| u32::try_from(status).ok());
            Ok::<_, Error>(status.zip(row.get::<Option<String>>("response")?))
        };
        Ok(match answer(&row)? {
            Some((status, response)) => Attempt::Answered(Answer { status, response }),
            None => Attempt::Unanswered,
        })
    }

    /// Writes the answer down.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the request was not begun.
    pub async fn finish_request(&mut self, key: &IdempotencyKey, answer: &Answer) -> Result<(), Error> {
        let fields = vec![("status", arg(answer.status)), ("response", arg(&answer.response))];
        match of(Statement::update("idempotency_keys", fields), key).run(self.on()).await? {
            0 => Err(Error::NotFound { what: "idempotency key" }),
            _ => Ok(()),
        }
    }
}

fn of(statement: Statement, key: &IdempotencyKey) -> Statement {
    statement
        .sql(" WHERE user_id = ")
        .arg(&key.user_id)
        .and_equal("route", Some(&key.route))
        .and_equal("key", Some(&key.key))
}
