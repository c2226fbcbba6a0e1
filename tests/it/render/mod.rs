//! Rendering: every framework on every provider with every delivery and entry, and what must never come out of it.

mod addons;
mod fixtures;
mod injection;
mod refusals;
mod snapshots;

pub(super) use self::fixtures::dashboards;
