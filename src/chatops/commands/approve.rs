//! `/wooo approve`: a person's consent.

use crate::chatops::command::{Command, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Problem, Problems, Role};
use crate::operations::lifecycle;

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Approve,
    usage: "/wooo approve",
    summary: "Agree to the change of this merge request as it is rendered now, so that wooo merges it once every check is green",
    example: "/wooo approve",
    role: Role::Deployer,
    keys: &[],
    needs: &[],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let Some(change) = scene.change.as_ref().filter(|_| scene.source.app.is_none()) else {
        let detail = "only a merge request of the fleet that wooo opened can be approved";
        return Err(Problem::new("comment.no_change", detail).into());
    };
    scene.app(command)?;
    let author = &scene.comment.author;
    let (actor, names) = (scene.actor(), scene.standing.names());
    lifecycle::approve(scene.service, change, scene.found, author, actor, names).await?;
    let head = scene.found.head;
    Ok(Said::done(format!(
        "Approved as it is rendered now ({}): wooo merges it as soon as every check is green. If it is rendered anew and \
         differs, it has to be approved anew.",
        head.short()
    )))
}
