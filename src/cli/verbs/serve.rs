//! `wooo serve`: the service, until it is told to stop.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cli::args::{Role, ServeArgs};
use crate::cli::output::Printer;
use crate::cli::service::{Assembled, ServiceSettings, Website, assemble, listen};
use crate::domain::{Problem, Problems};
use crate::operations::lifecycle;
use crate::sandbox::Sandbox;

/// How long jobs that run may take to end when the service is told to stop. What is left is queued, and carried on by
/// the next worker.
const FAREWELL: Duration = Duration::from_secs(20);

/// The threads on which the service runs.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Problem> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new("service.interrupted", format!("no threads can be started: {error}")))
}

pub(in crate::cli) fn run(args: &ServeArgs, printer: &Printer) -> Result<bool, Problems> {
    let mut settings = match (&args.config, std::env::var("WOOO_SETTINGS")) {
        (Some(path), _) => ServiceSettings::read(path)?,
        (None, Ok(text)) => ServiceSettings::parse("WOOO_SETTINGS", &text)?,
        (None, Err(_)) => ServiceSettings::default(),
    };
    settings.listen = args.listen.unwrap_or(settings.listen);
    settings.data = args.data.clone().unwrap_or(settings.data);
    // The name under which most platforms, wooo's own add-on among them, hand a program its database.
    settings.database = args.database.clone().or(settings.database).or_else(|| std::env::var("DATABASE_URL").ok());
    let runtime = runtime()?;
    let ended = runtime.block_on(serve(&settings, args.role, printer));
    // Work on a thread that blocks is not waited for: it writes nothing that its lease does not cover.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended.map(|()| true)
}

async fn serve(settings: &ServiceSettings, role: Role, printer: &Printer) -> Result<(), Problems> {
    let listener = listen(settings.listen).await?;
    let address = listener.local_addr().map_err(|error| Problem::new("service.listen", error.to_string()))?;
    let assembled = assemble(settings, address).await?;
    let (runs_web, runs_workers) = (role != Role::Worker, role != Role::Web);
    let website = Website::new(settings, &assembled, address, runs_workers).await?;
    let workers = runs_workers.then(|| tokio::spawn(assembled.workers(settings).run(assembled.stop.clone())));
    if runs_workers {
        lifecycle::start(&assembled.service).await?;
    }
    let stop = assembled.stop.clone();
    let told = tokio::spawn(until_told(stop.clone()));
    tell(settings, &assembled, address, role, printer);
    let served = if runs_web {
        website.serve(listener, stop.clone()).await
    } else {
        drop(website);
        drop(listener);
        stop.cancelled().await;
        Ok(())
    };
    stop.cancel();
    told.abort();
    if let Some(workers) = workers {
        let _ended = tokio::time::timeout(FAREWELL, workers).await;
    }
    assembled.shut_down().await;
    Ok(served?)
}

/// Ends the service when the system asks for it.
async fn until_told(stop: CancellationToken) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
    }
    #[cfg(not(unix))]
    let _told = tokio::signal::ctrl_c().await;
    tracing::info!("told to stop");
    stop.cancel();
}

fn tell(
    settings: &ServiceSettings,
    assembled: &Assembled,
    address: std::net::SocketAddr,
    role: Role,
    printer: &Printer,
) {
    let url = settings.url(address);
    let facts = serde_json::json!({
        "url": url,
        "address": address.to_string(),
        "role": role.to_string(),
        "data": settings.data,
        "sandbox": assembled.sandbox.as_ref().map(Sandbox::url),
    });
    printer.answer(&facts, |page| {
        page.line(format!("wooo serves {url} ({role}); its data is in {}", settings.data.display()));
        if let Some(sandbox) = &assembled.sandbox {
            page.line(format!("clusters that the settings do not name are a sandbox: {}", sandbox.url()));
        }
        page.line(format!("the API is described at {url}/api/docs/; Ctrl-C stops"));
    });
}
