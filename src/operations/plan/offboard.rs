//! Taking an app out.

use super::{Edits, Plan, Target};
use crate::domain::Problems;
use crate::operations::fleet::{overlay_path, release_path, secrets_path};

pub(super) fn plan(target: &Target<'_>) -> Result<Plan, Problems> {
    let leaving = match target.environment {
        Some(_) => vec![target.here()?.0.clone()],
        None => target.environments.clone(),
    };
    let stays = target.environments.iter().any(|environment| !leaving.contains(environment));
    let (edits, removed_folders) = if stays {
        let mut releases: Edits =
            leaving.iter().map(|environment| (release_path(target.name, environment), None)).collect();
        for environment in &leaving {
            if !target.fleet.secrets(target.name, environment)?.text.is_empty() {
                releases.insert(secrets_path(target.name, environment), None);
            }
        }
        (releases, leaving.iter().map(|environment| overlay_path(target.name, environment)).collect())
    } else {
        (Edits::new(), vec![format!("apps/{}", target.name)])
    };
    let subject = match target.environment {
        Some(environment) => format!("Offboard {} from {environment}", target.name),
        None => format!("Offboard {}", target.name),
    };
    let notes = vec![format!(
        "the controller deletes the namespace of `{}` with everything in it, volumes too, when this is merged",
        target.name
    )];
    Ok(Plan { edits, removed_folders, leaving, subject, notes, ..Plan::default() })
}
