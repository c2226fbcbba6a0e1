//! `/wooo pause`: a pin everywhere.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::rights::absent;
use crate::chatops::scene::Scene;
use crate::domain::release::Hold;
use crate::domain::{Action, AppName, EnvironmentName, Problems, Role};
use crate::operations::fleet::Fleet;
use crate::operations::tell::plain;

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Pause,
    usage: "/wooo pause [app] [until=TIME] [-- reason]",
    summary: "Pin the app in every environment that it is in",
    example: "/wooo pause until=2026-12-01T08:00:00Z -- incident 42",
    role: Role::Deployer,
    keys: &[Key::App, Key::Until],
    needs: &[],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let app = scene.app(command)?;
    let until = command.arguments.until;
    let reason = command.reason.as_ref().map_or_else(|| PAUSED.to_owned(), |why| format!("{PAUSED}: {why}"));
    let mut told = Vec::new();
    for (environment, hold) in holds(scene, &app).await? {
        if let Some(hold) = hold {
            told.push(format!("- {environment}: held already by {}", plain(&hold.actor)));
            continue;
        }
        let action = Action::Hold { reason: reason.clone(), until };
        let accepted = scene.ask(command, app.clone(), environment.clone(), action, environment.as_str()).await?;
        told.push(format!("- {}", scene.accepted(&accepted.change, environment.as_str())));
    }
    Ok(Said::done(told.join("\n")))
}

/// What the reason of a pin that `pause` has set begins with.
pub(super) const PAUSED: &str = "paused";

/// The environments that an app is in, each with the pin that counts there now.
pub(super) async fn holds(scene: &Scene<'_>, app: &AppName) -> Result<Vec<(EnvironmentName, Option<Hold>)>, Problems> {
    let now = scene.service.store.now().await?;
    let name = app.clone();
    let fleet = scene.service.fleet(&scene.source.fleet)?;
    let holds = fleet
        .with_place(move |place| {
            let tree = place.tree()?;
            let fleet = Fleet::open(&tree)?;
            let mut holds = Vec::new();
            for environment in fleet.environments_of(&name)? {
                let release = fleet.release(&name, &environment)?;
                let hold = release.and_then(|release| release.value.hold).filter(|hold| hold.is_active(now));
                holds.push((environment, hold));
            }
            Ok(holds)
        })
        .await?;
    if holds.is_empty() { Err(absent(app).into()) } else { Ok(holds) }
}
