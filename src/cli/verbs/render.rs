//! `wooo render`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{folder, read_text};
use crate::cli::args::RenderArgs;
use crate::cli::output::Printer;
use crate::detect;
use crate::domain::{Document, Framework, Problem, Problems};
use crate::files::{DirectoryTree, FileTree};
use crate::operations::{preview, routing};
use crate::render::{RECORD_FILE, Rendered};
use crate::yaml;

pub(in crate::cli) fn run(args: &RenderArgs, printer: &Printer) -> Result<bool, Problems> {
    let fleet = args.fleet.as_deref().map(folder).transpose()?;
    let fleet = fleet.as_ref().map(|tree| -> &dyn FileTree { tree });
    let start = preview::default_start()?;
    let Some(spec) = &args.spec else {
        let routing = preview::with_fleet(fleet, &start, |fleet| {
            routing::of_environment(fleet, &args.environment, &args.secrets_dir)
        })?;
        return print_routing(&routing, printer);
    };
    let text = read_text(spec)?;
    let file = spec.display().to_string();
    let rendered = preview::with_fleet(fleet, &start, |fleet| {
        preview::render(fleet, &Document { file: &file, text: &text }, &args.environment, detected(spec))
    })?;
    if args.alertmanager {
        let routing = routing::configuration(&rendered.objects, &args.environment, &args.secrets_dir)?;
        return print_routing(&routing, printer);
    }
    match &args.out {
        Some(out) => write(out, &rendered)?,
        None => printer.answer(&rendered.objects, |page| {
            for file in rendered
                .files
                .iter()
                .filter(|file| file.name != RECORD_FILE && file.name != crate::render::KUSTOMIZATION_FILE)
            {
                page.verbatim("---");
                page.verbatim(file.content.trim_end());
            }
        }),
    }
    Ok(true)
}

fn print_routing(routing: &Value, printer: &Printer) -> Result<bool, Problems> {
    let text = yaml::write(routing).map_err(|error| Problem::new("render.invalid", error.to_string()))?;
    printer.answer(routing, |page| page.verbatim(text.trim_end()));
    Ok(true)
}

/// The framework of the source around a spec, if it is clear; the spec's own word counts first.
fn detected(spec: &Path) -> Option<Framework> {
    let folder = spec.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    detect::detect(&DirectoryTree::new(folder), "").ok().map(|found| found.framework)
}

fn write(out: &Path, rendered: &Rendered) -> Result<(), Problem> {
    let fail = |error: std::io::Error| Problem::new("files.unwritable", format!("{}: {error}", out.display()));
    fs::create_dir_all(out).map_err(fail)?;
    for file in &rendered.files {
        fs::write(out.join(&file.name), &file.content).map_err(fail)?;
    }
    Ok(())
}
