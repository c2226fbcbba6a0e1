//! Objects out of text.
//!
//! Owns reading a YAML stream as objects: lists are taken apart, and what has no kind or name is refused. Does not own
//! where the text comes from.

use super::error::{Error, Origin};
use crate::yaml::{self, Mapping, Node, Scalar};

/// Reads every object of a stream.
///
/// `file` is the place of the text, for errors of its syntax.
pub(super) fn read(text: &str, file: &str) -> Result<Vec<Node>, Error> {
    from_documents(yaml::read_nodes(text).map_err(|error| Error::from_yaml(file, error))?, file)
}

/// The objects in documents that were read from `file`.
pub(super) fn from_documents(documents: Vec<Node>, file: &str) -> Result<Vec<Node>, Error> {
    let mut objects = Vec::with_capacity(documents.len());
    for (position, document) in documents.into_iter().enumerate() {
        let origin = || Origin::new(file, format!("document {position}"));
        expand(document, &origin, &mut objects)?;
    }
    Ok(objects)
}

/// Adds an object, or the items of a list of objects, which may be lists themselves.
fn expand(document: Node, origin: &dyn Fn() -> Origin, objects: &mut Vec<Node>) -> Result<(), Error> {
    match document {
        Node::Mapping(mapping) if mapping.is_empty() => Ok(()),
        Node::Mapping(mapping) if is_list(&mapping) => {
            let items = items(mapping).ok_or_else(|| origin().invalid("`items` is not a list"))?;
            items.into_iter().filter(|item| !item.is_null()).try_for_each(|item| expand(item, origin, objects))
        }
        mut document => {
            check(&document).map_err(|reason| origin().invalid(reason))?;
            // Only a list may have none, and kustomize prints it with an empty one.
            if let Node::Mapping(mapping) = &mut document
                && !mapping.contains_key("metadata")
            {
                mapping.push(Scalar::plain("metadata"), Node::Mapping(Mapping::default()));
            }
            objects.push(document);
            Ok(())
        }
    }
}

fn is_list(mapping: &Mapping) -> bool {
    mapping.get("kind").and_then(Node::text).is_some_and(|kind| kind.ends_with("List")) && mapping.contains_key("items")
}

/// The items of a list.
fn items(mut mapping: Mapping) -> Option<Vec<Node>> {
    match mapping.remove("items") {
        Some(Node::Sequence(items)) => Some(items),
        None => Some(Vec::new()),
        Some(node) if node.is_null() => Some(Vec::new()),
        Some(_) => None,
    }
}

/// Kind and name are what an object is found by; an API version may be missing, as kustomize lets it be.
pub(super) fn check(object: &Node) -> Result<(), &'static str> {
    let Node::Mapping(mapping) = object else {
        return Err("this is not a Kubernetes object");
    };
    let is_text = |value: Option<&Node>| value.and_then(Node::text).is_some_and(|text| !text.is_empty());
    if !is_text(mapping.get("kind")) {
        return Err("the object has no `kind`");
    }
    // A list without items is an object like any other, but for the name that lists do not have.
    if mapping.get("kind").and_then(Node::text).is_some_and(|kind| kind.ends_with("List")) {
        return Ok(());
    }
    if !is_text(mapping.get("metadata").and_then(|metadata| metadata.get("name"))) {
        return Err("the object has no `metadata.name`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_apart_and_empty_documents_dropped() {
        let text = "---\n# nothing\n---\nkind: List\nitems: [{kind: A, metadata: {name: a}}]\n---\n{}\n---\nkind: B\nmetadata: {name: b}\n";
        let objects = read(text, "r.yaml").unwrap();
        let kinds: Vec<_> = objects.iter().map(|object| object.get("kind").unwrap().text().unwrap()).collect();
        assert_eq!(kinds, ["A", "B"]);
    }

    #[test]
    fn an_object_has_a_kind_and_a_name() {
        for (text, reason) in [
            ("{metadata: {name: a}}", "r.yaml: document 0: the object has no `kind`"),
            ("{kind: A, metadata: {generateName: a}}", "r.yaml: document 0: the object has no `metadata.name`"),
            ("text", "r.yaml: document 0: this is not a Kubernetes object"),
        ] {
            assert_eq!(read(text, "r.yaml").unwrap_err().to_string(), reason);
        }
    }
}
