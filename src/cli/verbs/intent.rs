//! The verbs that change one app.

use super::{ask, change_request, place, read_text};
use crate::cli::args::{
    AppArgs, ChangeArgs, ConfigureArgs, DeployArgs, HoldArgs, IntentArgs, OffboardArgs, OnboardArgs, ResizeArgs,
    RollbackArgs, ScaleArgs,
};
use crate::cli::client::Target;
use crate::cli::output::{Page, Printer};
use crate::detect;
use crate::domain::intent::Size;
use crate::domain::{Action, AppName, AppSpec, Document, EnvironmentName, Intent, Problem, Problems};
use crate::files::DirectoryTree;
use crate::operations::Request;
use crate::operations::change::{self, Change, Options, Stage};
use crate::operations::place::Place;
use crate::yaml;

pub(in crate::cli) fn onboard(args: OnboardArgs, printer: &Printer) -> Result<bool, Problems> {
    let file = args.spec.as_ref().map_or_else(|| "the options".to_owned(), |path| path.display().to_string());
    let mut text = args.spec.as_deref().map_or_else(|| Ok(String::new()), read_text)?;
    for (assignments, is_text) in [(&args.set, false), (&args.set_text, true)] {
        for assignment in assignments {
            text = with_field(&text, assignment, is_text)?;
        }
    }
    let spec = AppSpec::parse(&Document { file: &file, text: &text })?;
    if spec.framework.is_none() {
        // What detection finds is written into the spec: it must not change because the source did.
        let folder = args
            .spec
            .as_deref()
            .and_then(std::path::Path::parent)
            .filter(|folder| !folder.as_os_str().is_empty())
            .map_or(".".into(), std::path::Path::to_path_buf);
        let found = detect::detect(&DirectoryTree::new(folder), "").map_err(Problem::from)?;
        let value = serde_json::to_value(found.framework).unwrap_or_default();
        text = yaml::set(&text, &["framework"], Some(&value))
            .map_err(|error| Problem::new("spec.syntax", error.to_string()))?;
    }
    act(printer, &args.change, spec.name, Some(args.environment), Action::Onboard { spec: text, file })
}

/// A spec with one field set.
fn with_field(text: &str, assignment: &str, is_text: bool) -> Result<String, Problem> {
    let (field, value) = assigned(assignment)?;
    let (path, is_variable): (Vec<&str>, bool) = match field.strip_prefix("env.") {
        Some(name) => (vec!["env", name], true),
        None => (field.split('.').collect(), false),
    };
    let value = if is_text || is_variable {
        value.into()
    } else {
        yaml::read(value).map_err(|error| {
            Problem::new("configure.value", format!("the value of `{field}` is not YAML: {error}")).field(field)
        })?
    };
    yaml::set(text, &path, Some(&value)).map_err(|error| Problem::new("spec.syntax", error.to_string()))
}

/// Field and value of an assignment.
fn assigned(assignment: &str) -> Result<(&str, &str), Problem> {
    assignment.split_once('=').ok_or_else(|| {
        Problem::new("configure.field", format!("`{assignment}` sets nothing")).hint("write it as FIELD=VALUE")
    })
}

pub(in crate::cli) fn deploy(args: DeployArgs, printer: &Printer) -> Result<bool, Problems> {
    act(printer, &args.change, args.app, Some(args.environment), Action::Deploy { image: args.image })
}

pub(in crate::cli) fn configure(args: ConfigureArgs, printer: &Printer) -> Result<bool, Problems> {
    let mut fields = Vec::new();
    for assignment in &args.set {
        let (field, value) = assigned(assignment)?;
        fields.push((field.to_owned(), Some(value.to_owned())));
    }
    fields.extend(args.unset.iter().map(|field| (field.clone(), None)));
    act(printer, &args.change, args.app, args.environment, Action::Configure { fields })
}

pub(in crate::cli) fn rollback(args: RollbackArgs, printer: &Printer) -> Result<bool, Problems> {
    app(printer, args.app, Action::Rollback { to: args.to })
}

pub(in crate::cli) fn restart(args: AppArgs, printer: &Printer) -> Result<bool, Problems> {
    app(printer, args, Action::Restart)
}

pub(in crate::cli) fn scale(args: ScaleArgs, printer: &Printer) -> Result<bool, Problems> {
    act(printer, &args.change, args.app, Some(args.environment), Action::Scale { replicas: args.replicas })
}

pub(in crate::cli) fn resize(args: ResizeArgs, printer: &Printer) -> Result<bool, Problems> {
    let size = Size { plan: args.plan, memory: args.memory, cpu: args.cpu };
    app(printer, args.app, Action::Resize(size))
}

pub(in crate::cli) fn promote(args: AppArgs, printer: &Printer) -> Result<bool, Problems> {
    app(printer, args, Action::Promote)
}

pub(in crate::cli) fn hold(args: HoldArgs, printer: &Printer) -> Result<bool, Problems> {
    let reason = args.app.change.reason.clone().unwrap_or_default();
    app(printer, args.app, Action::Hold { reason, until: args.until })
}

pub(in crate::cli) fn unhold(args: AppArgs, printer: &Printer) -> Result<bool, Problems> {
    app(printer, args, Action::Unhold)
}

pub(in crate::cli) fn offboard(args: OffboardArgs, printer: &Printer) -> Result<bool, Problems> {
    act(printer, &args.change, args.app, args.environment, Action::Offboard)
}

fn app(printer: &Printer, args: AppArgs, action: Action) -> Result<bool, Problems> {
    act(printer, &args.change, args.app, Some(args.environment), action)
}

fn act(
    printer: &Printer,
    args: &IntentArgs,
    app: AppName,
    environment: Option<EnvironmentName>,
    action: Action,
) -> Result<bool, Problems> {
    let intent = Intent { app, environment, action };
    match Target::of(&args.target)? {
        Target::Service(service) => ask::act(&service, printer, args, &intent),
        Target::Fleet(_) if args.wait.wait.is_some() || args.wait.report.is_some() => {
            Err(Problem::new("client.no_server", "only a service can follow a change").hint("give `--server`").into())
        }
        Target::Fleet(fleet) => {
            let args = ChangeArgs {
                fleet,
                actor: args.actor.clone(),
                reason: args.reason.clone(),
                merge: args.merge,
                dry_run: args.dry_run,
            };
            on_fleet(printer, &args, &intent)
        }
    }
}

/// Makes the change straight on a fleet repository.
pub(super) fn on_fleet(printer: &Printer, args: &ChangeArgs, intent: &Intent) -> Result<bool, Problems> {
    let place = place(&args.fleet)?;
    let (request, options) = change_request(args, &place);
    carry_out(printer, args, &place, intent, &request, options)
}

/// Makes the change and tells what came of it.
pub(super) fn carry_out(
    printer: &Printer,
    args: &ChangeArgs,
    place: &Place,
    intent: &Intent,
    request: &Request,
    options: Options,
) -> Result<bool, Problems> {
    let change = change::run(place, intent, request, options)?;
    printer.answer(&change, |page| tell(page, place, args, &change));
    Ok(true)
}

fn tell(page: &mut Page, place: &Place, args: &ChangeArgs, change: &Change) {
    page.heading(&change.subject);
    if change.stage == Stage::Unchanged {
        page.line("nothing to change: the fleet says so already");
        return;
    }
    for diff in &change.diffs {
        page.line(format!("{}:", diff.environment));
        if diff.entries.is_empty() {
            page.line("  nothing that runs differs");
        }
        page.entries(&diff.entries);
    }
    for note in &change.notes {
        page.line(format!("note: {note}"));
    }
    let branch = change.branch.as_deref().unwrap_or_default();
    let commit = change.commit.as_deref().and_then(|commit| commit.get(..10)).unwrap_or_default();
    match change.stage {
        Stage::Planned => page.line(format!("dry run: nothing was written; it would be one commit on {branch}")),
        Stage::Merged => page.line(format!("merged into {} as {commit}", place.base)),
        Stage::Proposed | Stage::Unchanged => {
            page.line(format!("commit {commit} on branch {branch}"));
            let folder = &args.fleet.fleet;
            let then = if place.is_remote() { "then open" } else { "then push the branch and open" };
            page.line(format!(
                "next: review it with `wooo diff {branch} --fleet {folder} --raw`, {then} a merge request,"
            ));
            page.line("      or run the same command with --merge");
        }
    }
}
