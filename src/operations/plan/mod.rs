//! From an intent to edits of spec files. Pure: what it reads is the fleet it is given, and it writes nothing.
//!
//! One file per family of verbs. Each edits the text that people wrote, so that their comments outlive it.

mod capacity;
mod configure;
mod hold;
mod offboard;
mod onboard;
mod release;
mod secret;

use std::collections::BTreeMap;

use serde_json::Value;

use super::Request;
use super::fleet::{Fleet, Parsed, release_path};
use super::history::PastRelease;
use crate::domain::problem::did_you_mean;
use crate::domain::release::{Hold, Release};
use crate::domain::{Action, App, AppName, AppSpec, EnvironmentName, Intent, Problem, Problems};
use crate::files::MemoryTree;
use crate::yaml;

/// Edits of spec files: the new text by path, or `None` where a file goes.
pub type Edits = BTreeMap<String, Option<String>>;

/// The files that edits write, as a tree to lay over the fleet's.
#[must_use]
pub fn edited(edits: &Edits) -> MemoryTree {
    edits.iter().filter_map(|(path, text)| Some((path.clone(), text.as_ref()?.clone().into_bytes()))).collect()
}

/// An intent made concrete.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// What changes under `apps/`.
    pub edits: Edits,
    /// Folders below `apps/` that go as a whole.
    pub removed_folders: Vec<String>,
    /// The environments whose rendering follows from it.
    pub affected: Vec<EnvironmentName>,
    /// The environments that the app leaves.
    pub leaving: Vec<EnvironmentName>,
    /// One line that says what it does.
    pub subject: String,
    /// What the reader of the change should know.
    pub notes: Vec<String>,
}

/// Plans `intent` against `fleet`. `past` are the app's earlier releases in the environment, newest first; only a
/// rollback looks at them.
///
/// # Errors
/// `app.not_found`, `hold.active`, and what is wrong with the intent or the files.
pub fn plan(fleet: &Fleet<'_>, intent: &Intent, request: &Request, past: &[PastRelease]) -> Result<Plan, Problems> {
    if let Some(environment) = &intent.environment {
        fleet.settings.environment(environment)?;
    }
    if let Action::Onboard { spec, file } = &intent.action {
        return onboard::plan(fleet, intent, spec, file);
    }
    let target = Target::find(fleet, intent, request)?;
    match &intent.action {
        Action::Onboard { .. } => Ok(Plan::default()),
        Action::Deploy { image } => release::deploy(&target, image),
        Action::Rollback { to } => release::rollback(&target, to.as_deref(), past, request),
        Action::Promote => release::promote(&target),
        Action::Restart => capacity::restart(&target, request),
        Action::Scale { replicas } => capacity::scale(&target, *replicas),
        Action::Resize(size) => capacity::resize(&target, size),
        Action::Configure { fields } => configure::plan(&target, fields),
        Action::SetSecret { name, values } => secret::set(&target, name, values),
        Action::GenerateSecrets => secret::generate(&target),
        Action::Hold { reason, until } => hold::hold(&target, reason, *until, request),
        Action::Unhold => hold::unhold(&target),
        Action::Offboard => offboard::plan(&target),
    }
}

/// The app that an intent is about, with its files.
struct Target<'a> {
    fleet: &'a Fleet<'a>,
    name: &'a AppName,
    environment: Option<&'a EnvironmentName>,
    spec: Parsed<AppSpec>,
    /// The environments that it is in.
    environments: Vec<EnvironmentName>,
    /// Its release in the intent's environment, if it is there.
    release: Option<Parsed<Release>>,
}

impl<'a> Target<'a> {
    fn find(fleet: &'a Fleet<'a>, intent: &'a Intent, request: &Request) -> Result<Self, Problems> {
        let name = &intent.app;
        let Some(spec) = fleet.spec(name)? else {
            return Err(not_found(fleet, name).into());
        };
        let environments = fleet.environments_of(name)?;
        let release = match &intent.environment {
            Some(environment) => fleet.release(name, environment)?,
            None => None,
        };
        let target = Self { fleet, name, environment: intent.environment.as_ref(), spec, environments, release };
        if intent.action.obeys_hold() {
            target.refuse_held(request)?;
        }
        Ok(target)
    }

    /// A hold on any environment that the intent touches stops it.
    fn refuse_held(&self, request: &Request) -> Result<(), Problems> {
        let touched: Vec<&EnvironmentName> = match self.environment {
            Some(environment) => vec![environment],
            None => self.environments.iter().collect(),
        };
        for environment in touched {
            if let Some(release) = self.fleet.release(self.name, environment)?
                && let Some(hold) = release.value.hold.filter(|hold| hold.is_active(request.now))
            {
                return Err(held(self.name, environment, &hold).into());
            }
        }
        Ok(())
    }

    /// The environment and the release there.
    fn here(&self) -> Result<(&'a EnvironmentName, &Parsed<Release>), Problem> {
        let Some(environment) = self.environment else {
            return Err(Problem::new("intent.environment", "this needs an environment").hint("name it with `--env`"));
        };
        let Some(release) = &self.release else {
            let detail = format!("`{}` is not in `{environment}`", self.name);
            let places: Vec<_> = self.environments.iter().map(EnvironmentName::as_str).collect();
            return Err(Problem::new("app.not_there", detail).hint(match places.as_slice() {
                [] => "`wooo onboard SPEC --env ENV` brings it somewhere".to_owned(),
                places => format!("it is in {}; `wooo promote` brings it further", places.join(", ")),
            }));
        };
        Ok((environment, release))
    }

    /// The app as it runs in the environment now.
    fn app(&self, release: &Release) -> App {
        App::resolve(&self.spec.value, release)
    }

    /// A plan that sets fields of the release file here.
    fn set(&self, fields: &[(&[&str], Option<Value>)], subject: String) -> Result<Plan, Problems> {
        let (environment, release) = self.here()?;
        let path = release_path(self.name, environment);
        let text = edit(&path, &release.text, fields)?;
        Ok(Plan {
            edits: changed(&path, &release.text, text),
            affected: vec![environment.clone()],
            subject,
            ..Plan::default()
        })
    }
}

/// `text` with fields set, checked by reading it again.
fn edit(path: &str, text: &str, fields: &[(&[&str], Option<Value>)]) -> Result<String, Problems> {
    let mut text = text.to_owned();
    for (field, value) in fields {
        text = yaml::set(&text, field, value.as_ref())
            .map_err(|error| Problem::new("spec.syntax", format!("{path}:{}:{}: {error}", error.line, error.column)))?;
    }
    Ok(text)
}

fn changed(path: &str, before: &str, after: String) -> Edits {
    if before == after { Edits::new() } else { Edits::from([(path.to_owned(), Some(after))]) }
}

fn held(app: &AppName, environment: &EnvironmentName, hold: &Hold) -> Problem {
    let until = hold.until.map_or("until someone lifts it".to_owned(), |until| format!("until {until}"));
    let detail = format!("`{app}` is held in `{environment}` by {}: {} ({until})", hold.actor, hold.reason);
    Problem::new("hold.active", detail).hint(format!("`wooo unhold {app} --env {environment}` lifts the hold"))
}

fn not_found(fleet: &Fleet<'_>, name: &AppName) -> Problem {
    let problem = Problem::new("app.not_found", format!("there is no app `{name}` in this fleet"));
    let known = fleet.apps().unwrap_or_default();
    match did_you_mean(name.as_str(), known.iter().map(AppName::as_str)) {
        Some(other) => problem.hint(format!("did you mean `{other}`?")),
        None => problem.hint("`wooo onboard SPEC --env ENV` adds an app"),
    }
}

/// A value as YAML data. Every value here is made of text, numbers and maps with text keys, which JSON has.
fn data(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
