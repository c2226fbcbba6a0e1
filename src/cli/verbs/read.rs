//! `wooo audit` and `wooo status`.

use super::{place, served};
use crate::cli::args::{AuditArgs, StatusArgs};
use crate::cli::client::Target;
use crate::cli::output::Printer;
use crate::domain::{Problem, Problems};
use crate::operations::batch::Selection;
use crate::operations::{audit as acts, status as standings};

pub(in crate::cli) fn audit(args: &AuditArgs, printer: &Printer) -> Result<bool, Problems> {
    let fleet = match Target::of(&args.target)? {
        Target::Service(service) => return served::audit(&service, args, printer),
        Target::Fleet(fleet) => fleet,
    };
    let place = place(&fleet)?;
    let found = acts::run(&place, args.app.as_ref(), args.limit)?;
    printer.answer(&found, |page| {
        let rows: Vec<Vec<String>> = found
            .iter()
            .map(|act| {
                vec![
                    act.at.to_string(),
                    act.commit[..10].to_owned(),
                    act.actor.clone(),
                    act.action.clone(),
                    act.subject.clone(),
                ]
            })
            .collect();
        page.table(&["WHEN", "COMMIT", "WHO", "WHAT", "CHANGE"], &rows);
    });
    Ok(true)
}

pub(in crate::cli) fn status(args: &StatusArgs, printer: &Printer) -> Result<bool, Problems> {
    let fleet = match Target::of(&args.target)? {
        Target::Service(service) => return served::status(&service, args, printer),
        Target::Fleet(_) if args.report.is_some() => {
            let problem = Problem::new("client.no_server", "only what a service says is reported");
            return Err(problem.hint("give `--server`").into());
        }
        Target::Fleet(fleet) => fleet,
    };
    let place = place(&fleet)?;
    let tree = place.tree()?;
    let selection = Selection { apps: args.apps.clone(), environments: args.environment.clone() };
    let found = standings::run(&tree, &selection)?;
    printer.answer(&found, |page| {
        let rows: Vec<Vec<String>> = found
            .iter()
            .map(|standing| {
                let pods = if standing.min_replicas == standing.max_replicas {
                    standing.min_replicas.to_string()
                } else {
                    format!("{}-{}", standing.min_replicas, standing.max_replicas)
                };
                let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
                let hold = standing.hold.as_ref().map(|hold| format!("held by {}: {}", hold.actor, hold.reason));
                vec![
                    standing.app.to_string(),
                    standing.environment.to_string(),
                    text(&standing.image),
                    pods,
                    standing.plan.clone(),
                    text(&standing.host),
                    text(&hold),
                ]
            })
            .collect();
        page.table(&["APP", "ENV", "IMAGE", "PODS", "PLAN", "HOST", "HOLD"], &rows);
    });
    Ok(true)
}
