//! `wooo detect`.

use std::path::Path;

use super::{folder, remote};
use crate::cli::args::DetectArgs;
use crate::cli::output::Printer;
use crate::domain::{Problem, Problems};
use crate::git::Remote;
use crate::operations::source::{self, Look};

pub(in crate::cli) fn run(args: &DetectArgs, printer: &Printer) -> Result<bool, Problems> {
    let wanted = Look { root: args.root.clone(), framework: args.framework };
    let found = match remote(&args.source)? {
        Some((url, access, network)) => {
            let scratch = tempfile::tempdir().map_err(|error| {
                Problem::new("files.unwritable", format!("no temporary folder can be made: {error}"))
            })?;
            source::look_at_remote(&Remote::new(url, access, &network), scratch.path(), &wanted)?
        }
        None => source::look(&folder(Path::new(&args.source))?, &wanted)?,
    };
    printer.answer(&found, |page| {
        page.heading(format!("{} on port {}, health at {}", found.framework, found.port, found.health_path));
        for evidence in &found.evidence {
            let place = match (&evidence.file, evidence.line) {
                (Some(file), Some(line)) => format!(" ({file}:{line})"),
                (Some(file), None) => format!(" ({file})"),
                _ => String::new(),
            };
            page.line(format!("  {} {}: {}{place}", evidence.answer, evidence.value, evidence.why));
        }
        for note in &found.notes {
            page.line(format!("  note: {}", note.text));
        }
    });
    Ok(true)
}
