//! The verbs that change one app, asked of a service.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::follow::{self, Until, conclude, text};
use crate::cli::args::IntentArgs;
use crate::cli::client::Service;
use crate::cli::output::Printer;
use crate::domain::{Action, AppName, Document, Intent, Problem, Problems};
use crate::store::{AppId, FleetName};
use crate::yaml;

/// How long a change may take to have a merge request that can be merged.
const TO_PROPOSE: Duration = Duration::from_secs(120);

/// Asks for a change, merges it and waits for it if that is wanted, and tells what came of it.
pub(super) fn act(service: &Service, printer: &Printer, args: &IntentArgs, intent: &Intent) -> Result<bool, Problems> {
    if args.dry_run {
        return preview(service, printer, intent);
    }
    let mut change = match &intent.action {
        Action::Onboard { spec, file } => onboard(service, args, intent, spec, file)?,
        action => {
            let id = app_id(service, &intent.app)?;
            let wish = wish(action, intent, args.reason.as_deref())?;
            let mut path = vec!["api", "apps", id.as_str()];
            path.extend(wish.verb);
            let query: Vec<(&str, &str)> = wish.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            service.send(&wish.method, &path, &query, wish.body.as_ref())?
        }
    };
    if args.merge {
        change = merge_when_there(service, printer, &change)?;
    }
    conclude(service, printer, change, &args.wait)
}

/// The id of an app.
pub(super) fn app_id(service: &Service, app: &AppName) -> Result<String, Problems> {
    let mut query = vec![("q", app.as_str())];
    query.extend(service.fleet.as_deref().map(|fleet| ("fleet", fleet)));
    let found = service.list(&["api", "apps"], &query, 200)?;
    let mut named = found.iter().filter(|found| text(found, "name") == app.as_str());
    match (named.next(), named.next()) {
        (Some(found), None) => Ok(text(found, "app_id").to_owned()),
        (None, _) => {
            if let Some(id) = unlisted(service, app)? {
                return Ok(id);
            }
            Err(Problem::new("app.not_found", format!("the service has no app `{app}`, or none that you may see"))
                .hint("`wooo status` lists the apps")
                .into())
        }
        (Some(_), Some(_)) => Err(Problem::new("fleet.ambiguous", format!("several fleets have an app `{app}`"))
            .hint("name the fleet with `--served-fleet`")
            .into()),
    }
}

/// The id of an app that no list shows: who may do something with this app only, as a pipeline may, has no tenant whose
/// apps are listed, and finds it by its name.
fn unlisted(service: &Service, app: &AppName) -> Result<Option<String>, Problems> {
    for fleet in service.list(&["api", "fleets"], &[], 200)? {
        let Ok(name) = text(&fleet, "name").parse::<FleetName>() else { continue };
        if service.fleet.as_deref().is_some_and(|wanted| wanted != name.as_str()) {
            continue;
        }
        let id = AppId::of(&name, app);
        match service.get(&["api", "apps", id.as_str()], &[]) {
            Ok(_) => return Ok(Some(id.to_string())),
            Err(problems) if problems.as_slice().iter().all(|problem| problem.code == "app.not_found") => {}
            Err(problems) => return Err(problems),
        }
    }
    Ok(None)
}

fn onboard(service: &Service, args: &IntentArgs, intent: &Intent, spec: &str, file: &str) -> Result<Value, Problems> {
    let mut body: Map<String, Value> = Document { file, text: spec }.read()?;
    let beside = [
        ("environment", intent.environment.as_ref().map(ToString::to_string)),
        ("fleet", service.fleet.clone()),
        ("reason", args.reason.clone()),
    ];
    body.extend(beside.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    let mut answer = service.send(&Method::POST, &["api", "apps"], &[], Some(&Value::Object(body)))?;
    Ok(answer.get_mut("change").map(Value::take).unwrap_or_default())
}

/// A request about an app.
struct Wish {
    method: Method,
    /// What follows the app's id in the path.
    verb: Option<&'static str>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

fn wish(action: &Action, intent: &Intent, reason: Option<&str>) -> Result<Wish, Problems> {
    let environment = intent.environment.as_ref().map(ToString::to_string);
    let post = |verb, fields: Value| {
        let mut body = json!({ "environment": environment });
        if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
            body.extend(reason.map(|reason| ("reason".to_owned(), reason.into())));
            body.extend(fields);
        }
        Wish { method: Method::POST, verb: Some(verb), query: Vec::new(), body: Some(body) }
    };
    Ok(match action {
        Action::Deploy { image } => post("deploy", json!({ "image": image })),
        Action::Rollback { to } => post("rollback", json!({ "to": to })),
        Action::Restart => post("restart", json!({})),
        Action::Scale { replicas } => post("scale", json!({ "replicas": replicas })),
        Action::Resize(size) => post("resize", json!({ "plan": size.plan, "memory": size.memory, "cpu": size.cpu })),
        Action::Promote => post("promote", json!({})),
        Action::Hold { reason, until } => post("hold", json!({ "reason": reason, "until": until })),
        Action::Unhold => post("unhold", json!({})),
        Action::Configure { fields } => {
            let mut body = patch(fields)?;
            body.extend(environment.map(|environment| ("environment".to_owned(), environment.into())));
            body.extend(reason.map(|reason| ("reason".to_owned(), reason.into())));
            Wish { method: Method::PATCH, verb: None, query: Vec::new(), body: Some(Value::Object(body)) }
        }
        Action::Offboard => {
            let given = [("environment", environment), ("reason", reason.map(str::to_owned))];
            let query = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            Wish { method: Method::DELETE, verb: None, query, body: None }
        }
        Action::Onboard { .. } | Action::SetSecret { .. } | Action::GenerateSecrets => {
            let detail = format!("`{}` cannot be asked of a service", action.verb());
            return Err(Problem::new("client.verb", detail).hint("give `--fleet`").into());
        }
    })
}

/// Dotted fields as a merge patch (RFC 7396).
fn patch(fields: &[(String, Option<String>)]) -> Result<Map<String, Value>, Problem> {
    if fields.is_empty() {
        return Err(Problem::new("configure.nothing", "this changes no field")
            .hint("give `--set FIELD=VALUE` or `--unset FIELD`"));
    }
    let mut patch = Map::new();
    for (field, text) in fields {
        let value = match text {
            None => Value::Null,
            // A variable is text, whatever it looks like.
            Some(text) if field.starts_with("env.") => Value::String(text.clone()),
            Some(text) => yaml::read(text).map_err(|error| {
                Problem::new("configure.value", format!("the value of `{field}` is not YAML: {error}"))
            })?,
        };
        let mut folder = &mut patch;
        let mut names = field.split('.').peekable();
        while let Some(name) = names.next() {
            let slot = folder.entry(name.to_owned()).or_insert(Value::Null);
            if names.peek().is_none() {
                *slot = value;
                break;
            }
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            let Some(next) = slot.as_object_mut() else { break };
            folder = next;
        }
    }
    Ok(patch)
}

fn preview(service: &Service, printer: &Printer, intent: &Intent) -> Result<bool, Problems> {
    let mut body = json!({ "app": intent.app, "environment": intent.environment, "action": intent.action });
    if let Some(fleet) = &service.fleet {
        body["fleet"] = fleet.clone().into();
    }
    let found = service.send(&Method::POST, &["api", "changes", "preview"], &[], Some(&body))?;
    printer.answer(&found, |page| {
        page.heading(text(&found, "subject"));
        if text(&found, "stage") == "unchanged" {
            page.line("nothing to change: the fleet says so already");
            return;
        }
        let diffs = found.get("diffs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        follow::differences(page, diffs);
        for note in found.get("notes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            page.line(format!("note: {note}"));
        }
        page.line("dry run: nothing was written");
    });
    Ok(true)
}

/// Merges a change as soon as it has a merge request.
fn merge_when_there(service: &Service, printer: &Printer, change: &Value) -> Result<Value, Problems> {
    let id = text(change, "id");
    let change = follow::follow(service, printer, id, Until::Proposed, TO_PROPOSE)?;
    match follow::state(&change) {
        Some(crate::domain::ChangeState::Proposed) => merge(service, id, text(&change, "commit")),
        _ => Ok(change),
    }
}

/// Merges a change; one that wooo has merged by itself meanwhile is merged.
pub(super) fn merge(service: &Service, id: &str, head: &str) -> Result<Value, Problems> {
    let body = if head.is_empty() { json!({}) } else { json!({ "head": head }) };
    match service.send(&Method::POST, &["api", "changes", id, "merge"], &[], Some(&body)) {
        Ok(change) => Ok(change),
        Err(problems) => {
            let is_late = |problem: &Problem| matches!(problem.code, "change.not_open" | "forge.not_open");
            if problems.as_slice().iter().any(is_late) {
                let change = service.get(&["api", "changes", id], &[])?;
                if follow::is_there(&change, crate::cli::args::WaitFor::Merged) {
                    return Ok(change);
                }
            }
            Err(problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_fields_are_a_merge_patch() {
        let field = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        let fields = [
            field("env.TZ", Some("no")),
            field("env.GONE", None),
            field("replicas", Some("3")),
            field("command", Some("[a, 'b: c']")),
            field("alerts.memory_percent", Some("95")),
        ];
        let expected = json!({"env": {"TZ": "no", "GONE": null}, "replicas": 3, "command": ["a", "b: c"],
            "alerts": {"memory_percent": 95}});
        assert_eq!(Value::Object(patch(&fields).unwrap()), expected);
        assert_eq!(patch(&[]).unwrap_err().code, "configure.nothing");
        assert_eq!(patch(&[field("port", Some("[1"))]).unwrap_err().code, "configure.value");
    }
}
