//! `transformers`, `generators` and `validators`: the fields of a kustomization as objects of their own.
//!
//! Owns the built-in kinds and what their objects hold. Kinds of others would have to be executed, and are refused.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{Error, Origin};
use super::fields::{FieldSpec, FieldTable};
use super::generate::{Generated, Kind as GeneratedKind};
use super::images::SetImage;
use super::labels::SetPairs;
use super::layer::{self, Step};
use super::load::{Folder, Loaded, Loader};
use super::names::{Affix, End};
use super::namespaces::{SetNamespace, Subjects};
use super::objects;
use super::patches::Patch;
use super::provenance::Provenance;
use super::replicas::SetReplicas;
use super::resource::Resource;
use super::selector::Selector;
use super::settings::{self, nullable, pairs, strict};
use super::value_add::{self, AddValue};
use crate::yaml::{self, Node, Scalar, Style, Tag};

/// An object that orders something.
#[derive(Debug)]
pub(super) struct Plugin {
    node: Node,
    kind: String,
    pub(super) origin: Origin,
    pub(super) provenance: Provenance,
}

impl Plugin {
    /// What the object holds. Fields that are not known are ignored, as kustomize does.
    fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        yaml::from_node(&self.node).map_err(|reason| self.origin.invalid(reason))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    #[serde(deserialize_with = "strict")]
    name: String,
    #[serde(deserialize_with = "strict")]
    namespace: String,
}

/// A field specification, in which other fields are ignored as well.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Place {
    #[serde(deserialize_with = "strict")]
    group: String,
    #[serde(deserialize_with = "strict")]
    version: String,
    #[serde(deserialize_with = "strict")]
    kind: String,
    #[serde(deserialize_with = "strict")]
    path: String,
    #[serde(deserialize_with = "strict")]
    create: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    #[serde(deserialize_with = "nullable")]
    metadata: Metadata,
    #[serde(deserialize_with = "nullable")]
    field_specs: Option<Vec<Place>>,
    #[serde(deserialize_with = "strict")]
    prefix: String,
    #[serde(deserialize_with = "strict")]
    suffix: String,
    #[serde(deserialize_with = "pairs")]
    labels: IndexMap<String, String>,
    #[serde(deserialize_with = "pairs")]
    annotations: IndexMap<String, String>,
    #[serde(deserialize_with = "strict")]
    unset_only: bool,
    #[serde(deserialize_with = "strict")]
    set_role_binding_subjects: String,
    #[serde(deserialize_with = "nullable")]
    image_tag: settings::Image,
    #[serde(deserialize_with = "nullable")]
    replica: settings::Replica,
    #[serde(deserialize_with = "nullable")]
    replacements: Vec<settings::Replacement>,
    #[serde(deserialize_with = "strict")]
    value: String,
    #[serde(deserialize_with = "nullable")]
    targets: Vec<ValueTarget>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PatchConfig {
    #[serde(deserialize_with = "strict")]
    path: String,
    #[serde(deserialize_with = "strict")]
    patch: String,
    target: Option<settings::Target>,
    #[serde(deserialize_with = "nullable")]
    options: settings::PatchOptions,
    #[serde(deserialize_with = "strict")]
    json_op: String,
    #[serde(deserialize_with = "strict")]
    paths: Vec<String>,
    #[serde(deserialize_with = "strict")]
    patches: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ValueTarget {
    selector: Option<settings::Target>,
    #[serde(deserialize_with = "strict")]
    field_path: String,
    #[serde(deserialize_with = "strict")]
    file_path_position: usize,
}

impl Loader<'_> {
    /// The objects of a field, each entry of which is a path or their text. Those that are given as text come first.
    pub(super) fn plugins(&mut self, folder: &Folder, entries: &[String], field: &str) -> Result<Vec<Plugin>, Error> {
        let (mut resources, mut paths, mut origins) = (Vec::new(), Vec::new(), Vec::new());
        for (position, entry) in entries.iter().enumerate() {
            let origin = Origin::new(&folder.file, format!("{field}[{position}]"));
            let inline = yaml::read_nodes(entry).ok().and_then(|documents| objects::from_documents(documents, "").ok());
            match inline {
                Some(objects) => {
                    origins.extend(objects.iter().map(|_| (origin.clone(), folder.file.clone())));
                    resources.extend(objects.into_iter().map(Resource::new));
                }
                None => paths.push((entry, origin)),
            }
        }
        for (entry, origin) in paths {
            let place = self.resolve(folder, entry, &origin)?;
            let found = self.resources_at(folder, entry, &mut Loaded::default(), &origin)?;
            origins.extend(found.iter().map(|_| (origin.clone(), place.clone())));
            resources.extend(found);
        }
        layer::refuse_duplicates(&resources, &Origin::new(&folder.file, field))?;
        let plugins = resources.into_iter().zip(origins);
        plugins.map(|(resource, (origin, place))| self.plugin(resource, &place, &origin)).collect()
    }

    fn plugin(&self, resource: Resource, place: &str, origin: &Origin) -> Result<Plugin, Error> {
        let id = resource.id();
        if !(id.group.is_empty() && id.version == "builtin") {
            let reason = format!("{id} is no built-in plugin, and others are not executed");
            return Err(origin.unsupported(reason));
        }
        let configured_in = match resource.notes.as_ref().and_then(|notes| notes.origin.as_ref()) {
            Some(origin) if !origin.path.is_empty() => origin.path.clone(),
            _ => self.relative(place),
        };
        let provenance = Provenance {
            path: String::new(),
            configured_in,
            kind: id.kind.to_owned(),
            name: id.name.to_owned(),
            namespace: id.namespace.to_owned(),
        };
        let (kind, field) = (id.kind.to_owned(), format!("{} ({} {})", origin.field, id.kind, id.name));
        let mut node = resource.node;
        quote(&mut node);
        Ok(Plugin { node, kind, origin: Origin::new(&origin.file, field), provenance })
    }

    /// The object that a generator makes.
    pub(super) fn generator(&mut self, folder: &Folder, plugin: &Plugin) -> Result<Generated, Error> {
        let kind = match plugin.kind.as_str() {
            "ConfigMapGenerator" => GeneratedKind::ConfigMap,
            "SecretGenerator" => GeneratedKind::Secret,
            other => return Err(plugin.origin.unsupported(format!("`{other}` is not a built-in generator"))),
        };
        let mut generator = settings::read_generator(&plugin.node).map_err(|reason| plugin.origin.invalid(reason))?;
        let metadata = plugin.read::<Config>()?.metadata;
        for (field, meant) in [(&mut generator.name, metadata.name), (&mut generator.namespace, metadata.namespace)] {
            if field.is_empty() {
                *field = meant;
            }
        }
        let origin = plugin.origin.clone();
        let mut read = |path: &str| {
            let place = self.resolve(folder, path, &origin)?;
            self.bytes(folder, &place, &origin)
        };
        let options = settings::GeneratorOptions::default();
        let mut generated = Generated::new(kind, &generator, &options, origin.clone(), &mut read)?;
        if self.metadata.is_noting() {
            generated.note_origin(plugin.provenance.clone());
        }
        Ok(generated)
    }

    /// The steps that a transformer stands for.
    pub(super) fn transformer(&mut self, folder: &Folder, plugin: &Plugin) -> Result<Vec<Step>, Error> {
        if plugin.kind.starts_with("Patch") {
            return Ok(vec![self.patch_transformer(folder, plugin)?]);
        }
        let mut config: Config = plugin.read()?;
        let origin = plugin.origin.clone();
        let specs: Option<Vec<FieldSpec>> =
            config.field_specs.take().map(|specs| specs.into_iter().map(FieldSpec::from).collect());
        let places = Arc::new(FieldTable::new(specs.iter().flatten()));
        let affix = |end, text: &str| match (text.is_empty(), &specs) {
            (false, None) => Err(origin.invalid("`fieldSpecs` must be there")),
            _ => Ok(Step::Affix(Affix { origin: origin.clone(), end, text: text.to_owned(), places: places.clone() })),
        };
        if plugin.kind == "PrefixSuffixTransformer" {
            return Ok(vec![affix(End::Prefix, &config.prefix)?, affix(End::Suffix, &config.suffix)?]);
        }
        Ok(vec![match plugin.kind.as_str() {
            "PrefixTransformer" => affix(End::Prefix, &config.prefix)?,
            "SuffixTransformer" => affix(End::Suffix, &config.suffix)?,
            "LabelTransformer" => Step::Pairs(SetPairs::new(&config.labels, places, origin)),
            "AnnotationsTransformer" => Step::Pairs(SetPairs::new(&config.annotations, places, origin)),
            "NamespaceTransformer" => Step::Namespace(namespace(&config, places, origin)?),
            "ImageTagTransformer" => Step::Image(SetImage::new(&config.image_tag, places, origin)?),
            "ReplicaCountTransformer" => {
                let settings::Replica { name, count } = config.replica;
                Step::Replicas(SetReplicas { origin, name, count, places })
            }
            "ReplacementTransformer" => {
                Step::Replacements(self.replacements(folder, &config.replacements, &origin.field)?)
            }
            "ValueAddTransformer" => Step::AddValue(value_to_add(config, &origin)?),
            "HashTransformer" => Step::Hash(origin),
            other => return Err(origin.unsupported(format!("`{other}` is not a built-in transformer"))),
        }])
    }

    fn patch_transformer(&mut self, folder: &Folder, plugin: &Plugin) -> Result<Step, Error> {
        let config: PatchConfig = plugin.read()?;
        let origin = &plugin.origin;
        let written = |patch: String| settings::Patch {
            path: config.path.clone(),
            patch,
            target: config.target.clone(),
            options: config.options.clone(),
        };
        Ok(Step::Patch(match plugin.kind.as_str() {
            "PatchTransformer" => self.patch(folder, &written(config.patch.clone()), origin)?,
            "PatchJson6902Transformer" => match self.patch(folder, &written(config.json_op.clone()), origin)? {
                patch @ Patch::Json(..) => patch,
                _ => return Err(origin.invalid("this is not a list of JSON 6902 operations")),
            },
            "PatchStrategicMergeTransformer" => {
                let inline = Some(&config.patches).filter(|text| !text.is_empty());
                let mut all = Vec::new();
                for entry in config.paths.iter().chain(inline) {
                    if let Patch::Named(patches) = self.strategic(folder, entry, origin)? {
                        all.extend(patches);
                    }
                }
                Patch::Named(all)
            }
            other => return Err(origin.unsupported(format!("`{other}` is not a built-in transformer"))),
        }))
    }
}

impl From<Place> for FieldSpec {
    fn from(place: Place) -> Self {
        let Place { group, version, kind, path, create } = place;
        Self { group, version, kind, path, create }
    }
}

fn namespace(config: &Config, places: Arc<FieldTable>, origin: Origin) -> Result<SetNamespace, Error> {
    let subjects = match config.set_role_binding_subjects.as_str() {
        "" | "defaultOnly" => Subjects::Default,
        "allServiceAccounts" => Subjects::ServiceAccounts,
        "none" => Subjects::None,
        other => {
            let reason = format!("`{other}` is none of defaultOnly, allServiceAccounts, none");
            return Err(origin.invalid(reason));
        }
    };
    let (namespace, unset_only) = (config.metadata.namespace.clone(), config.unset_only);
    Ok(SetNamespace { origin, namespace, places, subjects, unset_only })
}

fn value_to_add(config: Config, origin: &Origin) -> Result<AddValue, Error> {
    let targets = config.targets.into_iter().map(|target| {
        let selector = target.selector.map(|selector| Selector::new(&selector, origin)).transpose()?;
        Ok(value_add::Target { selector, field: target.field_path, position: target.file_path_position })
    });
    let targets = targets.collect::<Result<_, Error>>()?;
    Ok(AddValue { origin: origin.clone(), value: config.value, targets })
}

/// Makes texts of all words: what was read once as a text is not read again as something else.
fn quote(node: &mut Node) {
    match node {
        Node::Scalar(scalar) if scalar.tag() == Tag::Str => {
            *scalar = Scalar::string(scalar.text()).with_style(Style::Quoted);
        }
        Node::Scalar(_) => {}
        Node::Sequence(items) => items.iter_mut().for_each(quote),
        Node::Mapping(mapping) => mapping.values_mut().for_each(quote),
    }
}
