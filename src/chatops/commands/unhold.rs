//! `/wooo unhold`: a pin is lifted.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Action, Problems, Role};

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Unhold,
    usage: "/wooo unhold [app] [env=ENV] [-- reason]",
    summary: "Lift the pin of an app in an environment",
    example: "/wooo unhold env=production",
    role: Role::Deployer,
    keys: &[Key::App, Key::Env],
    needs: &[],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    scene.wish(command, Action::Unhold).await
}
