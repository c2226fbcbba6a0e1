//! One object on its way through a build, and the names by which it can be found.
//!
//! Owns the identity of an object: API group, version, kind, name and namespace, what they are now and what they were
//! before a step changed them. Does not own any change.

use std::fmt;

use super::provenance::Provenance;
use super::scope;
use crate::yaml::{Node, Scalar, Style, Tag};

/// The namespace of an object that names none.
const DEFAULT_NAMESPACE: &str = "default";

/// What identifies an object, borrowed from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id<'a> {
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    /// As written; empty if there is none.
    pub(super) namespace: &'a str,
    /// Whether the kind lives in namespaces, where a description that the build brought says so.
    pub(super) is_namespaced: Option<bool>,
}

impl<'a> Id<'a> {
    pub(super) fn of(node: &'a Node) -> Self {
        let text = |value: Option<&'a Node>| value.and_then(Node::text).unwrap_or_default();
        let metadata = node.get("metadata");
        let (group, version) = split_api_version(text(node.get("apiVersion")));
        Self {
            group,
            version,
            kind: text(node.get("kind")),
            name: text(metadata.and_then(|metadata| metadata.get("name"))),
            namespace: text(metadata.and_then(|metadata| metadata.get("namespace"))),
            is_namespaced: None,
        }
    }

    /// The namespace that the object ends up in, or `None` for one that lives outside of all namespaces.
    pub(super) fn effective_namespace(&self) -> Option<&'a str> {
        match self.namespace {
            _ if self.is_cluster_wide() => None,
            "" => Some(DEFAULT_NAMESPACE),
            namespace => Some(namespace),
        }
    }

    /// Whether objects of this kind certainly have no namespace.
    pub(super) fn is_cluster_wide(&self) -> bool {
        match self.is_namespaced {
            Some(is_namespaced) => !is_namespaced,
            None => scope::is_cluster_wide(self.group, self.version, self.kind),
        }
    }

    /// Whether both name the same object. The version counts: kustomize keeps `v1` and `v2` of a kind apart.
    pub(super) fn same(&self, other: &Id<'_>) -> bool {
        self.name == other.name
            && self.kind == other.kind
            && self.group == other.group
            && self.version == other.version
            && self.effective_namespace() == other.effective_namespace()
    }

    /// A form that can be hashed and compared as a whole; equal if and only if [`Id::same`].
    pub(super) fn key(&self) -> (&'a str, &'a str, &'a str, &'a str, Option<&'a str>) {
        (self.group, self.version, self.kind, self.name, self.effective_namespace())
    }

    pub(super) fn to_owned(self) -> OwnedId {
        OwnedId {
            group: self.group.into(),
            version: self.version.into(),
            kind: self.kind.into(),
            name: self.name.into(),
            namespace: self.namespace.into(),
            is_namespaced: self.is_namespaced,
        }
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.kind)?;
        if !self.namespace.is_empty() {
            write!(formatter, "{}/", self.namespace)?;
        }
        write!(formatter, "{} (", self.name)?;
        if !self.group.is_empty() {
            write!(formatter, "{}/", self.group)?;
        }
        write!(formatter, "{})", self.version)
    }
}

/// An [`Id`] that an object had earlier.
#[derive(Clone, Debug)]
pub(super) struct OwnedId {
    group: Box<str>,
    version: Box<str>,
    kind: Box<str>,
    name: Box<str>,
    namespace: Box<str>,
    is_namespaced: Option<bool>,
}

impl OwnedId {
    pub(super) fn borrow(&self) -> Id<'_> {
        Id {
            group: &self.group,
            version: &self.version,
            kind: &self.kind,
            name: &self.name,
            namespace: &self.namespace,
            is_namespaced: self.is_namespaced,
        }
    }
}

/// `apps/v1` is the group `apps` and the version `v1`; `v1` is in the core group, which has no name.
pub(super) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// An object with its history.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) node: Node,
    /// Earlier identities, oldest first. Empty for the many objects that no step renames, so that they cost nothing.
    pub(super) previous: Vec<OwnedId>,
    /// Whether a hash of the content is to be appended to the name at the end.
    pub(super) needs_hash: bool,
    /// What was put before and after the name. It tells apart two objects that were copied from one.
    pub(super) affixes: Affixes,
    /// Whether its kind lives in namespaces, where a description that the build brought says so.
    pub(super) is_namespaced: Option<bool>,
    /// What only few builds ask for.
    pub(super) notes: Option<Box<Notes>>,
}

/// Where an object comes from and what was done to it, and which variables stand for a field of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub(super) origin: Option<Provenance>,
    pub(super) transformations: Vec<Provenance>,
    pub(super) variables: Vec<String>,
}

/// The prefixes and suffixes that an object's name was given, outermost last.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Affixes {
    pub(super) prefixes: Vec<String>,
    pub(super) suffixes: Vec<String>,
}

impl Resource {
    pub(super) fn new(node: Node) -> Self {
        Self {
            node,
            previous: Vec::new(),
            needs_hash: false,
            affixes: Affixes::default(),
            is_namespaced: None,
            notes: None,
        }
    }

    /// Notes where the object comes from.
    pub(super) fn note_origin(&mut self, origin: Provenance) {
        self.notes_mut().origin = Some(origin);
    }

    /// Notes what was done to the object. What has no origin comes from there. Kustomize does so in an annotation, and
    /// writes all of them anew with it.
    pub(super) fn note_transformations(&mut self, made_by: &[Provenance]) {
        for made_by in made_by {
            let notes = self.notes_mut();
            match notes.origin {
                Some(_) => notes.transformations.push(made_by.clone()),
                None => notes.origin = Some(made_by.clone()),
            }
        }
        tidy_annotations(&mut self.node);
    }

    /// Forgets where the object comes from and what was done to it, as the annotations that said so are gone.
    pub(super) fn forget_provenance(&mut self) {
        if let Some(notes) = &mut self.notes {
            notes.origin = None;
            notes.transformations.clear();
        }
    }

    /// What is noted of the object.
    pub(super) fn notes_mut(&mut self) -> &mut Notes {
        self.notes.get_or_insert_default()
    }

    pub(super) fn id(&self) -> Id<'_> {
        Id { is_namespaced: self.is_namespaced, ..Id::of(&self.node) }
    }

    /// The identity with which the object came in.
    pub(super) fn original_id(&self) -> Id<'_> {
        self.previous.first().map_or_else(|| self.id(), OwnedId::borrow)
    }

    /// Every identity, the present one last.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id<'_>> {
        self.previous.iter().map(OwnedId::borrow).chain(std::iter::once_with(|| self.id()))
    }

    /// Keeps the present identity findable. To be called before it changes.
    pub(super) fn remember_id(&mut self) {
        let id = self.id().to_owned();
        self.previous.push(id);
    }

    /// Sets the name, and remembers the old one.
    pub(super) fn rename(&mut self, name: &str) {
        self.remember_id();
        let mut new =
            self.node.get("metadata").and_then(|metadata| metadata.get("name")).cloned().unwrap_or_else(Node::null);
        new.set_text(name);
        set_metadata(&mut self.node, "name", new);
    }
}

/// Sets a value under `metadata`, which is made where it is missing.
pub(super) fn set_metadata(node: &mut Node, key: &str, value: Node) {
    if let Some(object) = node.as_mapping_mut() {
        let metadata = object.entry("metadata", Node::mapping);
        if metadata.is_null() {
            *metadata = Node::mapping();
        }
        if let Some(metadata) = metadata.as_mapping_mut() {
            metadata.insert(key, value);
        }
    }
}

/// Leaves annotations the way kustomize does, which reads and writes those of every object as texts: none are left where
/// there was an empty map, and a number is quoted. It does not quote keys: one that looks like a number is one from then on,
/// and cannot be written.
pub(super) fn tidy_annotations(node: &mut Node) {
    let Some(metadata) = node.get_mut("metadata").and_then(Node::as_mapping_mut) else {
        return;
    };
    match metadata.get_mut("annotations") {
        Some(Node::Mapping(pairs)) if !pairs.is_empty() => {
            pairs.values_mut().for_each(write_out);
            if pairs.iter().any(|(key, _)| is_misread(key)) {
                let unquoted = |(key, value): (Scalar, Node)| match is_misread(&key) {
                    true => (Scalar::plain(key.text()), value),
                    false => (key, value),
                };
                *pairs = std::mem::take(pairs).into_iter().map(unquoted).collect();
            }
        }
        Some(annotations) if annotations.is_null() || matches!(annotations, Node::Mapping(_)) => {
            metadata.remove("annotations");
        }
        _ => {}
    }
}

/// Whether a text is something else without its quotes.
fn is_misread(key: &Scalar) -> bool {
    key.tag() == Tag::Str && !matches!(Scalar::plain(key.text()).tag(), Tag::Str | Tag::Merge)
}

/// Whether an object is for the tools that read it alone, and not for the cluster.
pub(super) fn is_local(node: &Node) -> bool {
    let annotations = node.get("metadata").and_then(|metadata| metadata.get("annotations"));
    let mark = annotations.and_then(|annotations| annotations.get("config.kubernetes.io/local-config"));
    mark.is_some_and(|mark| mark.text() != Some("false"))
}

/// Makes a text of a scalar. What is no scalar becomes an empty one.
pub(super) fn write_out(node: &mut Node) {
    let text = match &*node {
        Node::Scalar(scalar) if scalar.tag() == Tag::Str && scalar.style() == Style::Plain => return,
        Node::Scalar(scalar) => Scalar::string(scalar.text()),
        _ => Scalar::string(""),
    };
    *node = Node::Scalar(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_missing_namespace_is_the_default_one_but_not_for_cluster_wide_kinds() {
        let pod = |namespace: &str| {
            Node::from(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": namespace}}))
        };
        let (default, none) = (pod("default"), pod(""));
        assert!(Id::of(&default).same(&Id::of(&none)));
        let namespace = Node::from(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}));
        assert_eq!(Id::of(&namespace).effective_namespace(), None);
    }

    #[test]
    fn annotations_are_texts_or_nothing() {
        let tidied = |annotations: Value| {
            let mut object = Node::from(json!({"metadata": {"annotations": annotations}}));
            tidy_annotations(&mut object);
            object.get("metadata").unwrap().clone()
        };
        let texts = json!({"annotations": {"a": "1.0", "b": "true", "c": "x"}});
        assert_eq!(tidied(json!({"a": 1.0, "b": true, "c": "x"})), Node::from(texts));
        assert_eq!((tidied(json!({})), tidied(json!(null))), (Node::mapping(), Node::mapping()));
    }

    #[test]
    fn a_renamed_object_is_found_by_all_its_names() {
        let mut resource =
            Resource::new(Node::from(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})));
        resource.rename("b");
        resource.rename("c");
        assert_eq!(resource.ids().map(|id| id.name).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(resource.original_id().to_string(), "Pod a (v1)");
    }
}
