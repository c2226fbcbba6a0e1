//! What of an app runs: deploy, promote, rollback.

use serde_json::Value;

use super::{Edits, PastRelease, Plan, Request, Target, changed, data, edit, hold};
use crate::domain::release::Release;
use crate::domain::{App, AppSpec, ImageRef, Problem, Problems};
use crate::operations::fleet::release_path;

pub(super) fn deploy(target: &Target<'_>, image: &ImageRef) -> Result<Plan, Problems> {
    let (environment, release) = target.here()?;
    let subject = format!("Deploy {} {} to {environment}", target.name, image.version());
    if target.app(&release.value).spec.image.as_ref() == Some(image) {
        return Ok(Plan { subject, ..Plan::default() });
    }
    target.set(&[(&["image"], Some(data(image)))], subject)
}

/// Brings the release of the environment before this one. What belongs to a place (host, variables, size) stays.
pub(super) fn promote(target: &Target<'_>) -> Result<Plan, Problems> {
    let Some(environment) = target.environment else {
        return Err(Problem::new("intent.environment", "a promotion goes to an environment")
            .hint("name it with `--env`")
            .into());
    };
    let Some(from) = &target.fleet.settings.environment(environment)?.promote_from else {
        let detail = format!("nothing is promoted to `{environment}`");
        let hint = format!("set `promote_from` of `{environment}` in fleet.yaml");
        return Err(Problem::new("promote.no_source", detail).hint(hint).into());
    };
    let Some(source) = target.fleet.release(target.name, from)? else {
        let detail = format!("`{}` is not in `{from}`, so there is nothing to promote to `{environment}`", target.name);
        return Err(Problem::new("app.not_there", detail).into());
    };
    let source_app = target.app(&source.value);
    let path = release_path(target.name, environment);
    let (before, current) = match &target.release {
        Some(release) => (release.text.clone(), release.value.clone()),
        None => (String::new(), Release::default()),
    };
    let carried = |release: &Release| Release {
        port: release.port,
        command: release.command.clone(),
        health_path: release.health_path.clone(),
        metrics_path: release.metrics_path.clone(),
        workers: release.workers.clone(),
        ..Release::default()
    };
    let mut fields: Vec<(&[&str], Option<Value>)> = vec![(&["image"], source_app.spec.image.as_ref().map(data))];
    fields.extend(differing(&carried(&current), &carried(&source.value)));
    let text = edit(&path, &before, &fields)?;
    let version = source_app.spec.image.as_ref().map(|image| format!("{} ", image.version())).unwrap_or_default();
    let edits =
        if target.release.is_some() { changed(&path, &before, text) } else { Edits::from([(path, Some(text))]) };
    let subject = format!("Promote {} {version}from {from} to {environment}", target.name);
    Ok(Plan { edits, affected: vec![environment.clone()], subject, ..Plan::default() })
}

/// Restores an earlier release here, and pins it: whatever brought the bad one in would bring it in again.
pub(super) fn rollback(
    target: &Target<'_>,
    to: Option<&str>,
    past: &[PastRelease],
    request: &Request,
) -> Result<Plan, Problems> {
    let (environment, release) = target.here()?;
    let current = target.app(&release.value);
    let held = release.value.hold.as_ref().filter(|hold| hold.is_active(request.now));
    if to.is_none()
        && let Some(hold) = held.filter(|hold| hold.reason.starts_with(ROLLBACK_REASON))
    {
        let detail = format!("`{}` was already rolled back in `{environment}` by {}", target.name, hold.actor);
        let hint =
            format!("name the release to go to: `wooo rollback {} --env {environment} --to COMMIT`", target.name);
        return Err(Problem::new("rollback.already", detail).hint(hint).into());
    }
    let now = as_served(target, &current);
    let earlier: Vec<&PastRelease> =
        past.iter().filter(|past| !as_served(target, &past.app).same_release(&now)).collect();
    let found = match to {
        None => earlier.first().copied(),
        Some(to) => find(&earlier, to)?,
    };
    let Some(found) = found else {
        return Err(no_such_release(target, to, &earlier));
    };
    let wanted = restored(&target.spec.value, &release.value, &found.app, has_suffix(target));
    refuse_unrestorable(target, &wanted, found)?;
    let reason = format!("{ROLLBACK_REASON} {}", found.name());
    let reason = request.reason.as_ref().map_or(reason.clone(), |why| format!("{reason}: {}", why.trim()));
    let reason: String = reason.chars().take(500).collect();
    let mut fields = differing(&release.value, &wanted);
    fields.push((&["hold"], Some(data(hold::new(&reason, None, request)))));
    let mut plan = target.set(&fields, format!("Roll {} back to {} in {environment}", target.name, found.name()))?;
    plan.notes.push(format!(
        "restores the release of commit {} ({})",
        &found.commit[..10.min(found.commit.len())],
        found.at
    ));
    plan.notes.push(format!(
        "the app is now held in {environment}; `wooo unhold {} --env {environment}` lifts the hold",
        target.name
    ));
    Ok(plan)
}

/// How the reason of a hold that a rollback wrote begins.
const ROLLBACK_REASON: &str = "rolled back to";

fn find<'a>(earlier: &[&'a PastRelease], to: &str) -> Result<Option<&'a PastRelease>, Problems> {
    let by_commit = |past: &&&PastRelease| to.len() >= 7 && past.commit.starts_with(&to.to_lowercase());
    let by_tag = |past: &&&PastRelease| past.app.spec.image.as_ref().is_some_and(|image| image.version() == to);
    let found: Vec<_> = earlier.iter().filter(by_commit).collect();
    if found.len() > 1 {
        return Err(Problem::new("rollback.ambiguous", format!("`{to}` is the beginning of several commits")).into());
    }
    Ok(found.first().copied().or_else(|| earlier.iter().find(by_tag)).copied())
}

fn no_such_release(target: &Target<'_>, to: Option<&str>, earlier: &[&PastRelease]) -> Problems {
    let detail = match to {
        Some(to) => format!("`{}` is no earlier release of `{}`", to.escape_debug(), target.name),
        None => format!("`{}` has no earlier release here", target.name),
    };
    let mut problem = Problem::new("rollback.no_release", detail);
    for past in earlier.iter().take(5) {
        problem =
            problem.hint(format!("{} is {} ({})", &past.commit[..10.min(past.commit.len())], past.name(), past.at));
    }
    problem.into()
}

/// Whether apps in the target's environment get their host names from it.
fn has_suffix(target: &Target<'_>) -> bool {
    let environment = target.environment.and_then(|name| target.fleet.settings.environments.get(name));
    environment.is_some_and(|environment| environment.domain_suffix.is_some())
}

/// The app with the host name that counts in the target's environment, wherever it is written down.
fn as_served(target: &Target<'_>, app: &App) -> App {
    let mut served = app.clone();
    if has_suffix(target) && !app.own_domain {
        served.spec.domain = None;
    }
    served.own_domain = false;
    served
}

/// A release file cannot take back what only the shared spec says.
fn refuse_unrestorable(target: &Target<'_>, wanted: &Release, found: &PastRelease) -> Result<(), Problem> {
    let restored = as_served(target, &target.app(wanted));
    let then = as_served(target, &found.app);
    if restored.same_release(&then) {
        return Ok(());
    }
    let (now, then) = (data(&restored.spec), data(&then.spec));
    let fields: Vec<&str> = SHARED.into_iter().filter(|field| now.get(field) != then.get(field)).collect();
    let detail = format!(
        "the release {} of `{}` had another {} in its shared spec, which no environment can have for itself",
        found.name(),
        target.name,
        fields.join(" and another "),
    );
    let back = |field: &&str| match then.get(*field) {
        Some(Value::String(text)) => format!("--set {field}={text}"),
        Some(value) => format!("--set '{field}={value}'"),
        None => format!("--unset {field}"),
    };
    let words: Vec<String> = fields.iter().map(back).collect();
    let hint = format!("`wooo configure {} {}` undoes that in all environments", target.name, words.join(" "));
    Err(Problem::new("rollback.shared_spec", detail).hint(hint))
}

/// Fields that a release runs with and that an environment cannot have for itself, or cannot be without.
const SHARED: [&str; 4] = ["framework", "domain", "metrics_path", "addons"];

/// The release file that makes the app here what `earlier` was, whatever the shared spec says now. Capacity and
/// pins stay as they are.
/// Where the environment has host names of its own, the shared one does not count.
fn restored(spec: &AppSpec, current: &Release, earlier: &App, has_suffix: bool) -> Release {
    let then = &earlier.spec;
    let mut wanted = Release {
        image: then.image.clone(),
        replicas: current.replicas,
        autoscale: current.autoscale,
        resources: current.resources,
        plan: current.plan.clone(),
        restarted_at: current.restarted_at,
        hold: current.hold.clone(),
        // A field is only written here if the shared spec says otherwise.
        domain: then
            .domain
            .clone()
            .filter(|domain| earlier.own_domain || (!has_suffix && spec.domain.as_ref() != Some(domain))),
        secrets: (spec.secrets != then.secrets).then(|| then.secrets.clone()),
        port: then.own_port().filter(|port| spec.own_port() != Some(*port)),
        command: (spec.command != then.command).then(|| then.command.clone()),
        health_path: then.own_health_path().filter(|path| spec.own_health_path().as_ref() != Some(path)),
        metrics_path: then.metrics_path.clone().filter(|path| spec.metrics_path.as_ref() != Some(path)),
        workers: (spec.workers != then.workers).then(|| then.workers.clone()),
        egress: (spec.egress != then.egress).then(|| then.egress.clone()),
        env: indexmap::IndexMap::new(),
    };
    for (name, value) in &then.env {
        if spec.env.get(name) != Some(value) {
            wanted.env.insert(name.clone(), Some(value.clone()));
        }
    }
    for name in spec.env.keys().filter(|name| !then.env.contains_key(*name)) {
        wanted.env.insert(name.clone(), None);
    }
    wanted
}

/// The top-level fields that make `after` of `before`.
fn differing(before: &Release, after: &Release) -> Vec<(&'static [&'static str], Option<Value>)> {
    const FIELDS: [&[&str]; 16] = [
        &["image"],
        &["replicas"],
        &["autoscale"],
        &["resources"],
        &["domain"],
        &["plan"],
        &["env"],
        &["secrets"],
        &["port"],
        &["command"],
        &["health_path"],
        &["metrics_path"],
        &["workers"],
        &["egress"],
        &["restarted_at"],
        &["hold"],
    ];
    let (before, after) = (data(before), data(after));
    FIELDS
        .into_iter()
        .filter(|path| before.get(path[0]) != after.get(path[0]))
        .map(|path| (path, after.get(path[0]).cloned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Document;

    fn spec(text: &str) -> AppSpec {
        AppSpec::parse(&Document { file: "app.yaml", text }).unwrap()
    }

    fn release(text: &str) -> Release {
        Release::parse(&Document { file: "p.yaml", text }).unwrap()
    }

    #[test]
    fn a_restored_release_is_the_same_whatever_the_shared_spec_says_now() {
        let then = App::resolve(
            &spec("name: a\nimage: x/a:1\nport: 8000\nenv: {A: '1', B: '2'}\nworkers: [{name: w, command: [x]}]\n"),
            &release("env: {B: '3'}\n"),
        );
        let now = spec("name: a\nimage: x/a:1\nport: 9000\nenv: {A: '1', C: '4'}\n");
        let current = release("image: x/a:2\nreplicas: 5\n");
        let wanted = restored(&now, &current, &then, false);
        let restored_app = App::resolve(&now, &wanted);
        assert!(restored_app.same_release(&then), "{restored_app:?}");
        assert_eq!(restored_app.spec.max_replicas(), 5);
        assert_eq!(wanted.image.unwrap().version(), "1");
    }
}
