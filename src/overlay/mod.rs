//! A kustomize-compatible build, in process, over an abstract tree of files.
//!
//! Owns the meaning of kustomization files: what `kustomize build` would make of a folder, [`build`] makes of it, and an
//! [`Overlay`] does to objects what a component does to those that came before it. Nothing is executed and nothing is
//! fetched: plugins, Helm charts and remote bases are refused by name.
//!
//! Knows nothing of apps, environments or fleets, and does not write files.
//!
//! A kustomization is read once (`load`) into a `layer` of compiled steps: patches parsed, expressions compiled, tables
//! of fields split by kind. Applying it then needs neither the tree nor any parser.

mod base64;
mod error;
mod fields;
mod generate;
mod hash;
mod images;
mod json_patch;
mod labels;
mod layer;
mod load;
mod merge;
mod merge_list;
mod merge_mixed;
mod names;
mod namespaces;
mod objects;
mod patches;
mod reference_table;
mod references;
mod replicas;
mod resource;
mod schema;
mod scope;
mod selector;
mod settings;

pub use error::{Error, Location};

use serde_json::Value;

use resource::Resource;

use crate::files::FileTree;
use crate::yaml;

/// A kustomization with all of its files read and parsed. Applying it needs no tree and can be done many times, from many
/// threads.
#[derive(Debug)]
pub struct Overlay {
    name: String,
    files: Vec<String>,
    layer: layer::Layer,
}

impl Overlay {
    /// Reads the kustomization in a folder, a `Kustomization` or a `Component`, and everything that it includes.
    ///
    /// # Errors
    /// [`Error`] with the file and field of the first fault.
    pub fn load(tree: &dyn FileTree, directory: &str) -> Result<Self, Error> {
        let mut loader = load::Loader::new(tree);
        let layer = loader.load_root(directory)?;
        Ok(Self { name: directory.to_owned(), files: loader.into_files(), layer })
    }

    /// The folder that it was loaded from, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files that were read, relative to the tree's root, in the order of reading. One that is included twice comes
    /// twice.
    #[must_use]
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Applies it to objects as kustomize applies a component to what has accumulated: its own resources and generated
    /// objects are added, then its components and its other fields take effect on all. Generated names get their hash, and
    /// references to renamed objects follow.
    ///
    /// # Errors
    /// [`Error`] with the kustomization file and field at fault: a patch without its object, a patch that does not fit,
    /// an object that would be there twice.
    pub fn apply(&self, objects: Vec<Value>) -> Result<Vec<Value>, Error> {
        let mut resources: Vec<_> = objects.into_iter().map(Resource::new).collect();
        self.layer.apply(&mut resources)?;
        finish(resources, &self.layer.file)
    }
}

/// What comes last, once for all: names, and the objects as they are written.
fn finish(mut resources: Vec<Resource>, file: &str) -> Result<Vec<Value>, Error> {
    references::finish(&mut resources, file)?;
    let values = resources.into_iter().map(|mut resource| {
        resource::tidy_annotations(&mut resource.value);
        resource.value
    });
    Ok(values.collect())
}

/// Builds the kustomization in a folder: what `kustomize build` prints, as objects in the same order.
///
/// # Errors
/// As [`Overlay::load`] and [`Overlay::apply`].
pub fn build(tree: &dyn FileTree, directory: &str) -> Result<Vec<Value>, Error> {
    let layer = load::Loader::new(tree).load_root(directory)?;
    let file = layer.file.clone();
    finish(layer.build()?, &file)
}

/// Writes objects as a stream of YAML documents.
///
/// # Errors
/// [`Error::Write`], which no [`Value`] can bring about.
pub fn write(objects: &[Value]) -> Result<String, Error> {
    yaml::write_all(objects).map_err(|source| Error::Write { source })
}
