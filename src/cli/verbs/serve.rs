//! `wooo serve`: the service, until it is told to stop.

use std::time::Duration;

use crate::cli::args::ServeArgs;
use crate::cli::output::Printer;
use crate::cli::service::{ServiceSettings, assemble};
use crate::domain::{Problem, Problems};

/// The threads on which the service runs.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new("service.interrupted", format!("no threads can be started: {error}")))
}

pub(in crate::cli) fn run(_args: &ServeArgs, _printer: &Printer) -> Result<bool, Problems> {
    let settings = ServiceSettings::default();
    runtime()?.block_on(async {
        let assembled = assemble(&settings, settings.listen).await?;
        crate::operations::lifecycle::start(&assembled.service).await?;
        let workers = tokio::spawn(assembled.workers(&settings).run(assembled.stop.clone()));
        tokio::signal::ctrl_c().await.map_err(|error| Problem::new("service.interrupted", error.to_string()))?;
        assembled.stop.cancel();
        let _ended = tokio::time::timeout(Duration::from_secs(5), workers).await;
        assembled.shut_down().await;
        Ok(true)
    })
}
