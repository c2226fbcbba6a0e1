//! `wooo rerender`.

use super::{change_request, place};
use crate::cli::args::RerenderArgs;
use crate::cli::output::{Printer, counted};
use crate::cli::progress;
use crate::domain::Problems;
use crate::operations::batch::Selection;
use crate::operations::change::Stage;
use crate::operations::rerender;

pub(in crate::cli) fn run(args: RerenderArgs, printer: &Printer) -> Result<bool, Problems> {
    let place = place(&args.change.fleet)?;
    let (request, options) = change_request(&args.change, &place);
    let selection = Selection { apps: args.apps, environments: args.environments };
    let bar = progress::bar("Rendering");
    let result = rerender::run(&place, &selection, &request, options, |total| {
        bar.set_length(total as u64);
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    printer.answer(&result, |page| {
        if result.stage == Stage::Unchanged {
            page.line(format!("{}, every byte as it should be", counted(result.rendered, "rendering")));
        }
        if !result.held.is_empty() {
            page.line(format!("left alone, because they are held: {}", result.held.join(", ")));
        }
        for group in &result.changes {
            let risk = group.risk.map_or("only the records differ".to_owned(), |risk| format!("{risk} risk"));
            page.heading(format!("{}, {risk}", counted(group.members.len(), "app")));
            for member in group.members.iter().take(10) {
                page.line(format!("  {member}"));
            }
            if group.members.len() > 10 {
                page.line(format!("  and {} more", group.members.len() - 10));
            }
            for example in &group.examples {
                page.line(format!("  for example {example}"));
            }
            match result.stage {
                Stage::Merged => page.line(format!("merged into {}", place.base)),
                Stage::Proposed => page.line(format!("on branch {}", group.branch)),
                Stage::Planned | Stage::Unchanged => page.line("nothing was written"),
            }
        }
    });
    Ok(true)
}
