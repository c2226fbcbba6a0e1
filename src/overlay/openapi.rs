//! `openapi`: a description of kinds that a kustomization brings, which takes the place of the built-in one.
//!
//! Owns reading the definitions as far as merging needs them: which lists are merged, and by which keys. Does not own the
//! built-in description, which is in [`schema`](super::schema).

use std::collections::HashMap;

use super::error::{Error, Origin};
use super::resource::Id;
use super::schema::{Key, Rule, Shape};
use crate::yaml::{self, Node};

/// The version of the built-in description, the only one that can be asked for by name.
pub(super) const BUILT_IN_VERSION: &str = "v1.21.2";

/// How many references lead from one definition to the next at most.
const MAX_REFERENCES: usize = 64;

/// A description, with its definitions taken apart into entries that name each other by number.
#[derive(Debug, Default)]
pub(super) struct Schema {
    entries: Vec<Entry>,
    /// The entries of kinds, by group, version and kind.
    kinds: HashMap<(String, String, String), usize>,
    /// Whether objects of a kind live in namespaces, as far as the description says so.
    namespaced: HashMap<(String, String, String), bool>,
}

#[derive(Debug, Default)]
struct Entry {
    fields: HashMap<String, usize>,
    /// The entry of every field that is not named.
    other_fields: Option<usize>,
    items: Option<usize>,
    is_merged: bool,
    keys: Vec<Key>,
}

impl Schema {
    /// Reads a description in the form of Kubernetes' `swagger.json`, as JSON or YAML.
    pub(super) fn read(text: &str, origin: &Origin) -> Result<Self, Error> {
        let documents = yaml::read_nodes(text).map_err(|error| origin.invalid(format!("the description: {error}")))?;
        let mut reader = Reader {
            schema: Self::default(),
            definitions: HashMap::new(),
            numbers: HashMap::new(),
            waiting: Vec::new(),
        };
        let document = documents.into_iter().next().unwrap_or_else(Node::null);
        if let Some(definitions) = document.get("definitions").and_then(Node::as_mapping) {
            reader.definitions = definitions.iter().map(|(name, node)| (name.text(), node)).collect();
            for (name, node) in definitions.iter() {
                let entry = reader.definition(name.text());
                reader.fill_waiting();
                for kind in kinds(node.get("x-kubernetes-group-version-kind")) {
                    reader.schema.kinds.insert(kind, entry);
                }
            }
        }
        for (path, node) in document.get("paths").and_then(Node::as_mapping).into_iter().flat_map(yaml::Mapping::iter) {
            let kind = node.get("get").and_then(|get| get.get("x-kubernetes-group-version-kind")).and_then(kind);
            if let Some(kind) = kind {
                let is_namespaced = path.text().contains("namespaces/{namespace}");
                let known = reader.schema.namespaced.entry(kind).or_insert(is_namespaced);
                *known |= is_namespaced;
            }
        }
        Ok(reader.schema)
    }

    /// Whether the description says of any kind where its objects live.
    pub(super) fn says_namespaced(&self) -> bool {
        !self.namespaced.is_empty()
    }

    /// Whether the description says that objects of this kind live in namespaces, or that they do not.
    pub(super) fn is_namespaced(&self, id: &Id<'_>) -> Option<bool> {
        self.namespaced.get(&(id.group.to_owned(), id.version.to_owned(), id.kind.to_owned())).copied()
    }

    /// The entry of an object.
    pub(super) fn of(&self, id: &Id<'_>) -> Option<usize> {
        self.kinds.get(&(id.group.to_owned(), id.version.to_owned(), id.kind.to_owned())).copied()
    }

    /// The entry of a field.
    pub(super) fn field(&self, entry: usize, name: &str) -> Option<usize> {
        let entry = self.entries.get(entry)?;
        entry.fields.get(name).copied().or(entry.other_fields)
    }

    /// What an entry says of the value at its place.
    pub(super) fn shape(&self, number: usize) -> Shape<'_> {
        let Some(entry) = self.entries.get(number) else { return Shape::Plain };
        match (entry.is_merged, entry.keys.is_empty()) {
            (true, false) => {
                Shape::Keyed(&entry.keys, entry.items.map_or(Rule::PLAIN, |items| Rule::Custom(self, items)))
            }
            (true, true) => Shape::Set,
            (false, _) if entry.fields.is_empty() && entry.other_fields.is_none() => Shape::Plain,
            (false, _) => Shape::Map,
        }
    }
}

fn kinds(node: Option<&Node>) -> Vec<(String, String, String)> {
    node.and_then(Node::as_sequence).into_iter().flatten().filter_map(kind).collect()
}

fn kind(node: &Node) -> Option<(String, String, String)> {
    let text = |field: &str| node.get(field).and_then(Node::text).unwrap_or_default().to_owned();
    node.as_mapping()?;
    Some((text("group"), text("version"), text("kind")))
}

struct Reader<'n> {
    schema: Schema,
    definitions: HashMap<&'n str, &'n Node>,
    /// The entries of definitions that have been begun, by name.
    numbers: HashMap<&'n str, usize>,
    /// Those of them that have not been filled. A chain of definitions is as long as its file wants it.
    waiting: Vec<(usize, &'n Node)>,
}

impl<'n> Reader<'n> {
    /// The entry of a definition, which is made when it is first asked for. One that leads back to itself finds itself.
    fn definition(&mut self, name: &'n str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.begin();
        self.numbers.insert(name, number);
        if let Some(node) = self.definitions.get(name).copied() {
            self.waiting.push((number, node));
        }
        number
    }

    fn fill_waiting(&mut self) {
        while let Some((number, node)) = self.waiting.pop() {
            self.fill(number, node);
        }
    }

    fn begin(&mut self) -> usize {
        self.schema.entries.push(Entry::default());
        self.schema.entries.len() - 1
    }

    fn value(&mut self, node: &'n Node) -> usize {
        match self.followed(node) {
            Ok(name) => self.definition(name),
            Err(node) => {
                let number = self.begin();
                self.fill(number, node);
                number
            }
        }
    }

    /// The name of the definition that a reference leads to in the end, or the node if it is none.
    fn followed(&self, node: &'n Node) -> Result<&'n str, &'n Node> {
        let name =
            |node: &'n Node| node.get("$ref").and_then(Node::text).and_then(|path| path.strip_prefix("#/definitions/"));
        let Some(mut found) = name(node) else { return Err(node) };
        for _ in 0..MAX_REFERENCES {
            match self.definitions.get(found).and_then(|node| name(node)) {
                Some(next) => found = next,
                None => break,
            }
        }
        Ok(found)
    }

    fn fill(&mut self, number: usize, node: &'n Node) {
        let mut entry = Entry::default();
        for (name, node) in node.get("properties").and_then(Node::as_mapping).into_iter().flat_map(yaml::Mapping::iter)
        {
            entry.fields.insert(name.text().to_owned(), self.value(node));
        }
        entry.other_fields =
            node.get("additionalProperties").filter(|node| node.as_mapping().is_some()).map(|node| self.value(node));
        entry.items = node.get("items").map(|node| self.value(node));
        let text = |field: &str| node.get(field).and_then(Node::text).unwrap_or_default();
        entry.is_merged = text("x-kubernetes-patch-strategy").split(',').any(|word| word.trim() == "merge");
        let keys = node.get("x-kubernetes-list-map-keys").and_then(Node::as_sequence).into_iter().flatten();
        entry.keys = keys.filter_map(Node::text).map(|key| Key::from(key.to_owned())).collect();
        if entry.keys.is_empty() && !text("x-kubernetes-patch-merge-key").is_empty() {
            entry.keys.push(Key::from(text("x-kubernetes-patch-merge-key").to_owned()));
        }
        if let Some(place) = self.schema.entries.get_mut(number) {
            *place = entry;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn definitions_that_lead_to_themselves_end() {
        let text = "definitions:\n  a:\n    x-kubernetes-group-version-kind: [{group: g, version: v, kind: K}]\n    properties:\n      self: {$ref: '#/definitions/a'}\n      l: {x-kubernetes-patch-strategy: merge, x-kubernetes-patch-merge-key: n, items: {$ref: '#/definitions/a'}}\n";
        let schema = Schema::read(text, &Origin::new("k.yaml", "openapi")).unwrap();
        let object = Node::from(json!({"apiVersion": "g/v", "kind": "K"}));
        let entry = schema.of(&Id::of(&object)).unwrap();
        assert_eq!(schema.field(entry, "self"), Some(entry));
        let list = schema.field(entry, "l").unwrap();
        let Shape::Keyed(keys, element) = schema.shape(list) else { panic!("{:?}", schema.shape(list)) };
        assert_eq!(keys, ["n"]);
        assert!(matches!(element, Rule::Custom(_, number) if number == entry));
    }
}
