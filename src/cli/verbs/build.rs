//! `wooo build`.

use super::folder;
use crate::cli::args::BuildArgs;
use crate::cli::output::Printer;
use crate::domain::{Problem, Problems};
use crate::overlay;

pub(in crate::cli) fn run(args: &BuildArgs, printer: &Printer) -> Result<bool, Problems> {
    // Overlays reach siblings through `../`, so the tree starts above the folder; what lies outside a kustomization's
    // own root can only be another kustomization.
    let absolute = args
        .dir
        .canonicalize()
        .map_err(|error| Problem::new("files.not_found", format!("{}: {error}", args.dir.display())))?;
    let tree = folder(std::path::Path::new("/"))?;
    let directory = absolute.to_string_lossy().trim_start_matches('/').to_owned();
    let fail = |error: overlay::Error| Problem::new("overlay.failed", error.to_string());
    let objects = overlay::build(&tree, &directory).map_err(fail)?;
    let text = overlay::write(&objects).map_err(fail)?;
    printer.answer(&objects, |page| page.verbatim(text.trim_end()));
    Ok(true)
}
