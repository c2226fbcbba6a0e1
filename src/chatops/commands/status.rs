//! `/wooo status`: how an app is.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{ChangeState, Problems, Role};
use crate::operations::tell::{cell, plain};
use crate::store::{AppId, ChangeFilter, Limit, Paging, Placement};
use jiff::Timestamp;

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Status,
    usage: "/wooo status [app] [env=ENV]",
    summary: "Show what runs of the app, how it is, and which changes are open",
    example: "/wooo status shop",
    role: Role::Viewer,
    keys: &[Key::App, Key::Env],
    needs: &[],
    is_for_closed: true,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let app = scene.app(command)?;
    let store = &scene.service.store;
    let fleet = &scene.source.fleet;
    let now = store.now().await?;
    let wanted = command.arguments.env.as_ref();
    let placements = store.placements_of(&[AppId::of(fleet, &app)]).await?;
    let mut text = String::from("| environment | image | pods | health | hold |\n|---|---|---|---|---|\n");
    let mut count = 0_usize;
    for placement in placements.iter().filter(|at| wanted.is_none_or(|name| at.environment == *name)) {
        text.push_str(&row(placement, now));
        count += 1;
    }
    if count == 0 {
        text = format!("`{app}` runs nowhere yet{}.\n", wanted.map_or_else(String::new, |name| format!(" in {name}")));
    }
    let filter = ChangeFilter {
        fleet: Some(fleet.clone()),
        app: Some(app),
        environment: wanted.cloned(),
        states: vec![ChangeState::Accepted, ChangeState::Proposed, ChangeState::Merged],
        ..ChangeFilter::default()
    };
    let open = store.changes(&filter, &Paging { limit: Limit::new(MAX_CHANGES), after: None }).await?;
    for change in open.items {
        let subject = change.subject.unwrap_or(change.action);
        let at = change.merge_request_url.map_or_else(String::new, |url| format!(", {url}"));
        text.push_str(&format!("\n- {} by {}: {}{at}", plain(&subject), plain(&change.actor), change.state));
    }
    Ok(Said::done(text))
}

/// How many open changes are shown.
const MAX_CHANGES: u32 = 10;

fn row(placement: &Placement, now: Timestamp) -> String {
    let pods = match (placement.replicas_min, placement.replicas_max) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
        (Some(count), _) => count.to_string(),
        _ => "?".to_owned(),
    };
    let hold = placement.hold.as_ref().filter(|hold| hold.is_active(now));
    let hold = hold.map_or_else(String::new, |hold| format!("{} ({})", hold.reason, hold.actor));
    let health = placement.seen.health.as_deref().unwrap_or("not seen").replace('_', " ");
    let image = placement.image.as_deref().unwrap_or("none");
    format!("| {} | {} | {pods} | {} | {} |\n", placement.environment, cell(image), cell(&health), cell(&hold))
}
