//! Incidents: alerts that are one trouble. At most one is open for an app, an environment and a playbook.

use jiff::Timestamp;
use serde_json::Value;

use super::statement::{Row, Statement, arg, json_or_null};
use super::{AppId, Cursor, Error, IncidentId, Page, Paging, Scope, Store, Tx};
use crate::domain::EnvironmentName;

/// An incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Its identity.
    pub id: IncidentId,
    /// The app.
    pub app_id: AppId,
    /// The environment.
    pub environment: EnvironmentName,
    /// What is done about it.
    pub playbook: String,
    /// How far that has come, in one word.
    pub state: String,
    /// When it began.
    pub opened_at: Timestamp,
    /// When it was over.
    pub closed_at: Option<Timestamp>,
    /// The rest, as JSON.
    pub detail: Option<Value>,
}

/// Which incidents.
#[derive(Clone, Debug, Default)]
pub struct IncidentFilter {
    /// Those that may be seen.
    pub scope: Scope,
    /// Of one app.
    pub app: Option<AppId>,
    /// In one environment.
    pub environment: Option<EnvironmentName>,
    /// Whether only those that are not over.
    pub open_only: bool,
}

const COLUMNS: &str = "id, app_id, environment, playbook, state, opened_at, closed_at, detail";

fn read(row: &Row) -> Result<Incident, Error> {
    Ok(Incident {
        id: row.parse("id")?,
        app_id: row.parse("app_id")?,
        environment: row.parse("environment")?,
        playbook: row.get("playbook")?,
        state: row.get("state")?,
        opened_at: row.time("opened_at")?,
        closed_at: row.time_or_null("closed_at")?,
        detail: row.json_or_null("detail")?,
    })
}

impl Store {
    /// An incident.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM incidents WHERE id = ").arg(id);
        statement.first(self.read()).await?.map(|row| read(&row)).transpose()
    }

    /// A page of incidents, newest first.
    ///
    /// # Errors
    /// [`Error::Cursor`], and those of a read.
    pub async fn incidents(&self, filter: &IncidentFilter, paging: &Paging) -> Result<Page<Incident>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM incidents WHERE TRUE");
        let statement = filter
            .scope
            .restrict_apps(statement)
            .and_equal("app_id", filter.app.as_ref())
            .and_equal("environment", filter.environment.as_ref())
            .sql(if filter.open_only { " AND closed_at IS NULL" } else { "" });
        let rows = paging.newest_first(statement, "opened_at", "id")?.all(self.read()).await?;
        paging.page(&rows, read, |incident| Cursor::new(incident.opened_at.as_millisecond(), &incident.id))
    }
}

impl Tx {
    /// The open incident of an app, an environment and a playbook; opened in `state` if there was none.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn open_incident(
        &mut self,
        app: &AppId,
        environment: &EnvironmentName,
        playbook: &str,
        state: &str,
    ) -> Result<Incident, Error> {
        let fields = vec![
            ("id", arg(&IncidentId::random())),
            ("app_id", arg(app)),
            ("environment", arg(environment)),
            ("playbook", arg(playbook)),
            ("state", arg(state)),
        ];
        Statement::insert("incidents", fields)
            .with_now("opened_at")
            .sql(" ON CONFLICT (app_id, environment, playbook) WHERE closed_at IS NULL DO NOTHING")
            .run(self.on())
            .await?;
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM incidents WHERE closed_at IS NULL");
        let statement = statement
            .and_equal("app_id", Some(app))
            .and_equal("environment", Some(environment))
            .and_equal("playbook", Some(playbook))
            .sql(" {for_update}");
        statement
            .first(self.on())
            .await?
            .map_or(Err(Error::Busy("an incident was just closed".into())), |row| read(&row))
    }

    /// Notes how far an incident has come; with `close`, that it is over.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is over already, or never was.
    pub async fn update_incident(
        &mut self,
        id: &IncidentId,
        state: &str,
        detail: Option<&Value>,
        close: bool,
    ) -> Result<(), Error> {
        let fields = vec![("state", arg(state)), ("detail", arg(json_or_null(detail)?))];
        let statement = Statement::update("incidents", fields)
            .sql(if close { ", closed_at = {now}" } else { "" })
            .sql(" WHERE closed_at IS NULL")
            .and_equal("id", Some(id));
        match statement.run(self.on()).await? {
            0 => Err(Error::NotFound { what: "incident" }),
            _ => Ok(()),
        }
    }
}
