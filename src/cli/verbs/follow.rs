//! Following a change on a service, and telling what it is.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::args::{WaitArgs, WaitFor};
use crate::cli::client::{Service, problem};
use crate::cli::output::{Page, Printer};
use crate::cli::progress;
use crate::domain::{ChangeState, Outcome, Problem, Problems};

/// How long a change is looked at as often as possible; then less often.
const EAGER: Duration = Duration::from_secs(20);

/// How far a change has to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Until {
    /// It has a merge request.
    Proposed,
    /// What `--wait` names.
    Waited(WaitFor),
}

/// A text of a JSON object; empty if it is not there.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The state of a change; none for one that this program does not know.
pub(super) fn state(change: &Value) -> Option<ChangeState> {
    text(change, "state").parse().ok()
}

/// Whether a change has come to what was waited for.
pub(super) fn is_there(change: &Value, wanted: WaitFor) -> bool {
    let Some(state) = state(change) else { return false };
    let is_healthy = state == ChangeState::Settled && text(change, "outcome") == Outcome::Healthy.to_string();
    let is_merged = matches!(state, ChangeState::Merged | ChangeState::Settled);
    match wanted {
        _ if state == ChangeState::Unchanged => true,
        WaitFor::Healthy => is_healthy,
        WaitFor::Merged => is_merged,
        WaitFor::Proposed => is_merged || state == ChangeState::Proposed,
        WaitFor::Unattended => is_healthy || waits_for_a_person(change),
    }
}

/// Whether its merge request is open, and wooo will not merge it.
fn waits_for_a_person(change: &Value) -> bool {
    state(change) == Some(ChangeState::Proposed) && text(change, "merge_mode") == "propose"
}

/// Whether there is nothing more to wait for.
fn is_over(change: &Value, until: Until) -> bool {
    let Some(state) = state(change) else { return false };
    match until {
        Until::Proposed | Until::Waited(WaitFor::Proposed) => state != ChangeState::Accepted,
        Until::Waited(WaitFor::Merged) => state == ChangeState::Merged || state.is_final(),
        Until::Waited(WaitFor::Healthy) => state.is_final(),
        Until::Waited(WaitFor::Unattended) => state.is_final() || waits_for_a_person(change),
    }
}

/// Reads a change again and again until it has come as far as it is to.
///
/// # Errors
/// `client.timeout` if it has not after `patience`; what the service says.
pub(super) fn follow(
    service: &Service,
    printer: &Printer,
    id: &str,
    until: Until,
    patience: Duration,
) -> Result<Value, Problems> {
    let (began, bar) = (Instant::now(), progress::line());
    loop {
        let change = service.get(&["api", "changes", id], &[])?;
        if let Some(report) = printer.report() {
            report.change(&change);
        }
        if is_over(&change, until) {
            bar.finish_and_clear();
            return Ok(change);
        }
        bar.set_message(standing(&change));
        let waited = began.elapsed();
        if waited >= patience {
            bar.finish_and_clear();
            let detail = format!("after {} s the change is still {}", waited.as_secs(), standing(&change));
            let hint = format!("`wooo change {id} --wait` goes on waiting");
            return Err(Problem::new("client.timeout", detail).hint(hint).into());
        }
        let pause = if waited < EAGER { Duration::from_millis(400) } else { Duration::from_secs(2) };
        std::thread::sleep(pause.min(patience - waited));
    }
}

/// How a change stands, in a few words.
fn standing(change: &Value) -> String {
    let waits: Vec<String> = items(change, "deployments")
        .iter()
        .filter(|row| !text(row, "waits_for").is_empty())
        .map(|row| format!("{}: {}", text(row, "environment"), text(row, "waits_for")))
        .collect();
    match (state(change), waits.is_empty()) {
        _ if waits_for_a_person(change) => {
            format!("proposed: merge request {} waits for a person", text(change, "merge_request_url"))
        }
        (_, false) => format!("{}: {}", text(change, "state"), waits.join("; ")),
        _ => text(change, "state").to_owned(),
    }
}

/// Waits if that was asked for, and tells how the change stands then. `Ok(false)` if it has not come to what was waited
/// for, or to nothing at all.
///
/// # Errors
/// As [`follow`].
pub(super) fn conclude(service: &Service, printer: &Printer, change: Value, wait: &WaitArgs) -> Result<bool, Problems> {
    if let Some(report) = printer.report() {
        report.change(&change);
    }
    let change = match wait.wait {
        Some(wanted) => {
            let patience = Duration::try_from(wait.timeout).unwrap_or_default();
            follow(service, printer, text(&change, "id"), Until::Waited(wanted), patience)?
        }
        None => change,
    };
    printer.answer(&change, |page| tell(page, &change));
    if let Some(problem) = change.get("problem").and_then(problem) {
        printer.problems(&[problem]);
    }
    Ok(match wait.wait {
        Some(wanted) => is_there(&change, wanted),
        None => state(&change) != Some(ChangeState::Failed),
    })
}

/// A change for people.
pub(super) fn tell(page: &mut Page, change: &Value) {
    page.heading(text(change, "subject"));
    let outcome = match text(change, "outcome") {
        "" => String::new(),
        outcome => format!(", {outcome}"),
    };
    let id = text(change, "id");
    page.line(format!("change {id}: {}{outcome}", text(change, "state")));
    let by = format!("{} by {}", text(change, "action"), text(change, "actor"));
    match text(change, "reason") {
        "" => page.line(by),
        reason => page.line(format!("{by}: {reason}")),
    }
    differences(page, items(change, "diffs"));
    for note in items(change, "notes").iter().filter_map(Value::as_str) {
        page.line(format!("note: {note}"));
    }
    if let Some(number) = change.get("merge_request").and_then(Value::as_i64) {
        page.line(format!("merge request {number}: {}", text(change, "merge_request_url")));
    }
    for row in items(change, "deployments") {
        let (outcome, reason) = match text(row, "outcome") {
            "" => (text(row, "status"), text(row, "waits_for")),
            outcome => (outcome, text(row, "reason")),
        };
        let colon = if reason.is_empty() { "" } else { ": " };
        page.line(format!("{}: {outcome}{colon}{reason}", text(row, "environment")));
    }
    match state(change) {
        Some(ChangeState::Unchanged) => page.line("nothing to change: the fleet says so already"),
        Some(ChangeState::Accepted) => page.line(format!("next: `wooo change {id} --wait` follows it")),
        _ if waits_for_a_person(change) => {
            page.line(format!("next: a person reviews it, and `wooo merge {id}` merges it"));
        }
        _ => {}
    }
}

/// The differences of each environment, with their risk.
pub(super) fn differences(page: &mut Page, diffs: &[Value]) {
    for diff in diffs {
        page.line(format!("{}:", text(diff, "environment")));
        let entries = items(diff, "entries");
        if entries.is_empty() {
            page.line("  nothing that runs differs");
        }
        for entry in entries {
            page.entry(text(entry, "risk"), &format!("{}: {}", text(entry, "object"), text(entry, "summary")));
        }
    }
}

/// How far the six steps have come, on one line.
pub(super) fn steps(change: &Value) -> String {
    let step = |step: &Value| format!("{} {}", text(step, "step"), text(step, "status"));
    items(change, "steps").iter().map(step).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_healthy_cluster_ends_waiting_for_one_well() {
        let change = |state: &str, outcome: Option<&str>| json!({"state": state, "outcome": outcome});
        for (state, outcome, healthy, merged, proposed) in [
            ("settled", Some("healthy"), true, true, true),
            ("settled", Some("degraded"), false, true, true),
            ("settled", Some("timed_out"), false, true, true),
            ("settled", Some("unknown"), false, true, true),
            ("merged", None, false, true, true),
            ("unchanged", None, true, true, true),
            ("failed", None, false, false, false),
            ("closed", None, false, false, false),
            ("proposed", None, false, false, true),
            ("accepted", None, false, false, false),
        ] {
            let change = change(state, outcome);
            let found = [WaitFor::Healthy, WaitFor::Merged, WaitFor::Proposed].map(|wanted| is_there(&change, wanted));
            assert_eq!(found, [healthy, merged, proposed], "{change}");
            assert_eq!(is_there(&change, WaitFor::Unattended), healthy, "{change}");
        }
    }

    #[test]
    fn without_a_person_a_change_comes_to_its_merge_request_or_to_its_end() {
        let unattended = Until::Waited(WaitFor::Unattended);
        let proposed = |mode: &str| json!({"state": "proposed", "merge_mode": mode});
        assert!(is_over(&proposed("propose"), unattended) && is_there(&proposed("propose"), WaitFor::Unattended));
        assert!(!is_over(&proposed("auto"), unattended), "wooo merges it");
        let accepted = json!({"state": "accepted", "merge_mode": "propose"});
        assert!(!is_over(&accepted, unattended), "nobody has decided yet");
    }

    #[test]
    fn what_a_later_service_says_is_waited_out() {
        let change = json!({"state": "pondering"});
        assert!(!is_over(&change, Until::Waited(WaitFor::Healthy)));
        assert!(!is_over(&change, Until::Proposed));
    }
}
