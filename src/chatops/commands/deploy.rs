//! `/wooo deploy`: another image.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Action, Problem, Problems, Role};

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Deploy,
    usage: "/wooo deploy [app] image=IMAGE [env=ENV] [-- reason]",
    summary: "Run another image",
    example: "/wooo deploy image=registry.example/shop:1.4.3 env=staging -- fixes the cart",
    role: Role::Deployer,
    keys: &[Key::App, Key::Image, Key::Env],
    needs: &[&[Key::Image]],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let Some(image) = command.arguments.image.clone() else {
        return Err(Problem::new("comment.argument", "`image` is missing").into());
    };
    scene.wish(command, Action::Deploy { image }).await
}
