//! The database: an index of what Git holds, and what only wooo knows (people, tokens, jobs).
//!
//! SQLite is embedded and the default; PostgreSQL serves several replicas. One file for each entity. Reads are methods
//! of [`Store`], writes are methods of [`Tx`]: a transaction is begun plainly, or fenced by the lease of a job. Deadlines
//! are judged by the database's clock, so that replicas whose clocks differ agree on them. Times are kept to the
//! millisecond.
//!
//! There is one text of SQL for both databases (`statement`). A failed statement ends a transaction of PostgreSQL, so
//! a caller that gets an error drops its [`Tx`].
//!
//! It decides nothing: what a state means and when it is left is a matter of `operations`.

mod alerts;
mod apps;
mod audit;
mod changes;
mod comments;
mod db;
mod deployments;
mod error;
mod fleets;
mod idempotency;
mod identities;
mod ids;
mod inbox;
mod incidents;
mod index;
mod jobs;
mod leases;
mod login_failures;
mod memberships;
mod metrics_cache;
mod migrate;
mod notifications;
mod page;
mod peek;
mod placements;
mod repairs;
mod sessions;
mod statement;
mod templates;
mod tokens;
mod transaction;
mod users;
mod wake;

pub use alerts::{Alert, AlertFilter, AlertStatus};
pub use apps::{AppConfig, AppFilter, AppRecord};
pub use audit::{AuditEntry, AuditFilter, AuditSource};
pub use changes::{Change, ChangeContent, ChangeFilter, ChangeUpdate};
pub use comments::{ChangeApproval, CommentAnswer, Conversation, HandledComment};
pub use db::{Options, Store};
pub use deployments::{Deployment, DeploymentFilter, DeploymentStatus};
pub use error::Error;
pub use fleets::{FleetRecord, Scope, TenantKey};
pub use idempotency::{Answer, Attempt, IdempotencyKey};
pub use identities::Identity;
pub use ids::{
    AlertId, AppId, AuditId, DeliveryId, FleetName, IncidentId, InvalidId, JobId, NotificationId, RepairId, SessionId,
    TokenId, UserId,
};
pub use inbox::{Delivery, NewDelivery};
pub use incidents::{Incident, IncidentFilter};
pub use jobs::{Fence, Job, JobCount, JobState, NewJob};
pub use leases::Lease;
pub use memberships::{Membership, MembershipSource};
pub use metrics_cache::CachedMetric;
pub use notifications::{NewNotification, Notification, NotificationState};
pub use page::{Cursor, Limit, Page, Paging};
pub use peek::{Peek, peek};
pub use placements::{Placement, Seen};
pub use repairs::{Repair, RepairFilter};
pub use sessions::Session;
pub use templates::TemplateRecord;
pub use tokens::{NewToken, Token};
pub use transaction::Tx;
pub use users::{NewUser, Profile, User};
