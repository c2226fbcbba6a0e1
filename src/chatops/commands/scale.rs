//! `/wooo scale`: another number of pods.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Action, Problem, Problems, Role};

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Scale,
    usage: "/wooo scale [app] replicas=N [env=ENV] [-- reason]",
    summary: "Run another number of pods",
    example: "/wooo scale replicas=4 env=production -- the sale begins",
    role: Role::Deployer,
    keys: &[Key::App, Key::Replicas, Key::Env],
    needs: &[&[Key::Replicas]],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let Some(replicas) = command.arguments.replicas else {
        return Err(Problem::new("comment.argument", "`replicas` is missing").into());
    };
    scene.wish(command, Action::Scale { replicas }).await
}
