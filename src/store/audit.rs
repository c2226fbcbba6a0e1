//! Who did what. What changed a fleet comes out of Git and is rebuilt from there; the rest is only here.

use jiff::Timestamp;
use serde_json::Value;

use super::statement::{Argument, IntoArgument, Row, Statement, arg, arguments, json_or_null};
use super::{AuditId, Cursor, Error, FleetName, Page, Paging, Scope, Store, Tx};
use crate::domain::{AppName, ChangeId, EnvironmentName, TenantName};

/// Where a row comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum AuditSource {
    /// A commit says it.
    Git,
    /// The service saw it.
    Service,
}

arguments! { Text: AuditSource => |source| source.to_string() }

/// Something that was done.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Its identity: made of the commit for what comes out of Git, so that it is the same each time.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What, as a dotted word.
    pub action: String,
    /// The tenant that it concerns.
    pub tenant: Option<TenantName>,
    /// The fleet that it concerns.
    pub fleet: Option<FleetName>,
    /// The app that it concerns.
    pub app: Option<AppName>,
    /// The environment that it concerns.
    pub environment: Option<EnvironmentName>,
    /// The change that it belongs to.
    pub change_id: Option<ChangeId>,
    /// The commit that it belongs to.
    pub commit_sha: Option<String>,
    /// The rest, as JSON; no secret.
    pub detail: Option<Value>,
    /// Where the row comes from.
    pub source: AuditSource,
    /// The network address of who did it.
    pub address: Option<String>,
}

/// Which rows.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Those that may be seen.
    pub scope: Scope,
    /// Of one fleet.
    pub fleet: Option<FleetName>,
    /// Of one app.
    pub app: Option<AppName>,
    /// In one environment.
    pub environment: Option<EnvironmentName>,
    /// By one actor.
    pub actor: Option<String>,
    /// Of one kind.
    pub action: Option<String>,
    /// Of one change.
    pub change: Option<ChangeId>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

const COLUMNS: &str = "id, at, actor, action, tenant, fleet, app, environment, change_id, commit_sha, detail, source, \
                       address";

impl AuditEntry {
    /// Something that the service saw somebody do.
    #[must_use]
    pub fn service(at: Timestamp, actor: impl Into<String>, action: impl Into<String>) -> Self {
        Self {
            id: AuditId::random(),
            at,
            actor: actor.into(),
            action: action.into(),
            tenant: None,
            fleet: None,
            app: None,
            environment: None,
            change_id: None,
            commit_sha: None,
            detail: None,
            source: AuditSource::Service,
            address: None,
        }
    }

    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.parse("id")?,
            at: row.time("at")?,
            actor: row.get("actor")?,
            action: row.get("action")?,
            tenant: row.parse_or_null("tenant")?,
            fleet: row.parse_or_null("fleet")?,
            app: row.parse_or_null("app")?,
            environment: row.parse_or_null("environment")?,
            change_id: row.parse_or_null("change_id")?,
            commit_sha: row.get("commit_sha")?,
            detail: row.json_or_null("detail")?,
            source: row.parse("source")?,
            address: row.get("address")?,
        })
    }
}

impl Store {
    /// A page of the audit trail, newest first.
    ///
    /// # Errors
    /// [`Error::Cursor`], and those of a read.
    pub async fn audit(&self, filter: &AuditFilter, paging: &Paging) -> Result<Page<AuditEntry>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM audit_logs WHERE TRUE");
        let mut statement = filter
            .scope
            .restrict(statement)
            .and_equal("fleet", filter.fleet.as_ref())
            .and_equal("app", filter.app.as_ref())
            .and_equal("environment", filter.environment.as_ref())
            .and_equal("actor", filter.actor.as_deref())
            .and_equal("action", filter.action.as_deref())
            .and_equal("change_id", filter.change.as_ref());
        if let Some(since) = filter.since {
            statement = statement.sql(" AND at >= ").arg(since);
        }
        if let Some(until) = filter.until {
            statement = statement.sql(" AND at < ").arg(until);
        }
        let rows = paging.newest_first(statement, "at", "id")?.all(self.read()).await?;
        paging.page(&rows, AuditEntry::read, |entry| Cursor::new(entry.at.as_millisecond(), &entry.id))
    }
}

impl Tx {
    /// Adds a row, and says whether it is new. Rows are never changed.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn append_audit(&mut self, entry: &AuditEntry) -> Result<bool, Error> {
        let fields = vec![
            ("id", arg(&entry.id)),
            ("at", arg(entry.at)),
            ("actor", arg(&entry.actor)),
            ("action", arg(&entry.action)),
            ("tenant", arg(entry.tenant.as_ref())),
            ("fleet", arg(entry.fleet.as_ref())),
            ("app", arg(entry.app.as_ref())),
            ("environment", arg(entry.environment.as_ref())),
            ("change_id", arg(entry.change_id.as_ref())),
            ("commit_sha", arg(entry.commit_sha.as_deref())),
            ("detail", arg(json_or_null(entry.detail.as_ref())?)),
            ("source", arg(entry.source)),
            ("address", arg(entry.address.as_deref())),
        ];
        let statement = Statement::insert("audit_logs", fields).sql(" ON CONFLICT (id) DO NOTHING");
        Ok(statement.run(self.on()).await? == 1)
    }
}
