//! The rules of a fleet, read by Prometheus' own program where it is installed: `promtool check rules`.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::batch::Unit;
use crate::domain::Problem;
use crate::yaml;

/// How many files one call gets: what a command line holds, by far.
const FILES: usize = 500;

/// Whether rules were checked, and how many.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Checked {
    /// How many alerts there are.
    pub alerts: usize,
    /// Whether `promtool` is installed; without it nothing was checked.
    pub promtool: bool,
}

/// Rules on their way to `promtool`.
pub(super) struct Rules {
    folder: TempDir,
    units: Vec<Unit>,
    alerts: usize,
}

impl Rules {
    /// Begins without any.
    ///
    /// # Errors
    /// `files.unwritable` if there is no room for temporary files.
    pub(super) fn new() -> Result<Self, Problem> {
        let folder = tempfile::tempdir().map_err(|error| unwritable(&error))?;
        Ok(Self { folder, units: Vec::new(), alerts: 0 })
    }

    /// Adds the rules of one app, as one file.
    ///
    /// # Errors
    /// `files.unwritable`.
    pub(super) fn add(&mut self, unit: &Unit, rules: &Found) -> Result<(), Problem> {
        if rules.alerts == 0 {
            return Ok(());
        }
        let name = format!("{}.yaml", self.units.len());
        std::fs::write(self.folder.path().join(name), &rules.text).map_err(|error| unwritable(&error))?;
        self.units.push(unit.clone());
        self.alerts += rules.alerts;
        Ok(())
    }

    /// Has them checked. What is wrong is told for each app.
    pub(super) fn check(&self) -> (Checked, Vec<Problem>) {
        let mut problems = Vec::new();
        let files: Vec<usize> = (0..self.units.len()).collect();
        for part in files.chunks(FILES) {
            match promtool(self.folder.path(), part) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return (Checked { alerts: self.alerts, promtool: false }, Vec::new());
                }
                Err(error) => problems.push(Problem::new("rules.promtool", format!("promtool cannot be run: {error}"))),
                Ok(None) => {}
                // Which file is at fault is asked of each alone: the program tells it in words.
                Ok(Some(said)) => {
                    let found: Vec<Problem> = part.iter().filter_map(|file| self.fault(*file)).collect();
                    if found.is_empty() {
                        let line = said.lines().next().unwrap_or_default();
                        problems
                            .push(Problem::new("rules.invalid", format!("promtool refuses the fleet's rules: {line}")));
                    }
                    problems.extend(found);
                }
            }
        }
        (Checked { alerts: self.alerts, promtool: true }, problems)
    }

    fn fault(&self, file: usize) -> Option<Problem> {
        let said = promtool(self.folder.path(), &[file]).ok()??;
        let Unit { app, environment } = &self.units[file];
        let reason = said.lines().map(str::trim).find(|line| line.contains("err") || line.contains("could not"));
        let reason = reason.unwrap_or("promtool refuses them");
        Some(Problem::new("rules.invalid", format!("the rules of `{app}` in `{environment}`: {reason}")))
    }
}

/// The rules among rendered objects, as one file.
pub(super) struct Found {
    text: String,
    alerts: usize,
}

impl Found {
    /// Every group of every PrometheusRule.
    pub(super) fn among(objects: &[Value]) -> Self {
        let rules = objects.iter().filter(|object| object["kind"] == "PrometheusRule");
        let groups: Vec<&Value> = rules.filter_map(|rule| rule.pointer("/spec/groups")?.as_array()).flatten().collect();
        let alerts = groups.iter().filter_map(|group| group.get("rules")?.as_array()).map(Vec::len).sum();
        Self { text: yaml::write(&json!({ "groups": groups })).unwrap_or_default(), alerts }
    }
}

/// What `promtool` says against the files, if anything.
fn promtool(folder: &Path, files: &[usize]) -> io::Result<Option<String>> {
    let output = Command::new("promtool")
        .args(["check", "rules"])
        .args(files.iter().map(|file| format!("{file}.yaml")))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()?;
    let said = || String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((!output.status.success()).then(said))
}

fn unwritable(error: &io::Error) -> Problem {
    Problem::new("files.unwritable", format!("a temporary file: {error}"))
}
