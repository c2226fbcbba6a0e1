//! Sessions of people who signed in. When one is over is decided by the database's clock.

use std::time::Duration;

use jiff::Timestamp;

use super::statement::{Row, Statement, arg};
use super::{Error, SessionId, Store, Tx, UserId};

/// A session that is neither over nor ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    /// Its identity.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it is over.
    pub expires_at: Timestamp,
}

fn read(row: &Row) -> Result<Session, Error> {
    Ok(Session {
        id: row.parse("id")?,
        user_id: row.parse("user_id")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}

fn live() -> Statement {
    Statement::new("SELECT id, user_id, created_at, expires_at FROM sessions WHERE ")
        .sql("revoked_at IS NULL AND expires_at > {now}")
}

impl Store {
    /// A session, as long as it lasts.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn session(&self, id: &SessionId) -> Result<Option<Session>, Error> {
        live().and_equal("id", Some(id)).first(self.read()).await?.map(|row| read(&row)).transpose()
    }

    /// The sessions of a person that last, newest first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn sessions_of(&self, user: &UserId) -> Result<Vec<Session>, Error> {
        let statement = live().and_equal("user_id", Some(user)).sql(" ORDER BY created_at DESC, id DESC LIMIT 200");
        statement.all(self.read()).await?.iter().map(read).collect()
    }

    /// Deletes sessions that have been over for `age`, and says how many.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn prune_sessions(&self, age: Duration) -> Result<u64, Error> {
        Statement::new("DELETE FROM sessions WHERE expires_at < {now} - ").arg(age).run(self.write()).await
    }
}

impl Tx {
    /// Begins a session that lasts for `lifetime`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is no such person.
    pub async fn insert_session(&mut self, user: &UserId, lifetime: Duration) -> Result<Session, Error> {
        let id = SessionId::random();
        let statement = Statement::insert("sessions", vec![("id", arg(&id)), ("user_id", arg(user))])
            .with_now("created_at")
            .with_now_plus("expires_at", lifetime)
            .sql(" RETURNING id, user_id, created_at, expires_at");
        statement.first(self.on()).await?.map_or(Err(Error::NotFound { what: "session" }), |row| read(&row))
    }

    /// Ends a session. One that is over already is no error.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn revoke_session(&mut self, id: &SessionId) -> Result<(), Error> {
        let statement = Statement::new("UPDATE sessions SET revoked_at = {now} WHERE revoked_at IS NULL");
        statement.and_equal("id", Some(id)).run(self.on()).await?;
        Ok(())
    }
}
