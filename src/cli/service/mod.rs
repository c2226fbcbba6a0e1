//! The service put together: settings into a database, forges, clusters, workers and a web server.
//!
//! Owns the settings and the order in which parts start and stop. What the parts do is theirs.

mod assemble;
mod forges;
mod offline;
mod settings;
mod website;

pub(super) use assemble::{Assembled, assemble, copy_folder};
pub(super) use forges::{Forges, Opened};
pub(super) use offline::{local_fleets, offline};
pub(super) use settings::ServiceSettings;
pub(super) use website::{Website, listen};
