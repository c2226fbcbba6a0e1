//! The overlay stack: what applies to an app after its templates, in order: plan, provider, environment, and the
//! team's own.

use std::collections::HashMap;

use serde_json::Value;

use crate::domain::{FleetSettings, Problem};
use crate::files::{FileTree, Kind};
use crate::overlay::{self, Overlay};
use crate::yaml::{Node, NotJson};

/// The platform's overlays of a fleet, read and parsed once.
pub(super) struct Stack {
    overlays: HashMap<String, Overlay>,
}

impl Stack {
    /// Reads every overlay that an app of this fleet can need. One that does not exist changes nothing.
    ///
    /// # Errors
    /// The overlays that cannot be read.
    pub(super) fn load(settings: &FleetSettings, tree: &dyn FileTree) -> Result<Self, Vec<Problem>> {
        let plans = settings.plan_names().map(plan_folder);
        let providers =
            settings.environments.values().map(|environment| provider_folder(&environment.provider.to_string()));
        let environments = settings.environments.keys().map(|name| environment_folder(name.as_str()));
        let (mut overlays, mut problems) = (HashMap::new(), Vec::new());
        for folder in plans.chain(providers).chain(environments) {
            if overlays.contains_key(&folder) {
                continue;
            }
            match tree.kind(&folder) {
                Ok(Some(Kind::Directory)) => match Overlay::load(tree, &folder) {
                    Ok(overlay) => {
                        overlays.insert(folder, overlay);
                    }
                    Err(error) => problems.push(overlay_problem(&folder, &error)),
                },
                Ok(_) => {}
                Err(error) => problems.push(Problem::new("files.unreadable", error.to_string())),
            }
        }
        if problems.is_empty() { Ok(Self { overlays }) } else { Err(problems) }
    }

    /// The overlays for an app with their folders, in the order in which they apply.
    pub(super) fn layers(&self, plan: &str, provider: &str, environment: &str) -> Vec<(String, &Overlay)> {
        [plan_folder(plan), provider_folder(provider), environment_folder(environment)]
            .into_iter()
            .filter_map(|folder| self.overlays.get(&folder).map(|overlay| (folder, overlay)))
            .collect()
    }
}

fn plan_folder(name: &str) -> String {
    format!("overlays/plans/{name}")
}

fn provider_folder(name: &str) -> String {
    format!("overlays/providers/{name}")
}

fn environment_folder(name: &str) -> String {
    format!("overlays/environments/{name}")
}

/// Applies one overlay.
///
/// # Errors
/// `overlay.failed` with the overlay's own reason.
pub(super) fn apply(overlay: &Overlay, folder: &str, objects: Vec<Node>) -> Result<Vec<Node>, Problem> {
    overlay.apply(objects).map_err(|error| overlay_problem(folder, &error))
}

/// The objects as values, which is what the checks read.
///
/// # Errors
/// `render.invalid` for a number that JSON does not have.
pub(super) fn values(nodes: Vec<Node>) -> Result<Vec<Value>, Problem> {
    let value =
        |node: Node| Value::try_from(node).map_err(|error: NotJson| Problem::new("render.invalid", error.to_string()));
    nodes.into_iter().map(value).collect()
}

/// An overlay's error as a problem.
pub(super) fn overlay_problem(folder: &str, error: &overlay::Error) -> Problem {
    Problem::new("overlay.failed", format!("overlay `{folder}`: {error}"))
}
