//! One kustomization, read and compiled, and its application to a list of objects.
//!
//! Owns the order in which the fields of a kustomization take effect, which is fixed and not that of the file. Does not own
//! reading, nor what each step does.

use std::collections::HashSet;

use super::error::{Error, Origin};
use super::generate::Generated;
use super::images::{self, SetImage};
use super::labels::SetPairs;
use super::names::Affix;
use super::namespaces::SetNamespace;
use super::patches::Patch;
use super::replicas::SetReplicas;
use super::resource::Resource;

/// How many objects one build may have.
const MAX_OBJECTS: usize = 100_000;

/// A compiled kustomization.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// The kustomization file.
    pub(super) file: String,
    /// What its `resources` come to. Folders among them have been built.
    pub(super) resources: Vec<Resource>,
    pub(super) generated: Vec<Generated>,
    pub(super) components: Vec<Layer>,
    pub(super) steps: Vec<Step>,
}

/// What one field, or one entry of it, does to the objects.
#[derive(Debug)]
pub(super) enum Step {
    Patch(Patch),
    Namespace(SetNamespace),
    Affix(Affix),
    Pairs(SetPairs),
    Replicas(SetReplicas),
    Images(Vec<SetImage>),
}

impl Layer {
    /// Adds a step. Patches that name their objects join those right before them, so that they share one index.
    pub(super) fn push(&mut self, step: Step) {
        match (self.steps.last_mut(), step) {
            (Some(Step::Patch(Patch::Named(before))), Step::Patch(Patch::Named(patches))) => before.extend(patches),
            (_, step) => self.steps.push(step),
        }
    }

    /// Applies the kustomization to objects that are there already.
    pub(super) fn apply(&self, resources: &mut Vec<Resource>) -> Result<(), Error> {
        self.append(&self.resources, resources, "resources")?;
        for generated in &self.generated {
            generated.absorb(resources)?;
        }
        for component in &self.components {
            component.apply(resources)?;
        }
        self.steps.iter().try_for_each(|step| step.apply(resources))
    }

    /// Adds objects, of which none may be there yet.
    pub(super) fn append(&self, new: &[Resource], resources: &mut Vec<Resource>, field: &str) -> Result<(), Error> {
        if new.is_empty() {
            return Ok(());
        }
        if resources.len() + new.len() > MAX_OBJECTS {
            let reason = format!("there are more than {MAX_OBJECTS} objects");
            return Err(Error::Limit { file: self.file.clone(), reason });
        }
        resources.extend_from_slice(new);
        refuse_duplicates(resources, &Origin::new(&self.file, field))
    }
}

/// Fails if two objects are of the same kind, name and namespace.
pub(super) fn refuse_duplicates(resources: &[Resource], origin: &Origin) -> Result<(), Error> {
    let mut seen = HashSet::with_capacity(resources.len());
    match resources.iter().map(Resource::id).find(|id| !seen.insert(id.key())) {
        Some(id) => Err(origin.duplicate(id)),
        None => Ok(()),
    }
}

impl Step {
    fn apply(&self, resources: &mut Vec<Resource>) -> Result<(), Error> {
        match self {
            Self::Patch(patch) => patch.apply(resources),
            Self::Namespace(namespace) => {
                let mut is_changed = false;
                for resource in resources.iter_mut() {
                    is_changed |= namespace.apply(resource);
                }
                if is_changed { refuse_duplicates(resources, &namespace.origin) } else { Ok(()) }
            }
            Self::Affix(affix) => {
                resources.iter_mut().for_each(|resource| affix.apply(resource));
                Ok(())
            }
            Self::Pairs(pairs) => resources.iter_mut().try_for_each(|resource| pairs.apply(resource)),
            Self::Replicas(replicas) => replicas.apply(resources),
            Self::Images(settings) => {
                resources.iter_mut().for_each(|resource| images::apply(settings, &mut resource.value));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_cannot_come_twice() {
        let object =
            |namespace: &str| Resource::new(json!({"kind": "A", "metadata": {"name": "a", "namespace": namespace}}));
        let layer = Layer { file: "k.yaml".into(), ..Layer::default() };
        let mut resources = vec![object("")];
        layer.append(&[object("x")], &mut resources, "resources").unwrap();
        let error = layer.append(&[object("default")], &mut resources, "resources[1]").unwrap_err();
        assert!(matches!(error, Error::Duplicate { .. }), "{error}");
    }
}
