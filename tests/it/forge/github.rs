//! GitHub passes the suite of all forges, and that of those that are reached over HTTP; and what only it does.

use super::conformance::conformance;
use super::fake::Remote;
use super::fake::github::GitHubDialect;
use super::remote::remote;

conformance!(Remote::<GitHubDialect>::new().await);

remote!(GitHubDialect);
