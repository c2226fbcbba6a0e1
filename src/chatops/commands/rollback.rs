//! `/wooo rollback`: an earlier release.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Action, Problems, Role};

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Rollback,
    usage: "/wooo rollback [app] [to=TAG|COMMIT] [env=ENV] [-- reason]",
    summary: "Go back to an earlier release, the one before if none is named",
    example: "/wooo rollback env=production to=1.4.1 -- 1.4.2 loses sessions",
    role: Role::Deployer,
    keys: &[Key::App, Key::To, Key::Env],
    needs: &[],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    scene.wish(command, Action::Rollback { to: command.arguments.to.clone() }).await
}
