//! `/wooo retry`: a change that failed.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Problem, Problems, Role};
use crate::operations::lifecycle;

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Retry,
    usage: "/wooo retry [app] [env=ENV] [-- reason]",
    summary: "Take up the newest change of the app, if it failed",
    example: "/wooo retry",
    role: Role::Deployer,
    keys: &[Key::App, Key::Env],
    needs: &[],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let app = scene.app(command)?;
    let fleet = &scene.source.fleet;
    let id = scene.id("");
    let own = scene.change_of(command, &app).await?;
    let failed = match scene.service.store.change(&id).await? {
        // It was retried before the answer was written.
        Some(done) => Some(done),
        None => lifecycle::failed_change(scene.service, fleet, &app, command.arguments.env.as_ref()).await?.or(own),
    };
    let Some(change) = failed else {
        return Err(Problem::new("change.not_found", format!("there is no change of `{app}`")).into());
    };
    let actor = scene.actor();
    let accepted = lifecycle::retry(scene.service, &change, actor, command.reason.clone(), id).await?;
    Ok(Said::done(match accepted.change.id == change.id && accepted.is_new {
        true => format!("Change `{}` goes on where it stood.", change.id),
        false => scene.accepted(&accepted.change, ""),
    }))
}
