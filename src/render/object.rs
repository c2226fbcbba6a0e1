//! A Kubernetes object as data: what identifies it, and the order in which people read it.

use std::fmt;

use serde_json::{Map, Value};

/// What identifies an object in a cluster. The version is left out: the same object may be asked for at another one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ObjectId {
    /// The API group, `""` for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace, `""` for cluster-wide kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectId {
    /// The identity of `object`, or `None` if it lacks a kind or a name.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let api_version = text_at(object, &["apiVersion"])?;
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        Some(Self {
            group: group.to_owned(),
            kind: text_at(object, &["kind"])?.to_owned(),
            namespace: text_at(object, &["metadata", "namespace"]).unwrap_or_default().to_owned(),
            name: text_at(object, &["metadata", "name"]).filter(|name| !name.is_empty())?.to_owned(),
        })
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// The value at a path of keys.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// The text at a path of keys.
pub(super) fn text_at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path)?.as_str()
}

/// The items of the list at a path of keys; none if there is no list.
pub(super) fn items_at<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = &'a Value> + use<'a> {
    at(value, path).and_then(Value::as_array).into_iter().flatten()
}

/// The pod template of a workload, with the labels and spec of its pods.
pub(super) fn pod_template(object: &Value) -> Option<&Value> {
    match text_at(object, &["kind"])? {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => at(object, &["spec", "template"]),
        "CronJob" => at(object, &["spec", "jobTemplate", "spec", "template"]),
        "Pod" => Some(object),
        _ => None,
    }
}

/// All containers of a pod, of every sort.
pub(super) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(|list| items_at(pod, &["spec", list]))
}

/// Makes a text of what a template puts into a ConfigMap as a map or a list: JSON on one line, which is how a dashboard
/// takes the least room.
pub(super) fn write_out_data(object: &mut Value) {
    if text_at(object, &["kind"]) != Some("ConfigMap") {
        return;
    }
    let entries = object.get_mut("data").and_then(Value::as_object_mut).into_iter().flatten();
    for (_, value) in entries.filter(|(_, value)| value.is_object() || value.is_array()) {
        *value = Value::String(value.to_string());
    }
}

const TOP: [&str; 5] = ["apiVersion", "kind", "metadata", "type", "immutable"];
const METADATA: [&str; 5] = ["name", "generateName", "namespace", "labels", "annotations"];

/// Puts keys where people look for them: identity first, then what the object says; labels, annotations and data by
/// name. The order of everything else is that of the template.
pub(super) fn order_keys(object: &mut Value) {
    let Value::Object(map) = object else { return };
    lead_with(map, &TOP);
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        lead_with(metadata, &METADATA);
        for key in ["labels", "annotations"] {
            if let Some(Value::Object(entries)) = metadata.get_mut(key) {
                entries.sort_keys();
            }
        }
    }
    if map.get("kind").and_then(Value::as_str) == Some("ConfigMap")
        && let Some(Value::Object(data)) = map.get_mut("data")
    {
        data.sort_keys();
    }
}

fn lead_with(map: &mut Map<String, Value>, leading: &[&str]) {
    let in_order = map
        .keys()
        .map(String::as_str)
        .filter(|key| leading.contains(key))
        .eq(leading.iter().copied().filter(|key| map.contains_key(*key)))
        && map.keys().take_while(|key| leading.contains(&key.as_str())).count()
            == leading.iter().filter(|key| map.contains_key(**key)).count();
    if in_order {
        return;
    }
    let mut rest = std::mem::take(map);
    for key in leading {
        if let Some(value) = rest.shift_remove(*key) {
            map.insert((*key).to_owned(), value);
        }
    }
    map.extend(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn identity_leaves_the_version_out() {
        let id = |version: &str| {
            ObjectId::of(&json!({"apiVersion": version, "kind": "X", "metadata": {"name": "n"}})).unwrap()
        };
        assert_eq!(id("apps/v1"), id("apps/v1beta1"));
        assert_eq!(id("v1").group, "");
        assert_eq!(ObjectId::of(&json!({"apiVersion": "v1", "kind": "X", "metadata": {}})), None);
    }

    #[test]
    fn documents_in_a_config_map_are_texts() {
        let mut object = json!({"kind": "ConfigMap", "data": {"a": "x", "b": {"c": [1, "2"]}}});
        write_out_data(&mut object);
        assert_eq!(object["data"], json!({"a": "x", "b": r#"{"c":[1,"2"]}"#}));
    }

    #[test]
    fn keys_come_in_reading_order() {
        let mut object = json!({"spec": {"z": 1, "a": 2}, "metadata": {"labels": {"b": "1", "a": "2"}, "name": "n"}, "kind": "X", "apiVersion": "v1"});
        order_keys(&mut object);
        assert_eq!(
            object.to_string(),
            r#"{"apiVersion":"v1","kind":"X","metadata":{"name":"n","labels":{"a":"2","b":"1"}},"spec":{"z":1,"a":2}}"#
        );
    }
}
