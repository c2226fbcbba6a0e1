//! Why a change is where it is: what it waits for, why it was refused or taken back. From what the database, the forge and
//! the fleet's settings say now.

use std::collections::BTreeSet;

use serde_json::Value;

use super::approve::approved;
use super::service::{ServedFleet, Service};
use crate::domain::fleet::MergeMode;
use crate::domain::{ChangeState, EnvironmentName, Problems};
use crate::forge::{MergeRequest, MergeRequestNumber, MergeRequestState, Status, StatusState};
use crate::store::{Change, DeploymentStatus};

/// Sentences that say why, without final full stops; at least one.
///
/// # Errors
/// What the forge, the repository or the database says.
pub async fn explain(service: &Service, change: &Change) -> Result<Vec<String>, Problems> {
    let mut told = Vec::new();
    if let Some(problem) = change.problem.as_ref() {
        told.push(match problem.get("detail").and_then(Value::as_str) {
            Some(detail) if change.state == ChangeState::Failed => format!("it failed: {detail}"),
            Some(detail) => format!("nobody follows it any more: {detail}"),
            None => "it failed".to_owned(),
        });
    }
    match change.state {
        ChangeState::Accepted => told.push("it is accepted, and its merge request will be opened".to_owned()),
        ChangeState::Proposed => proposed(service, change, &mut told).await?,
        ChangeState::Merged | ChangeState::Settled => outcomes(service, change, &mut told).await?,
        ChangeState::Unchanged => told.push("the fleet said already what it asks for".to_owned()),
        ChangeState::Failed => {}
        ChangeState::Closed => {
            let last = change.notes.as_array().and_then(|notes| notes.last()).and_then(Value::as_str);
            told.push(last.map_or_else(|| "it was closed".to_owned(), |why| format!("it was closed: {why}")));
        }
    }
    if told.is_empty() {
        told.push(format!("it is {}", change.state));
    }
    Ok(told)
}

async fn proposed(service: &Service, change: &Change, told: &mut Vec<String>) -> Result<(), Problems> {
    let fleet = service.fleet(&change.fleet)?;
    let number = change.merge_request.and_then(|number| u64::try_from(number).ok()).map(MergeRequestNumber);
    let Some(number) = number else {
        told.push("its merge request is not open yet".to_owned());
        return Ok(());
    };
    let found = fleet.forge.get(number).await.map_err(crate::domain::Problem::from)?;
    if found.state != MergeRequestState::Open {
        told.push(format!("its merge request is {}; the next look at it will say so here", found.state));
        return Ok(());
    }
    if found.draft {
        told.push("its merge request is a draft".to_owned());
    }
    if change.commit_sha.as_deref() != Some(found.head.to_string().as_str()) {
        told.push("somebody pushed to its branch, so wooo leaves it to people".to_owned());
    }
    let approvals = approved(service, fleet, change).await?;
    if change.merge_mode != MergeMode::Auto {
        told.extend(reasons(service, fleet, change).await?);
        told.push(match approvals.as_slice() {
            [] => "nobody has approved it with `/wooo approve` as it is now".to_owned(),
            given => {
                let names: Vec<&str> = given.iter().map(|approval| approval.login.as_str()).collect();
                format!("approved by {}", names.join(", "))
            }
        });
    }
    told.extend(demands(fleet, &found).await.map_err(crate::domain::Problem::from)?);
    Ok(())
}

/// Why a person is needed, as the gate has it.
async fn reasons(service: &Service, fleet: &ServedFleet, change: &Change) -> Result<Vec<String>, Problems> {
    let settings = fleet.settings().await?;
    let content = service.store.change_content(&change.id).await?;
    let diffs = content.and_then(|content| content.diffs.as_array().cloned()).unwrap_or_default();
    let mut reasons = Vec::new();
    for diff in &diffs {
        let name = diff.get("environment").and_then(Value::as_str).unwrap_or_default();
        let place = name.parse::<EnvironmentName>().ok().and_then(|name| settings.environments.get(&name));
        if place.is_none_or(|place| place.merge == MergeMode::Propose) {
            reasons.push(format!("changes to {name} are merged by a person"));
        }
        let text = |entry: &Value, field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let first = diff.get("entries").and_then(|entries| entries.get(0));
        if let Some(entry) = first.filter(|entry| text(entry, "risk") == "high") {
            let what = format!("{}: {}", text(entry, "object"), text(entry, "summary"));
            reasons.push(format!("in {name} there is a change of high risk: {what}"));
        }
    }
    Ok(reasons)
}

/// What the forge demands before it merges, and has not got.
async fn demands(fleet: &ServedFleet, found: &MergeRequest) -> Result<Vec<String>, crate::forge::Error> {
    let protection = fleet.forge.protection(&found.target).await?;
    let statuses = fleet.forge.statuses(found.head).await?;
    let mut told = Vec::new();
    let mut named = BTreeSet::new();
    for status in statuses.iter().filter(|status| status.state != StatusState::Success) {
        named.insert(status.context.as_str());
        told.push(format!("the check {} is {}{}", status.context, status.state, said(status)));
    }
    let is_known = |context: &str| statuses.iter().any(|status| status.context.as_str() == context);
    let missing = protection.required_checks.iter().filter(|context| !is_known(context.as_str()));
    told.extend(missing.map(|context| format!("the check {context} has not said anything")));
    if protection.required_approvals > 0 {
        let approvals = fleet.forge.approvals(found.number).await?;
        let covering = approvals
            .iter()
            .filter(|approval| approval.covers(found.head) && approval.user.id != found.author.id)
            .count();
        let needed = protection.required_approvals;
        if u32::try_from(covering).unwrap_or(u32::MAX) < needed {
            told.push(format!("the forge wants {needed} approvals of this very commit and has {covering}"));
        }
    }
    Ok(told)
}

fn said(status: &Status) -> String {
    if status.description.is_empty() { String::new() } else { format!(": {}", status.description) }
}

async fn outcomes(service: &Service, change: &Change, told: &mut Vec<String>) -> Result<(), Problems> {
    for row in service.store.deployments_of(&change.id).await? {
        let why = row.told("reason").or_else(|| row.told("waits_for")).unwrap_or_default();
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        told.push(match (row.status, row.outcome) {
            (DeploymentStatus::RolledBack, _) => format!("in {} it was taken back{why}", row.environment),
            (_, Some(outcome)) => {
                format!("in {} the outcome is {}{why}", row.environment, outcome.to_string().replace('_', " "))
            }
            (_, None) => format!("in {} the cluster is being watched{why}", row.environment),
        });
    }
    Ok(())
}
