//! `replicas`: how many pods a workload has.
//!
//! Owns which kinds have replicas and how one is found by name.

use serde_json::{Map, Value};

use super::error::{Error, Origin};
use super::resource::Resource;

/// One entry of `replicas`.
#[derive(Debug)]
pub(super) struct SetReplicas {
    pub(super) origin: Origin,
    pub(super) name: String,
    pub(super) count: i64,
}

impl SetReplicas {
    /// Sets the count on every workload that has or had the name. There must be one.
    pub(super) fn apply(&self, resources: &mut [Resource]) -> Result<(), Error> {
        let mut is_found = false;
        for resource in resources.iter_mut().filter(|resource| self.matches(resource)) {
            is_found = true;
            let Some(object) = resource.value.as_object_mut() else { continue };
            let spec = object.entry("spec").or_insert(Value::Null);
            if spec.is_null() {
                *spec = Value::Object(Map::new());
            }
            if let Some(spec) = spec.as_object_mut() {
                spec.insert("replicas".to_owned(), self.count.into());
            }
        }
        if is_found {
            return Ok(());
        }
        let name = &self.name;
        Err(self
            .origin
            .target(format!("there is no Deployment, ReplicaSet, ReplicationController or StatefulSet named `{name}`")))
    }

    fn matches(&self, resource: &Resource) -> bool {
        resource.ids().any(|id| {
            id.name == self.name
                && matches!(id.kind, "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_workloads_with_replicas_count() {
        let object =
            |kind: &str| Resource::new(json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}}));
        let setting = SetReplicas { origin: Origin::new("k.yaml", "replicas[0]"), name: "web".into(), count: 3 };
        let mut resources = [object("Service"), object("Deployment")];
        setting.apply(&mut resources).unwrap();
        assert_eq!(resources[0].value.get("spec"), None);
        assert_eq!(resources[1].value["spec"]["replicas"], 3);
        let error = setting.apply(&mut resources[..1]).unwrap_err();
        assert!(matches!(error, Error::Target { .. }), "{error}");
    }
}
