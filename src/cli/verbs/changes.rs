//! `wooo changes`, `wooo change`, `wooo merge` and `wooo close`.

use reqwest::Method;
use serde_json::{Value, json};

use super::ask;
use super::follow::{conclude, steps, tell, text};
use crate::cli::args::{ChangesArgs, CloseArgs, MergeArgs, ShowChangeArgs};
use crate::cli::client::Service;
use crate::cli::output::Printer;
use crate::domain::{ChangeState, Problems};

pub(in crate::cli) fn list(args: &ChangesArgs, printer: &Printer) -> Result<bool, Problems> {
    let service = Service::needed(&args.server)?;
    let states: Vec<String> = args.states.iter().map(ChangeState::to_string).collect();
    let given = [
        ("fleet", service.fleet.clone()),
        ("app", args.app.as_ref().map(ToString::to_string)),
        ("environment", args.environment.as_ref().map(ToString::to_string)),
        ("state", (!states.is_empty()).then(|| states.join(","))),
    ];
    let query: Vec<(&str, &str)> = given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let found = service.list(&["api", "changes"], &query, args.limit)?;
    printer.answer(&found, |page| {
        let row = |change: &Value| {
            let state = match text(change, "outcome") {
                "" => text(change, "state").to_owned(),
                outcome => format!("{}, {outcome}", text(change, "state")),
            };
            let number = change.get("merge_request").and_then(Value::as_i64);
            vec![
                text(change, "created_at").to_owned(),
                text(change, "id").to_owned(),
                state,
                number.map_or("-".to_owned(), |number| number.to_string()),
                text(change, "actor").to_owned(),
                text(change, "subject").to_owned(),
            ]
        };
        let rows: Vec<Vec<String>> = found.iter().map(row).collect();
        page.table(&["WHEN", "ID", "STATE", "MR", "WHO", "CHANGE"], &rows);
    });
    Ok(true)
}

pub(in crate::cli) fn show(args: &ShowChangeArgs, printer: &Printer) -> Result<bool, Problems> {
    let service = Service::needed(&args.server)?;
    let change = service.get(&["api", "changes", args.id.as_str()], &[])?;
    if args.wait.wait.is_some() {
        return conclude(&service, printer, change, &args.wait);
    }
    if let Some(report) = printer.report() {
        report.change(&change);
    }
    let raw = if args.raw { Some(service.text(&["api", "changes", args.id.as_str(), "diff"])?) } else { None };
    printer.answer(&change, |page| {
        tell(page, &change);
        match steps(&change) {
            steps if steps.is_empty() => {}
            steps => page.line(format!("steps: {steps}")),
        }
        if let Some(raw) = &raw {
            page.line(raw);
        }
    });
    if let Some(problem) = change.get("problem").and_then(crate::cli::client::problem) {
        printer.problems(&[problem]);
    }
    Ok(true)
}

pub(in crate::cli) fn merge(args: &MergeArgs, printer: &Printer) -> Result<bool, Problems> {
    let service = Service::needed(&args.server)?;
    let head = args.head.map(|head| head.to_string()).unwrap_or_default();
    let change = ask::merge(&service, args.id.as_str(), &head)?;
    conclude(&service, printer, change, &args.wait)
}

pub(in crate::cli) fn close(args: &CloseArgs, printer: &Printer) -> Result<bool, Problems> {
    let service = Service::needed(&args.server)?;
    let body = args.reason.as_ref().map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
    let change = service.send(&Method::POST, &["api", "changes", args.id.as_str(), "close"], &[], Some(&body))?;
    printer.answer(&change, |page| tell(page, &change));
    Ok(true)
}
