//! Changing fields of a spec: of one environment, or of the shared spec and with it of all.

use serde_json::Value;

use super::{Plan, Target, changed, edit};
use crate::domain::release::Release;
use crate::domain::{AppSpec, Document, Problem, Problems};
use crate::operations::fleet::{release_path, spec_path};
use crate::yaml;

/// Fields that have a verb or a meaning of their own.
const NOT_HERE: [(&str, &str); 4] = [
    ("name", "an app keeps its name; offboard it and onboard it under another"),
    ("hold", "use `wooo hold` and `wooo unhold`"),
    ("restarted_at", "use `wooo restart`"),
    ("source_type", "edit `apps/<app>/app.yaml`"),
];

pub(super) fn plan(target: &Target<'_>, fields: &[(String, Option<String>)]) -> Result<Plan, Problems> {
    if fields.is_empty() {
        return Err(Problem::new("configure.nothing", "this changes no field")
            .hint("give `--set FIELD=VALUE` or `--unset FIELD`")
            .into());
    }
    let mut edits = Vec::new();
    for (field, value) in fields {
        edits.push((path_of(field)?, value.as_deref().map(|text| value_of(field, text)).transpose()?));
    }
    let edits: Vec<(Vec<&str>, Option<Value>)> = edits;
    let borrowed: Vec<(&[&str], Option<Value>)> =
        edits.iter().map(|(path, value)| (path.as_slice(), value.clone())).collect();
    let names: Vec<&str> = fields.iter().map(|(field, _)| field.as_str()).collect();
    if target.environment.is_some() {
        let (environment, release) = target.here()?;
        let borrowed = environment_edits(target, &release.value, borrowed);
        let path = release_path(target.name, environment);
        let text = edit(&path, &release.text, &borrowed)?;
        // Read once more for the message: the field is the asker's, the place is in the file it would go to.
        Release::parse(&Document { file: &path, text: &text })?;
        return Ok(Plan {
            edits: changed(&path, &release.text, text),
            affected: vec![environment.clone()],
            subject: format!("Configure {} in {environment}: {}", target.name, names.join(", ")),
            ..Plan::default()
        });
    }
    let path = spec_path(target.name);
    let text = edit(&path, &target.spec.text, &borrowed)?;
    AppSpec::parse(&Document { file: &path, text: &text })?;
    Ok(Plan {
        edits: changed(&path, &target.spec.text, text),
        affected: target.environments.clone(),
        subject: format!("Configure {}: {}", target.name, names.join(", ")),
        ..Plan::default()
    })
}

/// Removing a variable here that the shared spec has means hiding it: `null`.
fn environment_edits<'a>(
    target: &Target<'_>,
    release: &Release,
    edits: Vec<(&'a [&'a str], Option<Value>)>,
) -> Vec<(&'a [&'a str], Option<Value>)> {
    let shared = |name: &str| target.spec.value.env.keys().any(|known| known.as_str() == name);
    let hidden = |name: &str| release.env.iter().any(|(known, value)| known.as_str() == name && value.is_none());
    edits
        .into_iter()
        .map(|(path, value)| match (path, &value) {
            (["env", name], None) if shared(name) && !hidden(name) => (path, Some(Value::Null)),
            _ => (path, value),
        })
        .collect()
}

fn path_of(field: &str) -> Result<Vec<&str>, Problem> {
    let path: Vec<&str> = field.split('.').collect();
    if path.iter().any(|part| part.is_empty()) {
        return Err(
            Problem::new("configure.field", format!("`{field}` is not a field")).hint("write it as `port` or `env.TZ`")
        );
    }
    if let Some((name, advice)) = NOT_HERE.iter().find(|(name, _)| *name == path[0]) {
        return Err(Problem::new("configure.field", format!("`{name}` is not configured like this")).hint(*advice));
    }
    Ok(path)
}

/// Variables are text, whatever they look like; everything else is YAML.
fn value_of(field: &str, text: &str) -> Result<Value, Problem> {
    if field.starts_with("env.") {
        return Ok(Value::String(text.to_owned()));
    }
    yaml::read::<Value>(text)
        .map_err(|error| Problem::new("configure.value", format!("the value of `{field}` is not YAML: {error}")))
}
