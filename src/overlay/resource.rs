//! One object on its way through a build, and the names by which it can be found.
//!
//! Owns the identity of an object: API group, version, kind, name and namespace, what they are now and what they were
//! before a step changed them. Does not own any change.

use std::fmt;

use serde_json::{Map, Value};

use super::scope;

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
}

impl<'a> Id<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        let text = |value: Option<&'a Value>| value.and_then(Value::as_str).unwrap_or_default();
        let metadata = value.get("metadata");
        let (group, version) = split_api_version(text(value.get("apiVersion")));
        Self {
            group,
            version,
            kind: text(value.get("kind")),
            name: text(metadata.and_then(|metadata| metadata.get("name"))),
            namespace: text(metadata.and_then(|metadata| metadata.get("namespace"))),
        }
    }

    /// The namespace that the object ends up in, or `None` for one that lives outside of all namespaces.
    pub(super) fn effective_namespace(&self) -> Option<&'a str> {
        match self.namespace {
            _ if scope::is_cluster_wide(self.group, self.version, self.kind) => None,
            "" => Some(DEFAULT_NAMESPACE),
            namespace => Some(namespace),
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
}

impl OwnedId {
    pub(super) fn borrow(&self) -> Id<'_> {
        Id {
            group: &self.group,
            version: &self.version,
            kind: &self.kind,
            name: &self.name,
            namespace: &self.namespace,
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
    pub(super) value: Value,
    /// Earlier identities, oldest first. Empty for the many objects that no step renames, so that they cost nothing.
    pub(super) previous: Vec<OwnedId>,
    /// Whether a hash of the content is to be appended to the name at the end.
    pub(super) needs_hash: bool,
    /// What was put before and after the name. It tells apart two objects that were copied from one.
    pub(super) affixes: Affixes,
}

/// The prefixes and suffixes that an object's name was given, outermost last.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Affixes {
    pub(super) prefixes: Vec<String>,
    pub(super) suffixes: Vec<String>,
}

impl Resource {
    pub(super) fn new(value: Value) -> Self {
        Self { value, previous: Vec::new(), needs_hash: false, affixes: Affixes::default() }
    }

    pub(super) fn id(&self) -> Id<'_> {
        Id::of(&self.value)
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
    pub(super) fn rename(&mut self, name: String) {
        self.remember_id();
        set_metadata(&mut self.value, "name", name);
    }
}

/// Sets a text under `metadata`, which is made where it is missing.
pub(super) fn set_metadata(value: &mut Value, key: &str, text: String) {
    if let Some(object) = value.as_object_mut() {
        let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if metadata.is_null() {
            *metadata = Value::Object(Map::new());
        }
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert(key.to_owned(), Value::String(text));
        }
    }
}

/// Leaves annotations the way kustomize does, which reads and writes those of every object as texts: none are left where
/// there was an empty map, and a number is quoted.
pub(super) fn tidy_annotations(value: &mut Value) {
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    match metadata.get_mut("annotations") {
        Some(Value::Object(pairs)) if !pairs.is_empty() => pairs.values_mut().for_each(write_out),
        Some(Value::Object(_) | Value::Null) => {
            metadata.shift_remove("annotations");
        }
        _ => {}
    }
}

/// Makes a text of a scalar. What is no scalar becomes an empty one.
pub(super) fn write_out(value: &mut Value) {
    let text = match &*value {
        Value::String(_) => return,
        Value::Array(_) | Value::Object(_) => String::new(),
        scalar => scalar.to_string(),
    };
    *value = Value::String(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_missing_namespace_is_the_default_one_but_not_for_cluster_wide_kinds() {
        let pod = |namespace: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": namespace}});
        let (default, none) = (pod("default"), pod(""));
        assert!(Id::of(&default).same(&Id::of(&none)));
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}});
        assert_eq!(Id::of(&namespace).effective_namespace(), None);
    }

    #[test]
    fn annotations_are_texts_or_nothing() {
        let tidied = |annotations: Value| {
            let mut object = json!({"metadata": {"annotations": annotations}});
            tidy_annotations(&mut object);
            object["metadata"].clone()
        };
        assert_eq!(
            tidied(json!({"a": 1, "b": true, "c": "x"}))["annotations"],
            json!({"a": "1", "b": "true", "c": "x"})
        );
        assert_eq!((tidied(json!({})), tidied(json!(null))), (json!({}), json!({})));
    }

    #[test]
    fn a_renamed_object_is_found_by_all_its_names() {
        let mut resource = Resource::new(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}));
        resource.rename("b".into());
        resource.rename("c".into());
        assert_eq!(resource.ids().map(|id| id.name).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(resource.original_id().to_string(), "Pod a (v1)");
    }
}
