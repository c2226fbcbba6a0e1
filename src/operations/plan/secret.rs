//! Giving a secret variable its value: the encrypted value into the file of each environment, and the name into the spec
//! if it is not there yet.

use super::{Edits, Plan, Target, data, edit};
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
        let named = |list: &[VariableName]| data(list.iter().chain([name]).collect::<Vec<_>>());
        if App::resolve(&target.spec.value, &release.value).spec.secrets.contains(name) {
            continue;
        }
        if let Some(own) = &release.value.secrets {
            let path = release_path(target.name, environment);
            let text = edit(&path, &release.text, &[(&["secrets"], Some(named(own)))])?;
            edits.insert(path, Some(text));
        } else {
            let path = spec_path(target.name);
            let text = edit(&path, &target.spec.text, &[(&["secrets"], Some(named(&target.spec.value.secrets)))])?;
            AppSpec::parse(&Document { file: &path, text: &text })?;
            edits.insert(path, Some(text));
            affected.clone_from(&target.environments);
        }
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
