//! Apps in environments: what the fleet says, and what the cluster was last seen to say.

use jiff::Timestamp;
use serde_json::Value;

use super::statement::{Row, Statement, arg, json_or_null};
use super::{AppId, Error, Store, Tx};
use crate::domain::release::Hold;
use crate::domain::{EnvironmentName, HostName, PlanName};

/// An app in an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    /// The app.
    pub app_id: AppId,
    /// The environment.
    pub environment: EnvironmentName,
    /// What runs.
    pub image: Option<String>,
    /// The fewest pods.
    pub replicas_min: Option<u32>,
    /// The most pods.
    pub replicas_max: Option<u32>,
    /// The size.
    pub plan: Option<PlanName>,
    /// The host name.
    pub host: Option<HostName>,
    /// The pin.
    pub hold: Option<Hold>,
    /// The workloads that the fleet wants to run, as JSON.
    pub intended: Option<Value>,
    /// What was last seen.
    pub seen: Seen,
}

/// What the cluster was last seen to say of an app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// How it is, in one word.
    pub health: Option<String>,
    /// How the controller's sync is, in one word.
    pub sync_state: Option<String>,
    /// The commit that the controller applied.
    pub applied_revision: Option<String>,
    /// The rest, as JSON.
    pub detail: Option<Value>,
    /// When it was seen.
    pub observed_at: Option<Timestamp>,
    /// What the cluster has and the fleet does not say, as JSON.
    pub drift: Option<Value>,
}

const COLUMNS: &str = "app_id, environment, image, replicas_min, replicas_max, plan, host, hold, intended, health, sync_state, \
                       applied_revision, detail, observed_at, drift";

impl Placement {
    /// An app in an environment, of which nothing more is known.
    #[must_use]
    pub fn new(app_id: AppId, environment: EnvironmentName) -> Self {
        Self {
            app_id,
            environment,
            image: None,
            replicas_min: None,
            replicas_max: None,
            plan: None,
            host: None,
            hold: None,
            intended: None,
            seen: Seen::default(),
        }
    }

    fn read(row: &Row) -> Result<Self, Error> {
        let count = |column| {
            let count: Option<i64> = row.get(column)?;
            Ok::<_, Error>(count.and_then(|count| u32::try_from(count).ok()))
        };
        Ok(Self {
            app_id: row.parse("app_id")?,
            environment: row.parse("environment")?,
            image: row.get("image")?,
            replicas_min: count("replicas_min")?,
            replicas_max: count("replicas_max")?,
            plan: row.parse_or_null("plan")?,
            host: row.parse_or_null("host")?,
            hold: row.json_or_null("hold")?,
            intended: row.json_or_null("intended")?,
            seen: Seen {
                health: row.get("health")?,
                sync_state: row.get("sync_state")?,
                applied_revision: row.get("applied_revision")?,
                detail: row.json_or_null("detail")?,
                observed_at: row.time_or_null("observed_at")?,
                drift: row.json_or_null("drift")?,
            },
        })
    }
}

impl Store {
    /// Where an app is, by environment.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn placements(&self, app: &AppId) -> Result<Vec<Placement>, Error> {
        self.placements_of(std::slice::from_ref(app)).await
    }

    /// Where each of several apps is, by app and environment.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn placements_of(&self, apps: &[AppId]) -> Result<Vec<Placement>, Error> {
        if apps.is_empty() {
            return Ok(Vec::new());
        }
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM placements WHERE app_id IN ").list(apps);
        let statement = statement.sql(" ORDER BY app_id, environment");
        statement.all(self.read()).await?.iter().map(Placement::read).collect()
    }

    /// All that is in an environment of any fleet, by app, after `after`; at most `limit`.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn placements_in(
        &self,
        environment: &EnvironmentName,
        after: Option<&AppId>,
        limit: u32,
    ) -> Result<Vec<Placement>, Error> {
        let statement = Statement::new("SELECT ").sql(COLUMNS).sql(" FROM placements WHERE environment = ");
        let mut statement = statement.arg(environment);
        if let Some(after) = after {
            statement = statement.sql(" AND app_id > ").arg(after);
        }
        let statement = statement.sql(" ORDER BY app_id LIMIT ").arg(limit);
        statement.all(self.read()).await?.iter().map(Placement::read).collect()
    }
}

impl Tx {
    /// Writes down what the fleet says of an app in an environment. What was seen of it stays.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is no such app.
    pub async fn put_placement(&mut self, placement: &Placement) -> Result<(), Error> {
        let fields = vec![
            ("app_id", arg(&placement.app_id)),
            ("environment", arg(&placement.environment)),
            ("image", arg(placement.image.as_deref())),
            ("replicas_min", arg(placement.replicas_min)),
            ("replicas_max", arg(placement.replicas_max)),
            ("plan", arg(placement.plan.as_ref())),
            ("host", arg(placement.host.as_ref())),
            ("hold", arg(json_or_null(placement.hold.as_ref())?)),
            ("intended", arg(json_or_null(placement.intended.as_ref())?)),
        ];
        let replaced = ["image", "replicas_min", "replicas_max", "plan", "host", "hold", "intended"];
        Statement::insert("placements", fields).or_replace("app_id, environment", &replaced).run(self.on()).await?;
        Ok(())
    }

    /// Writes down what was seen of an app in an environment, unless something later was seen already.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn put_seen(&mut self, app: &AppId, environment: &EnvironmentName, seen: &Seen) -> Result<(), Error> {
        let fields = vec![
            ("health", arg(seen.health.as_deref())),
            ("sync_state", arg(seen.sync_state.as_deref())),
            ("applied_revision", arg(seen.applied_revision.as_deref())),
            ("detail", arg(json_or_null(seen.detail.as_ref())?)),
            ("observed_at", arg(seen.observed_at)),
            ("drift", arg(json_or_null(seen.drift.as_ref())?)),
        ];
        let mut statement = Statement::update("placements", fields).sql(" WHERE app_id = ").arg(app);
        statement = statement.and_equal("environment", Some(environment));
        if let Some(at) = seen.observed_at {
            statement = statement.sql(" AND (observed_at IS NULL OR observed_at <= ").arg(at).sql(")");
        }
        statement.run(self.on()).await?;
        Ok(())
    }

    /// Removes an app from the environments that are not in `environments`.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn retain_placements(&mut self, app: &AppId, environments: &[EnvironmentName]) -> Result<(), Error> {
        let mut statement = Statement::new("DELETE FROM placements WHERE app_id = ").arg(app);
        if !environments.is_empty() {
            statement = statement.sql(" AND environment NOT IN ").list(environments);
        }
        statement.run(self.on()).await?;
        Ok(())
    }
}
