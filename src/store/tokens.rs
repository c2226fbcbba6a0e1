//! API tokens. Of the token itself only a hash is here, and its first characters, by which people know it again.

use std::time::Duration;

use jiff::Timestamp;

use super::statement::{Row, Statement, arg, json};
use super::{Error, FleetName, Store, TokenId, Tx, UserId};
use crate::domain::{Role, TenantName};

/// An API token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// Its identity.
    pub id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it was called.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// The fleet that it is limited to.
    pub fleet: Option<FleetName>,
    /// The tenant that it is limited to.
    pub tenant: Option<TenantName>,
    /// The role that it has at most.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is over.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Whose it is.
    pub user_id: UserId,
    /// What it is called.
    pub name: String,
    /// The hash that it is found by.
    pub hash: String,
    /// Its first characters.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// The fleet that it is limited to.
    pub fleet: Option<FleetName>,
    /// The tenant that it is limited to.
    pub tenant: Option<TenantName>,
    /// The role that it has at most.
    pub role: Role,
    /// How long it lasts; `None` for ever.
    pub lifetime: Option<Duration>,
}

const COLUMNS: &str = "id, user_id, name, prefix, scopes, fleet, tenant, role, created_at, expires_at, last_used_at, \
                       revoked_at";

fn read(row: &Row) -> Result<Token, Error> {
    Ok(Token {
        id: row.parse("id")?,
        user_id: row.parse("user_id")?,
        name: row.get("name")?,
        prefix: row.get("prefix")?,
        scopes: row.json("scopes")?,
        fleet: row.parse_or_null("fleet")?,
        tenant: row.parse_or_null("tenant")?,
        role: row.parse("role")?,
        created_at: row.time("created_at")?,
        expires_at: row.time_or_null("expires_at")?,
        last_used_at: row.time_or_null("last_used_at")?,
        revoked_at: row.time_or_null("revoked_at")?,
    })
}

impl Store {
    /// The token with a hash, as long as it is good.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn token_by_hash(&self, hash: &str) -> Result<Option<Token>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM api_tokens WHERE hash = ").arg(hash);
        let statement = statement.sql(" AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > {now})");
        statement.first(self.read()).await?.map(|row| read(&row)).transpose()
    }

    /// The tokens of a person, also those that are over, newest first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn tokens_of(&self, user: &UserId) -> Result<Vec<Token>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM api_tokens WHERE user_id = ").arg(user);
        let statement = statement.sql(" ORDER BY created_at DESC, id DESC LIMIT 1000");
        statement.all(self.read()).await?.iter().map(read).collect()
    }

    /// Notes that a token was used; once a minute is enough.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn touch_token(&self, id: &TokenId) -> Result<(), Error> {
        let statement = Statement::new("UPDATE api_tokens SET last_used_at = {now} WHERE id = ").arg(id);
        let statement = statement.sql(" AND (last_used_at IS NULL OR last_used_at < {now} - 60000)");
        statement.run(self.write()).await?;
        Ok(())
    }
}

impl Tx {
    /// Makes a token.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is one with that hash, or no such person.
    pub async fn insert_token(&mut self, token: &NewToken) -> Result<Token, Error> {
        let fields = vec![
            ("id", arg(&TokenId::random())),
            ("user_id", arg(&token.user_id)),
            ("name", arg(&token.name)),
            ("hash", arg(&token.hash)),
            ("prefix", arg(&token.prefix)),
            ("scopes", arg(json(&token.scopes)?)),
            ("fleet", arg(token.fleet.as_ref())),
            ("tenant", arg(token.tenant.as_ref())),
            ("role", arg(token.role)),
        ];
        let mut statement = Statement::insert("api_tokens", fields).with_now("created_at");
        if let Some(lifetime) = token.lifetime {
            statement = statement.with_now_plus("expires_at", lifetime);
        }
        let row = statement.sql(" RETURNING ").sql(COLUMNS).first(self.on()).await?;
        row.map_or(Err(Error::NotFound { what: "token" }), |row| read(&row))
    }

    /// Takes a token of a person back.
    ///
    /// # Errors
    /// [`Error::NotFound`] if they have no such token, or had.
    pub async fn revoke_token(&mut self, user: &UserId, id: &TokenId) -> Result<(), Error> {
        let statement = Statement::new("UPDATE api_tokens SET revoked_at = {now} WHERE revoked_at IS NULL")
            .and_equal("user_id", Some(user))
            .and_equal("id", Some(id));
        match statement.run(self.on()).await? {
            0 => Err(Error::NotFound { what: "token" }),
            _ => Ok(()),
        }
    }
}
