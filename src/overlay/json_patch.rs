//! JSON Patch (RFC 6902) in the dialect that kustomize speaks.
//!
//! Owns reading the operations and carrying them out. It is its own implementation because kustomize departs from the
//! RFC: what stands in front of the first slash of a path is ignored, negative indices count from the end, and a test of
//! what is missing is one of `null`. Does not own which objects are patched.

use super::growth;
use crate::yaml::{Mapping, Node, Scalar, Tag, from_yaml_1_1};

/// A list of operations, checked as far as that is possible without an object.
#[derive(Debug)]
pub(super) struct JsonPatch {
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct Operation {
    path: Vec<String>,
    shown: String,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Add(Node),
    Replace(Node),
    Remove,
    Test(Node),
    Move(Vec<String>),
    Copy(Vec<String>),
}

impl JsonPatch {
    /// Reads operations from a list.
    pub(super) fn new(operations: &[Node]) -> Result<Self, String> {
        let operations = operations.iter().enumerate().map(|(position, operation)| {
            let mut operation = operation.clone();
            from_yaml_1_1(&mut operation);
            let map = operation.as_mapping().ok_or("this is not a map with `op` and `path`".to_owned());
            map.and_then(Operation::new).map_err(|reason| format!("operation {position}: {reason}"))
        });
        Ok(Self { operations: operations.collect::<Result<_, _>>()? })
    }

    /// Whether an operation can reach what an object is found by.
    pub(super) fn may_rename(&self) -> bool {
        self.operations.iter().any(|operation| {
            let reaches = |path: &[String]| match path {
                [first] => matches!(first.as_str(), "apiVersion" | "kind" | "metadata"),
                [] => true,
                [first, second] => first == "metadata" && matches!(second.as_str(), "name" | "namespace"),
                _ => false,
            };
            reaches(&operation.path) || matches!(&operation.action, Action::Move(from) if reaches(from))
        })
    }

    /// Whether an operation puts other annotations in the place of all that there are.
    pub(super) fn replaces_annotations(&self) -> bool {
        self.operations.iter().any(|operation| {
            let path: Vec<&str> = operation.path.iter().map(String::as_str).collect();
            matches!(path[..], [] | ["metadata"] | ["metadata", "annotations"])
                && !matches!(operation.action, Action::Test(_))
        })
    }

    /// Carries out all operations, in order.
    pub(super) fn apply(&self, target: &mut Node) -> Result<(), String> {
        for (position, operation) in self.operations.iter().enumerate() {
            operation
                .apply(target)
                .map_err(|reason| format!("operation {position} at `{}`: {reason}", operation.shown))?;
        }
        Ok(())
    }
}

impl Operation {
    fn new(map: &Mapping) -> Result<Self, String> {
        let text = |field: &str| {
            map.get(field).and_then(Node::text).ok_or_else(|| format!("`{field}` is missing or not a text"))
        };
        let given = || map.get("value").cloned().ok_or_else(|| "`value` is missing".to_owned());
        let value = || map.get("value").cloned().unwrap_or_else(Node::null);
        let action = match text("op")? {
            "add" => Action::Add(given()?),
            "replace" => Action::Replace(given()?),
            "remove" => Action::Remove,
            "test" => Action::Test(value()),
            "move" => Action::Move(pointer(text("from")?)?),
            "copy" => Action::Copy(pointer(text("from")?)?),
            other => return Err(format!("`{other}` is not an operation")),
        };
        let shown = text("path")?.to_owned();
        Ok(Self { path: pointer(&shown)?, shown, action })
    }

    fn apply(&self, target: &mut Node) -> Result<(), String> {
        match &self.action {
            Action::Add(value) => {
                growth::check_depth(self.path.len(), value)?;
                add(target, &self.path, value.clone())
            }
            Action::Replace(value) => {
                growth::check_depth(self.path.len(), value)?;
                replace(target, &self.path, value.clone())
            }
            Action::Remove => remove(target, &self.path).map(drop),
            Action::Test(expected) => match find(target, &self.path) {
                Some(found) if same(found, expected) => Ok(()),
                None if expected.is_null() => Ok(()),
                _ => Err("the test failed".to_owned()),
            },
            Action::Move(from) => {
                let value = remove(target, from)?;
                growth::check_depth(self.path.len(), &value)?;
                add(target, &self.path, value)
            }
            Action::Copy(from) => {
                let value = find(target, from).ok_or("there is nothing to copy")?;
                growth::check_depth(self.path.len(), value)?;
                growth::check_size(target, value, 1)?;
                let value = value.clone();
                add(target, &self.path, value)
            }
        }
    }
}

/// The segments of a path; none for the whole object. What stands in front of the first slash is ignored.
fn pointer(text: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let (_, rest) = text.split_once('/').ok_or_else(|| format!("the path `{text}` has no `/`"))?;
    Ok(rest.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect())
}

/// An index into a list of `length` elements. A negative one counts from the end.
fn index(segment: &str, length: usize) -> Result<usize, String> {
    let number: i64 = segment.parse().map_err(|_| format!("`{segment}` is not an index into a list"))?;
    let position = if number < 0 { i64::try_from(length).unwrap_or(i64::MAX) + number } else { number };
    usize::try_from(position).map_err(|_| format!("the index {segment} is out of the list"))
}

fn step<'v>(value: &'v Node, segment: &str) -> Option<&'v Node> {
    match value {
        Node::Mapping(map) => map.get(segment),
        Node::Sequence(list) => list.get(index(segment, list.len()).ok()?),
        _ => None,
    }
}

fn find<'v>(value: &'v Node, path: &[String]) -> Option<&'v Node> {
    path.iter().try_fold(value, |value, segment| step(value, segment))
}

/// The value that holds the last segment of the path.
fn parent<'v, 'p>(value: &'v mut Node, path: &'p [String]) -> Result<(&'v mut Node, &'p str), String> {
    let (last, way) = path.split_last().ok_or("the path is empty")?;
    let mut place = value;
    for segment in way {
        place = match place {
            Node::Mapping(map) => map.get_mut(segment),
            Node::Sequence(list) => {
                let position = index(segment, list.len())?;
                list.get_mut(position)
            }
            _ => None,
        }
        .ok_or_else(|| format!("the object has no `{segment}`"))?;
    }
    Ok((place, last))
}

fn add(target: &mut Node, path: &[String], value: Node) -> Result<(), String> {
    match parent(target, path)? {
        (Node::Mapping(map), key) => map.insert(key, value),
        (Node::Sequence(list), "-") => list.push(value),
        (Node::Sequence(list), segment) => {
            // A new element may stand after the last one, so a negative index counts from there.
            let position = index(segment, list.len() + 1)?;
            if position > list.len() {
                return Err(format!("the index {segment} is out of the list"));
            }
            list.insert(position, value);
        }
        _ => return Err("the place is neither in a map nor in a list".to_owned()),
    }
    Ok(())
}

fn replace(target: &mut Node, path: &[String], value: Node) -> Result<(), String> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    match parent(target, path)? {
        (Node::Mapping(map), key) => {
            *map.get_mut(key).ok_or_else(|| format!("the object has no `{key}`"))? = value;
        }
        (Node::Sequence(list), segment) => {
            let position = index(segment, list.len())?;
            *list.get_mut(position).ok_or_else(|| format!("the index {segment} is out of the list"))? = value;
        }
        _ => return Err("there is nothing to replace".to_owned()),
    }
    Ok(())
}

fn remove(target: &mut Node, path: &[String]) -> Result<Node, String> {
    match parent(target, path)? {
        (Node::Mapping(map), key) => map.remove(key).ok_or_else(|| format!("the object has no `{key}`")),
        (Node::Sequence(list), segment) => {
            let position = index(segment, list.len())?;
            if position >= list.len() {
                return Err(format!("the index {segment} is out of the list"));
            }
            Ok(list.remove(position))
        }
        _ => Err("there is nothing to remove".to_owned()),
    }
}

/// JSON has one kind of number: `1` and `1.0` are equal.
fn same(left: &Node, right: &Node) -> bool {
    match (left, right) {
        (Node::Scalar(left), Node::Scalar(right)) => same_scalar(left, right),
        (Node::Sequence(left), Node::Sequence(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Node::Mapping(left), Node::Mapping(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key.text()).is_some_and(|right| same(left, right)))
        }
        _ => false,
    }
}

fn same_scalar(left: &Scalar, right: &Scalar) -> bool {
    match (left.tag(), right.tag()) {
        (Tag::Null, Tag::Null) => true,
        (Tag::Int | Tag::Float, Tag::Int | Tag::Float) => match (left.number(), right.number()) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
        (Tag::Bool, Tag::Bool) => left.text().eq_ignore_ascii_case(right.text()),
        (left_tag, right_tag) => left_tag == right_tag && left.text() == right.text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn patched(operations: &Value) -> Result<Node, String> {
        let mut target = Node::from(json!({"a": {"b": 1}, "l": [1, 2, 3], "x/y": 0}));
        JsonPatch::new(Node::from(operations.clone()).as_sequence().unwrap())?.apply(&mut target)?;
        Ok(target)
    }

    #[test]
    fn every_operation() {
        let patched = patched(&json!([
            {"op": "add", "path": "/a/c", "value": 2}, {"op": "replace", "path": "/a/b", "value": 1},
            {"op": "remove", "path": "/l/0"}, {"op": "add", "path": "/l/-", "value": 9},
            {"op": "test", "path": "/a/b", "value": 1.0}, {"op": "copy", "from": "/a", "path": "/d"},
            {"op": "move", "from": "/x~1y", "path": "/z"}, {"op": "add", "path": "ignored/n", "value": null}
        ]));
        let inner = json!({"b": 1, "c": 2});
        assert_eq!(patched.unwrap(), Node::from(json!({"a": inner, "l": [2, 3, 9], "d": inner, "z": 0, "n": null})));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (operation, reason) in [
            (json!({"op": "remove", "path": "/q"}), "operation 0 at `/q`: the object has no `q`"),
            (json!({"op": "add", "path": "/q/r", "value": 1}), "operation 0 at `/q/r`: the object has no `q`"),
            (json!({"op": "add", "path": "/l/9", "value": 1}), "operation 0 at `/l/9`: the index 9 is out of the list"),
            (json!({"op": "test", "path": "/a/b", "value": 2}), "operation 0 at `/a/b`: the test failed"),
            (json!({"op": "add", "path": "q", "value": 1}), "operation 0: the path `q` has no `/`"),
            (json!({"op": "replace", "path": "/q", "value": 1}), "operation 0 at `/q`: the object has no `q`"),
            (json!({"op": "replace", "path": "/a"}), "operation 0: `value` is missing"),
            (json!({"op": "frob", "path": "/q"}), "operation 0: `frob` is not an operation"),
        ] {
            assert_eq!(patched(&json!([operation])).unwrap_err(), reason);
        }
    }
}
