//! Accounts elsewhere that people sign in with.

use super::statement::{Row, Statement, arg};
use super::{Error, Store, Tx, UserId};

/// An account at a forge or an identity provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// The provider, as the service's settings name it.
    pub provider: String,
    /// What never changes about the account: its number, or the `sub` of OIDC.
    pub subject: String,
    /// Whose it is.
    pub user_id: UserId,
    /// What the account is called at the moment.
    pub username: Option<String>,
}

impl Store {
    /// The accounts of a person, by provider.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn identities(&self, user: &UserId) -> Result<Vec<Identity>, Error> {
        let statement =
            Statement::new("SELECT provider, subject, user_id, username FROM identities WHERE user_id = ").arg(user);
        let read = |row: &Row| {
            Ok(Identity {
                provider: row.get("provider")?,
                subject: row.get("subject")?,
                user_id: row.parse("user_id")?,
                username: row.get("username")?,
            })
        };
        statement.sql(" ORDER BY provider, subject").all(self.read()).await?.iter().map(read).collect()
    }
}

impl Tx {
    /// Gives an account to a person, or notes what it is called now.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the account is somebody else's, or there is no such person.
    pub async fn link_identity(&mut self, identity: &Identity) -> Result<(), Error> {
        let fields = vec![
            ("provider", arg(&identity.provider)),
            ("subject", arg(&identity.subject)),
            ("user_id", arg(&identity.user_id)),
            ("username", arg(identity.username.as_deref())),
        ];
        let statement = Statement::insert("identities", fields)
            .or_replace("provider, subject", &["username"])
            .sql(" WHERE identities.user_id = excluded.user_id");
        match statement.run(self.on()).await? {
            0 => Err(Error::Conflict { constraint: "an account belongs to one person".to_owned() }),
            _ => Ok(()),
        }
    }

    /// Takes an account from a person.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn unlink_identity(&mut self, user: &UserId, provider: &str, subject: &str) -> Result<(), Error> {
        Statement::new("DELETE FROM identities WHERE user_id = ")
            .arg(user)
            .and_equal("provider", Some(provider))
            .and_equal("subject", Some(subject))
            .run(self.on())
            .await?;
        Ok(())
    }
}
