//! `/wooo help`: the list of commands.

use crate::chatops::command::{Command, Verb};
use crate::chatops::registry;
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Problems, Role};

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Help,
    usage: "/wooo help",
    summary: "List the commands",
    example: "/wooo help",
    role: Role::Viewer,
    keys: &[],
    needs: &[],
    is_for_closed: true,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(_scene: &Scene<'_>, _command: &Command) -> Result<Said, Problems> {
    Ok(Said::done(registry::help()))
}
