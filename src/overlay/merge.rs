//! Strategic merge: a partial object laid over a whole one.
//!
//! Owns the merging of maps and scalars, `null`, and the `$patch` directive; lists are in [`merge_list`].
//! Does not own which lists have keys, nor which object a patch is for.
//!
//! What is merged here is what kustomize merges, not what the Kubernetes API server would. Kustomize knows one directive,
//! `$patch`; `$setElementOrder/...`, `$retainKeys` and `$deleteFromPrimitiveList/...` are ordinary fields to it and end up in
//! the result. Its oddities are kept where a user could have come to rely on them, and each is marked in a test.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::merge_list;
use super::schema::{Rule, Shape};
use crate::yaml::{Mapping, Node, Scalar, Style};

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
pub(super) fn directive(patch: &Mapping) -> Result<Directive, Fault> {
    match patch.get(DIRECTIVE).map(Node::text) {
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
pub(super) fn merge_object(target: &mut Node, patch: &Mapping, rule: Rule<'_>) -> Result<Outcome, Fault> {
    match directive(patch)? {
        Directive::Delete => return Ok(Outcome::Removed),
        Directive::Replace => return Ok(Outcome::Kept),
        Directive::Merge => {}
    }
    match target {
        Node::Mapping(target) => merge_fields(target, patch, rule)?,
        _ => return Err(mismatch("a map", target)),
    }
    Ok(Outcome::Kept)
}

/// Merges a patch into a value that is there and is not `null`.
pub(super) fn merge(target: &mut Node, patch: &Node, rule: Rule<'_>) -> Result<Outcome, Fault> {
    if patch.is_null() {
        return Ok(Outcome::Removed);
    }
    match (&mut *target, patch) {
        (Node::Mapping(map), Node::Mapping(patch)) => match directive(patch)? {
            Directive::Delete => Ok(Outcome::Removed),
            Directive::Replace => {
                *map = added_fields(patch, rule)?;
                Ok(Outcome::Kept)
            }
            Directive::Merge => merge_fields(map, patch, rule).map(|()| Outcome::Kept),
        },
        (Node::Sequence(list), Node::Sequence(patch)) => match rule.shape() {
            Shape::Keyed(keys, element) => merge_list::merge_keyed(list, patch, keys, element),
            Shape::Set => merge_list::merge_set(list, patch),
            Shape::Plain | Shape::Map => {
                list.clone_from(patch);
                Ok(Outcome::Kept)
            }
        },
        (Node::Mapping(_), _) => Err(mismatch("a map", patch)),
        (Node::Sequence(_), _) => Err(mismatch("a list", patch)),
        (_, Node::Mapping(_) | Node::Sequence(_)) => Err(mismatch("a single value", patch)),
        (Node::Scalar(old), Node::Scalar(new)) => {
            // Quotes of the object stay, and make a text of what the patch has without them.
            *old = match (old.style(), new.style()) {
                (Style::Quoted | Style::Literal | Style::Folded, Style::Plain) => {
                    Scalar::string(new.text()).with_style(old.style())
                }
                _ => new.clone(),
            };
            Ok(Outcome::Kept)
        }
    }
}

fn mismatch(expected: &str, found: &Node) -> Fault {
    let found = match found {
        Node::Mapping(_) => "a map",
        Node::Sequence(_) => "a list",
        _ => "a single value",
    };
    Fault::new(format!("the object has {expected} here, the patch {found}"))
}

/// From how many steps on a map is searched with an index.
const MANY_STEPS: usize = 4_096;

fn merge_fields(target: &mut Mapping, patch: &Mapping, rule: Rule<'_>) -> Result<(), Fault> {
    let index: Option<HashMap<String, usize>> = (target.len() * patch.len() > MANY_STEPS)
        .then(|| target.iter().enumerate().map(|(position, (name, _))| (name.text().to_owned(), position)).collect());
    let mut removed: HashSet<&str> = HashSet::new();
    for (name, node) in patch.iter().filter(|(name, _)| name.text() != DIRECTIVE) {
        let rule = rule.field(name.text());
        let position = match &index {
            Some(index) => index.get(name.text()).copied(),
            None => target.position(name.text()),
        };
        let outcome = match position.and_then(|position| target.value_at_mut(position)) {
            Some(place) if !place.is_null() => merge(place, node, rule).map_err(|fault| fault.below(name.text()))?,
            place => match added_to_map(node, rule).map_err(|fault| fault.below(name.text()))? {
                Some(node) => {
                    match place {
                        Some(place) => *place = node,
                        None => target.push(name.clone(), node),
                    }
                    Outcome::Kept
                }
                None => Outcome::Removed,
            },
        };
        if outcome == Outcome::Removed && position.is_some() {
            removed.insert(name.text());
        }
    }
    if !removed.is_empty() {
        target.retain(|name, _| !removed.contains(name.text()));
    }
    if matches!(rule.shape(), Shape::Map) {
        settle_fields(target, rule, |name| patch.contains_key(name))?;
    }
    Ok(())
}

/// What a value of a patch is where a map of the object has nothing. A list with keys and a directive for itself is reduced
/// to its directive there, which kustomize writes out.
fn added_to_map(patch: &Node, rule: Rule<'_>) -> Result<Option<Node>, Fault> {
    if let (Node::Sequence(list), Shape::Keyed(..)) = (patch, rule.shape()) {
        let mut directives = list
            .iter()
            .filter(|element| element.as_mapping().is_some_and(|map| map.len() == 1 && map.contains_key(DIRECTIVE)));
        if let Some(directive) = directives.next() {
            return Ok(Some(Node::Sequence(vec![directive.clone()])));
        }
    }
    added(patch, rule)
}

/// What a value of a patch is where the object has nothing: its directives are carried out and its `null`s dropped.
pub(super) fn added(patch: &Node, rule: Rule<'_>) -> Result<Option<Node>, Fault> {
    Ok(match (patch, rule.shape()) {
        (patch, _) if patch.is_null() => None,
        (Node::Mapping(map), _) if directive(map)? == Directive::Delete => None,
        (Node::Mapping(map), _) => Some(Node::Mapping(added_fields(map, rule)?)),
        (Node::Sequence(list), Shape::Keyed(keys, element)) => {
            merge_list::added_keyed(list, keys, element)?.map(Node::Sequence)
        }
        _ => Some(patch.clone()),
    })
}

fn added_fields(patch: &Mapping, rule: Rule<'_>) -> Result<Mapping, Fault> {
    let mut fields = Mapping::with_capacity(patch.len());
    for (name, node) in patch.iter().filter(|(name, _)| name.text() != DIRECTIVE) {
        if let Some(node) = added(node, rule.field(name.text())).map_err(|fault| fault.below(name.text()))? {
            fields.push(name.clone(), node);
        }
    }
    Ok(fields)
}

/// What merging does to a part of the object that the patch does not mention: in a list with keys, of several elements
/// with one key the last remains.
pub(super) fn settle(node: &mut Node, rule: Rule<'_>) -> Result<(), Fault> {
    match (rule.shape(), node) {
        (Shape::Map, Node::Mapping(map)) => settle_fields(map, rule, |_| false),
        (Shape::Keyed(keys, element), Node::Sequence(list)) => merge_list::settle_keyed(list, keys, element),
        _ => Ok(()),
    }
}

fn settle_fields(map: &mut Mapping, rule: Rule<'_>, is_done: impl Fn(&str) -> bool) -> Result<(), Fault> {
    for (name, node) in map.iter_mut() {
        if matches!(node, Node::Scalar(_)) || is_done(name.text()) {
            continue;
        }
        let rule = rule.field(name.text());
        if !matches!(rule.shape(), Shape::Plain | Shape::Set) {
            settle(node, rule).map_err(|fault| fault.below(name.text()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::resource::Id;
    use super::super::schema;
    use super::*;
    use serde_json::{Value, json};

    fn merged(target: Value, patch: &Value) -> Node {
        let object = Node::from(json!({"apiVersion": "apps/v1", "kind": "Deployment"}));
        let rule = schema::rule_of(&Id::of(&object), None);
        let (mut target, patch) = (Node::from(target), Node::from(patch.clone()));
        assert_eq!(merge_object(&mut target, patch.as_mapping().unwrap(), rule).unwrap(), Outcome::Kept);
        target
    }

    fn failure(target: Value, patch: Value) -> String {
        merge(&mut Node::from(target), &Node::from(patch), Rule::PLAIN).unwrap_err().to_string()
    }

    #[test]
    fn null_removes_and_is_dropped_from_what_is_added() {
        let merged =
            merged(json!({"a": {"b": 1}, "keep": null}), &json!({"a": {"b": null}, "new": {"x": null, "y": [null]}}));
        assert_eq!(merged, Node::from(json!({"a": {}, "keep": null, "new": {"y": [null]}})));
    }

    #[test]
    fn directives_of_maps() {
        let target = || json!({"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}});
        let patch = json!({"a": {"$patch": "delete"}, "b": {"$patch": "replace", "y": 2}, "c": {"$patch": "merge", "y": 2},
            "d": {"$patch": "delete"}, "e": {"$patch": "replace", "y": 2}});
        assert_eq!(merged(target(), &patch), Node::from(json!({"b": {"y": 2}, "c": {"x": 1, "y": 2}, "e": {"y": 2}})));
        assert_eq!(
            failure(target(), json!({"a": {"$patch": "foo"}})),
            "a: `foo` is not a `$patch` directive; there are delete, replace and merge"
        );
    }

    #[test]
    fn other_directives_are_plain_fields_as_they_are_to_kustomize() {
        let patch = json!({"$retainKeys": ["a"], "$setElementOrder/l": [1]});
        assert_eq!(merged(json!({}), &patch), Node::from(patch));
    }

    #[test]
    fn kinds_of_values_must_agree() {
        assert_eq!(
            failure(json!({"spec": {"replicas": 1, "template": {"a": 1}}}), json!({"spec": {"template": "x"}})),
            "spec.template: the object has a map here, the patch a single value"
        );
    }

    #[test]
    fn replacing_a_whole_object_changes_nothing() {
        assert_eq!(merged(json!({"a": 1}), &json!({"$patch": "replace", "b": 2})), Node::from(json!({"a": 1})));
    }

    #[test]
    fn large_maps_are_merged_alike() {
        let map = |offset: usize| Value::Object((0..80).map(|n| (format!("k{}", n + offset), json!(offset))).collect());
        let merged = merged(json!({"m": map(0)}), &json!({"m": map(40)}));
        assert_eq!(merged.get("m").unwrap().as_mapping().unwrap().len(), 120);
        assert_eq!(merged.get("m").unwrap().get("k60").and_then(Node::text), Some("40"));
    }
}
