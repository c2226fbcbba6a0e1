//! `wooo reindex`.

use std::collections::BTreeMap;

use crate::cli::args::ReindexArgs;
use crate::cli::output::{Printer, counted};
use crate::cli::progress;
use crate::cli::service::{ServiceSettings, offline};
use crate::domain::Problems;
use crate::operations::lifecycle::{self, Built};

pub(in crate::cli) fn run(args: &ReindexArgs, printer: &Printer) -> Result<bool, Problems> {
    let mut settings = match &args.config {
        Some(path) => ServiceSettings::read(path)?,
        None => ServiceSettings::default(),
    };
    settings.data = args.data.clone().unwrap_or(settings.data);
    settings.database = args.database.clone().or(settings.database);
    let built = super::serve::runtime()?.block_on(async {
        let service = offline(&settings).await?;
        let mut built: BTreeMap<String, Built> = BTreeMap::new();
        for name in service.fleets.keys() {
            let bar = progress::line();
            bar.set_message(format!("reading the history of fleet {name}"));
            built.insert(name.to_string(), lifecycle::rebuild(&service, name).await?);
            bar.finish_and_clear();
        }
        service.store.close().await;
        Ok::<_, Problems>(built)
    })?;
    printer.answer(&built, |page| {
        for (name, built) in &built {
            page.line(format!(
                "fleet {name}: {}, {}, {}, {} of its history",
                counted(built.apps, "app"),
                counted(built.changes, "change"),
                counted(built.deployments, "deployment"),
                counted(built.acts, "act"),
            ));
        }
    });
    Ok(true)
}
