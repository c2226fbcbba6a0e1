//! The semantic diff of two commits of a fleet.

use std::collections::BTreeSet;

use serde::Serialize;

use super::batch::Unit;
use super::fleet::{Fleet, rendered_path};
use super::{file_problems, rendering};
use crate::domain::Problems;
use crate::files::{self, FileTree, Kind};
use crate::git::GitTree;
use crate::render::diff::{self, Entry};
use crate::yaml;

/// What differs of one app in one environment.
#[derive(Clone, Debug, Serialize)]
pub struct AppDiff {
    /// The app.
    pub app: String,
    /// The environment.
    pub environment: String,
    /// The differences, riskiest first.
    pub entries: Vec<Entry>,
    /// The same as a unified text diff of the manifests.
    #[serde(skip)]
    pub text: String,
}

/// Compares what two commits render, app by app. Apps whose folders are the same object in Git are not looked at.
///
/// # Errors
/// What is wrong with either fleet.
pub fn run(before: &GitTree<'_>, after: &GitTree<'_>) -> Result<Vec<AppDiff>, Problems> {
    let (old, new) = (Fleet::open(before)?, Fleet::open(after)?);
    let mut units = BTreeSet::new();
    for fleet in [&old, &new] {
        for environment in fleet.settings.environments.keys() {
            for entry in list(fleet.tree, &format!("rendered/{environment}"))? {
                if let (Kind::Directory, Ok(app)) = (entry.kind, entry.name.parse()) {
                    units.insert(Unit { app, environment: environment.clone() });
                }
            }
        }
    }
    let mut diffs = Vec::new();
    for unit in units {
        let folder = rendered_path(&unit.app, &unit.environment);
        if before.entry_id(&folder).map_err(file_problems)? == after.entry_id(&folder).map_err(file_problems)? {
            continue;
        }
        let objects = |fleet: &Fleet<'_>| {
            let record = fleet.record(&unit.app, &unit.environment)?;
            rendering::objects(fleet.tree, &unit.app, &unit.environment, record.as_ref())
        };
        let (old, new) = (objects(&old)?, objects(&new)?);
        let entries = diff::compare(&old, &new);
        let written = |objects: &[serde_json::Value]| yaml::write_all(objects).unwrap_or_default();
        let text = similar::TextDiff::from_lines(written(&old), written(&new))
            .unified_diff()
            .header(&format!("a/{folder}"), &format!("b/{folder}"))
            .to_string();
        diffs.push(AppDiff { app: unit.app.to_string(), environment: unit.environment.to_string(), entries, text });
    }
    Ok(diffs)
}

fn list(tree: &dyn FileTree, folder: &str) -> Result<Vec<files::Entry>, Problems> {
    match tree.list(folder) {
        Ok(entries) => Ok(entries),
        Err(files::Error::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(file_problems(error)),
    }
}
