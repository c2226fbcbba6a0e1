//! The kustomization file as it is written.
//!
//! Owns the fields, their names and defaults. Does not own what they mean, nor any file that they name. Fields that the
//! build refuses are listed, too: an unknown field and one that is not supported are different mistakes.

use indexmap::IndexMap;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Kustomize reads an empty field as an absent one.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The same for texts, numbers and truth values, as what they are and not as what they could be read as: a tag `1.10` that is
/// not quoted is a number, and kustomize refuses it.
fn strict<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(T::default()),
        value => serde_json::from_value(value).map_err(D::Error::custom),
    }
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
    pub(super) metadata: Option<Value>,
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
    #[serde(deserialize_with = "strict")]
    pub(super) common_labels: IndexMap<String, String>,
    #[serde(deserialize_with = "strict")]
    pub(super) common_annotations: IndexMap<String, String>,
    #[serde(deserialize_with = "nullable")]
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

    pub(super) build_metadata: Option<Value>,
    pub(super) configurations: Option<Value>,
    pub(super) crds: Option<Value>,
    pub(super) generators: Option<Value>,
    pub(super) helm_chart_inflation_generator: Option<Value>,
    pub(super) helm_charts: Option<Value>,
    pub(super) helm_globals: Option<Value>,
    pub(super) image_tags: Option<Value>,
    pub(super) inventory: Option<Value>,
    pub(super) openapi: Option<Value>,
    pub(super) replacements: Option<Value>,
    pub(super) sort_options: Option<Value>,
    pub(super) transformers: Option<Value>,
    pub(super) validators: Option<Value>,
    pub(super) vars: Option<Value>,
}

impl Kustomization {
    /// Whether nothing is set but what it is. Fields that are there and empty do not show here.
    pub(super) fn is_bare(&self) -> bool {
        let (api_version, kind) = (self.api_version.clone(), self.kind.clone());
        *self == Self { api_version, kind, ..Self::default() }
    }

    /// The fields that are there and that the build does not do, with the reason.
    pub(super) fn unsupported(&self) -> impl Iterator<Item = (&'static str, String)> {
        let later = |field: &'static str| (field, format!("`{field}` is not supported yet"));
        let never = |field: &'static str, reason: &str| (field, reason.to_owned());
        [
            (&self.build_metadata, later("buildMetadata")),
            (&self.configurations, later("configurations")),
            (&self.crds, later("crds")),
            (&self.generators, later("generators")),
            (&self.helm_chart_inflation_generator, never("helmChartInflationGenerator", HELM)),
            (&self.helm_charts, never("helmCharts", HELM)),
            (&self.helm_globals, never("helmGlobals", HELM)),
            (&self.image_tags, never("imageTags", "`imageTags` is long gone from kustomize; write `images`")),
            (&self.inventory, never("inventory", "`inventory` is long gone from kustomize")),
            (&self.openapi, later("openapi")),
            (&self.replacements, later("replacements")),
            (&self.sort_options, later("sortOptions")),
            (&self.transformers, later("transformers")),
            (&self.validators, later("validators")),
            (&self.vars, later("vars")),
        ]
        .into_iter()
        .filter(|(value, _)| value.as_ref().is_some_and(is_set))
        .map(|(_, refusal)| refusal)
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

/// One entry of `labels`.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Label {
    #[serde(deserialize_with = "strict")]
    pub(super) pairs: IndexMap<String, String>,
    #[serde(deserialize_with = "strict")]
    pub(super) include_selectors: bool,
    #[serde(deserialize_with = "strict")]
    pub(super) include_templates: bool,
    #[serde(deserialize_with = "nullable")]
    pub(super) fields: Vec<FieldSpec>,
}

/// A place in objects of some kind.
#[derive(Debug, Default, Deserialize, PartialEq)]
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
#[derive(Debug, Default, Deserialize, PartialEq)]
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
#[derive(Debug, Default, Deserialize, PartialEq)]
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
    #[serde(deserialize_with = "strict")]
    pub(super) labels: IndexMap<String, String>,
    #[serde(deserialize_with = "strict")]
    pub(super) annotations: IndexMap<String, String>,
    #[serde(deserialize_with = "strict")]
    pub(super) disable_name_suffix_hash: bool,
    #[serde(deserialize_with = "strict")]
    pub(super) immutable: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_fields_are_absent_ones() {
        let settings: Kustomization = crate::yaml::read("resources:\ncommonLabels:\nnamespace: x\nvars: []\n").unwrap();
        assert!(settings.resources.is_empty() && settings.namespace == "x");
        assert_eq!(settings.unsupported().count(), 0);
    }

    #[test]
    fn what_is_not_done_is_named() {
        let settings: Kustomization = crate::yaml::read("vars: [a]\nhelmCharts: [{name: x}]\n").unwrap();
        let refused: Vec<_> = settings.unsupported().collect();
        assert_eq!(refused[0].0, "helmCharts");
        assert_eq!(refused[1], ("vars", "`vars` is not supported yet".to_owned()));
    }
}
