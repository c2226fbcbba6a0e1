//! Bringing an app into an environment.

use super::{Edits, Plan, data};
use crate::domain::{AppSpec, Document, Intent, Problem, Problems};
use crate::operations::fleet::{Fleet, release_path, spec_path};
use crate::yaml;

pub(super) fn plan(fleet: &Fleet<'_>, intent: &Intent, text: &str, file: &str) -> Result<Plan, Problems> {
    let spec = AppSpec::parse(&Document { file, text })?;
    let name = &spec.name;
    let Some(environment) = &intent.environment else {
        return Err(Problem::new("intent.environment", "an app is onboarded into an environment")
            .hint("name it with `--env`")
            .into());
    };
    if let Some(known) = fleet.spec(name)? {
        if known.value != spec {
            let detail = format!("there is an app `{name}` already, with another spec");
            let hint = format!("`wooo configure {name}` changes it; a different app needs a different name");
            return Err(Problem::new("app.exists", detail).field("name").hint(hint).into());
        }
        if fleet.release(name, environment)?.is_some() {
            return Ok(Plan { subject: format!("Onboard {name} to {environment}"), ..Plan::default() });
        }
    }
    // The image is written down for this environment too: what runs here changes when someone deploys here, not when
    // the shared spec does.
    let release = match &spec.image {
        Some(image) => yaml::set("", &["image"], Some(&data(image))),
        None => Ok(format!("# {name} runs in {environment} as its app.yaml says.\n")),
    }
    .map_err(|error| Problem::new("spec.syntax", error.to_string()))?;
    let edits =
        Edits::from([(spec_path(name), Some(with_line_break(text))), (release_path(name, environment), Some(release))]);
    let subject = format!("Onboard {name} to {environment}");
    Ok(Plan { edits, affected: vec![environment.clone()], subject, ..Plan::default() })
}

fn with_line_break(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}
