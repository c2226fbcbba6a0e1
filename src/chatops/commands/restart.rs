//! `/wooo restart`: new pods of the same.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Action, Problems, Role};

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Restart,
    usage: "/wooo restart [app] [env=ENV] [-- reason]",
    summary: "Replace the pods without changing what they run",
    example: "/wooo restart shop env=staging",
    role: Role::Deployer,
    keys: &[Key::App, Key::Env],
    needs: &[],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    scene.wish(command, Action::Restart).await
}
