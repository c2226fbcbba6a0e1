//! Leases by name: of several replicas one does the periodic work.
//!
//! A lease is only as good as its token: work under it begins its transactions with [`Store::leased`].

use std::time::Duration;

use super::statement::{Statement, arg};
use super::{Error, Store, Tx};

/// A role that is held until it expires.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Lease {
    /// The role.
    pub name: String,
    /// The number of the holding; it only grows.
    pub token: i64,
}

impl Store {
    /// Takes the lease `name` for `duration`, if nobody else has it. Whoever has it already gets it anew, with another
    /// token. `holder` tells the replicas apart.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn acquire(&self, name: &str, holder: &str, duration: Duration) -> Result<Option<Lease>, Error> {
        let fields = vec![("name", arg(name)), ("holder", arg(holder)), ("token", arg(1_i64))];
        let statement = Statement::insert("leases", fields).with_now_plus("expires_at", duration).sql(
            " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, token = leases.token + 1, \
                 expires_at = excluded.expires_at WHERE leases.expires_at <= {now} OR leases.holder = excluded.holder \
                 RETURNING token",
        );
        let row = statement.first(self.write()).await?;
        row.map(|row| Ok(Lease { name: name.to_owned(), token: row.get("token")? })).transpose()
    }

    /// Makes the lease last for `duration` from now.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn renew(&self, lease: &Lease, duration: Duration) -> Result<(), Error> {
        let statement = Statement::new("UPDATE leases SET expires_at = {now} + ").arg(duration);
        match held(statement, lease).run(self.write()).await? {
            0 => Err(Error::LeaseLost),
            _ => Ok(()),
        }
    }

    /// Gives the lease back. A lease that is lost already is no error.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn release(&self, lease: &Lease) -> Result<(), Error> {
        // The row stays, because its token must go on growing.
        held(Statement::new("UPDATE leases SET expires_at = 0"), lease).run(self.write()).await?;
        Ok(())
    }

    /// Begins a transaction that exists only while the lease is held.
    ///
    /// # Errors
    /// [`Error::LeaseLost`], and those of [`Store::begin`].
    pub async fn leased(&self, lease: &Lease) -> Result<Tx, Error> {
        let mut tx = self.begin().await?;
        let check = held(Statement::new("SELECT token FROM leases"), lease).sql(" {for_update}");
        match check.first(tx.on()).await? {
            Some(_) => Ok(tx),
            None => Err(Error::LeaseLost),
        }
    }
}

fn held(statement: Statement, lease: &Lease) -> Statement {
    statement
        .sql(" WHERE name = ")
        .arg(&lease.name)
        .sql(" AND token = ")
        .arg(lease.token)
        .sql(" AND expires_at > {now}")
}
