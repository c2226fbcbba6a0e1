//! The four ways to patch an object: merge, strategic merge, JSON patch, and apply.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// A JSON merge patch: objects are merged, `null` removes, all else replaces.
pub(super) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    let target = as_object(target);
    for (key, value) in patch {
        if value.is_null() {
            target.shift_remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// A strategic merge patch: a merge patch that also merges the lists whose items have a name.
pub(super) fn strategic(target: &mut Value, patch: Value) {
    let Value::Object(mut patch) = patch else {
        *target = patch;
        return;
    };
    if patch.shift_remove("$patch").is_some_and(|word| word == "replace") {
        *target = Value::Object(patch);
        return;
    }
    let target = as_object(target);
    for (key, value) in patch {
        if key.starts_with('$') {
            continue;
        }
        match value {
            Value::Null => {
                target.shift_remove(&key);
            }
            Value::Array(items) => {
                let current = target.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new()));
                match (list_key(&key, &items), current.as_array_mut()) {
                    (Some(name), Some(current)) => strategic_list(current, items, name),
                    _ => *current = Value::Array(items),
                }
            }
            value => strategic(target.entry(key).or_insert(Value::Null), value),
        }
    }
}

fn strategic_list(current: &mut Vec<Value>, items: Vec<Value>, name: &str) {
    if items.iter().any(|item| item.get("$patch").is_some_and(|word| word == "replace")) {
        current.clear();
    }
    for item in items {
        let position = current.iter().position(|old| old.get(name) == item.get(name));
        match (item.get("$patch").and_then(Value::as_str), position) {
            (Some("replace"), _) => {}
            (Some("delete"), Some(at)) => {
                current.remove(at);
            }
            (_, Some(at)) => {
                if let Some(old) = current.get_mut(at) {
                    strategic(old, item);
                }
            }
            (_, None) => current.push(item),
        }
    }
}

/// A JSON patch.
pub(super) fn json_patch(target: &mut Value, operations: &Value) -> Result<(), Refusal> {
    let fault = |text: &str| Refusal::invalid(format!("the JSON patch cannot be applied: {text}"));
    for operation in operations.as_array().ok_or_else(|| fault("it is not a list"))? {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let path = text("path").ok_or_else(|| fault("an operation has no path"))?;
        let value = || operation.get("value").cloned().unwrap_or(Value::Null);
        let from = || text("from").ok_or_else(|| fault("an operation has no from"));
        let missing = || fault(&format!("nothing stands at {path}"));
        match text("op") {
            Some("add") => add(target, path, value()).ok_or_else(missing)?,
            Some("replace") => *target.pointer_mut(path).ok_or_else(missing)? = value(),
            Some("remove") => drop(take(target, path).ok_or_else(missing)?),
            Some("test") if target.pointer(path) == Some(&value()) => {}
            Some("test") => return Err(fault(&format!("the test of {path} failed"))),
            Some("copy") => {
                let value = target.pointer(from()?).cloned().ok_or_else(missing)?;
                add(target, path, value).ok_or_else(missing)?;
            }
            Some("move") => {
                let value = take(target, from()?).ok_or_else(missing)?;
                add(target, path, value).ok_or_else(missing)?;
            }
            _ => return Err(fault("an operation has no known op")),
        }
    }
    Ok(())
}

fn parent_of<'a>(target: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((target.pointer_mut(parent)?, last.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *target = value;
        return Some(());
    }
    match parent_of(target, path)? {
        (Value::Object(map), key) => drop(map.insert(key, value)),
        (Value::Array(list), key) if key == "-" => list.push(value),
        (Value::Array(list), key) => {
            let at: usize = key.parse().ok().filter(|at| *at <= list.len())?;
            list.insert(at, value);
        }
        _ => return None,
    }
    Some(())
}

fn take(target: &mut Value, path: &str) -> Option<Value> {
    match parent_of(target, path)? {
        (Value::Object(map), key) => map.shift_remove(&key),
        (Value::Array(list), key) => {
            let at: usize = key.parse().ok().filter(|at| *at < list.len())?;
            Some(list.remove(at))
        }
        _ => None,
    }
}

/// The fields that an applier owns, as sorted hashes of their paths.
pub(super) type Owned = Box<[u32]>;

/// Server-side apply: `desired` is laid over `live`, and what the applier `owned` before and no longer wants goes. Fields
/// of others stay. Returns what it owns now.
pub(super) fn apply(live: &mut Value, desired: &Value, owned: &[u32]) -> Owned {
    let mut now = Vec::new();
    collect(desired, SEED, &mut now);
    now.sort_unstable();
    now.dedup();
    lay_over(live, desired, "");
    remove_left(live, SEED, owned, &now);
    now.into_boxed_slice()
}

const SEED: u32 = 0x811c_9dc5;

fn mix(hash: u32, text: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().chain([0xff]).fold(hash, step)
}

fn item_hash(hash: u32, item: &Value, name: &str) -> u32 {
    mix(hash, &item.get(name).map(Value::to_string).unwrap_or_default())
}

fn collect(value: &Value, hash: u32, found: &mut Vec<u32>) {
    let Value::Object(map) = value else { return };
    for (key, value) in map {
        let hash = mix(hash, key);
        found.push(hash);
        match value {
            Value::Array(items) => {
                let Some(name) = list_key(key, items) else { continue };
                for item in items {
                    let hash = item_hash(hash, item, name);
                    found.push(hash);
                    collect(item, hash, found);
                }
            }
            value => collect(value, hash, found),
        }
    }
}

fn lay_over(live: &mut Value, desired: &Value, field: &str) {
    match desired {
        Value::Object(desired) => {
            let live = as_object(live);
            for (key, value) in desired {
                match live.get_mut(key) {
                    Some(current) => lay_over(current, value, key),
                    None => drop(live.insert(key.clone(), value.clone())),
                }
            }
        }
        Value::Array(items) => {
            let key = list_key(field, items);
            let (Some(name), Value::Array(current)) = (key, &mut *live) else {
                live.clone_from(desired);
                return;
            };
            for item in items {
                match current.iter_mut().find(|old| old.get(name) == item.get(name)) {
                    Some(old) => lay_over(old, item, ""),
                    None => current.push(item.clone()),
                }
            }
        }
        scalar => live.clone_from(scalar),
    }
}

/// Removes what was owned and is not wanted.
fn remove_left(value: &mut Value, hash: u32, before: &[u32], now: &[u32]) {
    let is_left = |hash: &u32| before.binary_search(hash).is_ok() && now.binary_search(hash).is_err();
    let Value::Object(map) = value else { return };
    map.retain(|key, value| {
        let hash = mix(hash, key);
        if let Value::Array(items) = value
            && let Some(name) = list_key(key, items)
        {
            items.retain_mut(|item| {
                let hash = item_hash(hash, item, name);
                remove_left(item, hash, before, now);
                !is_left(&hash)
            });
        } else {
            remove_left(value, hash, before, now);
        }
        let has_others = value.as_object().is_some_and(|map| !map.is_empty());
        !is_left(&hash) || has_others
    });
}

/// The field that tells the items of a list apart, if they have one each.
fn list_key(field: &str, items: &[Value]) -> Option<&'static str> {
    let candidates: &[&str] = match field {
        "containers" | "initContainers" | "volumes" | "env" | "imagePullSecrets" => &["name"],
        "volumeMounts" => &["mountPath"],
        "ports" => &["containerPort", "port"],
        "conditions" => &["type"],
        "ownerReferences" => &["uid"],
        _ => &[],
    };
    candidates.iter().copied().find(|key| !items.is_empty() && items.iter().all(|item| item.get(*key).is_some()))
}

/// The value as an object, which it becomes if it is none.
#[expect(clippy::unreachable, reason = "the value was made an object in the line before")]
pub(super) fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_removes_with_null() {
        let mut object = json!({"a": {"b": 1, "c": 2}, "l": [1]});
        merge(&mut object, json!({"a": {"b": null, "d": {"x": null, "e": 3}}, "l": [2]}));
        assert_eq!(object, json!({"a": {"c": 2, "d": {"e": 3}}, "l": [2]}));
    }

    #[test]
    fn a_strategic_patch_merges_containers_by_name() {
        let mut object = json!({"containers": [{"name": "a", "image": "x"}, {"name": "b"}], "args": [1]});
        let patch = json!({
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a", "image": "y"}, {"$patch": "delete", "name": "b"}, {"name": "c"}],
            "args": [2],
        });
        strategic(&mut object, patch);
        assert_eq!(object, json!({"containers": [{"name": "a", "image": "y"}, {"name": "c"}], "args": [2]}));
    }

    #[test]
    fn a_json_patch_is_all_there_or_refused() {
        let mut object = json!({"a": {"x/y": 1}, "l": [1, 3]});
        let patch = json!([
            {"op": "test", "path": "/a/x~1y", "value": 1},
            {"op": "add", "path": "/l/1", "value": 2},
            {"op": "move", "from": "/a/x~1y", "path": "/b"},
            {"op": "remove", "path": "/l/0"},
        ]);
        json_patch(&mut object, &patch).unwrap();
        assert_eq!(object, json!({"a": {}, "l": [2, 3], "b": 1}));
        assert_eq!(json_patch(&mut object, &json!([{"op": "remove", "path": "/none"}])).unwrap_err().code, 422);
    }

    #[test]
    fn applying_keeps_the_fields_of_others_and_removes_its_own() {
        let mut live = json!({"spec": {"replicas": 3}, "status": {"x": 1}});
        let first = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"containers": [{"name": "a", "env": [{"name": "E", "value": "1"}]}]}});
        let owned = apply(&mut live, &first, &[]);
        assert_eq!(live["spec"]["replicas"], 3);
        live["metadata"]["labels"]["mine"] = json!("3");
        let second = json!({"metadata": {"labels": {"a": "4"}}, "spec": {"containers": [{"name": "a"}]}});
        apply(&mut live, &second, &owned);
        assert_eq!(live["metadata"]["labels"], json!({"a": "4", "mine": "3"}));
        assert_eq!(live["spec"], json!({"replicas": 3, "containers": [{"name": "a"}]}));
        assert_eq!(live["status"], json!({"x": 1}));
    }
}
