//! Reading a kustomization and everything that it names out of a tree of files.
//!
//! Owns which paths may be followed, the bounds, and the order in which compiled fields are put. Does not own what the
//! fields do. After loading, the tree is not needed any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::config::Config;
use super::error::{Error, Origin};
use super::generate::{Generated, Kind as GeneratedKind};
use super::layer::{self, Layer};
use super::openapi::{self, Schema};
use super::order::Order;
use super::provenance::{BuildMetadata, Provenance};
use super::resource::Resource;
use super::settings::{self, Kustomization};
use super::variables::{self, Variable};
use super::{LoadRestrictor, crds, objects};
use crate::files::{self, FileTree, Kind};
use crate::yaml;

/// How large one file may be, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// How deep kustomizations may include each other.
const MAX_DEPTH: usize = 64;

/// How many kustomizations one build may read. A few folders that include each other twice would otherwise make millions.
const MAX_KUSTOMIZATIONS: usize = 50_000;

/// From how many entries of `resources` on they are read by several threads, and how many a thread takes at once.
const WORTH_THREADS: usize = 16;
const MIN_ENTRIES: usize = 4;

/// The names of a kustomization file. A folder has one of them.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const API_GROUP: &str = "kustomize.config.k8s.io";

/// How a kustomization is asked for, which decides the kind that it must have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    /// What the build starts with may be either.
    Root,
    Resource,
    Component,
}

/// The state of one reading.
pub(super) struct Loader<'t> {
    tree: &'t dyn FileTree,
    restrictor: LoadRestrictor,
    /// The folder that the build starts with.
    root: String,
    /// The folders from the outermost to the present one.
    chain: Vec<String>,
    read: Vec<String>,
    /// What the build has read so far, all threads together.
    counts: Arc<Counts>,
    pub(super) metadata: BuildMetadata,
    /// The description of kinds that the first kustomization to bring one brought. It holds from then on, everywhere.
    pub(super) schema: Option<Arc<Schema>>,
    is_schema_set: bool,
}

/// What a build has read, for its bounds.
#[derive(Debug, Default)]
struct Counts {
    kustomizations: AtomicUsize,
    objects: AtomicUsize,
}

impl Counts {
    fn snapshot(&self) -> [usize; 2] {
        [&self.kustomizations, &self.objects].map(|count| count.load(Ordering::Relaxed))
    }

    /// Forgets what was counted since a snapshot.
    fn restore(&self, [kustomizations, objects]: [usize; 2]) {
        self.kustomizations.store(kustomizations, Ordering::Relaxed);
        self.objects.store(objects, Ordering::Relaxed);
    }
}

/// A folder whose kustomization is being read.
pub(super) struct Folder {
    pub(super) directory: String,
    pub(super) file: String,
}

/// A kustomization, and what of it reaches beyond its own objects.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) layer: Layer,
    /// Where things go; `None` where nothing was configured.
    pub(super) config: Option<Arc<Config>>,
    pub(super) variables: Vec<Variable>,
}

impl Loaded {
    pub(super) fn config(&self) -> Arc<Config> {
        self.config.clone().unwrap_or_else(Config::built_in)
    }

    /// Adds what holds in something that is included.
    fn take_config(&mut self, other: &Arc<Config>, origin: &Origin) -> Result<(), Error> {
        match self.config {
            Some(_) => self.merge_config(other, origin),
            None => {
                self.config = Some(other.clone());
                Ok(())
            }
        }
    }

    fn merge_config(&mut self, other: &Config, origin: &Origin) -> Result<(), Error> {
        let mut config = Config::clone(&self.config());
        config.merge(other).map_err(|reason| origin.invalid(reason))?;
        self.config = Some(Arc::new(config));
        Ok(())
    }
}

/// What a thread has read of one entry of `resources`.
struct Branch {
    resources: Vec<Resource>,
    config: Option<Arc<Config>>,
    variables: Vec<Variable>,
    read: Vec<String>,
    brings_schema: bool,
}

/// What the reading of each entry starts from.
struct Start<'s> {
    tree: &'s (dyn FileTree + Sync),
    restrictor: LoadRestrictor,
    root: &'s str,
    chain: &'s [String],
    counts: &'s Arc<Counts>,
    metadata: BuildMetadata,
    schema: &'s Option<Arc<Schema>>,
    is_schema_set: bool,
}

impl<'s> Start<'s> {
    fn loader(&self) -> Loader<'s> {
        Loader {
            tree: self.tree,
            restrictor: self.restrictor,
            root: self.root.to_owned(),
            chain: self.chain.to_vec(),
            read: Vec::new(),
            counts: self.counts.clone(),
            metadata: self.metadata,
            schema: self.schema.clone(),
            is_schema_set: self.is_schema_set,
        }
    }
}

/// What a whole build starts with.
pub(super) struct Root {
    pub(super) loaded: Loaded,
    pub(super) order: Option<Order>,
}

impl<'t> Loader<'t> {
    pub(super) fn new(tree: &'t dyn FileTree, restrictor: LoadRestrictor) -> Self {
        Self {
            tree,
            restrictor,
            root: String::new(),
            chain: Vec::new(),
            read: Vec::new(),
            counts: Arc::default(),
            metadata: BuildMetadata::default(),
            schema: None,
            is_schema_set: false,
        }
    }

    /// Reads the kustomization in a folder.
    pub(super) fn load_root(&mut self, directory: &str) -> Result<Root, Error> {
        let origin = Origin::new(if directory.is_empty() { "." } else { directory }, "kustomization");
        let directory = files::join("", directory).map_err(|error| origin.read(error))?;
        self.root.clone_from(&directory);
        let (folder, settings) = self.open(directory, Role::Root, &origin)?;
        self.metadata = BuildMetadata::new(&settings.build_metadata);
        let order = settings.sort_options.as_ref().map(|options| order(options, &folder)).transpose()?;
        Ok(Root { loaded: self.finish(&folder, &settings, None)?, order })
    }

    /// The files that were read, in the order of reading.
    pub(super) fn into_files(self) -> Vec<String> {
        self.read
    }

    /// Reads a kustomization. `config` is what holds where it is included, if it takes part in that.
    fn load(
        &mut self,
        directory: String,
        role: Role,
        config: Option<Arc<Config>>,
        origin: &Origin,
    ) -> Result<Loaded, Error> {
        let (folder, settings) = self.open(directory, role, origin)?;
        self.finish(&folder, &settings, config)
    }

    /// Reads the file of a kustomization, and notes that its folder is being built.
    fn open(&mut self, directory: String, role: Role, origin: &Origin) -> Result<(Folder, Kustomization), Error> {
        let limit = |reason: String| Error::Limit { file: origin.file.clone(), reason };
        if self.chain.len() >= MAX_DEPTH {
            return Err(limit(format!("kustomizations include each other more than {MAX_DEPTH} deep")));
        }
        if self.counts.kustomizations.fetch_add(1, Ordering::Relaxed) >= MAX_KUSTOMIZATIONS {
            return Err(limit(format!("more than {MAX_KUSTOMIZATIONS} kustomizations are included")));
        }
        // A folder above one that is being built would build that one again.
        if self.chain.iter().any(|visited| is_within(visited, &directory)) {
            let (file, field) = (origin.file.clone(), origin.field.clone());
            let shown = |directory: &String| if directory.is_empty() { ".".to_owned() } else { directory.clone() };
            let (directory, chain) = (shown(&directory), self.chain.iter().map(shown).collect());
            return Err(Error::Cycle { file, field, directory, chain });
        }
        let file = self.find(&directory, origin)?;
        let folder = Folder { directory, file };
        let settings = self.settings(&folder, role)?;
        self.chain.push(folder.directory.clone());
        Ok((folder, settings))
    }

    fn finish(
        &mut self,
        folder: &Folder,
        settings: &Kustomization,
        config: Option<Arc<Config>>,
    ) -> Result<Loaded, Error> {
        let loaded = self.compile(folder, settings, config);
        self.chain.pop();
        loaded
    }

    fn find(&self, directory: &str, origin: &Origin) -> Result<String, Error> {
        let mut found = Vec::new();
        for name in NAMES {
            let path = files::join(directory, name).map_err(|error| origin.read(error))?;
            match self.tree.kind(&path).map_err(|error| origin.read(error))? {
                None => {}
                Some(Kind::File) => found.push(path),
                Some(other) => return Err(origin.forbidden(format!("`{path}` is a {other}, which is not followed"))),
            }
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(origin.invalid(format!("there is no kustomization.yaml in `{directory}`"))),
            _ => Err(origin.invalid(format!("there is more than one kustomization file: {}", found.join(", ")))),
        }
    }

    fn compile(
        &mut self,
        folder: &Folder,
        settings: &Kustomization,
        config: Option<Arc<Config>>,
    ) -> Result<Loaded, Error> {
        self.set_schema(folder, settings)?;
        let mut loaded =
            Loaded { layer: Layer { file: folder.file.clone(), ..Layer::default() }, config, ..Loaded::default() };
        self.add_resources(folder, settings, &mut loaded)?;
        self.add_configurations(folder, settings, &mut loaded)?;
        self.add_generators(folder, settings, &mut loaded.layer)?;
        for (position, path) in settings.components.iter().enumerate() {
            let origin = Origin::new(&folder.file, format!("components[{position}]"));
            let directory = self.resolve(folder, path, &origin)?;
            let component = self.load(directory, Role::Component, loaded.config.clone(), &origin)?;
            loaded.config = component.config;
            variables::merge(&mut loaded.variables, component.variables)?;
            loaded.layer.components.push(component.layer);
        }
        let config = loaded.config();
        self.add_steps(folder, settings, &config, &mut loaded.layer)?;
        let mut own = Vec::with_capacity(settings.vars.len());
        for (position, variable) in settings.vars.iter().enumerate() {
            own.push(Variable::new(variable, Origin::new(&folder.file, format!("vars[{position}]")))?);
        }
        loaded.layer.variables.clone_from(&own);
        variables::merge(&mut loaded.variables, own)?;
        Ok(loaded)
    }

    fn settings(&mut self, folder: &Folder, role: Role) -> Result<Kustomization, Error> {
        let file = &folder.file;
        let origin = |field: &str| Origin::new(file, field);
        let text = self.text(file, &origin("kustomization"))?;
        let settings: Kustomization = settings::read_first(&text, file)?;
        if settings.is_bare() && !has_fields(&text, file)? {
            return Err(origin("kustomization").invalid("the file is empty"));
        }
        if let Some((field, reason)) = settings.unsupported().next() {
            return Err(origin(field).unsupported(reason));
        }
        let version = match settings.kind.as_str() {
            "" | "Kustomization" => "v1beta1",
            "Component" => "v1alpha1",
            other => return Err(origin("kind").invalid(format!("`{other}` is neither Kustomization nor Component"))),
        };
        let expected = format!("{API_GROUP}/{version}");
        if !settings.api_version.is_empty() && settings.api_version != expected {
            return Err(origin("apiVersion").invalid(format!("it must be {expected}")));
        }
        match (role, settings.kind == "Component") {
            (Role::Resource, true) => Err(origin("kind").invalid("a Component belongs into `components`")),
            (Role::Component, false) => Err(origin("kind").invalid("this is among `components` and is no Component")),
            _ => Ok(settings),
        }
    }

    /// Takes the description of kinds that the kustomization brings, unless there is one already. Its file must be there
    /// all the same.
    fn set_schema(&mut self, folder: &Folder, settings: &Kustomization) -> Result<(), Error> {
        let origin = Origin::new(&folder.file, "openapi");
        let (version, path) = (settings.openapi.get("version"), settings.openapi.get("path"));
        let schema = match path {
            Some(path) => {
                let place = self.resolve(folder, path, &origin)?;
                let text = self.file_text(folder, &place, &origin)?;
                if version.is_some() {
                    return Err(origin.invalid("only one of `version` and `path` can be there"));
                }
                Some(Arc::new(Schema::read(&text, &origin)?))
            }
            None => None,
        };
        if let Some(version) = version.filter(|version| *version != openapi::BUILT_IN_VERSION) {
            let known = openapi::BUILT_IN_VERSION;
            return Err(origin.invalid(format!("the version `{version}` is not known; there is {known}")));
        }
        if !self.is_schema_set && (version.is_some() || path.is_some()) {
            self.is_schema_set = true;
            self.schema = schema;
        }
        Ok(())
    }

    fn add_resources(&mut self, folder: &Folder, settings: &Kustomization, loaded: &mut Loaded) -> Result<(), Error> {
        let bases = settings.bases.iter().enumerate().map(|(position, path)| (format!("bases[{position}]"), path));
        let paths = settings.resources.iter().enumerate();
        let paths = paths.map(|(position, path)| (format!("resources[{position}]"), path)).chain(bases);
        let mut groups = Vec::new();
        let entries: Vec<(Origin, &str)> =
            paths.map(|(field, path)| (Origin::new(&folder.file, field), path.as_str())).collect();
        let mut together = self.resources_together(folder, &entries).map(Vec::into_iter);
        for (origin, path) in entries {
            let resources = match together.as_mut().and_then(Iterator::next) {
                Some(branch) => self.join(branch, loaded, &origin)?,
                None => self.resources_at(folder, path, loaded, &origin)?,
            };
            loaded.layer.resources.extend(resources);
            loaded.layer.check_size(&loaded.layer.resources)?;
            groups.push((loaded.layer.resources.len(), origin));
        }
        // Once for all, as a check for each entry would look at the first objects again and again.
        match layer::find_duplicate(&loaded.layer.resources) {
            Some(position) => {
                let group = groups.into_iter().find(|(end, _)| position < *end);
                let origin = group.map_or_else(|| Origin::new(&folder.file, "resources"), |(_, origin)| origin);
                Err(origin.duplicate(loaded.layer.resources[position].id()))
            }
            None => Ok(()),
        }
    }

    /// The same objects as [`Self::resources_at`] finds entry by entry, where there are many entries and threads can read
    /// them side by side. `None` where that is not so, where an entry brings a description of kinds, which would hold for
    /// the entries behind it, and where there is a fault: the first in order is to be found.
    fn resources_together(&self, folder: &Folder, entries: &[(Origin, &str)]) -> Option<Vec<Branch>> {
        // Only at the top: a thread that waits for others takes more of their work on, and would stand in many folders at
        // once, one on top of the other.
        let is_worth_it = entries.len() >= WORTH_THREADS && self.chain.len() == 1;
        let tree = self.tree.shared().filter(|_| is_worth_it)?;
        let before = self.counts.snapshot();
        let start = Start {
            tree,
            restrictor: self.restrictor,
            root: &self.root,
            chain: &self.chain,
            counts: &self.counts,
            metadata: self.metadata,
            schema: &self.schema,
            is_schema_set: self.is_schema_set,
        };
        let read = |(origin, path): &(Origin, &str)| {
            let mut loader = start.loader();
            let mut loaded = Loaded::default();
            let resources = loader.resources_at(folder, path, &mut loaded, origin)?;
            let brings_schema = loader.is_schema_set && !start.is_schema_set;
            Ok(Branch {
                resources,
                config: loaded.config,
                variables: loaded.variables,
                read: loader.read,
                brings_schema,
            })
        };
        let branches = entries.par_iter().with_min_len(MIN_ENTRIES).map(read).collect::<Result<Vec<_>, Error>>();
        let branches = branches.ok().filter(|branches| !branches.iter().any(|branch| branch.brings_schema));
        if branches.is_none() {
            self.counts.restore(before);
        }
        branches
    }

    /// Takes over what a thread has read.
    fn join(&mut self, branch: Branch, loaded: &mut Loaded, origin: &Origin) -> Result<Vec<Resource>, Error> {
        self.read.extend(branch.read);
        if let Some(config) = &branch.config {
            loaded.take_config(config, origin)?;
        }
        variables::merge(&mut loaded.variables, branch.variables)?;
        Ok(branch.resources)
    }

    /// The objects in a file, or what a folder comes to.
    pub(super) fn resources_at(
        &mut self,
        folder: &Folder,
        path: &str,
        loaded: &mut Loaded,
        origin: &Origin,
    ) -> Result<Vec<Resource>, Error> {
        let place = self.resolve(folder, path, origin)?;
        if self.tree.kind(&place).map_err(|error| origin.read(error))? == Some(Kind::Directory) {
            let mut base = self.load(place, Role::Resource, None, origin)?;
            if let Some(config) = &base.config {
                loaded.take_config(config, origin)?;
            }
            variables::merge(&mut loaded.variables, base.variables)?;
            return base.layer.build();
        }
        let text = self.file_text(folder, &place, origin)?;
        let mut resources: Vec<Resource> = objects::read(&text, &place)?.into_iter().map(Resource::new).collect();
        if self.counts.objects.fetch_add(resources.len(), Ordering::Relaxed) + resources.len() > layer::MAX_OBJECTS {
            return Err(layer::too_many_objects(&folder.file));
        }
        if let Some(schema) = self.schema.as_ref().filter(|schema| schema.says_namespaced()) {
            for resource in &mut resources {
                resource.is_namespaced = schema.is_namespaced(&resource.id());
            }
        }
        if self.metadata.is_noting() {
            let path = self.relative(&place);
            for resource in &mut resources {
                resource.note_origin(Provenance { path: path.clone(), ..Provenance::default() });
            }
        }
        Ok(resources)
    }

    fn add_configurations(
        &mut self,
        folder: &Folder,
        settings: &Kustomization,
        loaded: &mut Loaded,
    ) -> Result<(), Error> {
        let mut own = None;
        for (position, path) in settings.configurations.iter().enumerate() {
            let origin = Origin::new(&folder.file, format!("configurations[{position}]"));
            let place = self.resolve(folder, path, &origin)?;
            let config = Config::read(&self.file_text(folder, &place, &origin)?, &place)?;
            let merged: &mut Config = own.get_or_insert_default();
            merged.merge(&config).map_err(|reason| origin.invalid(reason))?;
        }
        if let Some(config) = own {
            let origin = Origin::new(&folder.file, "configurations");
            let mut whole = Config::clone(&Config::built_in());
            whole.merge(&config).map_err(|reason| origin.invalid(reason))?;
            match &loaded.config {
                Some(_) => loaded.merge_config(&whole, &origin)?,
                None => loaded.config = Some(Arc::new(whole)),
            }
        }
        for (position, path) in settings.crds.iter().enumerate() {
            let origin = Origin::new(&folder.file, format!("crds[{position}]"));
            let place = self.resolve(folder, path, &origin)?;
            let config = crds::read(&self.file_text(folder, &place, &origin)?, &place)?;
            loaded.merge_config(&config, &origin)?;
        }
        Ok(())
    }

    fn add_generators(&mut self, folder: &Folder, settings: &Kustomization, layer: &mut Layer) -> Result<(), Error> {
        let kinds = [
            (GeneratedKind::ConfigMap, "configMapGenerator", "ConfigMapGenerator", &settings.config_map_generator),
            (GeneratedKind::Secret, "secretGenerator", "SecretGenerator", &settings.secret_generator),
        ];
        for (kind, name, maker, generators) in kinds {
            for (position, generator) in generators.iter().enumerate() {
                let origin = Origin::new(&folder.file, format!("{name}[{position}]"));
                let mut read = |path: &str| {
                    let place = self.resolve(folder, path, &origin)?;
                    self.bytes(folder, &place, &origin)
                };
                let options = &settings.generator_options;
                let mut generated = Generated::new(kind, generator, options, origin.clone(), &mut read)?;
                if self.metadata.is_noting() {
                    generated.note_origin(self.made_by(folder, maker));
                }
                layer.generated.push(generated);
            }
        }
        for plugin in self.plugins(folder, &settings.generators, "generators")? {
            layer.generated.push(self.generator(folder, &plugin)?);
        }
        Ok(())
    }

    /// What a field of the kustomization is called where changes are listed.
    pub(super) fn made_by(&self, folder: &Folder, kind: &str) -> Provenance {
        Provenance { configured_in: self.relative(&folder.file), kind: kind.to_owned(), ..Provenance::default() }
    }

    /// A path as it is written from the root of the build.
    pub(super) fn relative(&self, path: &str) -> String {
        let root: Vec<&str> = self.root.split('/').filter(|part| !part.is_empty()).collect();
        let parts: Vec<&str> = path.split('/').collect();
        let common = root.iter().zip(&parts).take_while(|(left, right)| left == right).count();
        let up = std::iter::repeat_n("..", root.len() - common);
        up.chain(parts[common..].iter().copied()).collect::<Vec<_>>().join("/")
    }

    /// The path in the tree that a path in the kustomization means.
    pub(super) fn resolve(&self, folder: &Folder, path: &str, origin: &Origin) -> Result<String, Error> {
        if path.is_empty() {
            return Err(origin.invalid("the path is empty"));
        }
        if is_remote(path) {
            return Err(origin.forbidden(format!("`{path}` is remote; everything must be in the tree")));
        }
        let place = files::join(&folder.directory, path)
            .map_err(|_| origin.forbidden(format!("`{path}` leads out of the tree")))?;
        match self.tree.kind(&place).map_err(|error| origin.read(error))? {
            Some(Kind::Symlink | Kind::Submodule) => {
                Err(origin
                    .forbidden(format!("`{path}` is or leads through a link or submodule, which is not followed")))
            }
            _ => Ok(place),
        }
    }

    /// A file that the kustomization names. Files belong to one kustomization, so they lie in its folder or below, unless
    /// the build was told otherwise.
    pub(super) fn bytes(&mut self, folder: &Folder, place: &str, origin: &Origin) -> Result<Vec<u8>, Error> {
        if self.restrictor == LoadRestrictor::RootOnly && !is_within(place, &folder.directory) {
            let directory = &folder.directory;
            return Err(origin.forbidden(format!("`{place}` is not in or below `{directory}`; only folders may be")));
        }
        let bytes = self.tree.read(place, MAX_FILE).map_err(|error| origin.read(error))?;
        self.read.push(place.to_owned());
        Ok(bytes)
    }

    pub(super) fn file_text(&mut self, folder: &Folder, place: &str, origin: &Origin) -> Result<String, Error> {
        let bytes = self.bytes(folder, place, origin)?;
        yaml::decode(bytes).ok_or_else(|| origin.invalid(format!("`{place}` is not UTF-8 text")))
    }

    fn text(&mut self, file: &str, origin: &Origin) -> Result<String, Error> {
        let bytes = self.tree.read(file, MAX_FILE).map_err(|error| origin.read(error))?;
        self.read.push(file.to_owned());
        yaml::decode(bytes).ok_or_else(|| origin.invalid("the file is not UTF-8 text"))
    }
}

fn order(options: &settings::SortOptions, folder: &Folder) -> Result<Order, Error> {
    let origin = Origin::new(&folder.file, "sortOptions");
    match (options.order.as_str(), &options.legacy_sort_options) {
        ("fifo", None) => Ok(Order::Fifo),
        ("fifo", Some(_)) => Err(origin.invalid("`legacySortOptions` can only be there with the order legacy")),
        ("legacy", None) => Ok(Order::legacy()),
        ("legacy", Some(kinds)) => {
            Ok(Order::Legacy { first: kinds.order_first.clone(), last: kinds.order_last.clone() })
        }
        (other, _) => Err(origin.invalid(format!("`{other}` is not an order; there are fifo and legacy"))),
    }
}

/// Whether a kustomization has a field besides those that say what it is. `resources: []` is one.
fn has_fields(text: &str, file: &str) -> Result<bool, Error> {
    let document = yaml::read_settings(text).map_err(|error| Error::from_yaml(file, error))?;
    let document = document.as_ref().and_then(yaml::Node::as_mapping);
    Ok(document.into_iter().flat_map(yaml::Mapping::iter).any(|(name, node)| {
        let is_kind = ["apiVersion", "kind", "metadata"].iter().any(|kind| name.text().eq_ignore_ascii_case(kind));
        !is_kind && !node.is_null()
    }))
}

/// Whether a path is a folder or lies below it.
fn is_within(path: &str, directory: &str) -> bool {
    directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether kustomize would reach over the network for it.
fn is_remote(path: &str) -> bool {
    path.contains("://")
        || path.contains("?ref=")
        || ["git::", "git@", "github.com/", "github.com:", "gh:"].iter().any(|prefix| path.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_means_whole_segments() {
        assert!(is_within("a/b", "a") && is_within("a", "a") && is_within("x", ""));
        assert!(!is_within("ab", "a") && !is_within("a", "a/b"));
    }

    #[test]
    fn remote_places_are_told_by_their_form() {
        for path in ["https://x.example/a", "git@github.com:a/b", "github.com/a/b", "ssh://h/r", "a//b?ref=main"] {
            assert!(is_remote(path), "{path}");
        }
        assert!(!is_remote("../github/base"));
    }
}
