//! Deployments: one row for each environment that a change touches.

use jiff::Timestamp;
use serde_json::Value;

use super::statement::{Argument, IntoArgument, Row, Statement, arg, arguments, json_or_null};
use super::{AppId, Cursor, Error, Page, Paging, Scope, Store, Tx};
use crate::domain::{ChangeId, EnvironmentName, Outcome};

/// How far a deployment has come.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, strum::Display, strum::EnumIter, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum DeploymentStatus {
    /// Its change is not merged.
    Pending,
    /// It is merged, and the cluster has not answered.
    Deploying,
    /// It runs.
    Success,
    /// It does not.
    Failed,
    /// Another one took it back.
    RolledBack,
}

arguments! { Text: DeploymentStatus => |status| status.to_string() }

/// A change in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// The app.
    pub app_id: AppId,
    /// The environment.
    pub environment: EnvironmentName,
    /// The change.
    pub change_id: ChangeId,
    /// The version, as the image's tag says it.
    pub version: Option<String>,
    /// The image.
    pub image: Option<String>,
    /// How far it has come.
    pub status: DeploymentStatus,
    /// The version that it went back to.
    pub rollback_version: Option<String>,
    /// Who deployed it.
    pub deployed_by: String,
    /// When.
    pub deployed_at: Timestamp,
    /// When the cluster answered.
    pub completed_at: Option<Timestamp>,
    /// What it answered.
    pub outcome: Option<Outcome>,
    /// The rest, as JSON.
    pub detail: Option<Value>,
}

/// Which deployments.
#[derive(Clone, Debug, Default)]
pub struct DeploymentFilter {
    /// Those that may be seen.
    pub scope: Scope,
    /// Of one app.
    pub app: Option<AppId>,
    /// In one environment.
    pub environment: Option<EnvironmentName>,
    /// With this status.
    pub status: Option<DeploymentStatus>,
}

const COLUMNS: &str = "id, app_id, environment, change_id, version, image, status, rollback_version, deployed_by, \
                       deployed_at, completed_at, outcome, detail";

impl Deployment {
    /// Its identity: that of the change, and the environment.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.change_id, self.environment)
    }

    /// What is told of it under a name: `reason` once the cluster has answered, `waits_for` before.
    #[must_use]
    pub fn told(&self, name: &str) -> Option<&str> {
        self.detail.as_ref()?.get(name)?.as_str()
    }

    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            app_id: row.parse("app_id")?,
            environment: row.parse("environment")?,
            change_id: row.parse("change_id")?,
            version: row.get("version")?,
            image: row.get("image")?,
            status: row.parse("status")?,
            rollback_version: row.get("rollback_version")?,
            deployed_by: row.get("deployed_by")?,
            deployed_at: row.time("deployed_at")?,
            completed_at: row.time_or_null("completed_at")?,
            outcome: row.parse_or_null("outcome")?,
            detail: row.json_or_null("detail")?,
        })
    }
}

impl Store {
    /// The deployments of a change, by environment.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn deployments_of(&self, change: &ChangeId) -> Result<Vec<Deployment>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM deployments WHERE change_id = ").arg(change);
        let rows = statement.sql(" ORDER BY environment").all(self.read()).await?;
        rows.iter().map(Deployment::read).collect()
    }

    /// A page of deployments, newest first.
    ///
    /// # Errors
    /// [`Error::Cursor`], and those of a read.
    pub async fn deployments(&self, filter: &DeploymentFilter, paging: &Paging) -> Result<Page<Deployment>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM deployments WHERE TRUE");
        let statement = filter
            .scope
            .restrict_apps(statement)
            .and_equal("app_id", filter.app.as_ref())
            .and_equal("environment", filter.environment.as_ref())
            .and_equal("status", filter.status);
        let rows = paging.newest_first(statement, "deployed_at", "id")?.all(self.read()).await?;
        paging.page(&rows, Deployment::read, |row| Cursor::new(row.deployed_at.as_millisecond(), row.id()))
    }
}

impl Tx {
    /// Writes down a deployment, or how it has gone on.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn put_deployment(&mut self, deployment: &Deployment) -> Result<(), Error> {
        let fields = vec![
            ("id", arg(deployment.id())),
            ("app_id", arg(&deployment.app_id)),
            ("environment", arg(&deployment.environment)),
            ("change_id", arg(&deployment.change_id)),
            ("version", arg(deployment.version.as_deref())),
            ("image", arg(deployment.image.as_deref())),
            ("status", arg(deployment.status)),
            ("rollback_version", arg(deployment.rollback_version.as_deref())),
            ("deployed_by", arg(&deployment.deployed_by)),
            ("deployed_at", arg(deployment.deployed_at)),
            ("completed_at", arg(deployment.completed_at)),
            ("outcome", arg(deployment.outcome)),
            ("detail", arg(json_or_null(deployment.detail.as_ref())?)),
        ];
        let replaced =
            ["version", "image", "status", "rollback_version", "deployed_at", "completed_at", "outcome", "detail"];
        Statement::insert("deployments", fields).or_replace("id", &replaced).run(self.on()).await?;
        Ok(())
    }
}
