//! Giving a secret variable its value: the encrypted value into the file of each environment, and the name into the spec
//! if it is not there yet.

use super::{Edits, Plan, Target, data, edit};
use crate::domain::release::Release;
use crate::domain::secrets::{Ciphertext, Secrets, addon_secret, variables_secret};
use crate::domain::{App, AppSpec, Document, EnvironmentName, Problem, Problems, VariableName};
use crate::operations::fleet::{Parsed, release_path, secrets_path, spec_path};

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
    let mut notes = Vec::new();
    let mut affected: Vec<EnvironmentName> = values.iter().map(|(environment, _)| environment.clone()).collect();
    for (environment, value) in values {
        let Some(release) = target.fleet.release(target.name, environment)? else {
            let detail = format!("`{}` is not in `{environment}`", target.name);
            return Err(Problem::new("app.not_there", detail).into());
        };
        let path = secrets_path(target.name, environment);
        let standing = target.fleet.secrets(target.name, environment)?;
        let text = without_stale(target, environment, &standing, Some(name), &mut notes)?;
        let text = edit(&path, &text, &[(&["variables", name.as_str()], Some(data(value)))])?;
        edits.insert(path, Some(text));
        let here = App::resolve(&target.spec.value, &release.value).spec.secrets;
        if here.contains(name) {
            continue;
        }
        // One environment's wish changes no other: there it would be a variable without a value.
        let named = data(here.iter().chain([name]).collect::<Vec<_>>());
        let name_in = |path: &str, text: &str| edit(path, text, &[(&["secrets"], Some(named))]);
        if target.environment.is_none() && release.value.secrets.is_none() {
            let path = spec_path(target.name);
            let text = name_in(&path, &target.spec.text)?;
            AppSpec::parse(&Document { file: &path, text: &text })?;
            edits.insert(path, Some(text));
            affected.clone_from(&target.environments);
        } else {
            let path = release_path(target.name, environment);
            let text = name_in(&path, &release.text)?;
            Release::parse(&Document { file: &path, text: &text })?;
            edits.insert(path, Some(text));
        }
    }
    let subject = match target.environment {
        Some(environment) => format!("Set secret {name} of {} in {environment}", target.name),
        None => format!("Set secret {name} of {}", target.name),
    };
    Ok(Plan { edits, affected, subject, notes, ..Plan::default() })
}

/// Renders where passwords may be missing; who carries the plan out makes them.
pub(super) fn generate(target: &Target<'_>) -> Result<Plan, Problems> {
    let (affected, subject) = match target.environment {
        Some(environment) => {
            (vec![environment.clone()], format!("Make passwords for the add-ons of {} in {environment}", target.name))
        }
        None => (target.environments.clone(), format!("Make passwords for the add-ons of {}", target.name)),
    };
    let (mut edits, mut notes) = (Edits::new(), Vec::new());
    for environment in &affected {
        let standing = target.fleet.secrets(target.name, environment)?;
        let text = without_stale(target, environment, &standing, None, &mut notes)?;
        if text != standing.text {
            edits.insert(secrets_path(target.name, environment), Some(text));
        }
    }
    Ok(Plan { edits, affected, subject, notes, ..Plan::default() })
}

/// The file of an environment without what can no longer be opened there: as long as that stands, nothing of the app can be
/// rendered.
fn without_stale(
    target: &Target<'_>,
    environment: &EnvironmentName,
    standing: &Parsed<Secrets>,
    except: Option<&VariableName>,
    notes: &mut Vec<String>,
) -> Result<String, Problems> {
    let path = secrets_path(target.name, environment);
    let mut text = standing.text.clone();
    let mut take_out = |place: [&str; 2], what: String| -> Result<(), Problems> {
        text = edit(&path, &text, &[(&place, None)])?;
        notes.push(format!("{what} could not be opened in {environment} any more"));
        Ok(())
    };
    let opens = |secret: &str, value: &Ciphertext| target.fleet.opens(environment, target.name, secret, value);
    let shared = variables_secret(target.name);
    for (name, value) in standing.value.variables.iter().filter(|(name, _)| Some(*name) != except) {
        if !opens(&shared, value) {
            take_out(["variables", name.as_str()], format!("{name}, which has to be set anew,"))?;
        }
    }
    for (kind, value) in &standing.value.addons {
        if !opens(&addon_secret(target.name, *kind), value) {
            take_out(["addons", kind.key()], format!("the password of {kind}, which is made anew,"))?;
        }
    }
    Ok(text)
}
