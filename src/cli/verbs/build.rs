//! `wooo build`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::folder;
use crate::cli::args::{BuildArgs, LoadRestrictor, Reorder};
use crate::cli::output::Printer;
use crate::domain::{Problem, Problems};
use crate::overlay::{self, BuildOptions};
use crate::yaml::Node;

pub(in crate::cli) fn run(args: &BuildArgs, printer: &Printer) -> Result<bool, Problems> {
    // Overlays reach siblings through `../`, so the tree starts above the folder; what lies outside a kustomization's
    // own root can only be another kustomization.
    let absolute = args
        .dir
        .canonicalize()
        .map_err(|error| Problem::new("files.not_found", format!("{}: {error}", args.dir.display())))?;
    let tree = folder(Path::new("/"))?;
    let directory = absolute.to_string_lossy().trim_start_matches('/').to_owned();
    let fail = |error: overlay::Error| Problem::new("overlay.failed", error.to_string());
    let options = BuildOptions {
        load_restrictor: match args.load_restrictor {
            LoadRestrictor::RootOnly => overlay::LoadRestrictor::RootOnly,
            LoadRestrictor::None => overlay::LoadRestrictor::None,
        },
        reorder: args.reorder.map(|order| match order {
            Reorder::None => overlay::Reorder::None,
            Reorder::Legacy => overlay::Reorder::Legacy,
        }),
        managed_by_label: args.enable_managedby_label,
    };
    let objects = overlay::build(&tree, &directory, &options).map_err(fail)?;
    let text = overlay::write(&objects).map_err(fail)?;
    match &args.out {
        Some(out) if out.is_dir() => write_each(out, &objects)?,
        Some(out) => write(out, &text)?,
        None if printer.is_text() => {
            printer.data(&text);
            // The process ends here: to free a few hundred thousand values one by one would only take time.
            std::mem::forget(objects);
        }
        None => {
            let values = objects.into_iter().map(Value::try_from).collect::<Result<Vec<_>, _>>();
            let values = values.map_err(|error| Problem::new("overlay.failed", error.to_string()))?;
            printer.answer(&values, |_| {});
        }
    }
    Ok(true)
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    fs::write(path, text).map_err(|error| Problem::new("files.unwritable", format!("{}: {error}", path.display())))
}

/// One file for each object, under the names that kustomize gives them.
fn write_each(folder: &Path, objects: &[Node]) -> Result<(), Problem> {
    let names = overlay::file_names(objects);
    for (object, name) in objects.iter().zip(names) {
        let text = overlay::write(std::slice::from_ref(object))
            .map_err(|error| Problem::new("overlay.failed", error.to_string()))?;
        write(&folder.join(name), &text)?;
    }
    Ok(())
}
