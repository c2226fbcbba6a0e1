//! The database: an index of what Git holds, and what only wooo knows (people, tokens, jobs).
//!
//! SQLite is embedded and the default; PostgreSQL serves several replicas. One file for each entity. Reads are methods
//! of [`Store`], writes are methods of [`Tx`]: a transaction is begun plainly, or fenced by the lease of a job. Deadlines
//! are judged by the database's clock, so that replicas whose clocks differ agree on them.
//!
//! It decides nothing: what a state means and when it is left is a matter of `operations`.

mod apps;
mod changes;
mod db;
mod deployments;
mod error;
mod fleets;
mod ids;
mod jobs;
mod leases;
mod login_attempts;
mod migrate;
mod page;
mod placements;
mod statement;
mod transaction;
mod wake;

pub use apps::{AppConfig, AppFilter, AppRecord};
pub use changes::{Change, ChangeContent, ChangeFilter, ChangeUpdate};
pub use db::{Options, Store};
pub use deployments::{Deployment, DeploymentFilter, DeploymentStatus};
pub use error::Error;
pub use fleets::{FleetRecord, Scope, TenantKey};
pub use ids::{AppId, FleetName, InvalidId, JobId};
pub use jobs::{Fence, Job, JobCount, JobState, NewJob};
pub use leases::Lease;
pub use page::{Cursor, Limit, Page, Paging};
pub use placements::{Placement, Seen};
pub use transaction::Tx;
