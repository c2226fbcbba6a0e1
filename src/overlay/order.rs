//! The order in which objects are printed.
//!
//! Owns kustomize's legacy order: what others depend on comes first, webhooks come last, and between them objects are
//! sorted by what they are. Does not own which order is asked for.

use std::cmp::Ordering;

use super::resource::{Id, Resource};

const FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// An order of objects.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// As they came.
    Fifo,
    /// By kind: these first, these last, the others between them.
    Legacy { first: Vec<String>, last: Vec<String> },
}

impl Order {
    /// The order of kustomize when nothing else is said.
    pub(super) fn legacy() -> Self {
        let owned = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect();
        Self::Legacy { first: owned(FIRST), last: owned(LAST) }
    }

    pub(super) fn apply(&self, resources: &mut Vec<Resource>) {
        let Self::Legacy { first, last } = self else { return };
        let mut keyed: Vec<(Key, Resource)> = std::mem::take(resources)
            .into_iter()
            .map(|resource| (Key::of(&resource.id(), first, last), resource))
            .collect();
        keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
        resources.extend(keyed.into_iter().map(|(_, resource)| resource));
    }
}

/// The place of a kind. A kind that is named twice is last.
fn rank(kind: &str, first: &[String], last: &[String]) -> usize {
    let place = |kinds: &[String]| kinds.iter().rposition(|known| known == kind);
    match (place(last), place(first)) {
        (Some(place), _) => first.len() + 1 + place,
        (None, Some(place)) => place,
        (None, None) => first.len(),
    }
}

/// What an object is sorted by, made once for each: its rank, then group, version and kind, then namespace and name. What
/// is missing comes behind everything that is there, but for the group of namespaces: the core's are first.
#[derive(Debug, Eq, PartialEq)]
struct Key {
    rank: usize,
    /// For namespaces that have a rank of their own: whether it is one of the core group.
    core_namespace: Option<bool>,
    kind: String,
    place: String,
}

impl Key {
    fn of(id: &Id<'_>, first: &[String], last: &[String]) -> Self {
        let rank = rank(id.kind, first, last);
        // Among objects of other kinds, the exception would make an order that goes round in circles.
        let is_alone = id.kind == "Namespace" && rank != first.len();
        Self {
            rank,
            core_namespace: is_alone.then_some(id.group.is_empty()),
            kind: [or(id.group, "~G"), or(id.version, "~V"), or(id.kind, "~K")].join("_"),
            place: [or(id.namespace, "~X"), or(id.name, "~N")].join("|"),
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank
            .cmp(&other.rank)
            .then_with(|| match (self.core_namespace, other.core_namespace) {
                (Some(is_core), Some(is_other_core)) => is_other_core.cmp(&is_core),
                _ => Ordering::Equal,
            })
            .then_with(|| self.kind.cmp(&other.kind))
            .then_with(|| self.place.cmp(&other.place))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn or<'a>(word: &'a str, missing: &'a str) -> &'a str {
    if word.is_empty() { missing } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Node;
    use serde_json::json;

    #[test]
    fn what_others_depend_on_comes_first() {
        let object = |api: &str, kind: &str, namespace: &str| {
            let metadata = json!({"name": "a", "namespace": namespace});
            Resource::new(Node::from(json!({"apiVersion": api, "kind": kind, "metadata": metadata})))
        };
        let mut objects = vec![
            object("v1", "Pod", ""),
            object("example.com/v1", "Foo", ""),
            object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", ""),
            object("v1", "Service", ""),
            object("v1", "Service", "x"),
            object("v1", "Namespace", ""),
        ];
        Order::legacy().apply(&mut objects);
        let shown: Vec<_> =
            objects.iter().map(|object| format!("{}{}", object.id().kind, object.id().namespace)).collect();
        assert_eq!(shown, ["Namespace", "Servicex", "Service", "Foo", "Pod", "ValidatingWebhookConfiguration"]);
    }
}
