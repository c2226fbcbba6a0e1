//! Everything that is wrong with a fleet, at once.

use std::collections::BTreeMap;

use serde::Serialize;

use super::batch::{Selection, render_each};
use super::fleet::Fleet;
use super::promtool::{Checked, Found, Rules};
use crate::domain::{Problem, Problems};
use crate::files::FileTree;

/// What validation found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How many apps there are.
    pub apps: usize,
    /// How many apps in how many environments were rendered and checked.
    pub rendered: usize,
    /// What became of the alert rules.
    pub rules: Checked,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

/// Reads settings, specs, templates and overlays, and renders every app. `done` is called after each.
///
/// # Errors
/// What is so wrong that nothing else can be said: the settings, the templates.
pub fn run(tree: &dyn FileTree, mut done: impl FnMut()) -> Result<Report, Problems> {
    let fleet = Fleet::open(tree)?;
    let renderer = fleet.renderer()?;
    let mut problems = Vec::new();
    let mut units = Vec::new();
    let (apps, strays) = fleet.apps_and_strays()?;
    problems.extend(strays);
    for app in &apps {
        let selection = Selection { apps: vec![app.clone()], environments: Vec::new() };
        match (fleet.spec(app), selection.units(&fleet)) {
            (Err(found), _) => problems.extend(found.into_vec()),
            (Ok(None), _) => problems.push(Problem::new("spec.missing", format!("`apps/{app}` has no app.yaml"))),
            (Ok(Some(_)), Ok(found)) => units.extend(found),
            // An app without any environment is a spec in waiting, not a fault.
            (Ok(Some(_)), Err(found)) => {
                problems.extend(found.into_vec().into_iter().filter(|problem| problem.code != "app.not_found"));
            }
        }
    }
    let rendered = units.len();
    let mut hosts: BTreeMap<String, String> = BTreeMap::new();
    let mut rules = Rules::new()?;
    render_each::<_, Problems>(
        &fleet,
        &renderer,
        units,
        |_, _, rendered| (rendered.domain, Found::among(&rendered.objects)),
        |unit, result| {
            done();
            if let Ok((_, found)) = &result {
                rules.add(&unit, found)?;
            }
            match result.map(|(host, _)| host) {
                Ok(Some(host)) => {
                    let owner = hosts.entry(host.clone()).or_insert_with(|| unit.app.to_string());
                    if *owner != unit.app.as_str() {
                        let detail = format!("`{owner}` and `{}` both have the host `{host}`", unit.app);
                        problems.push(Problem::new("route.taken", detail).field("domain"));
                    }
                }
                Ok(None) => {}
                Err(found) => problems.extend(found.into_vec()),
            }
            Ok(())
        },
    )?;
    let (checked, faults) = rules.check();
    problems.extend(faults);
    Ok(Report { apps: apps.len(), rendered, rules: checked, problems })
}
