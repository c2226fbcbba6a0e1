//! Apps and their settings, as the fleet has them.
//!
//! The value of a secret is never stored, only that there is one.

use jiff::Timestamp;

use super::statement::{Argument, Row, Statement, arg, word};
use super::{AppId, Cursor, Error, FleetName, Page, Paging, Scope, Store, Tx, UserId};
use crate::domain::app_spec::SourceType;
use crate::domain::{AppName, EnvironmentName, Framework, HostName, PlanName, TenantName};

/// An app of a fleet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppRecord {
    /// Its identity: [`AppId::of`] its fleet and name.
    pub id: AppId,
    /// The fleet.
    pub fleet: FleetName,
    /// Its name.
    pub name: AppName,
    /// Its name for people.
    pub display_name: Option<String>,
    /// Its host name.
    pub domain: Option<HostName>,
    /// Its namespace, before an environment's suffix.
    pub namespace: String,
    /// What it is built with.
    pub framework: Option<Framework>,
    /// Its size.
    pub plan: PlanName,
    /// Where its code comes from.
    pub source_type: Option<SourceType>,
    /// The URL of its code, without a credential.
    pub source_url: Option<String>,
    /// How it is, in one word: `initializing` until something is known of it.
    pub status: String,
    /// The person that it belongs to.
    pub owner_id: Option<UserId>,
    /// The tenant that it belongs to.
    pub tenant: Option<TenantName>,
    /// Counts its writes.
    pub version: i64,
    /// When it came into the fleet.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
}

/// One setting of an app.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppConfig {
    /// The environment that it holds for; `None` for all.
    pub environment: Option<EnvironmentName>,
    /// Its name.
    pub key: String,
    /// Its value; never that of a secret.
    pub value: Option<String>,
    /// Whether it is a secret.
    pub is_secret: bool,
}

/// Which apps.
#[derive(Clone, Debug, Default)]
pub struct AppFilter {
    /// Those that may be seen.
    pub scope: Scope,
    /// Of one fleet.
    pub fleet: Option<FleetName>,
    /// Of one tenant, whatever the fleet.
    pub tenant: Option<TenantName>,
    /// With this status.
    pub status: Option<String>,
    /// Built with this.
    pub framework: Option<Framework>,
    /// That are in this environment.
    pub environment: Option<EnvironmentName>,
    /// Whose name begins like this.
    pub prefix: Option<String>,
}

const COLUMNS: &str = "id, fleet, name, display_name, domain, namespace, framework, plan, source_type, source_url, \
                       status, owner_id, tenant, version, created_at, updated_at";

impl AppRecord {
    /// An app of which only what its spec must say is known, `initializing`.
    #[must_use]
    pub fn new(fleet: FleetName, name: AppName, plan: PlanName, at: Timestamp) -> Self {
        Self {
            id: AppId::of(&fleet, &name),
            namespace: name.namespace(),
            fleet,
            name,
            display_name: None,
            domain: None,
            framework: None,
            plan,
            source_type: None,
            source_url: None,
            status: "initializing".to_owned(),
            owner_id: None,
            tenant: None,
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }

    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.parse("id")?,
            fleet: row.parse("fleet")?,
            name: row.parse("name")?,
            display_name: row.get("display_name")?,
            domain: row.parse_or_null("domain")?,
            namespace: row.get("namespace")?,
            framework: row.parse_or_null("framework")?,
            plan: row.parse("plan")?,
            source_type: row.word_or_null("source_type")?,
            source_url: row.get("source_url")?,
            status: row.get("status")?,
            owner_id: row.parse_or_null("owner_id")?,
            tenant: row.parse_or_null("tenant")?,
            version: row.get("version")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
        })
    }

    fn fields(&self) -> Result<Vec<(&'static str, Argument)>, Error> {
        Ok(vec![
            ("id", arg(&self.id)),
            ("fleet", arg(&self.fleet)),
            ("name", arg(&self.name)),
            ("display_name", arg(self.display_name.as_deref())),
            ("domain", arg(self.domain.as_ref())),
            ("namespace", arg(&self.namespace)),
            ("framework", arg(self.framework)),
            ("plan", arg(&self.plan)),
            ("source_type", arg(self.source_type.as_ref().map(word).transpose()?)),
            ("source_url", arg(self.source_url.as_deref())),
            ("status", arg(&self.status)),
            ("owner_id", arg(self.owner_id.as_ref())),
            ("tenant", arg(self.tenant.as_ref())),
            ("version", arg(self.version)),
            ("created_at", arg(self.created_at)),
            ("updated_at", arg(self.updated_at)),
        ])
    }
}

impl AppFilter {
    fn restrict(&self, statement: Statement) -> Statement {
        let mut statement = self
            .scope
            .restrict(statement)
            .and_equal("fleet", self.fleet.as_ref())
            .and_equal("tenant", self.tenant.as_ref())
            .and_equal("status", self.status.as_deref())
            .and_equal("framework", self.framework);
        if let Some(environment) = &self.environment {
            statement = statement
                .sql(" AND EXISTS (SELECT 1 FROM placements WHERE app_id = apps.id AND environment = ")
                .arg(environment)
                .sql(")");
        }
        if let Some(prefix) = self.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            // A range of the index, where LIKE would read all of it. No name has a character after this one.
            let end = format!("{prefix}\u{10ffff}");
            statement = statement.sql(" AND name >= ").arg(prefix).sql(" AND name < ").arg(end);
        }
        statement
    }
}

fn one(id: &AppId) -> Statement {
    Statement::new("SELECT ").sql(COLUMNS).sql(" FROM apps WHERE id = ").arg(id)
}

impl Store {
    /// An app.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn app(&self, id: &AppId) -> Result<Option<AppRecord>, Error> {
        one(id).first(self.read()).await?.map(|row| AppRecord::read(&row)).transpose()
    }

    /// The app of that name in a fleet.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn app_named(&self, fleet: &FleetName, name: &AppName) -> Result<Option<AppRecord>, Error> {
        self.app(&AppId::of(fleet, name)).await
    }

    /// Whether a fleet has an app that belongs to no tenant.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn has_apps_of_nobody(&self, fleet: &FleetName) -> Result<bool, Error> {
        let statement = Statement::new("SELECT id FROM apps WHERE fleet = ").arg(fleet);
        Ok(statement.sql(" AND tenant IS NULL LIMIT 1").first(self.read()).await?.is_some())
    }

    /// A page of apps, by name.
    ///
    /// # Errors
    /// [`Error::Cursor`], and those of a read.
    pub async fn apps(&self, filter: &AppFilter, paging: &Paging) -> Result<Page<AppRecord>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM apps WHERE TRUE");
        let mut statement = filter.restrict(statement);
        if let Some((name, id)) = paging.after.as_ref().map(Cursor::text) {
            statement = statement.sql(" AND (name, id) > (").arg(name).sql(", ").arg(id).sql(")");
        }
        let statement = statement.sql(" ORDER BY name, id LIMIT ").arg(paging.rows());
        let rows = statement.all(self.read()).await?;
        paging.page(&rows, AppRecord::read, |app| Cursor::new(&app.name, &app.id))
    }

    /// How many apps there are, by status.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn app_counts(&self, filter: &AppFilter) -> Result<Vec<(String, i64)>, Error> {
        let statement = Statement::new("SELECT status, COUNT(*) AS count FROM apps WHERE TRUE");
        let statement = filter.restrict(statement).sql(" GROUP BY status ORDER BY status");
        let read = |row: &Row| Ok((row.get("status")?, row.get("count")?));
        statement.all(self.read()).await?.iter().map(read).collect()
    }

    /// The settings of an app, by name and environment; those for all environments first.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn app_configs(&self, id: &AppId) -> Result<Vec<AppConfig>, Error> {
        let sql = "SELECT environment, config_key, config_value, is_secret FROM app_configs WHERE app_id = ";
        let statement = Statement::new(sql).arg(id).sql(" ORDER BY config_key, COALESCE(environment, ''), id");
        let read = |row: &Row| {
            Ok(AppConfig {
                environment: row.parse_or_null("environment")?,
                key: row.get("config_key")?,
                value: row.get("config_value")?,
                is_secret: row.get("is_secret")?,
            })
        };
        statement.all(self.read()).await?.iter().map(read).collect()
    }
}

impl Tx {
    /// An app, as this transaction sees it.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn app(&mut self, id: &AppId) -> Result<Option<AppRecord>, Error> {
        one(id).sql(" {for_update}").first(self.on()).await?.map(|row| AppRecord::read(&row)).transpose()
    }

    /// Writes down an app as the fleet has it. Of one that is known, its age, status and owner stay.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another app has the same identity, which ten digits do not rule out.
    pub async fn put_app(&mut self, app: &AppRecord) -> Result<(), Error> {
        let replaced = [
            "display_name",
            "domain",
            "namespace",
            "framework",
            "plan",
            "source_type",
            "source_url",
            "tenant",
            "updated_at",
        ];
        let statement = Statement::insert("apps", app.fields()?).or_replace("id", &replaced);
        let statement = statement
            .sql(", version = apps.version + 1 WHERE apps.fleet = excluded.fleet AND apps.name = excluded.name");
        match statement.run(self.on()).await? {
            0 => Err(Error::Conflict { constraint: "the id of an app".to_owned() }),
            _ => Ok(()),
        }
    }

    /// Writes down how an app is.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_app_status(&mut self, id: &AppId, status: &str) -> Result<(), Error> {
        let statement = Statement::update("apps", vec![("status", arg(status))])
            .sql(", version = version + 1, updated_at = {now} WHERE id = ")
            .arg(id);
        self.touch(statement).await
    }

    /// Writes down whose an app is.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_app_owner(&mut self, id: &AppId, owner: Option<&UserId>) -> Result<(), Error> {
        let statement = Statement::update("apps", vec![("owner_id", arg(owner))])
            .sql(", version = version + 1, updated_at = {now} WHERE id = ")
            .arg(id);
        self.touch(statement).await
    }

    async fn touch(&mut self, statement: Statement) -> Result<(), Error> {
        match statement.run(self.on()).await? {
            0 => Err(Error::NotFound { what: "app" }),
            _ => Ok(()),
        }
    }

    /// Removes an app with its settings and placements. Its history stays.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn delete_app(&mut self, id: &AppId) -> Result<(), Error> {
        Statement::new("DELETE FROM apps WHERE id = ").arg(id).run(self.on()).await?;
        Ok(())
    }

    /// Makes `configs` the settings of an app.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is no such app, or if a secret comes with a value.
    pub async fn replace_app_configs(&mut self, id: &AppId, configs: &[AppConfig]) -> Result<(), Error> {
        Statement::new("DELETE FROM app_configs WHERE app_id = ").arg(id).run(self.on()).await?;
        for config in configs {
            let fields = vec![
                ("id", arg(uuid::Uuid::now_v7().to_string())),
                ("app_id", arg(id)),
                ("environment", arg(config.environment.as_ref())),
                ("config_key", arg(&config.key)),
                ("config_value", arg(config.value.as_deref())),
                ("is_secret", arg(config.is_secret)),
            ];
            Statement::insert("app_configs", fields).with_now("created_at").run(self.on()).await?;
        }
        Ok(())
    }
}
