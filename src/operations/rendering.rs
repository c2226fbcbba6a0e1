//! From an app of a fleet to the files that change: one app in one environment, rendered and compared with what the
//! fleet has.

use serde_json::Value;

use super::fleet::{Fleet, MAX_RENDERED_BYTES, delivery_path, rendered_path};
use super::{file_problems, routes};
use crate::domain::{App, AppName, EnvironmentName, Problem, Problems};
use crate::files::FileTree;
use crate::render::{KUSTOMIZATION_FILE, OwnOverlay, RECORD_FILE, Record, Rendered, Renderer};
use crate::yaml;

/// Changes of files: the new content by path, or `None` where a file goes.
pub(super) type FileChanges = Vec<(String, Option<String>)>;

/// Renders an app of `fleet` with its team's overlay.
///
/// # Errors
/// What is wrong with the app, or `app.not_there`.
pub(super) fn render(
    fleet: &Fleet<'_>,
    renderer: &Renderer,
    app: &AppName,
    environment: &EnvironmentName,
) -> Result<(App, Rendered), Problems> {
    let Some(resolved) = fleet.app(app, environment)? else {
        return Err(Problem::new("app.not_there", format!("`{app}` is not in `{environment}`")).into());
    };
    let own = fleet.own_overlay(app, environment)?;
    let own = own.as_ref().map(|(folder, overlay)| OwnOverlay { folder, overlay });
    let rendered = renderer.render(&resolved, environment, own)?;
    Ok((resolved, rendered))
}

/// What changes in `tree` so that it holds `rendered`. Files that wooo did not write are left alone.
///
/// # Errors
/// `route.taken`.
pub(super) fn changes(
    tree: &dyn FileTree,
    app: &AppName,
    environment: &EnvironmentName,
    record: Option<&Record>,
    rendered: Rendered,
) -> Result<FileChanges, Problems> {
    let folder = rendered_path(app, environment);
    let mut changes = routes::moves(
        tree,
        app,
        environment,
        record.and_then(|record| record.host.as_deref()),
        rendered.domain.as_deref(),
    )?;
    for gone in record.iter().flat_map(|record| &record.files) {
        if !rendered.files.iter().any(|file| file.name == *gone) {
            changes.push((format!("{folder}/{gone}"), None));
        }
    }
    changes.extend(rendered.files.into_iter().map(|file| (format!("{folder}/{}", file.name), Some(file.content))));
    changes.push((delivery_path(app, environment), Some(rendered.delivery_file)));
    Ok(changes)
}

/// What changes in `tree` so that nothing of the app is left in the environment.
///
/// # Errors
/// `files.unreadable`.
pub(super) fn departure(
    tree: &dyn FileTree,
    app: &AppName,
    environment: &EnvironmentName,
    record: Option<&Record>,
) -> Result<FileChanges, Problems> {
    let mut changes = routes::moves(tree, app, environment, record.and_then(|record| record.host.as_deref()), None)?;
    changes.extend(files_of(app, environment, record).map(|path| (path, None)));
    Ok(changes)
}

/// The files that wooo wrote for an app, by its record.
pub(super) fn files_of<'a>(
    app: &AppName,
    environment: &EnvironmentName,
    record: Option<&'a Record>,
) -> impl Iterator<Item = String> + use<'a> {
    let folder = rendered_path(app, environment);
    let delivery = delivery_path(app, environment);
    let listed = record.into_iter().flat_map(|record| &record.files).map(String::as_str).chain([RECORD_FILE]);
    listed.map(move |file| format!("{folder}/{file}")).chain([delivery])
}

/// The objects that `tree` holds for an app, as far as they can be read: a damaged file counts as absent, and the
/// comparison then shows it as added.
///
/// # Errors
/// `files.unreadable`.
pub(super) fn objects(
    tree: &dyn FileTree,
    app: &AppName,
    environment: &EnvironmentName,
    record: Option<&Record>,
) -> Result<Vec<Value>, Problems> {
    let folder = rendered_path(app, environment);
    let mut objects = Vec::new();
    for file in record.iter().flat_map(|record| &record.files).filter(|file| *file != KUSTOMIZATION_FILE) {
        let text = tree.read_text_if_present(&format!("{folder}/{file}"), MAX_RENDERED_BYTES).map_err(file_problems)?;
        objects.extend(text.and_then(|text| yaml::read_all(&text).ok()).into_iter().flatten());
    }
    Ok(objects)
}
