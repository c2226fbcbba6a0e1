//! `wooo diff`.

use super::{commit, place};
use crate::cli::args::DiffArgs;
use crate::cli::output::Printer;
use crate::domain::Problems;
use crate::operations::compare;

pub(in crate::cli) fn run(args: &DiffArgs, printer: &Printer) -> Result<bool, Problems> {
    let place = place(&args.fleet)?;
    let tree = |rev| {
        let id = commit(&place, rev)?;
        place.repository.tree(id).map_err(Problems::from)
    };
    let diffs = compare::run(&tree(args.against.as_deref())?, &tree(Some(&args.rev))?)?;
    printer.answer(&diffs, |page| {
        if diffs.is_empty() {
            page.line("nothing that runs differs");
        }
        for diff in &diffs {
            page.heading(format!("{} in {}", diff.app, diff.environment));
            page.entries(&diff.entries);
            if args.raw {
                page.line(diff.text.trim_end());
            }
        }
    });
    Ok(true)
}
