//! `labels`, `commonLabels` and `commonAnnotations`.
//!
//! Owns where kustomize puts labels and annotations: on every object, in pod templates, and in selectors. Does not own the
//! walk along a path.

use std::sync::Arc;

use indexmap::IndexMap;

use super::error::{Error, Origin};
use super::fields::{FieldTable, Row};
use super::resource::Resource;
use crate::yaml::{self, Mapping, Node};

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
    (
        "apps",
        "",
        "Deployment",
        "spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
        false,
    ),
    (
        "apps",
        "",
        "Deployment",
        "spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
        false,
    ),
    (
        "apps",
        "",
        "Deployment",
        "spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
        false,
    ),
    (
        "apps",
        "",
        "Deployment",
        "spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
        false,
    ),
    ("apps", "", "Deployment", "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels", false),
    (
        "apps",
        "",
        "StatefulSet",
        "spec/template/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
        false,
    ),
    (
        "apps",
        "",
        "StatefulSet",
        "spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
        false,
    ),
    (
        "apps",
        "",
        "StatefulSet",
        "spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
        false,
    ),
    (
        "apps",
        "",
        "StatefulSet",
        "spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
        false,
    ),
    ("apps", "", "StatefulSet", "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels", false),
];

pub(super) const ANNOTATIONS: &[Row] = &[
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
    pairs: Mapping,
    places: Arc<FieldTable>,
}

/// The places of `commonLabels`: objects, pod templates and selectors.
pub(super) fn selector_rows() -> impl Iterator<Item = &'static Row> {
    SELECTORS.iter().chain(TEMPLATE_LABELS).chain([&METADATA_LABELS])
}

/// The places of labels with `includeTemplates`.
pub(super) fn template_rows() -> impl Iterator<Item = &'static Row> {
    [&METADATA_LABELS].into_iter().chain(TEMPLATE_LABELS)
}

/// The place of plain labels.
pub(super) const METADATA_ONLY: &[Row] = &[METADATA_LABELS];

impl SetPairs {
    /// Sets pairs at places.
    pub(super) fn new(pairs: &IndexMap<String, String>, places: Arc<FieldTable>, origin: Origin) -> Self {
        Self { origin, pairs: texts(pairs), places }
    }

    pub(super) fn apply(&self, resource: &mut Resource) -> Result<(), Error> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        let empty = Node::mapping();
        for place in self.places.of(&resource.id()) {
            let visited = place.visit(&mut resource.node, &empty, &mut |node| match node {
                Node::Mapping(mapping) => {
                    for (name, text) in self.pairs.iter() {
                        mapping.insert(name.text(), text.clone());
                    }
                    Ok(())
                }
                node if node.is_null() => Ok(()),
                _ => Err("there is no map of labels or annotations at the place where they go".to_owned()),
            });
            visited.map_err(|reason| self.origin.patch(resource.id(), reason))?;
        }
        Ok(())
    }
}

pub(super) fn texts(pairs: &IndexMap<String, String>) -> Mapping {
    yaml::texts(pairs.iter().map(|(name, text)| (name.as_str(), text.as_str())))
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;
    use serde_json::{Value, json};

    fn labelled(places: Arc<FieldTable>) -> Node {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {}});
        let mut resource = Resource::new(Node::from(object));
        let pairs = [("a".to_owned(), "b".to_owned())].into();
        SetPairs::new(&pairs, places, Origin::new("k.yaml", "labels[0]")).apply(&mut resource).unwrap();
        resource.node.get("spec").unwrap().clone()
    }

    #[test]
    fn labels_stay_out_of_selectors_unless_they_are_asked_in() {
        let config = Config::built_in();
        let template = || json!({"metadata": {"labels": {"a": "b"}}});
        let expected = |spec: Value| Node::from(spec);
        assert_eq!(labelled(config.template_labels.table()), expected(json!({"template": template()})));
        let everywhere = json!({"selector": {"matchLabels": {"a": "b"}}, "template": template()});
        assert_eq!(labelled(config.common_labels.table()), expected(everywhere));
    }
}
