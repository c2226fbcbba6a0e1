//! Objects out of text.
//!
//! Owns reading a YAML stream as objects: lists are taken apart, and what has no kind or name is refused. Does not own
//! where the text comes from.

use serde_json::Value;

use super::error::{Error, Origin};
use crate::yaml;

/// Reads every object of a stream.
///
/// `file` is the place of the text, for errors of its syntax.
pub(super) fn read(text: &str, file: &str) -> Result<Vec<Value>, Error> {
    from_documents(yaml::read_all(text).map_err(|error| Error::from_yaml(file, error))?, file)
}

/// The objects in documents that were read from `file`.
pub(super) fn from_documents(documents: Vec<Value>, file: &str) -> Result<Vec<Value>, Error> {
    let mut objects = Vec::with_capacity(documents.len());
    for (position, document) in documents.into_iter().enumerate() {
        let origin = Origin::new(file, format!("document {position}"));
        expand(document, &origin, &mut objects)?;
    }
    Ok(objects)
}

/// Adds an object, or the items of a list of objects. Lists in lists are not a thing.
fn expand(document: Value, origin: &Origin, objects: &mut Vec<Value>) -> Result<(), Error> {
    match document {
        Value::Null => Ok(()),
        Value::Object(mut map) if is_list(&map) => {
            let Some(Value::Array(items)) = map.remove("items") else {
                return Ok(());
            };
            for item in items {
                check(&item, origin)?;
                objects.push(item);
            }
            Ok(())
        }
        document => {
            check(&document, origin)?;
            objects.push(document);
            Ok(())
        }
    }
}

fn is_list(map: &serde_json::Map<String, Value>) -> bool {
    let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
    kind.ends_with("List") && (kind == "List" || map.get("items").is_some_and(Value::is_array))
}

/// Kind and name are what an object is found by; an API version may be missing, as kustomize lets it be.
pub(super) fn check(object: &Value, origin: &Origin) -> Result<(), Error> {
    let Value::Object(map) = object else {
        return Err(origin.invalid("this is not a Kubernetes object"));
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    if !text(map.get("kind")) {
        return Err(origin.invalid("the object has no `kind`"));
    }
    if !text(map.get("metadata").and_then(|metadata| metadata.get("name"))) {
        return Err(origin.invalid("the object has no `metadata.name`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_apart_and_empty_documents_dropped() {
        let text = "---\n# nothing\n---\n{kind: List, items: [{kind: A, metadata: {name: a}}]}\n---\n{kind: B, metadata: {name: b}}\n";
        let objects = read(text, "r.yaml").unwrap();
        assert_eq!(objects.iter().map(|object| object["kind"].as_str().unwrap()).collect::<Vec<_>>(), ["A", "B"]);
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
