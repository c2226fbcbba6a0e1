//! `wooo detect`.

use std::path::Path;

use super::{folder, remote};
use crate::cli::args::DetectArgs;
use crate::cli::output::Printer;
use crate::detect::{self, Detection};
use crate::domain::{Problem, Problems};
use crate::files::FileTree;
use crate::git::{self, Remote, Repository};

pub(in crate::cli) fn run(args: &DetectArgs, printer: &Printer) -> Result<bool, Problems> {
    let found = match remote(&args.source)? {
        Some((url, access, network)) => detect_remote(args, &Remote::new(url, access, &network))?,
        None => look(args, &folder(Path::new(&args.source))?)?,
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

fn look(args: &DetectArgs, tree: &dyn FileTree) -> Result<Detection, Problem> {
    let root = args.root.trim_matches('/');
    let found = match args.framework {
        Some(framework) => detect::detect_as(tree, root, framework),
        None => detect::detect(tree, root),
    };
    found.map_err(Problem::from)
}

/// Fetches the newest commit alone and looks at it where it lies: nothing is checked out, so no link is followed, no
/// submodule entered and no hook run.
fn detect_remote(args: &DetectArgs, remote: &Remote) -> Result<Detection, Problem> {
    let fail = |error: git::Error| Problem::new(error.code(), error.to_string());
    let folder = tempfile::tempdir()
        .map_err(|error| Problem::new("files.unwritable", format!("no temporary folder can be made: {error}")))?;
    let branch = "main".parse().map_err(fail)?;
    let repository = Repository::init(folder.path(), &branch, true).map_err(fail)?;
    let (_, commit) = remote.shallow_fetch(&repository, None).map_err(fail)?;
    look(args, &repository.tree(commit).map_err(fail)?)
}
