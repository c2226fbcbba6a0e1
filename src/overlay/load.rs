//! Reading a kustomization and everything that it names out of a tree of files.
//!
//! Owns which paths may be followed, the bounds, and the order in which compiled fields are put. Does not own what the
//! fields do. After loading, the tree is not needed any more.

use super::error::{Error, Origin};
use super::generate::{Generated, Kind as GeneratedKind};
use super::images::SetImage;
use super::labels::SetPairs;
use super::layer::{self, Layer, Step};
use super::names::Affix;
use super::namespaces::SetNamespace;
use super::objects;
use super::patches::Patch;
use super::replicas::SetReplicas;
use super::resource::Resource;
use super::selector::Selector;
use super::settings::{self, Kustomization};
use crate::files::{self, FileTree, Kind};
use crate::yaml;

/// How large one file may be, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// How deep kustomizations may include each other.
const MAX_DEPTH: usize = 64;

/// How many kustomizations one build may read. A few folders that include each other twice would otherwise make millions.
const MAX_KUSTOMIZATIONS: usize = 20_000;

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
    /// The folders from the outermost to the present one.
    chain: Vec<String>,
    read: Vec<String>,
    kustomizations: usize,
}

/// A folder whose kustomization is being read.
struct Folder {
    directory: String,
    file: String,
}

impl<'t> Loader<'t> {
    pub(super) fn new(tree: &'t dyn FileTree) -> Self {
        Self { tree, chain: Vec::new(), read: Vec::new(), kustomizations: 0 }
    }

    /// Reads the kustomization in a folder.
    pub(super) fn load_root(&mut self, directory: &str) -> Result<Layer, Error> {
        let origin = Origin::new(if directory.is_empty() { "." } else { directory }, "kustomization");
        let directory = files::join("", directory).map_err(|error| origin.read(error))?;
        self.load(directory, Role::Root, &origin)
    }

    /// The files that were read, in the order of reading.
    pub(super) fn into_files(self) -> Vec<String> {
        self.read
    }

    fn load(&mut self, directory: String, role: Role, origin: &Origin) -> Result<Layer, Error> {
        let limit = |reason: String| Error::Limit { file: origin.file.clone(), reason };
        if self.chain.len() >= MAX_DEPTH {
            return Err(limit(format!("kustomizations include each other more than {MAX_DEPTH} deep")));
        }
        self.kustomizations += 1;
        if self.kustomizations > MAX_KUSTOMIZATIONS {
            return Err(limit(format!("more than {MAX_KUSTOMIZATIONS} kustomizations are included")));
        }
        // A folder above one that is being built would build that one again.
        if self.chain.iter().any(|visited| is_within(visited, &directory)) {
            let (file, field) = (origin.file.clone(), origin.field.clone());
            return Err(Error::Cycle { file, field, directory, chain: self.chain.clone() });
        }
        let file = self.find(&directory, origin)?;
        self.chain.push(directory.clone());
        let layer = self.compile(&Folder { directory, file }, role);
        self.chain.pop();
        layer
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

    fn compile(&mut self, folder: &Folder, role: Role) -> Result<Layer, Error> {
        let settings = self.settings(folder, role)?;
        let mut layer = Layer { file: folder.file.clone(), ..Layer::default() };
        self.add_resources(folder, &settings, &mut layer)?;
        self.add_generators(folder, &settings, &mut layer)?;
        for (position, path) in settings.components.iter().enumerate() {
            let origin = Origin::new(&folder.file, format!("components[{position}]"));
            let directory = self.resolve(folder, path, &origin)?;
            layer.components.push(self.load(directory, Role::Component, &origin)?);
        }
        self.add_steps(folder, &settings, &mut layer)?;
        Ok(layer)
    }

    fn settings(&mut self, folder: &Folder, role: Role) -> Result<Kustomization, Error> {
        let file = &folder.file;
        let origin = |field: &str| Origin::new(file, field);
        let text = self.text(file, &origin("kustomization"))?;
        let settings: Kustomization = yaml::read(&text).map_err(|error| Error::from_yaml(file, error))?;
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

    fn add_resources(&mut self, folder: &Folder, settings: &Kustomization, layer: &mut Layer) -> Result<(), Error> {
        let bases = settings.bases.iter().enumerate().map(|(position, path)| (format!("bases[{position}]"), path));
        let paths = settings.resources.iter().enumerate();
        let paths = paths.map(|(position, path)| (format!("resources[{position}]"), path)).chain(bases);
        let mut groups = Vec::new();
        for (field, path) in paths {
            let origin = Origin::new(&folder.file, field);
            let place = self.resolve(folder, path, &origin)?;
            let new: Vec<Resource> = match self.tree.kind(&place).map_err(|error| origin.read(error))? {
                Some(Kind::Directory) => self.load(place, Role::Resource, &origin)?.build()?,
                _ => {
                    let text = self.file_text(folder, &place, &origin)?;
                    objects::read(&text, &place)?.into_iter().map(Resource::new).collect()
                }
            };
            layer.resources.extend(new);
            layer.check_size(&layer.resources)?;
            groups.push((layer.resources.len(), origin));
        }
        // Once for all, as a check for each entry would look at the first objects again and again.
        match layer::find_duplicate(&layer.resources) {
            Some(position) => {
                let group = groups.into_iter().find(|(end, _)| position < *end);
                let origin = group.map_or_else(|| Origin::new(&folder.file, "resources"), |(_, origin)| origin);
                Err(origin.duplicate(layer.resources[position].id()))
            }
            None => Ok(()),
        }
    }

    fn add_generators(&mut self, folder: &Folder, settings: &Kustomization, layer: &mut Layer) -> Result<(), Error> {
        let kinds = [
            (GeneratedKind::ConfigMap, "configMapGenerator", &settings.config_map_generator),
            (GeneratedKind::Secret, "secretGenerator", &settings.secret_generator),
        ];
        for (kind, name, generators) in kinds {
            for (position, generator) in generators.iter().enumerate() {
                let origin = Origin::new(&folder.file, format!("{name}[{position}]"));
                let mut read = |path: &str| {
                    let place = self.resolve(folder, path, &origin)?;
                    self.bytes(folder, &place, &origin)
                };
                let options = &settings.generator_options;
                layer.generated.push(Generated::new(kind, generator, options, origin.clone(), &mut read)?);
            }
        }
        Ok(())
    }

    /// The order is kustomize's.
    fn add_steps(&mut self, folder: &Folder, settings: &Kustomization, layer: &mut Layer) -> Result<(), Error> {
        let at = |field: &str, position: usize| Origin::new(&folder.file, format!("{field}[{position}]"));
        for (position, entry) in settings.patches_strategic_merge.iter().enumerate() {
            let origin = at("patchesStrategicMerge", position);
            layer.push(Step::Patch(self.strategic(folder, entry, &origin)?));
        }
        for (position, patch) in settings.patches.iter().enumerate() {
            layer.push(Step::Patch(self.patch(folder, patch, &at("patches", position))?));
        }
        if !settings.namespace.is_empty() {
            let origin = Origin::new(&folder.file, "namespace");
            layer.push(Step::Namespace(SetNamespace::new(&settings.namespace, origin)));
        }
        // Two steps, as a prefix is remembered as a name of its own before the suffix comes.
        for (prefix, suffix) in [(settings.name_prefix.as_str(), ""), ("", settings.name_suffix.as_str())] {
            if !(prefix.is_empty() && suffix.is_empty()) {
                layer.push(Step::Affix(Affix { prefix: prefix.to_owned(), suffix: suffix.to_owned() }));
            }
        }
        for (position, label) in settings.labels.iter().enumerate() {
            layer.push(Step::Pairs(SetPairs::labels(label, at("labels", position))));
        }
        if !settings.common_labels.is_empty() {
            let origin = Origin::new(&folder.file, "commonLabels");
            layer.push(Step::Pairs(SetPairs::common_labels(&settings.common_labels, origin)));
        }
        if !settings.common_annotations.is_empty() {
            let origin = Origin::new(&folder.file, "commonAnnotations");
            layer.push(Step::Pairs(SetPairs::annotations(&settings.common_annotations, origin)));
        }
        for (position, patch) in settings.patches_json6902.iter().enumerate() {
            let origin = at("patchesJson6902", position);
            if patch.target.as_ref().is_none_or(|target| target.name.is_empty()) {
                return Err(origin.invalid("the patch needs a `target` with a name"));
            }
            match self.patch(folder, patch, &origin)? {
                patch @ Patch::Json(..) => layer.push(Step::Patch(patch)),
                _ => return Err(origin.invalid("this is not a list of JSON 6902 operations")),
            }
        }
        for (position, replica) in settings.replicas.iter().enumerate() {
            let (origin, name) = (at("replicas", position), replica.name.clone());
            layer.push(Step::Replicas(SetReplicas { origin, name, count: replica.count }));
        }
        let images = settings.images.iter().enumerate();
        let images: Vec<_> =
            images.map(|(position, image)| SetImage::new(image, &at("images", position))).collect::<Result<_, _>>()?;
        if !images.is_empty() {
            layer.push(Step::Images(images));
        }
        Ok(())
    }

    /// An entry of `patchesStrategicMerge` is a path if it has one line, and the patch itself otherwise.
    fn strategic(&mut self, folder: &Folder, entry: &str, origin: &Origin) -> Result<Patch, Error> {
        let is_inline = entry.contains('\n') || entry.trim_start().starts_with('{');
        let (path, patch) = if is_inline { ("", entry) } else { (entry, "") };
        let patch = settings::Patch { path: path.to_owned(), patch: patch.to_owned(), ..Default::default() };
        match self.patch(folder, &patch, origin)? {
            patch @ Patch::Named(_) => Ok(patch),
            _ => Err(origin.invalid("this is not a strategic-merge patch")),
        }
    }

    fn patch(&mut self, folder: &Folder, patch: &settings::Patch, origin: &Origin) -> Result<Patch, Error> {
        let selector = patch.target.as_ref().map(|target| Selector::new(target, origin)).transpose()?;
        match (patch.patch.is_empty(), patch.path.is_empty()) {
            (true, true) => Err(origin.invalid("one of `patch` and `path` must be there")),
            (false, false) => Err(origin.invalid("only one of `patch` and `path` can be there")),
            (false, true) => {
                let source = format!("{}: {}", origin.file, origin.field);
                Patch::new(&patch.patch, &source, selector, &patch.options, origin)
            }
            (true, false) => {
                let place = self.resolve(folder, &patch.path, origin)?;
                let text = self.file_text(folder, &place, origin)?;
                let origin = Origin::new(&origin.file, format!("{} ({place})", origin.field));
                Patch::new(&text, &place, selector, &patch.options, &origin)
            }
        }
    }

    /// The path in the tree that a path in the kustomization means.
    fn resolve(&self, folder: &Folder, path: &str, origin: &Origin) -> Result<String, Error> {
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

    /// A file that the kustomization names. Files belong to one kustomization, so they lie in its folder or below.
    fn bytes(&mut self, folder: &Folder, place: &str, origin: &Origin) -> Result<Vec<u8>, Error> {
        if !is_within(place, &folder.directory) {
            let directory = &folder.directory;
            return Err(origin.forbidden(format!("`{place}` is not in or below `{directory}`; only folders may be")));
        }
        let bytes = self.tree.read(place, MAX_FILE).map_err(|error| origin.read(error))?;
        self.read.push(place.to_owned());
        Ok(bytes)
    }

    fn file_text(&mut self, folder: &Folder, place: &str, origin: &Origin) -> Result<String, Error> {
        let bytes = self.bytes(folder, place, origin)?;
        String::from_utf8(bytes).map_err(|_| origin.invalid(format!("`{place}` is not UTF-8 text")))
    }

    fn text(&mut self, file: &str, origin: &Origin) -> Result<String, Error> {
        let text = self.tree.read_text(file, MAX_FILE).map_err(|error| origin.read(error))?;
        self.read.push(file.to_owned());
        Ok(text)
    }
}

/// Whether a kustomization has a field besides those that say what it is. `resources: []` is one.
fn has_fields(text: &str, file: &str) -> Result<bool, Error> {
    let documents = yaml::read_all(text).map_err(|error| Error::from_yaml(file, error))?;
    Ok(documents.iter().filter_map(serde_json::Value::as_object).any(|document| {
        document.iter().any(|(name, value)| !matches!(name.as_str(), "apiVersion" | "kind") && !value.is_null())
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
