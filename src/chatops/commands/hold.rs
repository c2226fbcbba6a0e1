//! `/wooo hold`: a pin.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Action, Problem, Problems, Role};

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Hold,
    usage: "/wooo hold [app] [env=ENV] [until=TIME] -- reason",
    summary: "Pin the app in an environment: nothing but `unhold` and `rollback` touches it there",
    example: "/wooo hold env=production until=2026-12-01T08:00:00Z -- sale until Monday",
    role: Role::Deployer,
    keys: &[Key::App, Key::Env, Key::Until],
    needs: &[],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let Some(reason) = command.reason.clone() else {
        let problem = Problem::new("comment.argument", "`hold` needs a reason, which everybody reads whom it stops");
        return Err(problem.hint("write it behind ` -- `").into());
    };
    scene.wish(command, Action::Hold { reason, until: command.arguments.until }).await
}
