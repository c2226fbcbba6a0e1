//! `wooo validate` and `wooo verify`.

use super::{commit, place};
use crate::cli::args::{CheckArgs, VerifyArgs};
use crate::cli::output::{Printer, counted};
use crate::cli::progress;
use crate::domain::Problems;
use crate::files::DirectoryTree;
use crate::operations::fleet::SETTINGS_FILE;
use crate::operations::place::Place;
use crate::operations::promtool::Checked;
use crate::operations::verify::{Drift, Finding};
use crate::operations::{validate as validation, verify as verification};

pub(in crate::cli) fn validate(args: &CheckArgs, printer: &Printer) -> Result<bool, Problems> {
    let bar = progress::bar("Validating");
    let report = if args.fleet.join(SETTINGS_FILE).is_file() {
        validation::run(&DirectoryTree::new(&args.fleet), || bar.inc(1))?
    } else {
        let place = Place::open(&args.fleet)?;
        validation::run(&place.tree()?, || bar.inc(1))?
    };
    bar.finish_and_clear();
    printer.answer(&report, |page| {
        let verdict = match report.problems.len() {
            0 => "no problems".to_owned(),
            some => counted(some, "problem"),
        };
        page.line(format!("{}, {}: {verdict}", counted(report.apps, "app"), counted(report.rendered, "rendering")));
        match report.rules {
            Checked { alerts: 0, .. } => {}
            Checked { alerts, promtool: true } => {
                page.line(format!("{} checked by promtool", counted(alerts, "alert")));
            }
            Checked { alerts, promtool: false } => page.line(format!(
                "{} not checked: promtool is not installed (Debian package prometheus)",
                counted(alerts, "alert")
            )),
        }
    });
    if !report.problems.is_empty() {
        printer.problems(&report.problems);
    }
    Ok(report.problems.is_empty())
}

pub(in crate::cli) fn verify(args: &VerifyArgs, printer: &Printer) -> Result<bool, Problems> {
    let place = place(&args.fleet)?;
    let id = commit(&place, args.branch.as_deref())?;
    let tree = place.repository.tree(id)?;
    let bar = progress::bar("Verifying");
    let report = verification::run(&tree, || bar.inc(1))?;
    bar.finish_and_clear();
    printer.answer(&report, |page| {
        if report.is_clean() {
            page.line(format!(
                "commit {}: {}, every byte as it should be",
                id.short(),
                counted(report.rendered, "rendering")
            ));
            return;
        }
        page.heading(format!("commit {}: {} not as rendered", id.short(), counted(report.findings.len(), "file")));
        for finding in &report.findings {
            page.line(format!("  {:<10} {}", finding.drift.to_string(), finding.path));
        }
        let is_unexpected = |finding: &Finding| finding.drift == Drift::Unexpected;
        if !report.findings.iter().all(is_unexpected) {
            page.line("`wooo rerender` writes what the specs say");
        }
        if report.findings.iter().any(is_unexpected) {
            page.line("nothing renders the unexpected files: remove them, or the controllers may apply them");
        }
    });
    if !report.problems.is_empty() {
        printer.problems(&report.problems);
    }
    Ok(report.is_clean())
}
