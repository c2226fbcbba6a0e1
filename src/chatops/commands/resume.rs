//! `/wooo resume`: the end of a pause.

use super::pause::{PAUSED, holds};
use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Action, Problems, Role};
use crate::operations::tell::plain;

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Resume,
    usage: "/wooo resume [app] [-- reason]",
    summary: "Lift what `pause` has pinned; what `hold` has pinned stays",
    example: "/wooo resume",
    role: Role::Deployer,
    keys: &[Key::App],
    needs: &[],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let app = scene.app(command)?;
    let mut told = Vec::new();
    for (environment, hold) in holds(scene, &app).await? {
        let is_paused = hold.as_ref().is_some_and(|hold| hold.reason.starts_with(PAUSED));
        // A pin whose change was merged before the answer was written is gone by now.
        let known = scene.service.store.change(&scene.id(environment.as_str())).await?;
        if is_paused || known.is_some() {
            let action = Action::Unhold;
            let accepted = scene.ask(command, app.clone(), environment.clone(), action, environment.as_str()).await?;
            told.push(format!("- {}", scene.accepted(&accepted.change, environment.as_str())));
        } else if let Some(hold) = hold {
            told.push(format!("- {environment}: held by {}, which is not a pause", plain(&hold.actor)));
        }
    }
    if told.is_empty() {
        return Ok(Said::done(format!("`{app}` is not paused anywhere.")));
    }
    Ok(Said::done(told.join("\n")))
}
