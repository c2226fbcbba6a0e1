//! JSON Patch (RFC 6902) in the dialect that kustomize speaks.
//!
//! Owns reading the operations and carrying them out. It is its own implementation because kustomize departs from the
//! RFC: `replace` of a missing map key adds it, `add` and `replace` without a value mean `null`, and negative indices count
//! from the end. Does not own which objects are patched.

use serde_json::{Map, Value};

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
    Add(Value),
    Replace(Value),
    Remove,
    Test(Value),
    Move(Vec<String>),
    Copy(Vec<String>),
}

impl JsonPatch {
    /// Reads operations from a list.
    pub(super) fn new(operations: &[Value]) -> Result<Self, String> {
        let operations = operations.iter().enumerate().map(|(position, operation)| {
            let map = operation.as_object().ok_or("this is not a map with `op` and `path`".to_owned());
            map.and_then(Operation::new).map_err(|reason| format!("operation {position}: {reason}"))
        });
        Ok(Self { operations: operations.collect::<Result<_, _>>()? })
    }

    /// Whether an operation can reach what an object is found by.
    pub(super) fn may_rename(&self) -> bool {
        self.operations.iter().any(|operation| {
            let reaches = |path: &[String]| match path {
                [first] => matches!(first.as_str(), "apiVersion" | "kind" | "metadata"),
                [first, second] => first == "metadata" && matches!(second.as_str(), "name" | "namespace"),
                _ => false,
            };
            reaches(&operation.path) || matches!(&operation.action, Action::Move(from) if reaches(from))
        })
    }

    /// Carries out all operations, in order.
    pub(super) fn apply(&self, target: &mut Value) -> Result<(), String> {
        for (position, operation) in self.operations.iter().enumerate() {
            operation
                .apply(target)
                .map_err(|reason| format!("operation {position} at `{}`: {reason}", operation.shown))?;
        }
        Ok(())
    }
}

impl Operation {
    fn new(map: &Map<String, Value>) -> Result<Self, String> {
        let text = |field: &str| {
            map.get(field).and_then(Value::as_str).ok_or_else(|| format!("`{field}` is missing or not a text"))
        };
        let value = || map.get("value").cloned().unwrap_or_default();
        let action = match text("op")? {
            "add" => Action::Add(value()),
            "replace" => Action::Replace(value()),
            "remove" => Action::Remove,
            "test" => Action::Test(value()),
            "move" => Action::Move(pointer(text("from")?)?),
            "copy" => Action::Copy(pointer(text("from")?)?),
            other => return Err(format!("`{other}` is not an operation")),
        };
        let shown = text("path")?.to_owned();
        Ok(Self { path: pointer(&shown)?, shown, action })
    }

    fn apply(&self, target: &mut Value) -> Result<(), String> {
        match &self.action {
            Action::Add(value) => add(target, &self.path, value.clone()),
            Action::Replace(value) => replace(target, &self.path, value.clone()),
            Action::Remove => remove(target, &self.path).map(drop),
            Action::Test(expected) => match find(target, &self.path) {
                Some(found) if same(found, expected) => Ok(()),
                None if expected.is_null() => Ok(()),
                _ => Err("the test failed".to_owned()),
            },
            Action::Move(from) => {
                let value = remove(target, from)?;
                add(target, &self.path, value)
            }
            Action::Copy(from) => {
                let value = find(target, from).ok_or("there is nothing to copy")?.clone();
                add(target, &self.path, value)
            }
        }
    }
}

fn pointer(text: &str) -> Result<Vec<String>, String> {
    let rest = text.strip_prefix('/').ok_or_else(|| format!("the path `{text}` does not begin with `/`"))?;
    Ok(rest.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect())
}

/// An index into a list of `length` elements. A negative one counts from the end.
fn index(segment: &str, length: usize) -> Result<usize, String> {
    let number: i64 = segment.parse().map_err(|_| format!("`{segment}` is not an index into a list"))?;
    let position = if number < 0 { i64::try_from(length).unwrap_or(i64::MAX) + number } else { number };
    usize::try_from(position).map_err(|_| format!("the index {segment} is out of the list"))
}

fn step<'v>(value: &'v Value, segment: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(segment),
        Value::Array(list) => list.get(index(segment, list.len()).ok()?),
        _ => None,
    }
}

fn find<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, segment| step(value, segment))
}

/// The value that holds the last segment of the path.
fn parent<'v, 'p>(value: &'v mut Value, path: &'p [String]) -> Result<(&'v mut Value, &'p str), String> {
    let (last, way) = path.split_last().ok_or("the path is empty")?;
    let mut place = value;
    for segment in way {
        place = match place {
            Value::Object(map) => map.get_mut(segment),
            Value::Array(list) => {
                let position = index(segment, list.len())?;
                list.get_mut(position)
            }
            _ => None,
        }
        .ok_or_else(|| format!("the object has no `{segment}`"))?;
    }
    Ok((place, last))
}

fn add(target: &mut Value, path: &[String], value: Value) -> Result<(), String> {
    match parent(target, path)? {
        (Value::Object(map), key) => {
            map.insert(key.to_owned(), value);
        }
        (Value::Array(list), "-") => list.push(value),
        (Value::Array(list), segment) => {
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

fn replace(target: &mut Value, path: &[String], value: Value) -> Result<(), String> {
    match parent(target, path)? {
        (Value::Object(map), key) => {
            map.insert(key.to_owned(), value);
        }
        (Value::Array(list), segment) => {
            let position = index(segment, list.len())?;
            *list.get_mut(position).ok_or_else(|| format!("the index {segment} is out of the list"))? = value;
        }
        _ => return Err("there is nothing to replace".to_owned()),
    }
    Ok(())
}

fn remove(target: &mut Value, path: &[String]) -> Result<Value, String> {
    match parent(target, path)? {
        (Value::Object(map), key) => map.shift_remove(key).ok_or_else(|| format!("the object has no `{key}`")),
        (Value::Array(list), segment) => {
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
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| same(left, right)))
        }
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(operations: &Value) -> Result<Value, String> {
        let mut target = json!({"a": {"b": 1}, "l": [1, 2, 3], "x/y": 0});
        JsonPatch::new(operations.as_array().unwrap())?.apply(&mut target)?;
        Ok(target)
    }

    #[test]
    fn every_operation() {
        let patched = patched(&json!([
            {"op": "add", "path": "/a/c", "value": 2}, {"op": "replace", "path": "/a/new", "value": 3},
            {"op": "remove", "path": "/l/0"}, {"op": "add", "path": "/l/-", "value": 9},
            {"op": "test", "path": "/a/b", "value": 1.0}, {"op": "copy", "from": "/a", "path": "/d"},
            {"op": "move", "from": "/x~1y", "path": "/z"}, {"op": "add", "path": "/n"}
        ]));
        let inner = json!({"b": 1, "c": 2, "new": 3});
        assert_eq!(patched.unwrap(), json!({"a": inner, "l": [2, 3, 9], "d": inner, "z": 0, "n": null}));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (operation, reason) in [
            (json!({"op": "remove", "path": "/q"}), "operation 0 at `/q`: the object has no `q`"),
            (json!({"op": "add", "path": "/q/r", "value": 1}), "operation 0 at `/q/r`: the object has no `q`"),
            (json!({"op": "add", "path": "/l/9", "value": 1}), "operation 0 at `/l/9`: the index 9 is out of the list"),
            (json!({"op": "test", "path": "/a/b", "value": 2}), "operation 0 at `/a/b`: the test failed"),
            (json!({"op": "add", "path": "q", "value": 1}), "operation 0: the path `q` does not begin with `/`"),
            (json!({"op": "frob", "path": "/q"}), "operation 0: `frob` is not an operation"),
        ] {
            assert_eq!(patched(&json!([operation])).unwrap_err(), reason);
        }
    }
}
