//! Giving a secret variable its value: the encrypted value into the file of each environment, and the name into the spec
//! if it is not there yet.

use super::{Edits, Plan, Target, data, edit};
use crate::domain::release::Release;
use crate::domain::secrets::Ciphertext;
use crate::domain::{App, AppSpec, Document, EnvironmentName, Problem, Problems, VariableName};
use crate::operations::fleet::{release_path, secrets_path, spec_path};

pub(super) fn set(
    target: &Target<'_>,
    name: &VariableName,
    values: &[(EnvironmentName, Ciphertext)],
) -> Result<Plan, Problems> {
    if values.is_empty() {
        let problem = Problem::new("app.not_there", format!("`{}` is in no environment", target.name));
        return Err(problem.hint("`wooo onboard SPEC --env ENV` brings it somewhere").into());
    }
    let mut edits = Edits::new();
    let mut affected: Vec<EnvironmentName> = values.iter().map(|(environment, _)| environment.clone()).collect();
    for (environment, value) in values {
        let Some(release) = target.fleet.release(target.name, environment)? else {
            let detail = format!("`{}` is not in `{environment}`", target.name);
            return Err(Problem::new("app.not_there", detail).into());
        };
        let path = secrets_path(target.name, environment);
        let standing = target.fleet.secrets(target.name, environment)?.text;
        let text = edit(&path, &standing, &[(&["variables", name.as_str()], Some(data(value)))])?;
        edits.insert(path, Some(text));
        let here = App::resolve(&target.spec.value, &release.value).spec.secrets;
        if here.contains(name) {
            continue;
        }
        // One environment's wish changes no other: there it would be a variable without a value.
        let (path, text, list) = match (target.environment, &release.value.secrets) {
            (None, None) => (spec_path(target.name), &target.spec.text, &target.spec.value.secrets),
            _ => (release_path(target.name, environment), &release.text, &here),
        };
        let named = data(list.iter().chain([name]).collect::<Vec<_>>());
        let text = edit(&path, text, &[(&["secrets"], Some(named))])?;
        match target.environment {
            None if release.value.secrets.is_none() => {
                AppSpec::parse(&Document { file: &path, text: &text })?;
                affected.clone_from(&target.environments);
            }
            _ => {
                Release::parse(&Document { file: &path, text: &text })?;
            }
        }
        edits.insert(path, Some(text));
    }
    let subject = match target.environment {
        Some(environment) => format!("Set secret {name} of {} in {environment}", target.name),
        None => format!("Set secret {name} of {}", target.name),
    };
    Ok(Plan { edits, affected, subject, ..Plan::default() })
}

/// Renders where passwords may be missing; who carries the plan out makes them.
pub(super) fn generate(target: &Target<'_>) -> Plan {
    let (affected, subject) = match target.environment {
        Some(environment) => {
            (vec![environment.clone()], format!("Make passwords for the add-ons of {} in {environment}", target.name))
        }
        None => (target.environments.clone(), format!("Make passwords for the add-ons of {}", target.name)),
    };
    Plan { affected, subject, ..Plan::default() }
}
