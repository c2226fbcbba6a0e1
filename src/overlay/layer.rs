//! One kustomization, read and compiled, and its application to a list of objects.
//!
//! Owns the order in which the fields of a kustomization take effect, which is fixed and not that of the file. Does not own
//! reading, nor what each step does.

use std::collections::HashSet;

use super::error::{Error, Origin};
use super::generate::Generated;
use super::images::SetImage;
use super::labels::SetPairs;
use super::names::Affix;
use super::namespaces::SetNamespace;
use super::patches::Patch;
use super::provenance::Provenance;
use super::references;
use super::replacements::Replacement;
use super::replicas::SetReplicas;
use super::resource::Resource;
use super::value_add::AddValue;
use super::variables::Variable;
use crate::yaml::{Node, Style};

/// How many objects one build may have.
pub(super) const MAX_OBJECTS: usize = 100_000;

/// A compiled kustomization.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// The kustomization file.
    pub(super) file: String,
    /// What its `resources` come to. Folders among them have been built.
    pub(super) resources: Vec<Resource>,
    pub(super) generated: Vec<Generated>,
    pub(super) components: Vec<Layer>,
    pub(super) steps: Vec<MadeStep>,
    pub(super) validators: Vec<(Origin, Step)>,
    pub(super) variables: Vec<Variable>,
}

/// A step, and what it is called where changes are listed. Nothing is listed unless that is asked for.
#[derive(Debug)]
pub(super) struct MadeStep {
    pub(super) step: Step,
    pub(super) made_by: Vec<Provenance>,
}

/// What one field, or one entry of it, does to the objects.
#[derive(Debug)]
pub(super) enum Step {
    Patch(Patch),
    Namespace(SetNamespace),
    Affix(Affix),
    Pairs(SetPairs),
    Replicas(SetReplicas),
    Image(SetImage),
    Replacements(Vec<Replacement>),
    AddValue(AddValue),
    /// Hashes the names of generated objects at once.
    Hash(Origin),
}

impl Layer {
    /// Adds a step. Patches that name their objects join those right before them, so that they share one index.
    pub(super) fn push(&mut self, step: Step, made_by: Option<Provenance>) {
        let made_by: Vec<Provenance> = made_by.into_iter().collect();
        match (self.steps.last_mut(), step) {
            (
                Some(MadeStep { step: Step::Patch(Patch::Named(before)), made_by: makers }),
                Step::Patch(Patch::Named(patches)),
            ) => {
                before.extend(patches);
                makers.extend(made_by);
            }
            (_, step) => self.steps.push(MadeStep { step, made_by }),
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
    pub(super) fn build(&mut self) -> Result<Vec<Resource>, Error> {
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
            // Kustomize takes all objects over from a component one by one, so that names it has made alike are a fault
            // here and not only at the end.
            refuse_duplicates(resources, &Origin::new(&self.file, "components"))?;
        }
        for step in &self.steps {
            step.apply(resources)?;
        }
        self.validate(resources)?;
        self.variables.iter().try_for_each(|variable| variable.mark(resources))
    }

    /// Runs the validators: transformers that must leave everything as it is. As with kustomize, to write what is there
    /// already is a change, too, so everything is marked before.
    fn validate(&self, resources: &[Resource]) -> Result<(), Error> {
        for (origin, validator) in &self.validators {
            let mut before = resources.to_vec();
            before.iter_mut().for_each(|resource| watch(&mut resource.node));
            let mut after = before.clone();
            validator.apply(&mut after)?;
            let is_same = before.len() == after.len()
                && before
                    .iter()
                    .zip(&after)
                    .all(|(before, after)| before.node == after.node && before.previous.len() == after.previous.len());
            if !is_same {
                return Err(origin.invalid("a validator must not change objects, and this one would"));
            }
        }
        Ok(())
    }

    /// Fails if there are more objects than a build may have.
    pub(super) fn check_size(&self, resources: &[Resource]) -> Result<(), Error> {
        if resources.len() > MAX_OBJECTS {
            return Err(too_many_objects(&self.file));
        }
        Ok(())
    }
}

/// The error for a build with more objects than it may have.
pub(super) fn too_many_objects(file: &str) -> Error {
    Error::Limit { file: file.to_owned(), reason: format!("there are more than {MAX_OBJECTS} objects") }
}

/// Marks every scalar as one that nobody has written to.
fn watch(node: &mut Node) {
    match node {
        Node::Scalar(scalar) => *scalar = scalar.clone().with_style(Style::Watched),
        Node::Sequence(items) => items.iter_mut().for_each(watch),
        Node::Mapping(mapping) => mapping.values_mut().for_each(watch),
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

impl MadeStep {
    fn apply(&self, resources: &mut Vec<Resource>) -> Result<(), Error> {
        self.step.apply(resources)?;
        if !self.made_by.is_empty() {
            for resource in resources.iter_mut() {
                resource.note_transformations(&self.made_by);
            }
        }
        Ok(())
    }
}

impl Step {
    fn apply(&self, resources: &mut Vec<Resource>) -> Result<(), Error> {
        match self {
            Self::Patch(patch) => patch.apply(resources),
            Self::Namespace(namespace) => {
                let mut is_changed = false;
                for resource in resources.iter_mut() {
                    is_changed |= namespace.apply(resource)?;
                }
                if is_changed { refuse_duplicates(resources, &namespace.origin) } else { Ok(()) }
            }
            Self::Affix(affix) => resources.iter_mut().try_for_each(|resource| affix.apply(resource)),
            Self::Pairs(pairs) => resources.iter_mut().try_for_each(|resource| pairs.apply(resource)),
            Self::Replicas(replicas) => replicas.apply(resources),
            Self::Image(image) => resources.iter_mut().try_for_each(|resource| image.apply(resource)),
            Self::Replacements(replacements) => {
                replacements.iter().try_for_each(|replacement| replacement.apply(resources))
            }
            Self::AddValue(value) => value.apply(resources),
            Self::Hash(origin) => references::append_hashes(resources, &origin.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_cannot_come_twice() {
        let object = |namespace: &str| {
            let metadata = json!({"name": "a", "namespace": namespace});
            Resource::new(Node::from(json!({"kind": "A", "metadata": metadata})))
        };
        let origin = Origin::new("k.yaml", "resources[1]");
        refuse_duplicates(&[object(""), object("x")], &origin).unwrap();
        let error = refuse_duplicates(&[object(""), object("x"), object("default")], &origin).unwrap_err();
        assert_eq!(error.to_string(), "k.yaml: resources[1]: A default/a () is there twice");
    }
}
