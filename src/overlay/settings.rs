//! The kustomization file as it is written.
//!
//! Owns the fields, their names and defaults. Does not own what they mean, nor any file that they name. Fields that the
//! build refuses are listed, too: an unknown field and one that is not supported are different mistakes.

use indexmap::IndexMap;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::Error;
use crate::yaml::{self, ErrorKind, Node};

/// Reads the first document of a file as a `T`: the others are not looked at, and an empty file is an empty map.
///
/// # Errors
/// [`Error`] with the place of the fault as far as it can be told.
pub(super) fn read_first<T: DeserializeOwned + Default>(text: &str, file: &str) -> Result<T, Error> {
    let document = yaml::read_settings(text).map_err(|error| Error::from_yaml(file, error))?;
    let Some(document) = document else { return Ok(T::default()) };
    yaml::from_node(&document).map_err(|message| {
        // The other reader knows lines and columns. It is slower, and reads a little differently.
        let error = match yaml::read::<T>(text) {
            Err(error) if error.line > 0 => error,
            _ => yaml::Error { message, line: 0, column: 0, kind: ErrorKind::Value },
        };
        Error::from_yaml(file, error)
    })
}

/// Reads a file of replacements, which holds one or a list of them. Other fields than those of a replacement are ignored.
pub(super) fn read_replacements(text: &str, file: &str) -> Result<Vec<Replacement>, Error> {
    let document = yaml::read_settings(text).map_err(|error| Error::from_yaml(file, error))?;
    let written = match document {
        Some(Node::Sequence(items)) => items,
        Some(node) => vec![node],
        None => Vec::new(),
    };
    let read = |node: Node| {
        read_known(&node, &["source", "targets", "sourceValue"]).map_err(|message| {
            Error::from_yaml(file, yaml::Error { message, line: 0, column: 0, kind: ErrorKind::Value })
        })
    };
    written.into_iter().map(read).collect()
}

/// Reads the object of a generator plugin. Other fields than those of a generator are ignored.
pub(super) fn read_generator(node: &Node) -> Result<Generator, String> {
    read_known(node, &["name", "namespace", "behavior", "files", "literals", "envs", "env", "type", "options"])
}

fn read_known<T: DeserializeOwned>(node: &Node, fields: &[&str]) -> Result<T, String> {
    let mut node = node.clone();
    if let Some(mapping) = node.as_mapping_mut() {
        mapping.retain(|key, _| fields.contains(&key.text()));
    }
    yaml::from_node(&node)
}

/// Kustomize reads an empty field as an absent one.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The same for texts, numbers and truth values, as what they are and not as what they could be read as: a tag `1.10` that is
/// not quoted is a number, and kustomize refuses it.
pub(super) fn strict<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(T::default()),
        value => serde_json::from_value(value).map_err(D::Error::custom),
    }
}

/// The same for maps of texts, in which `null` is an empty text.
pub(super) fn pairs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IndexMap<String, String>, D::Error> {
    let pairs: Option<IndexMap<String, Value>> = Option::deserialize(deserializer)?;
    let text = |(name, value)| match value {
        Value::Null => Ok((name, String::new())),
        Value::String(text) => Ok((name, text)),
        _ => Err(D::Error::custom(format!("the value of `{name}` is not a string"))),
    };
    pairs.into_iter().flatten().map(text).collect()
}

/// A kustomization file.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Kustomization {
    #[serde(deserialize_with = "strict")]
    pub(super) api_version: String,
    #[serde(deserialize_with = "strict")]
    pub(super) kind: String,
    /// Kustomize allows it and gives it no meaning.
    pub(super) metadata: Option<Metadata>,
    #[serde(deserialize_with = "strict")]
    pub(super) resources: Vec<String>,
    /// The old name for folders among the resources.
    #[serde(deserialize_with = "strict")]
    pub(super) bases: Vec<String>,
    #[serde(deserialize_with = "strict")]
    pub(super) components: Vec<String>,
    #[serde(deserialize_with = "strict")]
    pub(super) namespace: String,
    #[serde(deserialize_with = "strict")]
    pub(super) name_prefix: String,
    #[serde(deserialize_with = "strict")]
    pub(super) name_suffix: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) labels: Vec<Label>,
    #[serde(deserialize_with = "pairs")]
    pub(super) common_labels: IndexMap<String, String>,
    #[serde(deserialize_with = "pairs")]
    pub(super) common_annotations: IndexMap<String, String>,
    #[serde(alias = "imageTags", deserialize_with = "nullable")]
    pub(super) images: Vec<Image>,
    #[serde(deserialize_with = "nullable")]
    pub(super) replicas: Vec<Replica>,
    #[serde(deserialize_with = "nullable")]
    pub(super) patches: Vec<Patch>,
    /// Each is the path of a file, or the patch itself.
    #[serde(deserialize_with = "strict")]
    pub(super) patches_strategic_merge: Vec<String>,
    #[serde(rename = "patchesJson6902", deserialize_with = "nullable")]
    pub(super) patches_json6902: Vec<Patch>,
    #[serde(deserialize_with = "nullable")]
    pub(super) config_map_generator: Vec<Generator>,
    #[serde(deserialize_with = "nullable")]
    pub(super) secret_generator: Vec<Generator>,
    #[serde(deserialize_with = "nullable")]
    pub(super) generator_options: GeneratorOptions,

    #[serde(deserialize_with = "nullable")]
    pub(super) replacements: Vec<Replacement>,
    #[serde(deserialize_with = "nullable")]
    pub(super) vars: Vec<Variable>,
    #[serde(deserialize_with = "strict")]
    pub(super) configurations: Vec<String>,
    #[serde(deserialize_with = "strict")]
    pub(super) crds: Vec<String>,
    #[serde(deserialize_with = "pairs")]
    pub(super) openapi: IndexMap<String, String>,
    #[serde(deserialize_with = "strict")]
    pub(super) transformers: Vec<String>,
    #[serde(deserialize_with = "strict")]
    pub(super) generators: Vec<String>,
    #[serde(deserialize_with = "strict")]
    pub(super) validators: Vec<String>,
    #[serde(deserialize_with = "strict")]
    pub(super) build_metadata: Vec<String>,
    pub(super) sort_options: Option<SortOptions>,

    pub(super) helm_chart_inflation_generator: Option<Value>,
    pub(super) helm_charts: Option<Value>,
    pub(super) helm_globals: Option<Value>,
    pub(super) inventory: Option<Value>,
}

impl Kustomization {
    /// Whether nothing is set but what it is. Fields that are there and empty do not show here.
    pub(super) fn is_bare(&self) -> bool {
        let (api_version, kind) = (self.api_version.clone(), self.kind.clone());
        *self == Self { api_version, kind, metadata: self.metadata.clone(), ..Self::default() }
    }

    /// The fields that are there and that the build does not do, with the reason.
    pub(super) fn unsupported(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        [
            (&self.helm_chart_inflation_generator, "helmChartInflationGenerator", HELM),
            (&self.helm_charts, "helmCharts", HELM),
            (&self.helm_globals, "helmGlobals", HELM),
            (&self.inventory, "inventory", "`inventory` is long gone from kustomize"),
        ]
        .into_iter()
        .filter(|(value, _, _)| value.as_ref().is_some_and(is_set))
        .map(|(_, field, reason)| (field, reason))
    }
}

const HELM: &str = "Helm charts are not inflated: it would run a program and reach the network";

/// An empty list or map orders nothing.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    }
}

/// The `metadata` of a kustomization file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metadata {
    #[serde(deserialize_with = "strict")]
    pub(super) name: String,
    #[serde(deserialize_with = "strict")]
    pub(super) namespace: String,
    #[serde(deserialize_with = "pairs")]
    pub(super) labels: IndexMap<String, String>,
    #[serde(deserialize_with = "pairs")]
    pub(super) annotations: IndexMap<String, String>,
}

/// `sortOptions`.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct SortOptions {
    #[serde(deserialize_with = "strict")]
    pub(super) order: String,
    pub(super) legacy_sort_options: Option<LegacySortOptions>,
}

/// `sortOptions.legacySortOptions`.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct LegacySortOptions {
    #[serde(deserialize_with = "strict")]
    pub(super) order_first: Vec<String>,
    #[serde(deserialize_with = "strict")]
    pub(super) order_last: Vec<String>,
}

/// One entry of `replacements`: a file, or what would stand in one.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Replacement {
    #[serde(deserialize_with = "strict")]
    pub(super) path: String,
    pub(super) source: Option<Source>,
    #[serde(deserialize_with = "optional_text")]
    pub(super) source_value: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) targets: Vec<ReplacementTarget>,
}

fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(D::Error::custom("the value is not a string")),
    }
}

/// Where the value of a replacement comes from.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Source {
    #[serde(deserialize_with = "strict")]
    pub(super) group: String,
    #[serde(deserialize_with = "strict")]
    pub(super) version: String,
    #[serde(deserialize_with = "strict")]
    pub(super) kind: String,
    #[serde(deserialize_with = "strict")]
    pub(super) name: String,
    #[serde(deserialize_with = "strict")]
    pub(super) namespace: String,
    #[serde(deserialize_with = "strict")]
    pub(super) field_path: String,
    pub(super) options: Option<FieldOptions>,
}

/// Where the value of a replacement goes to.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct ReplacementTarget {
    pub(super) select: Option<Target>,
    #[serde(deserialize_with = "nullable")]
    pub(super) reject: Vec<Target>,
    #[serde(deserialize_with = "strict")]
    pub(super) field_paths: Vec<String>,
    pub(super) options: Option<FieldOptions>,
}

/// The options of a replacement's source or target.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct FieldOptions {
    #[serde(deserialize_with = "strict")]
    pub(super) delimiter: String,
    #[serde(deserialize_with = "strict")]
    pub(super) index: i64,
    /// Kustomize reads it and gives it no meaning.
    #[serde(deserialize_with = "strict")]
    pub(super) encoding: String,
    #[serde(deserialize_with = "strict")]
    pub(super) create: bool,
}

/// One entry of `vars`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Variable {
    #[serde(deserialize_with = "strict")]
    pub(super) name: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) objref: ObjectReference,
    #[serde(deserialize_with = "nullable")]
    pub(super) fieldref: FieldReference,
}

/// The object that a variable is about.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct ObjectReference {
    #[serde(deserialize_with = "strict")]
    pub(super) api_version: String,
    #[serde(deserialize_with = "strict")]
    pub(super) group: String,
    #[serde(deserialize_with = "strict")]
    pub(super) version: String,
    #[serde(deserialize_with = "strict")]
    pub(super) kind: String,
    #[serde(deserialize_with = "strict")]
    pub(super) name: String,
    #[serde(deserialize_with = "strict")]
    pub(super) namespace: String,
}

/// The field that a variable stands for.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FieldReference {
    #[serde(rename = "fieldPath", alias = "fieldpath", deserialize_with = "strict")]
    pub(super) field_path: String,
}

/// One entry of `labels`.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Label {
    #[serde(deserialize_with = "pairs")]
    pub(super) pairs: IndexMap<String, String>,
    #[serde(deserialize_with = "strict")]
    pub(super) include_selectors: bool,
    #[serde(deserialize_with = "strict")]
    pub(super) include_templates: bool,
    #[serde(deserialize_with = "nullable")]
    pub(super) fields: Vec<FieldSpec>,
}

/// A place in objects of some kind.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct FieldSpec {
    #[serde(deserialize_with = "strict")]
    pub(super) group: String,
    #[serde(deserialize_with = "strict")]
    pub(super) version: String,
    #[serde(deserialize_with = "strict")]
    pub(super) kind: String,
    #[serde(deserialize_with = "strict")]
    pub(super) path: String,
    #[serde(deserialize_with = "strict")]
    pub(super) create: bool,
}

/// One entry of `images`.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Image {
    #[serde(deserialize_with = "strict")]
    pub(super) name: String,
    #[serde(deserialize_with = "strict")]
    pub(super) new_name: String,
    #[serde(deserialize_with = "strict")]
    pub(super) new_tag: String,
    #[serde(deserialize_with = "strict")]
    pub(super) tag_suffix: String,
    #[serde(deserialize_with = "strict")]
    pub(super) digest: String,
}

/// One entry of `replicas`.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Replica {
    #[serde(deserialize_with = "strict")]
    pub(super) name: String,
    #[serde(deserialize_with = "strict")]
    pub(super) count: i64,
}

/// One entry of `patches` or `patchesJson6902`.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Patch {
    #[serde(deserialize_with = "strict")]
    pub(super) path: String,
    #[serde(deserialize_with = "strict")]
    pub(super) patch: String,
    pub(super) target: Option<Target>,
    #[serde(deserialize_with = "nullable")]
    pub(super) options: PatchOptions,
}

/// The `target` of a patch. The texts are regular expressions; an empty one matches everything.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Target {
    #[serde(deserialize_with = "strict")]
    pub(super) group: String,
    #[serde(deserialize_with = "strict")]
    pub(super) version: String,
    #[serde(deserialize_with = "strict")]
    pub(super) kind: String,
    #[serde(deserialize_with = "strict")]
    pub(super) name: String,
    #[serde(deserialize_with = "strict")]
    pub(super) namespace: String,
    #[serde(deserialize_with = "strict")]
    pub(super) label_selector: String,
    #[serde(deserialize_with = "strict")]
    pub(super) annotation_selector: String,
}

/// The `options` of a patch.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct PatchOptions {
    #[serde(deserialize_with = "strict")]
    pub(super) allow_name_change: bool,
    #[serde(deserialize_with = "strict")]
    pub(super) allow_kind_change: bool,
}

/// One entry of `configMapGenerator` or `secretGenerator`.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Generator {
    #[serde(deserialize_with = "strict")]
    pub(super) name: String,
    #[serde(deserialize_with = "strict")]
    pub(super) namespace: String,
    #[serde(deserialize_with = "strict")]
    pub(super) behavior: String,
    #[serde(deserialize_with = "strict")]
    pub(super) files: Vec<String>,
    #[serde(deserialize_with = "strict")]
    pub(super) literals: Vec<String>,
    #[serde(deserialize_with = "strict")]
    pub(super) envs: Vec<String>,
    /// The old form of `envs` with one file.
    #[serde(deserialize_with = "strict")]
    pub(super) env: String,
    /// Secrets only.
    #[serde(rename = "type", deserialize_with = "strict")]
    pub(super) secret_type: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) options: GeneratorOptions,
}

/// `generatorOptions`, or the `options` of one generator.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct GeneratorOptions {
    #[serde(deserialize_with = "pairs")]
    pub(super) labels: IndexMap<String, String>,
    #[serde(deserialize_with = "pairs")]
    pub(super) annotations: IndexMap<String, String>,
    #[serde(deserialize_with = "strict")]
    pub(super) disable_name_suffix_hash: bool,
    #[serde(deserialize_with = "strict")]
    pub(super) immutable: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Kustomization {
        read_first(text, "k.yaml").unwrap()
    }

    #[test]
    fn empty_fields_are_absent_ones() {
        let settings = read("resources:\ncommonLabels: {a: }\nnamespace: x\nhelmCharts: []\n---\nx: y\n");
        assert!(settings.resources.is_empty() && settings.namespace == "x" && settings.common_labels["a"].is_empty());
        assert_eq!(settings.unsupported().count(), 0);
    }

    #[test]
    fn what_is_not_done_is_named() {
        let settings = read("helmCharts: [{name: x}]\n");
        assert_eq!(settings.unsupported().next(), Some(("helmCharts", HELM)));
    }

    #[test]
    fn faults_have_a_place() {
        let error = read_first::<Kustomization>("resources: []\nnamePrefx: a\n", "k.yaml").unwrap_err();
        assert_eq!(error.to_string(), "k.yaml:2:1: unknown field `namePrefx`; did you mean `namePrefix`?");
    }
}
