//! `wooo init`.

use super::request;
use crate::cli::args::InitArgs;
use crate::cli::output::Printer;
use crate::domain::Problems;
use crate::git;
use crate::operations::init::{self, Start};

pub(in crate::cli) fn run(args: InitArgs, printer: &Printer) -> Result<bool, Problems> {
    let start = Start {
        url: args.url,
        branch: args.branch,
        bare: args.bare,
        delivery: args.delivery,
        provider: args.provider,
        secrets: args.secrets,
        alert_webhook: args.alert_webhook,
    };
    let made = init::run(&args.dir, &start, &request(args.actor, None, git::default_identity()))?;
    printer.answer(&made, |page| {
        let folder = args.dir.display();
        if made.existed {
            page.line(format!("{folder} is a fleet already; nothing was changed"));
            return;
        }
        page.heading(format!("Made a fleet in {folder}, branch {}", made.branch));
        page.line("Next:");
        page.line(format!("  1. say in {folder}/fleet.yaml which clusters there are, and push the repository"));
        page.line(format!("  2. apply {}, each to its own cluster, once", made.pointers.join(" and ")));
        page.line(format!("  3. wooo onboard wooo.yaml --env staging --fleet {folder}"));
    });
    Ok(true)
}
