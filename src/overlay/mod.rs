//! A kustomize-compatible build, in process, over an abstract tree of files.
//!
//! Owns the meaning of kustomization files: what `kustomize build` (5.8) would print for a folder, [`build`] and [`write()`]
//! make of it, to the byte, and an [`Overlay`] does to objects what a component does to those that came before it. Nothing
//! is executed and nothing is fetched: plugins of others, Helm charts and remote bases are refused by name.
//!
//! Knows nothing of apps, environments or fleets, and does not write files.
//!
//! A kustomization is read once (`load`, `steps`, `plugins`) into a `layer` of compiled steps: patches parsed, expressions
//! compiled, tables of fields split by kind. Applying it then needs neither the tree nor any parser.

mod base64;
mod config;
mod crds;
mod error;
mod field_path;
mod fields;
mod generate;
mod growth;
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
mod openapi;
mod order;
mod patches;
mod plugins;
mod provenance;
mod reference_table;
mod references;
mod replacements;
mod replicas;
mod resource;
mod schema;
mod scope;
mod selector;
mod settings;
mod steps;
mod value_add;
mod variables;

pub use error::{Error, Location};

use std::sync::Arc;

use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSlice;

use config::Config;
use order::Order;
use provenance::BuildMetadata;
use resource::Resource;
use variables::Variable;

use crate::files::FileTree;
use crate::yaml::{self, Node};

/// Which files a kustomization may name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LoadRestrictor {
    /// Those in its folder or below.
    #[default]
    RootOnly,
    /// All in the tree.
    None,
}

/// In which order objects are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reorder {
    /// As they came.
    None,
    /// What others depend on first.
    Legacy,
}

/// What a build is asked for besides the folder. The defaults are those of `kustomize build`.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuildOptions {
    /// Which files may be named.
    pub load_restrictor: LoadRestrictor,
    /// The order; `None` leaves it to the kustomization, and that to [`Reorder::Legacy`].
    pub reorder: Option<Reorder>,
    /// Whether every object gets the label `app.kubernetes.io/managed-by`.
    pub managed_by_label: bool,
}

/// A kustomization with all of its files read and parsed. Applying it needs no tree and can be done many times, from many
/// threads.
#[derive(Debug)]
pub struct Overlay {
    name: String,
    files: Vec<String>,
    layer: layer::Layer,
    last: Last,
}

impl Overlay {
    /// Reads the kustomization in a folder, a `Kustomization` or a `Component`, and everything that it includes.
    ///
    /// # Errors
    /// [`Error`] with the file and field of the first fault.
    pub fn load(tree: &dyn FileTree, directory: &str) -> Result<Self, Error> {
        let mut loader = load::Loader::new(tree, LoadRestrictor::default());
        let loaded = loader.load_root(directory)?.loaded;
        let config = loaded.config();
        let last = Last { config, variables: loaded.variables, metadata: BuildMetadata::default(), order: Order::Fifo };
        Ok(Self { name: directory.to_owned(), files: loader.into_files(), layer: loaded.layer, last })
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
    /// references to renamed objects follow. The objects keep their order.
    ///
    /// # Errors
    /// [`Error`] with the kustomization file and field at fault: a patch without its object, a patch that does not fit,
    /// an object that would be there twice.
    pub fn apply(&self, objects: Vec<Node>) -> Result<Vec<Node>, Error> {
        let mut resources: Vec<_> = objects.into_iter().map(Resource::new).collect();
        self.layer.apply(&mut resources)?;
        self.last.finish(resources, &self.layer.file)
    }
}

/// What is done last, once for a whole build.
#[derive(Debug)]
struct Last {
    config: Arc<Config>,
    variables: Vec<Variable>,
    metadata: BuildMetadata,
    order: Order,
}

impl Last {
    /// Names, variables, the order, and the objects as they are written.
    fn finish(&self, mut resources: Vec<Resource>, file: &str) -> Result<Vec<Node>, Error> {
        references::append_hashes(&mut resources, file)?;
        references::follow(&mut resources, &self.config.references(), file)?;
        variables::resolve(&mut resources, &self.variables, &self.config.var_reference.table(), file)?;
        resources.retain(|resource| !resource::is_local(&resource.node));
        if matches!(self.order, Order::Legacy { .. }) {
            // Names that a replacement made may be there twice, and cannot be sorted.
            layer::refuse_duplicates(&resources, &error::Origin::new(file, "names"))?;
        }
        self.order.apply(&mut resources);
        let finished = |mut resource: Resource| {
            provenance::annotate(&mut resource, self.metadata);
            resource::tidy_annotations(&mut resource.node);
            resource.node
        };
        Ok(resources.into_iter().map(finished).collect())
    }
}

/// Builds the kustomization in a folder: what `kustomize build` prints, as objects in the same order.
///
/// # Errors
/// As [`Overlay::load`] and [`Overlay::apply`].
pub fn build(tree: &dyn FileTree, directory: &str, options: &BuildOptions) -> Result<Vec<Node>, Error> {
    let mut loader = load::Loader::new(tree, options.load_restrictor);
    let load::Root { mut loaded, order } = loader.load_root(directory)?;
    let mut metadata = loader.metadata;
    metadata.managed_by |= options.managed_by_label;
    let order = match options.reorder {
        Some(Reorder::None) => Order::Fifo,
        Some(Reorder::Legacy) => Order::legacy(),
        None => order.unwrap_or_else(Order::legacy),
    };
    let last = Last { config: loaded.config(), variables: std::mem::take(&mut loaded.variables), metadata, order };
    let resources = loaded.layer.build()?;
    last.finish(resources, &loaded.layer.file)
}

/// The names of files for objects, each for itself: kind and name, with the namespace in front where there are several.
/// They are those that `kustomize build -o` writes into a folder.
#[must_use]
pub fn file_names(objects: &[Node]) -> Vec<String> {
    let ids: Vec<resource::Id<'_>> = objects.iter().map(resource::Id::of).collect();
    let mut namespaces: Vec<&str> = ids.iter().filter_map(resource::Id::effective_namespace).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let name = |id: &resource::Id<'_>| {
        let kind = [id.group, id.version, id.kind].into_iter().filter(|word| !word.is_empty());
        let kind = kind.collect::<Vec<_>>().join("_");
        let prefix = match id.effective_namespace().filter(|_| namespaces.len() > 1) {
            Some(namespace) => format!("{namespace}_"),
            None => String::new(),
        };
        // A name is part of a path here, and must not lead anywhere else.
        format!("{prefix}{kind}_{}.yaml", id.name).to_lowercase().replace(['/', '\\'], "_")
    };
    ids.iter().map(name).collect()
}

/// Writes objects as a stream of YAML documents, as kustomize does.
///
/// # Errors
/// [`Error::Write`] for what kustomize cannot write: keys that are not texts, numbers that are none.
pub fn write(objects: &[Node]) -> Result<String, Error> {
    let write = |objects: &[Node]| yaml::write_go(objects).map_err(|source| Error::Write { source });
    if objects.len() <= WRITTEN_AT_ONCE {
        return write(objects);
    }
    // Collected before they are looked at, so that the first fault is the first object's.
    let parts: Vec<Result<String, Error>> = objects.par_chunks(WRITTEN_AT_ONCE).map(write).collect();
    let parts: Vec<String> = parts.into_iter().collect::<Result<_, _>>()?;
    Ok(parts.join("---\n"))
}

/// How many objects one thread writes at once.
const WRITTEN_AT_ONCE: usize = 128;
