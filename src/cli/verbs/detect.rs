//! `wooo detect`.

use super::folder;
use crate::cli::args::DetectArgs;
use crate::cli::output::Printer;
use crate::detect;
use crate::domain::{Problem, Problems};

pub(in crate::cli) fn run(args: &DetectArgs, printer: &Printer) -> Result<bool, Problems> {
    let tree = folder(&args.path)?;
    let root = args.root.trim_matches('/');
    let found = match args.framework {
        Some(framework) => detect::detect_as(&tree, root, framework),
        None => detect::detect(&tree, root),
    }
    .map_err(Problem::from)?;
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
