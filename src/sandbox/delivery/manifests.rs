//! The objects that stand in a folder of the fleet.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::kinds::MAX_BODY_BYTES;
use super::super::patch::as_object;
use crate::files::{FileTree, Kind};
use crate::git::{EntryId, GitTree};
use crate::overlay::{self, BuildOptions};
use crate::yaml;

/// What kustomize calls its file.
const KUSTOMIZATION_FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A file whose objects are known, by what it was when they were read.
pub(super) type Seen = HashMap<String, EntryId>;

/// The objects of one file, or of a whole folder that kustomize builds.
#[derive(Debug)]
pub(super) struct Part {
    /// The path.
    pub(super) path: String,
    /// What it is now.
    pub(super) id: Option<EntryId>,
    /// Its objects; `None` if it is the same as it was and was not read again.
    pub(super) objects: Option<Vec<Value>>,
}

/// Reads a folder as Flux does: what kustomize builds from it, or else every manifest in it and below.
///
/// # Errors
/// One sentence on what is wrong.
pub(super) fn read(tree: &GitTree<'_>, folder: &str, seen: &Seen) -> Result<Vec<Part>, String> {
    let folder = folder.trim_start_matches("./").trim_matches('/');
    match tree.kind(folder).map_err(|error| error.to_string())? {
        Some(Kind::Directory) => {}
        // Git keeps no empty folders, so this is what a fleet without apps looks like; Flux itself would complain.
        _ => return Ok(Vec::new()),
    }
    for name in KUSTOMIZATION_FILES {
        if tree.kind(&inside(folder, name)).ok().flatten() == Some(Kind::File) {
            let objects = build(tree, folder)?;
            return Ok(vec![Part { path: folder.to_owned(), id: None, objects: Some(objects) }]);
        }
    }
    let mut parts = Vec::new();
    collect(tree, folder, seen, &mut parts)?;
    Ok(parts)
}

fn build(tree: &GitTree<'_>, folder: &str) -> Result<Vec<Value>, String> {
    let nodes = overlay::build(tree, folder, &BuildOptions::default()).map_err(|error| error.to_string())?;
    nodes.iter().map(|node| yaml::from_node::<Value>(node).map(readable)).collect()
}

fn inside(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn collect(tree: &GitTree<'_>, folder: &str, seen: &Seen, parts: &mut Vec<Part>) -> Result<(), String> {
    for entry in tree.list(folder).map_err(|error| error.to_string())? {
        let path = inside(folder, &entry.name);
        match entry.kind {
            Kind::Directory => collect(tree, &path, seen, parts)?,
            Kind::File if entry.name.ends_with(".yaml") || entry.name.ends_with(".yml") => {
                let id = tree.entry_id(&path).map_err(|error| error.to_string())?;
                let is_same = id.is_some() && seen.get(&path) == id.as_ref();
                let objects = if is_same { None } else { Some(read_file(tree, &path)?) };
                parts.push(Part { path, id, objects });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The objects of one file.
///
/// # Errors
/// One sentence on what is wrong.
pub(super) fn read_file(tree: &dyn FileTree, path: &str) -> Result<Vec<Value>, String> {
    let text = tree.read_text(path, MAX_BODY_BYTES).map_err(|error| error.to_string())?;
    let objects = yaml::read_all(&text).map_err(|error| format!("{path}:{}: {error}", error.line))?;
    Ok(objects.into_iter().map(readable).collect())
}

/// A Secret that SOPS has encrypted gets placeholders for its values: a sandbox has no key, and wants none.
fn readable(mut object: Value) -> Value {
    if object.get("sops").is_none() {
        return object;
    }
    let map = as_object(&mut object);
    map.shift_remove("sops");
    for field in ["data", "stringData"] {
        if let Some(Value::Object(values)) = map.get_mut(field) {
            for value in values.values_mut() {
                *value = json!("c2FuZGJveCBwbGFjZWhvbGRlcg==");
            }
        }
    }
    object
}
