//! `namespace`: every namespaced object moves to one namespace.
//!
//! Owns which objects and which fields of them are set, role-binding subjects included as far as they mean the default
//! service account. Other references to objects that moved are in [`references`](super::references).

use std::convert::Infallible;

use serde_json::{Map, Value};

use super::error::Origin;
use super::fields::FieldTable;
use super::resource::{Resource, set_metadata};
use super::scope;

/// The setting, ready to be applied.
#[derive(Debug)]
pub(super) struct SetNamespace {
    pub(super) origin: Origin,
    namespace: String,
    places: FieldTable,
}

impl SetNamespace {
    pub(super) fn new(namespace: &str, origin: Origin) -> Self {
        let places = FieldTable::from_rows(&[
            ("apiregistration.k8s.io", "", "APIService", "spec/service/namespace", true),
            (
                "apiextensions.k8s.io",
                "",
                "CustomResourceDefinition",
                "spec/conversion/webhook/clientConfig/service/namespace",
                false,
            ),
        ]);
        Self { origin, namespace: namespace.to_owned(), places }
    }

    /// Sets it. Whether the object is another one now.
    pub(super) fn apply(&self, resource: &mut Resource) -> bool {
        let id = resource.id();
        let is_namespace = id.kind == "Namespace" && id.group.is_empty();
        let is_cluster_wide = scope::is_cluster_wide(id.group, id.version, id.kind);
        let before = if is_namespace { id.name } else { id.namespace };
        let is_changed = (is_namespace || !is_cluster_wide) && before != self.namespace;
        let has_subjects = matches!(id.kind, "RoleBinding" | "ClusterRoleBinding");
        let specs = self.places.of(&id);
        if is_changed {
            resource.remember_id();
            set_metadata(&mut resource.value, if is_namespace { "name" } else { "namespace" }, self.namespace.clone());
        }
        for spec in specs {
            let text = Value::String(self.namespace.clone());
            let Ok(()) = spec.visit(&mut resource.value, &Value::Null, &mut |value| {
                value.clone_from(&text);
                Ok::<(), Infallible>(())
            });
        }
        if has_subjects {
            self.set_default_subjects(&mut resource.value);
        }
        is_changed
    }

    /// Every namespace has a service account `default`, so a subject of that name means the one of the new namespace.
    fn set_default_subjects(&self, binding: &mut Value) {
        let Some(subjects) = binding.get_mut("subjects").and_then(Value::as_array_mut) else {
            return;
        };
        let is_default = |subject: &Map<String, Value>| {
            let text = |field: &str| subject.get(field).and_then(Value::as_str);
            text("kind") == Some("ServiceAccount") && text("name") == Some("default")
        };
        for subject in subjects.iter_mut().filter_map(Value::as_object_mut).filter(|subject| is_default(subject)) {
            subject.insert("namespace".to_owned(), Value::String(self.namespace.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn moved(object: Value) -> (Value, bool) {
        let mut resource = Resource::new(object);
        let changed = SetNamespace::new("new", Origin::new("k.yaml", "namespace")).apply(&mut resource);
        (resource.value, changed)
    }

    #[test]
    fn cluster_wide_objects_stay_and_namespaces_are_renamed() {
        let role =
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "a"}});
        assert_eq!(moved(role.clone()), (role, false));
        let (namespace, changed) = moved(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "old"}}));
        assert_eq!((namespace["metadata"]["name"].as_str(), changed), (Some("new"), true));
        let (custom, _) = moved(json!({"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": "a"}}));
        assert_eq!(custom["metadata"]["namespace"], "new");
    }

    #[test]
    fn a_binding_follows_the_default_service_account_only() {
        let (binding, _) = moved(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "a"}, "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "x"},
            {"kind": "ServiceAccount", "name": "bot", "namespace": "x"}, {"kind": "User", "name": "default"}]}));
        let namespaces: Vec<_> =
            binding["subjects"].as_array().unwrap().iter().map(|subject| subject.get("namespace").cloned()).collect();
        assert_eq!(namespaces, [Some(json!("new")), Some(json!("x")), None]);
    }
}
