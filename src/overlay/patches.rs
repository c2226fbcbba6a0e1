//! `patches`, `patchesStrategicMerge` and `patchesJson6902`.
//!
//! Owns telling the two kinds of patches apart, finding the objects that one is for, and what a patch may not change: the
//! identity of its object. Does not own how a patch is carried out.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::{Error, Origin};
use super::json_patch::JsonPatch;
use super::merge::{Outcome, merge_object};
use super::openapi::Schema;
use super::resource::{self, Id, OwnedId, Resource, set_metadata};
use super::schema;
use super::selector::Selector;
use super::settings::PatchOptions;
use super::{layer, objects};
use crate::yaml::{self, Mapping, Node};

/// A patch, ready to be applied.
#[derive(Debug)]
pub(super) enum Patch {
    /// Partial objects, each for the one object of its kind, name and namespace.
    Named(Vec<MergePatch>),
    /// A partial object for all objects that a selector finds.
    Selected(Box<Selector>, MergePatch),
    /// JSON 6902 operations for all objects that a selector finds.
    Json(Box<Selector>, JsonPatch, Origin),
}

/// A partial object.
#[derive(Debug)]
pub(super) struct MergePatch {
    origin: Origin,
    id: OwnedId,
    /// What remains of it without the parts of the identity that it may not change.
    fields: Mapping,
    may_rename: bool,
    /// Whether its metadata has a directive, so that the name must be put back afterwards.
    may_lose_name: bool,
    /// The description of lists that a kustomization brought before this one.
    schema: Option<Arc<Schema>>,
}

impl Patch {
    /// Reads the text of a patch, which is partial objects or a list of operations. `source` is where the text stands, for
    /// errors of its syntax.
    pub(super) fn new(
        text: &str,
        source: &str,
        selector: Option<Selector>,
        options: &PatchOptions,
        schema: Option<&Arc<Schema>>,
        origin: &Origin,
    ) -> Result<Self, Error> {
        let documents = yaml::read_patches(text).map_err(|error| Error::from_yaml(source, error))?;
        if let [Node::Sequence(operations), ..] = documents.as_slice() {
            // What begins like JSON is read as JSON.
            if text.starts_with('[') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
                return Err(origin.invalid("a list of operations in brackets must be JSON, with its names in quotes"));
            }
            let selector = selector.ok_or_else(|| origin.invalid("a JSON 6902 patch needs a `target`"))?;
            let patch = JsonPatch::new(operations).map_err(|reason| origin.invalid(reason))?;
            return Ok(Self::Json(Box::new(selector), patch, origin.clone()));
        }
        let objects = objects::from_documents(documents, source)?;
        let mut patches: Vec<_> =
            objects.into_iter().map(|object| MergePatch::new(object, options, schema, origin)).collect();
        match (selector, patches.len()) {
            (None, _) | (_, 0) => Ok(Self::Named(patches)),
            (Some(selector), 1) => {
                let mut patch = patches.remove(0);
                patch.write_out(&["labels", "annotations"]);
                Ok(Self::Selected(Box::new(selector), patch))
            }
            (Some(_), _) => Err(origin.invalid("a patch with a `target` must be one document")),
        }
    }

    pub(super) fn apply(&self, resources: &mut Vec<Resource>) -> Result<(), Error> {
        match self {
            Self::Named(patches) => apply_named(patches, resources),
            Self::Selected(selector, patch) => {
                let mut removed = vec![false; resources.len()];
                for (resource, removed) in resources.iter_mut().zip(&mut removed) {
                    *removed = selector.matches(resource) && patch.apply(resource)? == Outcome::Removed;
                }
                remove(resources, &removed);
                layer::refuse_duplicates(resources, &patch.origin)
            }
            Self::Json(selector, patch, origin) => {
                for resource in resources.iter_mut().filter(|resource| selector.matches(resource)) {
                    let before = patch.may_rename().then(|| resource.id().to_owned());
                    let result = patch.apply(&mut resource.node);
                    resource.previous.extend(before);
                    if patch.replaces_annotations() {
                        resource.forget_provenance();
                    }
                    let result =
                        result.and_then(|()| yaml::normalize(&mut resource.node).map_err(|error| error.to_string()));
                    let result = result.and_then(|()| match patch.may_rename() {
                        true => objects::check(&resource.node).map_err(str::to_owned),
                        false => Ok(()),
                    });
                    result.map_err(|reason| origin.patch(resource.original_id(), reason))?;
                }
                Ok(())
            }
        }
    }
}

impl MergePatch {
    fn new(object: Node, options: &PatchOptions, schema: Option<&Arc<Schema>>, origin: &Origin) -> Self {
        let id = Id::of(&object).to_owned();
        let mut fields = match object {
            Node::Mapping(fields) => fields,
            _ => Mapping::default(),
        };
        fields.remove("apiVersion");
        if !options.allow_kind_change {
            fields.remove("kind");
        }
        let mut may_lose_name = false;
        if let Some(metadata) = fields.get_mut("metadata").and_then(Node::as_mapping_mut) {
            metadata.remove("namespace");
            if !options.allow_name_change {
                metadata.remove("name");
            }
            may_lose_name = metadata.contains_key("$patch");
        }
        let may_rename = options.allow_name_change || options.allow_kind_change;
        let mut patch = Self { origin: origin.clone(), id, fields, may_rename, may_lose_name, schema: schema.cloned() };
        if may_rename {
            // Kustomize notes the permission among the annotations of the patch.
            patch.write_out(&["annotations"]);
        }
        patch
    }

    /// A patch with a target is copied for each object, and kustomize copies labels and annotations as texts: a `null`
    /// among them becomes the word and removes nothing.
    fn write_out(&mut self, parts: &[&str]) {
        let Some(metadata) = self.fields.get_mut("metadata").and_then(Node::as_mapping_mut) else {
            return;
        };
        for field in parts {
            match metadata.get_mut(field) {
                Some(Node::Mapping(pairs)) if !pairs.is_empty() => pairs.values_mut().for_each(resource::write_out),
                Some(_) => {
                    metadata.remove(field);
                }
                None => {}
            }
        }
    }

    fn apply(&self, resource: &mut Resource) -> Result<Outcome, Error> {
        let id = resource.id();
        let rule = schema::rule_of(&id, self.schema.as_deref());
        let kept = self.may_lose_name.then(|| (id.name.to_owned(), id.namespace.to_owned()));
        if self.may_rename {
            resource.remember_id();
        }
        let outcome = merge_object(&mut resource.node, &self.fields, rule)
            .map_err(|fault| self.origin.patch(resource.original_id(), fault.to_string()))?;
        // Kustomize writes every field of the object anew, these in quotes: to a later patch they are texts.
        yaml::settle(&mut resource.node);
        if let Some((name, namespace)) = kept {
            set_metadata(&mut resource.node, "name", Node::string(name));
            if !namespace.is_empty() {
                set_metadata(&mut resource.node, "namespace", Node::string(namespace));
            }
        }
        Ok(outcome)
    }
}

/// From how many comparisons on an index is made.
const WORTH_AN_INDEX: usize = 1_000;

/// Patches that name their objects. With many of both, the objects are looked up and not searched for.
fn apply_named(patches: &[MergePatch], resources: &mut Vec<Resource>) -> Result<(), Error> {
    let mut removed = vec![false; resources.len()];
    let mut index = (patches.len() * resources.len() > WORTH_AN_INDEX).then(|| index(resources));
    for patch in patches {
        let wanted = patch.id.borrow();
        let fits = |position: &usize| !removed[*position] && resources[*position].ids().any(|id| id.same(&wanted));
        let found: Vec<usize> = match &index {
            Some(index) => {
                let places = index.get(&(wanted.kind.to_owned(), wanted.name.to_owned()));
                places.into_iter().flatten().copied().filter(fits).collect()
            }
            None => (0..resources.len()).filter(fits).collect(),
        };
        let [position] = found[..] else {
            let count = if found.is_empty() { "no object" } else { "more than one object" };
            return Err(patch.origin.target(format!("there is {count} {wanted} for the patch")));
        };
        if patch.apply(&mut resources[position])? == Outcome::Removed {
            removed[position] = true;
        } else if let (true, Some(index)) = (patch.may_rename, &mut index) {
            let id = resources[position].id();
            index.entry((id.kind.to_owned(), id.name.to_owned())).or_default().push(position);
        }
    }
    remove(resources, &removed);
    Ok(())
}

/// The places of the objects by every kind and name that they have or had.
fn index(resources: &[Resource]) -> HashMap<(String, String), Vec<usize>> {
    let mut index: HashMap<(String, String), Vec<usize>> = HashMap::with_capacity(resources.len());
    for (position, resource) in resources.iter().enumerate() {
        for id in resource.ids() {
            let places = index.entry((id.kind.to_owned(), id.name.to_owned())).or_default();
            if places.last() != Some(&position) {
                places.push(position);
            }
        }
    }
    index
}

fn remove(resources: &mut Vec<Resource>, removed: &[bool]) {
    let mut flags = removed.iter();
    if removed.contains(&true) {
        resources.retain(|_| flags.next() != Some(&true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn patched(text: &str, objects: &[Value]) -> Result<Vec<Value>, Error> {
        let mut resources: Vec<Resource> =
            objects.iter().cloned().map(|object| Resource::new(Node::from(object))).collect();
        let origin = Origin::new("k.yaml", "patches[0]");
        Patch::new(text, "p.yaml", None, &PatchOptions::default(), None, &origin)?.apply(&mut resources)?;
        Ok(resources.into_iter().map(|resource| Value::try_from(resource.node).unwrap()).collect())
    }

    fn object(name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": name}})
    }

    #[test]
    fn a_patch_finds_its_object_and_cannot_rename_it() {
        let text = "{apiVersion: v1, kind: A, metadata: {name: b, labels: {x: z}}}";
        let patched = patched(text, &[object("a"), object("b")]).unwrap();
        assert_eq!(patched[0], object("a"));
        assert_eq!(patched[1]["metadata"], json!({"name": "b", "labels": {"x": "z"}}));
    }

    #[test]
    fn with_many_objects_the_index_finds_the_same() {
        let objects: Vec<Value> = (0..40).map(|number| object(&format!("a{number}"))).collect();
        let text: Vec<String> = (0..40)
            .map(|number| format!("{{apiVersion: v1, kind: A, metadata: {{name: a{number}}}, n: {number}}}"))
            .collect();
        let patched = patched(&text.join("\n---\n"), &objects).unwrap();
        assert!(patched.iter().enumerate().all(|(number, object)| object["n"] == number));
    }

    #[test]
    fn a_missing_object_and_a_patch_for_none_are_refused() {
        let error = patched("{apiVersion: v1, kind: A, metadata: {name: q}}", &[object("a")]).unwrap_err();
        assert_eq!(error.to_string(), "k.yaml: patches[0]: there is no object A q (v1) for the patch");
        assert_eq!(patched("# nothing", &[object("a")]).unwrap(), [object("a")]);
        for text in ["[{op: add, path: /a}]", "- {op: add, path: /a, value: 1}", "{kind: A}"] {
            assert!(matches!(patched(text, &[]), Err(Error::Invalid { .. })), "{text}");
        }
    }
}
