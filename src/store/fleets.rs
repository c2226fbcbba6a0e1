//! The fleets that the service serves, their tenants, and who may see what of them.

use jiff::Timestamp;

use super::statement::{Row, Statement, arg};
use super::{Error, FleetName, Store, Tx};
use crate::domain::TenantName;

/// A fleet repository and how far the index has read it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FleetRecord {
    /// Its name.
    pub name: FleetName,
    /// Where it is, without a credential.
    pub url: String,
    /// The branch that is synced.
    pub branch: String,
    /// The commit that the index shows.
    pub tip: Option<String>,
    /// When it was indexed.
    pub indexed_at: Option<Timestamp>,
}

/// A tenant of a fleet. Tenants of two fleets are two, whatever they are called.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TenantKey {
    /// The fleet.
    pub fleet: FleetName,
    /// The tenant.
    pub tenant: TenantName,
}

/// What someone may see. The rest answers as if it were absent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Scope {
    /// Everything.
    #[default]
    All,
    /// What belongs to these tenants.
    Tenants(Vec<TenantKey>),
}

impl Scope {
    /// Whether something of `fleet` and `tenant` is in it. What belongs to no tenant is seen by those who see all.
    #[must_use]
    pub fn contains(&self, fleet: &FleetName, tenant: Option<&TenantName>) -> bool {
        match self {
            Self::All => true,
            Self::Tenants(keys) => keys.iter().any(|key| key.fleet == *fleet && Some(&key.tenant) == tenant),
        }
    }

    /// Adds the condition on a column `app_id`.
    pub(super) fn restrict_apps(&self, statement: Statement) -> Statement {
        match self {
            Self::All => statement,
            Self::Tenants(_) => self.restrict(statement.sql(" AND app_id IN (SELECT id FROM apps WHERE TRUE")).sql(")"),
        }
    }

    /// Adds the condition on the columns `fleet` and `tenant`.
    pub(super) fn restrict(&self, statement: Statement) -> Statement {
        match self {
            Self::All => statement,
            Self::Tenants(keys) if keys.is_empty() => statement.sql(" AND FALSE"),
            Self::Tenants(keys) => {
                let mut statement = statement.sql(" AND (fleet, tenant) IN (VALUES ");
                for (index, key) in keys.iter().enumerate() {
                    let comma = if index > 0 { ", (" } else { "(" };
                    statement = statement.sql(comma).arg(&key.fleet).sql(", ").arg(&key.tenant).sql(")");
                }
                statement.sql(")")
            }
        }
    }
}

impl Store {
    /// The fleets, by name.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn fleets(&self) -> Result<Vec<FleetRecord>, Error> {
        let sql = "SELECT name, url, branch, tip, indexed_at FROM fleets ORDER BY name";
        let read = |row: &Row| {
            Ok(FleetRecord {
                name: row.parse("name")?,
                url: row.get("url")?,
                branch: row.get("branch")?,
                tip: row.get("tip")?,
                indexed_at: row.time_or_null("indexed_at")?,
            })
        };
        Statement::new(sql).all(self.read()).await?.iter().map(read).collect()
    }

    /// The tenants of a fleet, by name.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn tenants(&self, fleet: &FleetName) -> Result<Vec<TenantName>, Error> {
        let statement = Statement::new("SELECT name FROM tenants WHERE fleet = ").arg(fleet).sql(" ORDER BY name");
        statement.all(self.read()).await?.iter().map(|row| row.parse("name")).collect()
    }
}

impl Tx {
    /// Writes down a fleet, or what is new about it.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn put_fleet(&mut self, fleet: &FleetRecord) -> Result<(), Error> {
        let fields = vec![
            ("name", arg(&fleet.name)),
            ("url", arg(&fleet.url)),
            ("branch", arg(&fleet.branch)),
            ("tip", arg(fleet.tip.as_deref())),
            ("indexed_at", arg(fleet.indexed_at)),
        ];
        let statement = Statement::insert("fleets", fields).or_replace("name", &["url", "branch", "tip", "indexed_at"]);
        statement.run(self.on()).await?;
        Ok(())
    }

    /// Makes `tenants` the tenants of a fleet. Those that stay keep their age.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn replace_tenants(&mut self, fleet: &FleetName, tenants: &[TenantName]) -> Result<(), Error> {
        let mut gone = Statement::new("DELETE FROM tenants WHERE fleet = ").arg(fleet);
        if !tenants.is_empty() {
            gone = gone.sql(" AND name NOT IN ").list(tenants);
        }
        gone.run(self.on()).await?;
        for tenant in tenants {
            let fields = vec![("fleet", arg(fleet)), ("name", arg(tenant))];
            let row = Statement::insert("tenants", fields).with_now("created_at");
            row.sql(" ON CONFLICT (fleet, name) DO NOTHING").run(self.on()).await?;
        }
        Ok(())
    }
}
