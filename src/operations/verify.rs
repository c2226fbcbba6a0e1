//! Is what the fleet holds what wooo would render? Byte by byte, offline, for any commit.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::batch::{Selection, render_each};
use super::fleet::{Fleet, delivery_path, rendered_path};
use super::{file_problems, routes};
use crate::domain::{Problem, Problems};
use crate::files::{self, Kind};
use crate::git::{BlobId, GitTree};

/// How a file differs from what would be rendered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Drift {
    /// Its bytes are others.
    Changed,
    /// It is not there.
    Missing,
    /// It is there and nothing renders it.
    Unexpected,
}

/// One file that differs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The file.
    pub path: String,
    /// How it differs.
    pub drift: Drift,
}

/// What verification found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// How many apps in how many environments were rendered.
    pub rendered: usize,
    /// The files that differ, by path.
    pub findings: Vec<Finding>,
    /// What could not be rendered.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Whether every byte is as it should be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.problems.is_empty()
    }
}

/// Renders every app of `tree` again and compares. `done` is called after each app.
///
/// # Errors
/// What is wrong with the fleet as a whole.
pub fn run(tree: &GitTree<'_>, mut done: impl FnMut()) -> Result<Report, Problems> {
    let fleet = Fleet::open(tree)?;
    let renderer = fleet.renderer()?;
    let units = Selection::default().units(&fleet)?;
    let mut report = Report { rendered: units.len(), ..Report::default() };
    let mut expected: BTreeSet<String> = BTreeSet::new();
    let mut claims: BTreeMap<String, routes::Claim> = BTreeMap::new();
    render_each::<_, Problems>(
        &fleet,
        &renderer,
        units,
        |unit, _, rendered| {
            let folder = rendered_path(&unit.app, &unit.environment);
            let mut files: Vec<(String, BlobId)> = rendered
                .files
                .iter()
                .map(|file| (format!("{folder}/{}", file.name), BlobId::of(file.content.as_bytes())))
                .collect();
            let delivery = BlobId::of(rendered.delivery_file.as_bytes());
            files.push((delivery_path(&unit.app, &unit.environment), delivery));
            (files, rendered.domain)
        },
        |unit, result| {
            done();
            match result {
                Ok((files, domain)) => {
                    for (path, blob) in files {
                        compare(tree, &path, blob, &mut report)?;
                        expected.insert(path);
                    }
                    if let Some(host) = domain {
                        claim(&mut claims, host, &unit.app.to_string(), unit.environment.as_str(), &mut report);
                    }
                }
                Err(problems) => {
                    report.problems.extend(problems.into_vec());
                    // Nothing is known of its files: they are neither right nor wrong.
                    let folder = rendered_path(&unit.app, &unit.environment);
                    walk(tree, &folder, &mut |path| {
                        expected.insert(path);
                    })?;
                    expected.insert(delivery_path(&unit.app, &unit.environment));
                }
            }
            Ok(())
        },
    )?;
    for (host, claim) in &claims {
        let path = routes::path(host);
        compare(tree, &path, BlobId::of(claim.text().as_bytes()), &mut report)?;
        expected.insert(path);
    }
    for folder in ["rendered", "delivery"] {
        walk(tree, folder, &mut |path| {
            if !expected.contains(&path) && !is_pointer(&fleet, &path) {
                report.findings.push(Finding { path, drift: Drift::Unexpected });
            }
        })?;
    }
    report.findings.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(report)
}

/// `delivery/<env>.yaml` is written once by `wooo init` and may be adapted by the platform team.
fn is_pointer(fleet: &Fleet<'_>, path: &str) -> bool {
    let name = path.strip_prefix("delivery/").and_then(|name| name.strip_suffix(".yaml"));
    name.is_some_and(|name| fleet.settings.environments.keys().any(|environment| environment.as_str() == name))
}

fn compare(tree: &GitTree<'_>, path: &str, expected: BlobId, report: &mut Report) -> Result<(), Problems> {
    let drift = match tree.entry_id(path).map_err(file_problems)? {
        None => Drift::Missing,
        Some(entry) if entry.blob() == Some(expected) => return Ok(()),
        Some(_) => Drift::Changed,
    };
    report.findings.push(Finding { path: path.to_owned(), drift });
    Ok(())
}

pub(super) fn claim(
    claims: &mut BTreeMap<String, routes::Claim>,
    host: String,
    app: &str,
    environment: &str,
    report: &mut Report,
) {
    let claim =
        claims.entry(host.clone()).or_insert_with(|| routes::Claim { app: app.to_owned(), environments: Vec::new() });
    if claim.app == app {
        claim.environments.push(environment.to_owned());
        claim.environments.sort();
    } else {
        let detail = format!("`{app}` and `{}` both have the host `{host}`", claim.app);
        report.problems.push(Problem::new("route.taken", detail).field("domain"));
    }
}

/// Every file below `folder`.
fn walk(tree: &GitTree<'_>, folder: &str, found: &mut impl FnMut(String)) -> Result<(), Problems> {
    let entries = match files::FileTree::list(tree, folder) {
        Ok(entries) => entries,
        Err(files::Error::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(file_problems(error)),
    };
    for entry in entries {
        let path = format!("{folder}/{}", entry.name);
        if entry.kind == Kind::Directory {
            walk(tree, &path, found)?;
        } else {
            found(path);
        }
    }
    Ok(())
}
