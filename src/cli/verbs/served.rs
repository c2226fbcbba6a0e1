//! `wooo status` and `wooo audit`, asked of a service.

use serde_json::Value;

use super::ask::app_id;
use super::follow::{steps, text};
use crate::cli::args::{AuditArgs, StatusArgs};
use crate::cli::client::Service;
use crate::cli::output::{Page, Printer};
use crate::domain::Problems;

/// How many apps are listed.
const MAX_APPS: usize = 10_000;

pub(super) fn status(service: &Service, args: &StatusArgs, printer: &Printer) -> Result<bool, Problems> {
    let wanted: Vec<String> = args.environment.iter().map(ToString::to_string).collect();
    let is_wanted = |place: &Value| wanted.is_empty() || wanted.iter().any(|name| name == text(place, "environment"));
    let mut apps = Vec::new();
    if args.apps.is_empty() {
        let query: Vec<(&str, &str)> = service.fleet.as_deref().map(|fleet| ("fleet", fleet)).into_iter().collect();
        apps = service.list(&["api", "apps"], &query, MAX_APPS)?;
    }
    for app in &args.apps {
        let id = app_id(service, app)?;
        let mut detail = service.get(&["api", "apps", &id], &[])?;
        let live = service.get(&["api", "apps", &id, "status"], &[])?;
        let live: Vec<Value> = live.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(detail) = detail.as_object_mut() {
            detail.insert("live".to_owned(), live.into_iter().filter(|place| is_wanted(place)).collect());
        }
        apps.push(detail);
    }
    for app in &mut apps {
        if let Some(places) = app.get_mut("placements").and_then(Value::as_array_mut) {
            places.retain(|place| is_wanted(place));
        }
    }
    if let Some(report) = printer.report() {
        report.apps(&apps);
    }
    printer.answer(&apps, |page| {
        table(page, &apps);
        for app in apps.iter().filter(|app| app.get("live").is_some()) {
            detail(page, app);
        }
    });
    Ok(true)
}

fn placements(app: &Value) -> impl Iterator<Item = &Value> {
    app.get("placements").and_then(Value::as_array).into_iter().flatten()
}

fn table(page: &mut Page, apps: &[Value]) {
    let mut rows = Vec::new();
    for app in apps {
        for place in placements(app) {
            let word = |name: &str| match text(place, name) {
                "" => "-".to_owned(),
                text => text.to_owned(),
            };
            let number = |name: &str| place.get(name).and_then(Value::as_u64);
            let pods = match (number("replicas_min"), number("replicas_max")) {
                (Some(min), Some(max)) if min != max => format!("{min}-{max}"),
                (Some(min), _) => min.to_string(),
                _ => "-".to_owned(),
            };
            let drift = place.get("has_drift").and_then(Value::as_bool).unwrap_or(false);
            rows.push(vec![
                text(app, "name").to_owned(),
                text(place, "environment").to_owned(),
                word("image"),
                pods,
                word("health"),
                word("sync_state"),
                if drift { "yes" } else { "no" }.to_owned(),
                word("host"),
            ]);
        }
    }
    page.table(&["APP", "ENV", "IMAGE", "PODS", "HEALTH", "SYNC", "DRIFT", "HOST"], &rows);
}

/// What there is to say of one app beyond the table.
fn detail(page: &mut Page, app: &Value) {
    page.heading(format!("{}: {}", text(app, "name"), text(app, "status")));
    page.line(format!("steps: {}", steps(app)));
    if let Some(change) = app.get("change").filter(|change| !change.is_null()) {
        page.line(format!(
            "newest change {}: {}, {}",
            text(change, "id"),
            text(change, "subject"),
            text(change, "state")
        ));
    }
    for place in placements(app) {
        if let Some(hold) = place.get("hold").filter(|hold| !hold.is_null()) {
            let environment = text(place, "environment");
            page.line(format!("{environment}: held by {}: {}", text(hold, "actor"), text(hold, "reason")));
        }
    }
    for live in app.get("live").and_then(Value::as_array).into_iter().flatten() {
        let environment = text(live, "environment");
        page.line(format!("{environment}: {} on {}, asked now", text(live, "health"), text(live, "cluster")));
        for drift in live.get("drift").and_then(Value::as_array).into_iter().flatten() {
            page.line(format!("  drift: {}", words(drift)));
        }
    }
}

/// A finding in one line, whatever fields it has.
fn words(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return value.to_string() };
    let field = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name} {text}"),
        other => format!("{name} {other}"),
    };
    fields.iter().map(field).collect::<Vec<_>>().join(", ")
}

pub(super) fn audit(service: &Service, args: &AuditArgs, printer: &Printer) -> Result<bool, Problems> {
    let app = args.app.as_ref().map(ToString::to_string);
    let given = [("fleet", service.fleet.as_deref()), ("app", app.as_deref())];
    let query: Vec<(&str, &str)> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let found = service.list(&["api", "audit"], &query, args.limit)?;
    printer.answer(&found, |page| {
        let row = |act: &Value| {
            let subject = act.pointer("/detail/subject").and_then(Value::as_str);
            let about = [text(act, "app"), text(act, "environment")].join(" ");
            vec![
                text(act, "at").to_owned(),
                text(act, "commit").get(..10).unwrap_or("-").to_owned(),
                text(act, "actor").to_owned(),
                text(act, "action").to_owned(),
                subject.unwrap_or(about.trim()).to_owned(),
            ]
        };
        let rows: Vec<Vec<String>> = found.iter().map(row).collect();
        page.table(&["WHEN", "COMMIT", "WHO", "WHAT", "CHANGE"], &rows);
    });
    Ok(true)
}
