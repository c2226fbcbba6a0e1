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
        if !self.resources.is_empty() {
            resources.extend_from_slice(&self.resources);
            self.check_size(resources)?;
            refuse_duplicates(resources, &Origin::new(&self.file, "resources"))?;
        }
        self.transform(resources)
    }

    /// Applies the kustomization to nothing. Its own resources are checked already, and need not be copied.
    pub(super) fn build(mut self) -> Result<Vec<Resource>, Error> {
        let mut resources = std::mem::take(&mut self.resources);
        self.transform(&mut resources)?;
        Ok(resources)
    }

    fn transform(&self, resources: &mut Vec<Resource>) -> Result<(), Error> {
        for generated in &self.generated {
            generated.absorb(resources)?;
        }
        for component in &self.components {
            component.apply(resources)?;
        }
        self.steps.iter().try_for_each(|step| step.apply(resources))
    }

    /// Fails if there are more objects than a build may have.
    pub(super) fn check_size(&self, resources: &[Resource]) -> Result<(), Error> {
        if resources.len() > MAX_OBJECTS {
            let reason = format!("there are more than {MAX_OBJECTS} objects");
            return Err(Error::Limit { file: self.file.clone(), reason });
        }
        Ok(())
    }
}

/// Fails if two objects are of the same kind, name and namespace.
pub(super) fn refuse_duplicates(resources: &[Resource], origin: &Origin) -> Result<(), Error> {
    match find_duplicate(resources) {
        Some(position) => Err(origin.duplicate(resources[position].id())),
        None => Ok(()),
    }
}

/// The place of the first object that is there before it already.
pub(super) fn find_duplicate(resources: &[Resource]) -> Option<usize> {
    let mut seen = HashSet::with_capacity(resources.len());
    resources.iter().position(|resource| !seen.insert(resource.id().key()))
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
        let origin = Origin::new("k.yaml", "resources[1]");
        refuse_duplicates(&[object(""), object("x")], &origin).unwrap();
        let error = refuse_duplicates(&[object(""), object("x"), object("default")], &origin).unwrap_err();
        assert_eq!(error.to_string(), "k.yaml: resources[1]: A default/a () is there twice");
    }
}
