//! What a spec would become: rendering without a repository to write to.

use crate::domain::release::Release;
use crate::domain::{App, AppSpec, Document, EnvironmentName, Framework, Problems};
use crate::files::{FileTree, LayeredTree, MemoryTree};
use crate::git::BranchName;
use crate::render::{OwnOverlay, Rendered};

use super::fleet::Fleet;
use super::init::{Start, first_files};

/// Renders a spec for an environment of `fleet`. Where the fleet has a release of the app there, that counts too; a
/// framework that the spec does not name is taken from `detected`.
///
/// # Errors
/// What is wrong with the spec or the fleet.
pub fn render(
    fleet: &Fleet<'_>,
    spec: &Document<'_>,
    environment: &EnvironmentName,
    detected: Option<Framework>,
) -> Result<Rendered, Problems> {
    let mut spec = AppSpec::parse(spec)?;
    spec.framework = spec.framework.or(detected);
    let release = fleet.release(&spec.name, environment)?.map_or_else(Release::default, |release| release.value);
    let secrets = fleet.secrets(&spec.name, environment)?.value;
    let app = App::resolve(&spec, &release).with_secrets(secrets);
    let own = fleet.own_overlay(&app.spec.name, environment)?;
    let own = own.as_ref().map(|(folder, overlay)| OwnOverlay { folder, overlay });
    fleet.renderer()?.render(&app, environment, own)
}

/// Calls `work` with `tree` as a fleet, or with the fleet that `wooo init` would make where there is none.
///
/// # Errors
/// Those of `work`, and what is wrong with the fleet's settings.
pub fn with_fleet<T>(
    tree: Option<&dyn FileTree>,
    start: &Start,
    work: impl FnOnce(&Fleet<'_>) -> Result<T, Problems>,
) -> Result<T, Problems> {
    match tree {
        Some(tree) => work(&Fleet::open(tree)?),
        None => {
            let nothing = MemoryTree::default();
            let files = first_files(start)?;
            work(&Fleet::open(&LayeredTree::new(&nothing, &files))?)
        }
    }
}

/// The fleet that previews use where no other is given.
///
/// # Errors
/// None in practice: `main` is a branch name.
pub fn default_start() -> Result<Start, Problems> {
    let branch: BranchName = "main".parse().map_err(super::git_problems)?;
    Ok(Start {
        url: "https://git.example.com/platform/fleet.git".to_owned(),
        branch,
        bare: false,
        delivery: crate::domain::fleet::Delivery::Flux,
        provider: crate::domain::fleet::Provider::K3s,
        secrets: crate::domain::fleet::SecretBackend::default(),
        alert_webhook: None,
    })
}
