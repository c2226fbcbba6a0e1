//! `replicas`: how many pods a workload has.
//!
//! Owns how a workload is found by name. Which kinds have replicas, and where, is a section of the
//! [configuration](super::config).

use std::sync::Arc;

use super::error::{Error, Origin};
use super::fields::FieldTable;
use super::resource::Resource;
use crate::yaml::{Node, Scalar, Tag};

/// One entry of `replicas`.
#[derive(Debug)]
pub(super) struct SetReplicas {
    pub(super) origin: Origin,
    pub(super) name: String,
    pub(super) count: i64,
    pub(super) places: Arc<FieldTable>,
}

impl SetReplicas {
    /// Sets the count on every workload that has or had the name. There must be one.
    pub(super) fn apply(&self, resources: &mut [Resource]) -> Result<(), Error> {
        let mut is_found = false;
        let count = Node::Scalar(Scalar::tagged(self.count.to_string(), Tag::Int));
        for resource in resources.iter_mut() {
            if !resource.ids().any(|id| id.name == self.name) {
                continue;
            }
            for place in self.places.of(&resource.id()) {
                is_found = true;
                let result = place.visit(&mut resource.node, &count, &mut |node| match node {
                    Node::Scalar(_) => {
                        node.set_text(&self.count.to_string());
                        Ok(())
                    }
                    _ => Err("there is no single value at the place of the replicas".to_owned()),
                });
                result.map_err(|reason| self.origin.patch(resource.id(), reason))?;
            }
        }
        if is_found {
            return Ok(());
        }
        Err(self.origin.target(format!("there is no workload named `{}`", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;
    use serde_json::json;

    #[test]
    fn only_workloads_with_replicas_count() {
        let object = |kind: &str| {
            Resource::new(Node::from(json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}})))
        };
        let origin = Origin::new("k.yaml", "replicas[0]");
        let places = Config::built_in().replicas.table();
        let setting = SetReplicas { origin, name: "web".into(), count: 3, places };
        let mut resources = [object("Service"), object("Deployment")];
        setting.apply(&mut resources).unwrap();
        assert_eq!(resources[0].node.get("spec"), None);
        assert_eq!(resources[1].node.get("spec"), Some(&Node::from(json!({"replicas": 3}))));
        let error = setting.apply(&mut resources[..1]).unwrap_err();
        assert!(matches!(error, Error::Target { .. }), "{error}");
    }
}
