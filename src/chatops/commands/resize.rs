//! `/wooo resize`: another size.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::intent::Size;
use crate::domain::{Action, Problems, Role};

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Resize,
    usage: "/wooo resize [app] [plan=PLAN] [memory=SIZE] [cpu=AMOUNT] [env=ENV] [-- reason]",
    summary: "Change the size: the plan, or the limits of memory and processor",
    example: "/wooo resize memory=768Mi env=production",
    role: Role::Deployer,
    keys: &[Key::App, Key::Plan, Key::Memory, Key::Cpu, Key::Env],
    needs: &[&[Key::Plan, Key::Memory, Key::Cpu]],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let arguments = &command.arguments;
    let size = Size { plan: arguments.plan.clone(), memory: arguments.memory, cpu: arguments.cpu };
    scene.wish(command, Action::Resize(size)).await
}
