//! Alerts: one row for each time that one fires.

use jiff::Timestamp;
use serde_json::Value;

use super::statement::{Argument, IntoArgument, Row, Statement, arg, arguments, json};
use super::{AlertId, AppId, Cursor, Error, Page, Paging, Scope, Store, Tx};
use crate::domain::EnvironmentName;

/// Whether an alert still fires.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum AlertStatus {
    /// It does.
    Firing,
    /// It no longer does.
    Resolved,
}

arguments! { Text: AlertStatus => |status| status.to_string() }

/// An alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Its identity. That of a new one is not kept if the same firing is there already.
    pub id: AlertId,
    /// The app; `None` if no app claims it.
    pub app_id: Option<AppId>,
    /// The environment, as the alert names it.
    pub environment: EnvironmentName,
    /// What Alertmanager tells alerts apart by.
    pub fingerprint: String,
    /// Its name.
    pub alert_name: String,
    /// How bad it is, in its own word.
    pub severity: String,
    /// Whether it fires.
    pub status: AlertStatus,
    /// What it says.
    pub description: Option<String>,
    /// Its labels: a JSON object.
    pub labels: Value,
    /// Its annotations: a JSON object.
    pub annotations: Value,
    /// Since when it fires.
    pub fired_at: Timestamp,
    /// Since when it no longer does.
    pub resolved_at: Option<Timestamp>,
    /// When it was written down first.
    pub created_at: Timestamp,
}

/// Which alerts.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// Those that may be seen.
    pub scope: Scope,
    /// Of one app.
    pub app: Option<AppId>,
    /// In one environment.
    pub environment: Option<EnvironmentName>,
    /// That fire, or that no longer do.
    pub status: Option<AlertStatus>,
    /// As bad as this.
    pub severity: Option<String>,
    /// That fired at or after this.
    pub since: Option<Timestamp>,
}

const COLUMNS: &str = "id, app_id, environment, fingerprint, alert_name, severity, status, description, labels, \
                       annotations, fired_at, resolved_at, created_at";

impl Alert {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.parse("id")?,
            app_id: row.parse_or_null("app_id")?,
            environment: row.parse("environment")?,
            fingerprint: row.get("fingerprint")?,
            alert_name: row.get("alert_name")?,
            severity: row.get("severity")?,
            status: row.parse("status")?,
            description: row.get("description")?,
            labels: row.json("labels")?,
            annotations: row.json("annotations")?,
            fired_at: row.time("fired_at")?,
            resolved_at: row.time_or_null("resolved_at")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl Store {
    /// An alert.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn alert(&self, id: &AlertId) -> Result<Option<Alert>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM alerts WHERE id = ").arg(id);
        statement.first(self.read()).await?.map(|row| Alert::read(&row)).transpose()
    }

    /// A page of alerts, those that fired last first.
    ///
    /// # Errors
    /// [`Error::Cursor`], and those of a read.
    pub async fn alerts(&self, filter: &AlertFilter, paging: &Paging) -> Result<Page<Alert>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM alerts WHERE TRUE");
        let mut statement = filter
            .scope
            .restrict_apps(statement)
            .and_equal("app_id", filter.app.as_ref())
            .and_equal("environment", filter.environment.as_ref())
            .and_equal("status", filter.status)
            .and_equal("severity", filter.severity.as_deref());
        if let Some(since) = filter.since {
            statement = statement.sql(" AND fired_at >= ").arg(since);
        }
        let rows = paging.newest_first(statement, "fired_at", "id")?.all(self.read()).await?;
        paging.page(&rows, Alert::read, |alert| Cursor::new(alert.fired_at.as_millisecond(), &alert.id))
    }
}

impl Tx {
    /// Writes an alert down, or what is new about the same firing, and returns its identity. One that is resolved does
    /// not fire again: messages may overtake each other, and a new firing has another time.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn put_alert(&mut self, alert: &Alert) -> Result<AlertId, Error> {
        let fields = vec![
            ("id", arg(&alert.id)),
            ("app_id", arg(alert.app_id.as_ref())),
            ("environment", arg(&alert.environment)),
            ("fingerprint", arg(&alert.fingerprint)),
            ("alert_name", arg(&alert.alert_name)),
            ("severity", arg(&alert.severity)),
            ("status", arg(alert.status)),
            ("description", arg(alert.description.as_deref())),
            ("labels", arg(json(&alert.labels)?)),
            ("annotations", arg(json(&alert.annotations)?)),
            ("fired_at", arg(alert.fired_at)),
            ("resolved_at", arg(alert.resolved_at)),
            ("created_at", arg(alert.created_at)),
        ];
        let statement = Statement::insert("alerts", fields)
            .or_replace(
                "COALESCE(app_id, ''), environment, fingerprint, fired_at",
                &["severity", "description", "labels", "annotations"],
            )
            .sql(
                ", status = CASE WHEN alerts.status = 'resolved' THEN alerts.status ELSE excluded.status END, \
                 resolved_at = COALESCE(alerts.resolved_at, excluded.resolved_at) RETURNING id",
            );
        statement.first(self.on()).await?.ok_or(Error::NotFound { what: "alert" })?.parse("id")
    }
}
