//! The last values of metrics, for as long as they are fresh enough to be shown.

use std::time::Duration;

use jiff::Timestamp;

use super::statement::{Row, Statement, arg};
use super::{AppId, Error, Store};
use crate::domain::EnvironmentName;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedMetric {
    /// The metric.
    pub metric: String,
    /// When the value was so.
    pub at: Timestamp,
    /// The value.
    pub value: f64,
}

impl Store {
    /// The values of an app in an environment that are still fresh, by metric.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn cached_metrics(&self, app: &AppId, environment: &EnvironmentName) -> Result<Vec<CachedMetric>, Error> {
        let statement = Statement::new("SELECT metric, at, value FROM metrics_cache WHERE expires_at > {now}")
            .and_equal("app_id", Some(app))
            .and_equal("environment", Some(environment))
            .sql(" ORDER BY metric");
        let read =
            |row: &Row| Ok(CachedMetric { metric: row.get("metric")?, at: row.time("at")?, value: row.get("value")? });
        statement.all(self.read()).await?.iter().map(read).collect()
    }

    /// Keeps a value for `lifetime`.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn cache_metric(
        &self,
        app: &AppId,
        environment: &EnvironmentName,
        metric: &CachedMetric,
        lifetime: Duration,
    ) -> Result<(), Error> {
        let fields = vec![
            ("app_id", arg(app)),
            ("environment", arg(environment)),
            ("metric", arg(&metric.metric)),
            ("at", arg(metric.at)),
            ("value", arg(metric.value)),
        ];
        Statement::insert("metrics_cache", fields)
            .with_now_plus("expires_at", lifetime)
            .or_replace("app_id, environment, metric", &["at", "value", "expires_at"])
            .run(self.write())
            .await?;
        Ok(())
    }

    /// Deletes what is no longer fresh, and says how much.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn prune_metrics(&self) -> Result<u64, Error> {
        Statement::new("DELETE FROM metrics_cache WHERE expires_at <= {now}").run(self.write()).await
    }
}
