//! Where the fields of a kustomization take effect: the tables that kustomize has built in, and what `configurations` and
//! `crds` add to them.
//!
//! Owns the sections and how they are merged. What is put at the places is in the file of each field; the rows for labels
//! and annotations stand in `labels`, those for variables in `variables`.

use std::sync::{Arc, LazyLock, OnceLock};

use serde::Deserialize;

use super::error::{Error, Origin};
use super::fields::{FieldSpec, FieldTable, Row, merge_all};
use super::reference_table::{NameReference, ReferenceTable};
use super::{labels, reference_table, settings, variables};

const NAMES: &[Row] = &[("", "", "", "metadata/name", false)];

const NAMESPACES: &[Row] = &[
    ("", "", "Namespace", "metadata/name", true),
    ("apiregistration.k8s.io", "", "APIService", "spec/service/namespace", true),
    (
        "apiextensions.k8s.io",
        "",
        "CustomResourceDefinition",
        "spec/conversion/webhook/clientConfig/service/namespace",
        false,
    ),
];

const IMAGES: &[Row] = &[
    ("", "", "", "spec/containers[]/image", true),
    ("", "", "", "spec/initContainers[]/image", true),
    ("", "", "", "spec/volumes[]/image/reference", true),
    ("", "", "", "spec/template/spec/containers[]/image", true),
    ("", "", "", "spec/template/spec/initContainers[]/image", true),
    ("", "", "", "spec/template/spec/volumes[]/image/reference", true),
];

const REPLICAS: &[Row] = &[
    ("", "", "Deployment", "spec/replicas", true),
    ("", "", "ReplicationController", "spec/replicas", true),
    ("", "", "ReplicaSet", "spec/replicas", true),
    ("", "", "StatefulSet", "spec/replicas", true),
];

/// One section of a configuration: a list of places, and the same as a table, which is made when it is first used.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    specs: Vec<FieldSpec>,
    table: OnceLock<Arc<FieldTable>>,
}

impl Section {
    fn from_rows<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        Self::from(rows.into_iter().map(FieldSpec::from_row).collect::<Vec<_>>())
    }

    /// The places in the order of the section.
    pub(super) fn specs(&self) -> &[FieldSpec] {
        &self.specs
    }

    /// The places by kind.
    pub(super) fn table(&self) -> Arc<FieldTable> {
        self.table.get_or_init(|| Arc::new(FieldTable::new(&self.specs))).clone()
    }

    fn merge(&mut self, other: &Self) -> Result<(), String> {
        self.table = OnceLock::new();
        merge_all(&mut self.specs, other.specs.iter().cloned())
    }
}

impl From<Vec<FieldSpec>> for Section {
    fn from(specs: Vec<FieldSpec>) -> Self {
        Self { specs, table: OnceLock::new() }
    }
}

/// Where everything goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    pub(super) name_prefix: Section,
    pub(super) name_suffix: Section,
    pub(super) namespace: Section,
    pub(super) common_labels: Section,
    /// What plain `labels` add to `metadata/labels`.
    pub(super) labels: Section,
    pub(super) template_labels: Section,
    pub(super) common_annotations: Section,
    pub(super) images: Section,
    pub(super) replicas: Section,
    pub(super) var_reference: Section,
    pub(super) name_reference: Vec<NameReference>,
    pub(super) references: OnceLock<Arc<ReferenceTable>>,
}

static BUILT_IN: LazyLock<Arc<Config>> = LazyLock::new(|| {
    Arc::new(Config {
        name_prefix: Section::from_rows(NAMES),
        name_suffix: Section::from_rows(NAMES),
        namespace: Section::from_rows(NAMESPACES),
        common_labels: Section::from_rows(labels::selector_rows()),
        labels: Section::default(),
        template_labels: Section::from_rows(labels::template_rows()),
        common_annotations: Section::from_rows(labels::ANNOTATIONS),
        images: Section::from_rows(IMAGES),
        replicas: Section::from_rows(REPLICAS),
        var_reference: Section::from(variables::places()),
        name_reference: reference_table::built_in(),
        references: OnceLock::new(),
    })
});

impl Config {
    /// What holds without any configuration.
    pub(super) fn built_in() -> Arc<Self> {
        BUILT_IN.clone()
    }

    /// The fields that name other objects, by the kind of the object that has them.
    pub(super) fn references(&self) -> Arc<ReferenceTable> {
        self.references.get_or_init(|| Arc::new(ReferenceTable::new(&self.name_reference))).clone()
    }

    /// Adds what another configuration has.
    pub(super) fn merge(&mut self, other: &Self) -> Result<(), String> {
        self.references = OnceLock::new();
        let sections = [
            (&mut self.name_prefix, &other.name_prefix, "namePrefix"),
            (&mut self.name_suffix, &other.name_suffix, "nameSuffix"),
            (&mut self.namespace, &other.namespace, "namespace"),
            (&mut self.common_labels, &other.common_labels, "commonLabels"),
            (&mut self.labels, &other.labels, "labels"),
            (&mut self.template_labels, &other.template_labels, "templateLabels"),
            (&mut self.common_annotations, &other.common_annotations, "commonAnnotations"),
            (&mut self.images, &other.images, "images"),
            (&mut self.replicas, &other.replicas, "replicas"),
            (&mut self.var_reference, &other.var_reference, "varReference"),
        ];
        for (section, other, name) in sections {
            section.merge(other).map_err(|reason| format!("{name}: {reason}"))?;
        }
        for reference in &other.name_reference {
            reference_table::merge_one(&mut self.name_reference, reference.clone())
                .map_err(|reason| format!("nameReference: {reason}"))?;
        }
        Ok(())
    }

    /// Reads one file of `configurations`.
    pub(super) fn read(text: &str, file: &str) -> Result<Self, Error> {
        let written: Written = settings::read_first(text, file)?;
        let section = |specs: Vec<settings::FieldSpec>, name: &str| {
            let mut merged = Vec::new();
            merge_all(&mut merged, specs.iter().map(FieldSpec::from_setting))
                .map_err(|reason| Origin::new(file, name).invalid(reason))?;
            merged.sort_by(|a, b| (&a.group, &a.version, &a.kind).cmp(&(&b.group, &b.version, &b.kind)));
            Ok::<_, Error>(Section::from(merged))
        };
        let mut config = Self {
            name_prefix: section(written.name_prefix, "namePrefix")?,
            name_suffix: section(written.name_suffix, "nameSuffix")?,
            namespace: section(written.namespace, "namespace")?,
            common_labels: section(written.common_labels, "commonLabels")?,
            labels: section(written.labels, "labels")?,
            template_labels: section(written.template_labels, "templateLabels")?,
            common_annotations: section(written.common_annotations, "commonAnnotations")?,
            images: section(written.images, "images")?,
            replicas: section(written.replicas, "replicas")?,
            var_reference: section(written.var_reference, "varReference")?,
            ..Self::default()
        };
        for written in written.name_reference {
            let reference = NameReference {
                group: written.group,
                version: written.version,
                kind: written.kind,
                specs: section(written.field_specs, "nameReference")?.specs,
            };
            reference_table::merge_one(&mut config.name_reference, reference)
                .map_err(|reason| Origin::new(file, "nameReference").invalid(reason))?;
        }
        Ok(config)
    }
}

/// A file of `configurations` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Written {
    #[serde(deserialize_with = "settings::nullable")]
    name_prefix: Vec<settings::FieldSpec>,
    #[serde(deserialize_with = "settings::nullable")]
    name_suffix: Vec<settings::FieldSpec>,
    #[serde(deserialize_with = "settings::nullable")]
    namespace: Vec<settings::FieldSpec>,
    #[serde(deserialize_with = "settings::nullable")]
    common_labels: Vec<settings::FieldSpec>,
    #[serde(deserialize_with = "settings::nullable")]
    labels: Vec<settings::FieldSpec>,
    #[serde(deserialize_with = "settings::nullable")]
    template_labels: Vec<settings::FieldSpec>,
    #[serde(deserialize_with = "settings::nullable")]
    common_annotations: Vec<settings::FieldSpec>,
    #[serde(deserialize_with = "settings::nullable")]
    images: Vec<settings::FieldSpec>,
    #[serde(deserialize_with = "settings::nullable")]
    replicas: Vec<settings::FieldSpec>,
    #[serde(deserialize_with = "settings::nullable")]
    var_reference: Vec<settings::FieldSpec>,
    #[serde(deserialize_with = "settings::nullable")]
    name_reference: Vec<WrittenReference>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct WrittenReference {
    #[serde(deserialize_with = "settings::strict")]
    group: String,
    #[serde(deserialize_with = "settings::strict")]
    version: String,
    #[serde(deserialize_with = "settings::strict")]
    kind: String,
    #[serde(deserialize_with = "settings::nullable")]
    field_specs: Vec<settings::FieldSpec>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_merged_into_the_built_in_ones() {
        let mut config = Config::clone(&Config::built_in());
        let text = "namePrefix: [{path: spec/title, kind: Buoy}]\nnameReference: [{kind: Buoy, fieldSpecs: [{path: a/b, kind: Net}]}]\n";
        config.merge(&Config::read(text, "c.yaml").unwrap()).unwrap();
        assert_eq!(config.name_prefix.specs().len(), 2);
        assert!(config.name_reference.iter().any(|reference| reference.kind == "Buoy"));
        let error = Config::read("commonLabels: [{path: a, creat: true}]\n", "c.yaml").unwrap_err();
        assert!(error.to_string().contains("did you mean `create`"), "{error}");
        let conflict = Config::read("commonLabels: [{path: metadata/labels, kind: A}]\n", "c.yaml").unwrap();
        assert!(config.merge(&conflict).is_err());
    }
}
