//! `namespace`: every namespaced object moves to one namespace.
//!
//! Owns which objects and which fields of them are set, role-binding subjects included as far as they mean the default
//! service account. Other references to objects that moved are in [`references`](super::references).

use std::sync::Arc;

use super::error::{Error, Origin};
use super::fields::FieldTable;
use super::resource::{Resource, set_metadata};
use crate::yaml::{Mapping, Node};

/// Which subjects of role bindings move along.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Subjects {
    /// Those named `default`: every namespace has a service account of that name.
    #[default]
    Default,
    /// All service accounts.
    ServiceAccounts,
    /// None.
    None,
}

/// The setting, ready to be applied.
#[derive(Debug)]
pub(super) struct SetNamespace {
    pub(super) origin: Origin,
    pub(super) namespace: String,
    pub(super) places: Arc<FieldTable>,
    pub(super) subjects: Subjects,
    /// Whether objects that have a namespace keep it.
    pub(super) unset_only: bool,
}

impl SetNamespace {
    /// Sets it. Whether the object is another one now.
    pub(super) fn apply(&self, resource: &mut Resource) -> Result<bool, Error> {
        if self.namespace.is_empty() {
            return Ok(false);
        }
        let id = resource.id();
        let is_namespace = id.kind == "Namespace" && id.group.is_empty();
        let is_namespaced = !id.is_cluster_wide();
        let before = if is_namespace { id.name } else { id.namespace };
        let is_kept = self.unset_only && !before.is_empty() && !is_namespace;
        let is_changed = (is_namespace || is_namespaced) && before != self.namespace && !is_kept;
        let has_subjects = matches!(id.kind, "RoleBinding" | "ClusterRoleBinding");
        let places = self.places.of(&id);
        // Also where it is there already: a reference that says a namespace itself is given this one then.
        resource.remember_id();
        if is_namespaced && !is_kept {
            set_metadata(&mut resource.node, "namespace", Node::string(&self.namespace));
        }
        for place in places.into_iter().filter(|place| !place.is(&["metadata", "namespace"])) {
            // The name of an object that is no namespace is not one, whatever a configuration says.
            if place.is(&["metadata", "name"]) && !is_namespace {
                continue;
            }
            let result = place.visit(&mut resource.node, &Node::string(""), &mut |node| match node {
                Node::Scalar(scalar) => {
                    if !self.unset_only || scalar.text().is_empty() {
                        *node = Node::string(&self.namespace);
                    }
                    Ok(())
                }
                _ => Err("there is no single value at the place of a namespace".to_owned()),
            });
            result.map_err(|reason| self.origin.patch(resource.original_id(), reason))?;
        }
        if has_subjects {
            self.set_subjects(&mut resource.node)
                .map_err(|reason| self.origin.patch(resource.original_id(), reason.to_owned()))?;
        }
        Ok(is_changed)
    }

    fn set_subjects(&self, binding: &mut Node) -> Result<(), &'static str> {
        let subjects = match binding.get_mut("subjects") {
            Some(Node::Sequence(subjects)) if self.subjects != Subjects::None => subjects,
            Some(subjects) if self.subjects != Subjects::None && !subjects.is_null() => {
                return Err("its `subjects` are not a list");
            }
            _ => return Ok(()),
        };
        if subjects.iter().any(|subject| !subject.is_null() && !matches!(subject, Node::Mapping(_))) {
            return Err("one of its `subjects` is not a map");
        }
        let is_meant = |subject: &Mapping| {
            let text = |field: &str| subject.get(field).and_then(Node::text);
            match self.subjects {
                Subjects::Default => text("name") == Some("default"),
                Subjects::ServiceAccounts => text("kind") == Some("ServiceAccount"),
                Subjects::None => false,
            }
        };
        let is_set =
            |subject: &Mapping| subject.get("namespace").and_then(Node::text).is_some_and(|text| !text.is_empty());
        for subject in subjects.iter_mut().filter_map(Node::as_mapping_mut).filter(|subject| is_meant(subject)) {
            if self.unset_only && is_set(subject) {
                continue;
            }
            subject.insert("namespace", Node::string(&self.namespace));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;
    use serde_json::{Value, json};

    fn moved(object: Value) -> (Node, bool) {
        let mut resource = Resource::new(Node::from(object));
        let setting = SetNamespace {
            origin: Origin::new("k.yaml", "namespace"),
            namespace: "new".into(),
            places: Config::built_in().namespace.table(),
            subjects: Subjects::default(),
            unset_only: false,
        };
        let changed = setting.apply(&mut resource).unwrap();
        (resource.node, changed)
    }

    fn metadata<'n>(node: &'n Node, field: &str) -> Option<&'n str> {
        node.get("metadata").and_then(|metadata| metadata.get(field)).and_then(Node::text)
    }

    #[test]
    fn cluster_wide_objects_stay_and_namespaces_are_renamed() {
        let role =
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"}});
        assert_eq!(moved(role.clone()), (Node::from(role), false));
        let (namespace, changed) = moved(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old"}}));
        assert_eq!((metadata(&namespace, "name"), changed), (Some("new"), true));
        let (custom, _) = moved(json!({"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "a"}}));
        assert_eq!(metadata(&custom, "namespace"), Some("new"));
    }

    #[test]
    fn a_binding_follows_the_default_service_account_only() {
        let (binding, _) = moved(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "a"}, "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "x"},
            {"kind": "ServiceAccount", "name": "bot", "namespace": "x"}, {"kind": "User", "name": "other"}]}));
        let subjects = binding.get("subjects").unwrap().as_sequence().unwrap();
        let namespaces: Vec<_> = subjects.iter().map(|subject| subject.get("namespace").and_then(Node::text)).collect();
        assert_eq!(namespaces, [Some("new"), Some("x"), None]);
    }
}
