//! Repairs: what wooo did about an alert by itself, and what came of it. Budgets are counted here.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::statement::{Row, Statement, arg, json_or_null};
use super::{AlertId, AppId, Cursor, Error, IncidentId, Page, Paging, RepairId, Scope, Store, Tx};
use crate::domain::ChangeId;

/// A repair.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    /// Its identity.
    pub id: RepairId,
    /// The app.
    pub app_id: AppId,
    /// The alert that it answers.
    pub alert_id: Option<AlertId>,
    /// The incident that it belongs to.
    pub incident_id: Option<IncidentId>,
    /// The change that it made.
    pub change_id: Option<ChangeId>,
    /// What kind of repair.
    pub repair_type: String,
    /// What was done, in a sentence.
    pub action_taken: String,
    /// What came of it, as JSON.
    pub result: Option<Value>,
    /// Whether it helped; `None` while that is open.
    pub success: Option<bool>,
    /// How long it took, in seconds.
    pub duration_seconds: Option<u32>,
    /// When it began.
    pub created_at: Timestamp,
}

/// Which repairs.
#[derive(Clone, Debug, Default)]
pub struct RepairFilter {
    /// Those that may be seen.
    pub scope: Scope,
    /// Of one app.
    pub app: Option<AppId>,
    /// Of one kind.
    pub repair_type: Option<String>,
    /// That helped, or that did not.
    pub success: Option<bool>,
}

const COLUMNS: &str = "id, app_id, alert_id, incident_id, change_id, repair_type, action_taken, result, success, \
                       duration_seconds, created_at";

fn read(row: &Row) -> Result<Repair, Error> {
    let seconds: Option<i64> = row.get("duration_seconds")?;
    Ok(Repair {
        id: row.parse("id")?,
        app_id: row.parse("app_id")?,
        alert_id: row.parse_or_null("alert_id")?,
        incident_id: row.parse_or_null("incident_id")?,
        change_id: row.parse_or_null("change_id")?,
        repair_type: row.get("repair_type")?,
        action_taken: row.get("action_taken")?,
        result: row.json_or_null("result")?,
        success: row.get("success")?,
        duration_seconds: seconds.and_then(|seconds| u32::try_from(seconds).ok()),
        created_at: row.time("created_at")?,
    })
}

impl Store {
    /// A page of repairs, newest first.
    ///
    /// # Errors
    /// [`Error::Cursor`], and those of a read.
    pub async fn repairs(&self, filter: &RepairFilter, paging: &Paging) -> Result<Page<Repair>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM repair_logs WHERE TRUE");
        let statement = filter
            .scope
            .restrict_apps(statement)
            .and_equal("app_id", filter.app.as_ref())
            .and_equal("repair_type", filter.repair_type.as_deref())
            .and_equal("success", filter.success);
        let rows = paging.newest_first(statement, "created_at", "id")?.all(self.read()).await?;
        paging.page(&rows, read, |repair| Cursor::new(repair.created_at.as_millisecond(), &repair.id))
    }
}

impl Tx {
    /// How many repairs began within the last `age`: of one app, or of all.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn count_repairs(&mut self, app: Option<&AppId>, age: Duration) -> Result<i64, Error> {
        let statement =
            Statement::new("SELECT COUNT(*) AS count FROM repair_logs WHERE created_at > {now} - ").arg(age);
        let row = statement.and_equal("app_id", app).first(self.on()).await?;
        row.map_or(Ok(0), |row| row.get("count"))
    }

    /// Writes a repair down, or how it has gone on.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn put_repair(&mut self, repair: &Repair) -> Result<(), Error> {
        let fields = vec![
            ("id", arg(&repair.id)),
            ("app_id", arg(&repair.app_id)),
            ("alert_id", arg(repair.alert_id.as_ref())),
            ("incident_id", arg(repair.incident_id.as_ref())),
            ("change_id", arg(repair.change_id.as_ref())),
            ("repair_type", arg(&repair.repair_type)),
            ("action_taken", arg(&repair.action_taken)),
            ("result", arg(json_or_null(repair.result.as_ref())?)),
            ("success", arg(repair.success)),
            ("duration_seconds", arg(repair.duration_seconds)),
            ("created_at", arg(repair.created_at)),
        ];
        let replaced = ["change_id", "action_taken", "result", "success", "duration_seconds"];
        Statement::insert("repair_logs", fields).or_replace("id", &replaced).run(self.on()).await?;
        Ok(())
    }
}
