//! `/wooo explain`: why a change is where it is.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Problem, Problems, Role};
use crate::operations::lifecycle;
use crate::operations::tell::plain;

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Explain,
    usage: "/wooo explain [app] [env=ENV]",
    summary: "Say why the change waits, was refused or was taken back",
    example: "/wooo explain",
    role: Role::Viewer,
    keys: &[Key::App, Key::Env],
    needs: &[],
    is_for_closed: true,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let app = scene.app(command)?;
    let Some(change) = scene.change_of(command, &app).await? else {
        return Err(Problem::new("change.not_found", format!("there is no change of `{app}`")).into());
    };
    let why = lifecycle::explain(scene.service, &change).await?;
    let subject = change.subject.clone().unwrap_or_else(|| change.action.clone());
    let mut text = format!("Change `{}` ({}) is {}:\n", change.id, plain(&subject), change.state);
    for reason in why {
        text.push_str(&format!("- {}\n", plain(&reason)));
    }
    Ok(Said::done(text))
}
