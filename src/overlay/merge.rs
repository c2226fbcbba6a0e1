//! Strategic merge: a partial object laid over a whole one.
//!
//! Owns the merging of maps and scalars, `null`, and the `$patch` directive; lists are in [`merge_list`].
//! Does not own which lists have keys, nor which object a patch is for.
//!
//! What is merged here is what kustomize merges, not what the Kubernetes API server would. Kustomize knows one directive,
//! `$patch`; `$setElementOrder/...`, `$retainKeys` and `$deleteFromPrimitiveList/...` are ordinary fields to it and end up in
//! the result. Its oddities are kept where a user could have come to rely on them, and each is marked in a test.

use std::fmt;

use serde_json::{Map, Value};

use super::merge_list;
use super::schema::Rule;

/// The one key that is an order to the merge and not content.
const DIRECTIVE: &str = "$patch";

/// Why a patch does not fit.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Fault {
    /// The way to the place, innermost first.
    path: Vec<String>,
    reason: String,
}

impl Fault {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { path: Vec::new(), reason: reason.into() }
    }

    /// The same fault as seen from the value that holds the place.
    pub(super) fn below(mut self, segment: impl Into<String>) -> Self {
        self.path.push(segment.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.path.iter().rev().enumerate() {
            let separator = if position == 0 { "" } else { "." };
            write!(formatter, "{separator}{segment}")?;
        }
        if !self.path.is_empty() {
            formatter.write_str(": ")?;
        }
        formatter.write_str(&self.reason)
    }
}

/// What becomes of the place that a patch was merged into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It holds the merged value.
    Kept,
    /// It is to be removed.
    Removed,
}

/// What a map of a patch orders about itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Directive {
    /// Merge, which is what happens without a directive, too.
    Merge,
    /// Take the patch's map in place of the other one.
    Replace,
    /// Remove the map.
    Delete,
}

/// The directive of a map.
pub(super) fn directive(patch: &Map<String, Value>) -> Result<Directive, Fault> {
    match patch.get(DIRECTIVE).map(Value::as_str) {
        None | Some(Some("merge")) => Ok(Directive::Merge),
        Some(Some("replace")) => Ok(Directive::Replace),
        Some(Some("delete")) => Ok(Directive::Delete),
        Some(other) => {
            let written = other.map_or_else(|| "this value".to_owned(), |word| format!("`{word}`"));
            Err(Fault::new(format!("{written} is not a `$patch` directive; there are delete, replace and merge")))
        }
    }
}

/// Merges a patch into a whole object.
///
/// A directive at the top can only delete: kustomize looks at a replaced object no more, and keeps the one it had.
pub(super) fn merge_object(target: &mut Value, patch: &Map<String, Value>, rule: &Rule) -> Result<Outcome, Fault> {
    match directive(patch)? {
        Directive::Delete => return Ok(Outcome::Removed),
        Directive::Replace => return Ok(Outcome::Kept),
        Directive::Merge => {}
    }
    match target {
        Value::Object(target) => merge_fields(target, patch, rule)?,
        _ => return Err(mismatch("a map", target)),
    }
    Ok(Outcome::Kept)
}

/// Merges a patch into a value that is there and is not `null`.
pub(super) fn merge(target: &mut Value, patch: &Value, rule: &Rule) -> Result<Outcome, Fault> {
    match (&mut *target, patch) {
        (_, Value::Null) => Ok(Outcome::Removed),
        (Value::Object(map), Value::Object(patch)) => match directive(patch)? {
            Directive::Delete => Ok(Outcome::Removed),
            Directive::Replace => {
                *map = added_fields(patch, rule)?;
                Ok(Outcome::Kept)
            }
            Directive::Merge => merge_fields(map, patch, rule).map(|()| Outcome::Kept),
        },
        (Value::Array(list), Value::Array(patch)) => match rule {
            Rule::Keyed(keys, element) => merge_list::merge_keyed(list, patch, keys, element),
            Rule::Set => merge_list::merge_set(list, patch),
            Rule::Plain | Rule::Map(_) => {
                list.clone_from(patch);
                Ok(Outcome::Kept)
            }
        },
        (Value::Object(_), _) => Err(mismatch("a map", patch)),
        (Value::Array(_), _) => Err(mismatch("a list", patch)),
        (_, Value::Object(_) | Value::Array(_)) => Err(mismatch("a single value", patch)),
        _ => {
            target.clone_from(patch);
            Ok(Outcome::Kept)
        }
    }
}

fn mismatch(expected: &str, found: &Value) -> Fault {
    let found = match found {
        Value::Object(_) => "a map",
        Value::Array(_) => "a list",
        _ => "a single value",
    };
    Fault::new(format!("the object has {expected} here, the patch {found}"))
}

fn merge_fields(target: &mut Map<String, Value>, patch: &Map<String, Value>, rule: &Rule) -> Result<(), Fault> {
    for (name, value) in patch.iter().filter(|(name, _)| *name != DIRECTIVE) {
        let rule = rule.field(name);
        let place = target.get_mut(name);
        let outcome = match place {
            Some(place) if !place.is_null() => merge(place, value, rule).map_err(|fault| fault.below(name))?,
            _ => match added(value, rule).map_err(|fault| fault.below(name))? {
                Some(value) => {
                    target.insert(name.clone(), value);
                    Outcome::Kept
                }
                None => Outcome::Removed,
            },
        };
        if outcome == Outcome::Removed {
            target.shift_remove(name);
        }
    }
    if let Rule::Map(fields) = rule {
        for (name, rule) in fields.iter().filter(|(name, _)| !patch.contains_key(*name)) {
            if let Some(value) = target.get_mut(*name) {
                settle(value, rule).map_err(|fault| fault.below(*name))?;
            }
        }
    }
    Ok(())
}

/// What a value of a patch is where the object has nothing: its directives are carried out and its `null`s dropped.
pub(super) fn added(patch: &Value, rule: &Rule) -> Result<Option<Value>, Fault> {
    Ok(match (patch, rule) {
        (Value::Null, _) => None,
        (Value::Object(map), _) if directive(map)? == Directive::Delete => None,
        (Value::Object(map), _) => Some(Value::Object(added_fields(map, rule)?)),
        (Value::Array(list), Rule::Keyed(keys, element)) => {
            merge_list::added_keyed(list, keys, element)?.map(Value::Array)
        }
        _ => Some(patch.clone()),
    })
}

fn added_fields(patch: &Map<String, Value>, rule: &Rule) -> Result<Map<String, Value>, Fault> {
    let mut fields = Map::with_capacity(patch.len());
    for (name, value) in patch.iter().filter(|(name, _)| *name != DIRECTIVE) {
        if let Some(value) = added(value, rule.field(name)).map_err(|fault| fault.below(name))? {
            fields.insert(name.clone(), value);
        }
    }
    Ok(fields)
}

/// What merging does to a part of the object that the patch does not mention: in a list with keys, of several elements
/// with one key the last remains.
pub(super) fn settle(value: &mut Value, rule: &Rule) -> Result<(), Fault> {
    match (rule, value) {
        (Rule::Map(fields), Value::Object(map)) => {
            for (name, rule) in *fields {
                if let Some(value) = map.get_mut(*name) {
                    settle(value, rule).map_err(|fault| fault.below(*name))?;
                }
            }
            Ok(())
        }
        (Rule::Keyed(keys, element), Value::Array(list)) => merge_list::settle_keyed(list, keys, element),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use serde_json::json;

    fn merged(mut target: Value, patch: &Value) -> Value {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment"});
        let rule = schema::rule_of(&super::super::resource::Id::of(&object));
        assert_eq!(merge_object(&mut target, patch.as_object().unwrap(), rule).unwrap(), Outcome::Kept);
        target
    }

    #[test]
    fn null_removes_and_is_dropped_from_what_is_added() {
        let merged =
            merged(json!({"a": {"b": 1}, "keep": null}), &json!({"a": {"b": null}, "new": {"x": null, "y": [null]}}));
        assert_eq!(merged, json!({"a": {}, "keep": null, "new": {"y": [null]}}));
    }

    #[test]
    fn directives_of_maps() {
        let target = || json!({"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}});
        let patch = json!({"a": {"$patch": "delete"}, "b": {"$patch": "replace", "y": 2}, "c": {"$patch": "merge", "y": 2},
            "d": {"$patch": "delete"}, "e": {"$patch": "replace", "y": 2}});
        assert_eq!(merged(target(), &patch), json!({"b": {"y": 2}, "c": {"x": 1, "y": 2}, "e": {"y": 2}}));
        let fault = merge(&mut target(), &json!({"a": {"$patch": "foo"}}), &Rule::Plain).unwrap_err();
        assert_eq!(fault.to_string(), "a: `foo` is not a `$patch` directive; there are delete, replace and merge");
    }

    #[test]
    fn other_directives_are_plain_fields_as_they_are_to_kustomize() {
        let patch = json!({"$retainKeys": ["a"], "$setElementOrder/l": [1]});
        assert_eq!(merged(json!({}), &patch), patch);
    }

    #[test]
    fn kinds_of_values_must_agree() {
        let mut target = json!({"spec": {"replicas": 1, "template": {"a": 1}}});
        let fault = merge(&mut target, &json!({"spec": {"template": "x"}}), &Rule::Plain).unwrap_err();
        assert_eq!(fault.to_string(), "spec.template: the object has a map here, the patch a single value");
    }

    #[test]
    fn replacing_a_whole_object_changes_nothing() {
        assert_eq!(merged(json!({"a": 1}), &json!({"$patch": "replace", "b": 2})), json!({"a": 1}));
    }
}
