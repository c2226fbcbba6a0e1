//! `labels`, `commonLabels` and `commonAnnotations`.
//!
//! Owns where kustomize puts labels and annotations: on every object, in pod templates, and in selectors. Does not own the
//! walk along a path.

use std::sync::LazyLock;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::error::{Error, Origin};
use super::fields::{FieldTable, Row};
use super::resource::Resource;
use super::settings;

const METADATA_LABELS: Row = ("", "", "", "metadata/labels", true);

/// Labels of pod templates.
const TEMPLATE_LABELS: &[Row] = &[
    ("", "v1", "ReplicationController", "spec/template/metadata/labels", true),
    ("", "", "Deployment", "spec/template/metadata/labels", true),
    ("", "", "ReplicaSet", "spec/template/metadata/labels", true),
    ("", "", "DaemonSet", "spec/template/metadata/labels", true),
    ("apps", "", "StatefulSet", "spec/template/metadata/labels", true),
    ("apps", "", "StatefulSet", "spec/volumeClaimTemplates[]/metadata/labels", true),
    ("batch", "", "Job", "spec/template/metadata/labels", true),
    ("batch", "", "CronJob", "spec/jobTemplate/metadata/labels", true),
    ("batch", "", "CronJob", "spec/jobTemplate/spec/template/metadata/labels", true),
];

/// Selectors. A selector that is not there is made only where the API server demands one.
const SELECTORS: &[Row] = &[
    ("", "v1", "Service", "spec/selector", true),
    ("", "v1", "ReplicationController", "spec/selector", true),
    ("", "", "Deployment", "spec/selector/matchLabels", true),
    ("", "", "ReplicaSet", "spec/selector/matchLabels", true),
    ("", "", "DaemonSet", "spec/selector/matchLabels", true),
    ("apps", "", "StatefulSet", "spec/selector/matchLabels", true),
    ("batch", "", "Job", "spec/selector/matchLabels", false),
    ("batch", "", "CronJob", "spec/jobTemplate/spec/selector/matchLabels", false),
    ("policy", "", "PodDisruptionBudget", "spec/selector/matchLabels", false),
    ("networking.k8s.io", "", "NetworkPolicy", "spec/podSelector/matchLabels", false),
    ("networking.k8s.io", "", "NetworkPolicy", "spec/ingress/from/podSelector/matchLabels", false),
    ("networking.k8s.io", "", "NetworkPolicy", "spec/egress/to/podSelector/matchLabels", false),
];

/// The selectors within the pod templates of Deployments and StatefulSets.
const SCHEDULING_SELECTORS: &[&str] = &[
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

const ANNOTATIONS: &[Row] = &[
    ("", "", "", "metadata/annotations", true),
    ("", "v1", "ReplicationController", "spec/template/metadata/annotations", true),
    ("", "", "Deployment", "spec/template/metadata/annotations", true),
    ("", "", "ReplicaSet", "spec/template/metadata/annotations", true),
    ("", "", "DaemonSet", "spec/template/metadata/annotations", true),
    ("", "", "StatefulSet", "spec/template/metadata/annotations", true),
    ("batch", "", "Job", "spec/template/metadata/annotations", true),
    ("batch", "", "CronJob", "spec/jobTemplate/metadata/annotations", true),
    ("batch", "", "CronJob", "spec/jobTemplate/spec/template/metadata/annotations", true),
];

/// Pairs of text, and the places that they go to.
#[derive(Debug)]
pub(super) struct SetPairs {
    origin: Origin,
    pairs: Map<String, Value>,
    places: &'static FieldTable,
    /// Those that the user adds.
    own_places: FieldTable,
}

static ON_OBJECTS: LazyLock<FieldTable> = LazyLock::new(|| FieldTable::from_rows(&[METADATA_LABELS]));
static ON_TEMPLATES: LazyLock<FieldTable> =
    LazyLock::new(|| FieldTable::from_rows(TEMPLATE_LABELS.iter().chain([&METADATA_LABELS])));
static IN_SELECTORS: LazyLock<FieldTable> = LazyLock::new(|| {
    let mut table = FieldTable::from_rows(SELECTORS.iter().chain(TEMPLATE_LABELS).chain([&METADATA_LABELS]));
    for kind in ["Deployment", "StatefulSet"] {
        for path in SCHEDULING_SELECTORS {
            table.add_setting(&settings::FieldSpec {
                group: "apps".to_owned(),
                kind: kind.to_owned(),
                path: format!("spec/template/spec/{path}"),
                ..Default::default()
            });
        }
    }
    table
});
static WITH_ANNOTATIONS: LazyLock<FieldTable> = LazyLock::new(|| FieldTable::from_rows(ANNOTATIONS));

impl SetPairs {
    /// One entry of `labels`.
    pub(super) fn labels(label: &settings::Label, origin: Origin) -> Self {
        let mut own_places = FieldTable::default();
        for field in &label.fields {
            own_places.add_setting(field);
        }
        let places: &'static FieldTable = match (label.include_selectors, label.include_templates) {
            (true, _) => &IN_SELECTORS,
            (false, true) => &ON_TEMPLATES,
            (false, false) => &ON_OBJECTS,
        };
        Self { origin, pairs: texts(&label.pairs), places, own_places }
    }

    /// `commonLabels`.
    pub(super) fn common_labels(pairs: &IndexMap<String, String>, origin: Origin) -> Self {
        let label = settings::Label { pairs: pairs.clone(), include_selectors: true, ..Default::default() };
        Self::labels(&label, origin)
    }

    /// `commonAnnotations`.
    pub(super) fn annotations(pairs: &IndexMap<String, String>, origin: Origin) -> Self {
        Self { origin, pairs: texts(pairs), places: &WITH_ANNOTATIONS, own_places: FieldTable::default() }
    }

    pub(super) fn apply(&self, resource: &mut Resource) -> Result<(), Error> {
        let empty = Value::Object(Map::new());
        let id = resource.id();
        let (specs, own) = (self.places.of(&id), self.own_places.of(&id));
        let object = &mut resource.value;
        for spec in specs.into_iter().chain(own) {
            let visited = spec.visit(object, &empty, &mut |value| match value {
                Value::Object(map) => {
                    for (name, text) in &self.pairs {
                        map.insert(name.clone(), text.clone());
                    }
                    Ok(())
                }
                _ => Err("there is no map of labels or annotations at the place where they go"),
            });
            visited.map_err(|reason| self.origin.patch(resource_name(object), reason))?;
        }
        Ok(())
    }
}

fn resource_name(object: &Value) -> String {
    super::resource::Id::of(object).to_string()
}

pub(super) fn texts(pairs: &IndexMap<String, String>) -> Map<String, Value> {
    pairs.iter().map(|(name, text)| (name.clone(), Value::String(text.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labelled(object: Value, label: &settings::Label) -> Value {
        let mut resource = Resource::new(object);
        SetPairs::labels(label, Origin::new("k.yaml", "labels[0]")).apply(&mut resource).unwrap();
        resource.value
    }

    #[test]
    fn labels_stay_out_of_selectors_unless_they_are_asked_in() {
        let object = || json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {}});
        let mut label = settings::Label { pairs: [("a".to_owned(), "b".to_owned())].into(), ..Default::default() };
        assert_eq!(labelled(object(), &label)["spec"], json!({}));
        label.include_templates = true;
        assert_eq!(labelled(object(), &label)["spec"], json!({"template": {"metadata": {"labels": {"a": "b"}}}}));
        label.include_selectors = true;
        assert_eq!(labelled(object(), &label)["spec"]["selector"], json!({"matchLabels": {"a": "b"}}));
    }
}
