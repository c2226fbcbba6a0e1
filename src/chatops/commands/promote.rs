//! `/wooo promote`: a release goes on.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Action, Problems, Role};

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Promote,
    usage: "/wooo promote [app] env=ENV [-- reason]",
    summary: "Bring to an environment the release that runs in the one before it",
    example: "/wooo promote env=production",
    role: Role::Deployer,
    keys: &[Key::App, Key::Env],
    needs: &[&[Key::Env]],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    scene.wish(command, Action::Promote).await
}
