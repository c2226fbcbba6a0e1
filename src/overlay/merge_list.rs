//! Merging of lists whose elements are known by a key.
//!
//! Owns the pairing of elements, their order afterwards, and the directives in lists. What becomes of a pair is decided
//! by [`merge`](super::merge).
//!
//! Elements that the patch has come first, in its order, then the others. That is the opposite of what the Kubernetes API
//! server does, and what kustomize does. A list with two keys (ports with a protocol) is ordered differently again.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::merge::{Directive, Fault, Outcome, added, directive, merge, settle};
use super::merge_mixed;
use super::schema::{Key, Rule, Shape};
use crate::yaml::{Node, Scalar};

/// Merges into a list whose elements are known by keys.
pub(super) fn merge_keyed(
    target: &mut Vec<Node>,
    patch: &[Node],
    keys: &[Key],
    element: Rule<'_>,
) -> Result<Outcome, Fault> {
    let (order, patch) = split_directive(patch)?;
    match order {
        Directive::Delete => return Ok(Outcome::Removed),
        Directive::Replace => {
            *target = added_elements(&patch, keys, element)?;
            return Ok(Outcome::Kept);
        }
        Directive::Merge if patch.is_empty() => {
            settle_keyed(target, keys, element)?;
            return Ok(Outcome::Kept);
        }
        Directive::Merge => {}
    }
    check_keys(&patch, &keys[0], "patch")?;
    check_keys(target, &keys[0], "object")?;
    if !(has_second_key(target, keys) || has_second_key(&patch, keys)) {
        merge_by_one_key(target, &patch, &keys[0], element)?;
    } else if is_complete(target, keys) && is_complete(&patch, keys) {
        merge_by_all_keys(target, &patch, keys, element)?;
    } else {
        merge_mixed::merge_mixed(target, &patch, keys, element)?;
    }
    Ok(Outcome::Kept)
}

/// A list of a patch where the object has none. `None` if the patch orders its deletion.
pub(super) fn added_keyed(patch: &[Node], keys: &[Key], element: Rule<'_>) -> Result<Option<Vec<Node>>, Fault> {
    let (order, patch) = split_directive(patch)?;
    match order {
        Directive::Delete => Ok(None),
        Directive::Merge | Directive::Replace => added_elements(&patch, keys, element).map(Some),
    }
}

/// The part of a list that the patch does not mention.
pub(super) fn settle_keyed(target: &mut Vec<Node>, keys: &[Key], element: Rule<'_>) -> Result<(), Fault> {
    // An element without its key is the API server's to refuse: the patch has nothing to do with it.
    if check_keys(target, &keys[0], "object").is_err() {
        return Ok(());
    }
    if has_second_key(target, keys) && !is_complete(target, keys) {
        return merge_mixed::merge_mixed(target, &[], keys, element);
    }
    let used = if has_second_key(target, keys) { keys } else { &keys[..1] };
    if !are_plainly_distinct(target, used) {
        let last = last_of_each(target.iter().map(|element| key_texts(element, used)));
        let mut kept: Vec<Option<Node>> = std::mem::take(target).into_iter().map(Some).collect();
        target.extend(last.into_iter().filter_map(|position| kept[position].take()));
    }
    if !matches!(element.shape(), Shape::Plain | Shape::Set) {
        target.iter_mut().try_for_each(|value| settle(value, element))?;
    }
    Ok(())
}

/// Merges into a list of scalars: those of the patch, then those that only the object has.
pub(super) fn merge_set(target: &mut Vec<Node>, patch: &[Node]) -> Result<Outcome, Fault> {
    if patch.iter().any(|value| !matches!(value, Node::Scalar(_))) {
        return Err(Fault::new("only single values can be merged into this list"));
    }
    let all: Vec<Node> = patch.iter().cloned().chain(std::mem::take(target)).collect();
    let mut seen = HashSet::new();
    let first: Vec<bool> = all.iter().map(|value| seen.insert(text(value))).collect();
    drop(seen);
    *target = all.into_iter().zip(first).filter_map(|(value, is_first)| is_first.then_some(value)).collect();
    Ok(Outcome::Kept)
}

/// The directive of a list, which is an element that has nothing but `$patch`, and the other elements.
fn split_directive(patch: &[Node]) -> Result<(Directive, Vec<&Node>), Fault> {
    let mut order = Directive::Merge;
    let mut elements = Vec::with_capacity(patch.len());
    for value in patch {
        match value.as_mapping() {
            Some(map) if map.len() == 1 && map.contains_key("$patch") => order = directive(map)?,
            _ => elements.push(value),
        }
    }
    Ok((order, elements))
}

fn added_elements(patch: &[&Node], keys: &[Key], element: Rule<'_>) -> Result<Vec<Node>, Fault> {
    check_keys(patch, &keys[0], "patch")?;
    let mut list = Vec::with_capacity(patch.len());
    for value in patch {
        list.extend(added(value, element).map_err(|fault| named(fault, value, &keys[0]))?);
    }
    settle_keyed(&mut list, keys, element)?;
    Ok(list)
}

/// Kustomize takes an element without its key for an order to empty the list. Nobody means that, so it is refused.
fn check_keys<V: Borrow<Node>>(list: &[V], key: &str, whose: &str) -> Result<(), Fault> {
    match list.iter().position(|value| key_text(value.borrow(), key).is_none()) {
        Some(position) => {
            Err(Fault::new(format!("element {position} of the {whose} has no `{key}`, by which this list is merged")))
        }
        None => Ok(()),
    }
}

/// The text of a key as it stands in YAML: `80` and `"80"` are the same port.
pub(super) fn key_text<'a>(value: &'a Node, key: &str) -> Option<&'a str> {
    value.get(key).map(text).filter(|text| !text.is_empty())
}

fn text(value: &Node) -> &str {
    value.text().unwrap_or_default()
}

fn key_texts<'a>(value: &'a Node, keys: &[Key]) -> Vec<Option<&'a str>> {
    keys.iter().map(|key| key_text(value, key)).collect()
}

/// The second key counts as soon as one element of either list has it.
fn has_second_key<V: Borrow<Node>>(list: &[V], keys: &[Key]) -> bool {
    list.iter().any(|value| keys.iter().skip(1).any(|key| key_text(value.borrow(), key).is_some()))
}

/// Whether every element has all keys, and no two have the same ones.
fn is_complete<V: Borrow<Node>>(list: &[V], keys: &[Key]) -> bool {
    let mut seen = HashSet::new();
    list.iter().all(|value| {
        let texts = key_texts(value.borrow(), keys);
        texts.iter().all(Option::is_some) && seen.insert(texts)
    })
}

/// Whether a short list has no two elements that could have the same keys. Almost every list is one of these, and to see it
/// takes no memory.
fn are_plainly_distinct(list: &[Node], keys: &[Key]) -> bool {
    let same = |left: &Node, right: &Node| match (left, right) {
        (Node::Scalar(left), Node::Scalar(right)) => Scalar::text(left) == right.text(),
        _ => true,
    };
    let alike = |left: &Node, right: &Node| {
        keys.iter().all(|key| left.get(key).zip(right.get(key)).is_none_or(|(left, right)| same(left, right)))
    };
    list.len() <= 16
        && list
            .iter()
            .enumerate()
            .all(|(position, left)| list.iter().skip(position + 1).all(|right| !alike(left, right)))
}

/// For every distinct key, in the order in which they first appear, the position of the last element that has it.
fn last_of_each<K: Eq + Hash>(keys: impl Iterator<Item = K>) -> Vec<usize> {
    let mut last = Vec::new();
    let mut seen: HashMap<K, usize> = HashMap::new();
    for (position, key) in keys.enumerate() {
        let group = *seen.entry(key).or_insert(last.len());
        match last.get_mut(group) {
            Some(place) => *place = position,
            None => last.push(position),
        }
    }
    last
}

/// The elements of a list that have one key between them.
#[derive(Clone, Copy)]
struct Group {
    first: usize,
    last: usize,
}

fn merge_by_one_key(target: &mut Vec<Node>, patch: &[&Node], key: &str, element: Rule<'_>) -> Result<(), Fault> {
    let (groups, pairs) = pair(target, patch, key);
    let mut elements: Vec<Option<Node>> = std::mem::take(target).into_iter().map(Some).collect();
    let mut untouched = vec![true; groups.len()];
    for (value, group) in pairs {
        let Some(group) = group else {
            target.extend(added(value, element).map_err(|fault| named(fault, value, key))?);
            continue;
        };
        untouched[group] = false;
        let Group { first, last } = groups[group];
        let order = value.as_mapping().map_or(Ok(Directive::Merge), directive)?;
        // Of several elements with one key the first is merged and the last is kept. An element that is to be replaced
        // stays as it is: kustomize puts the old one over the new one when it joins the lists.
        if order == Directive::Merge
            && let Some(place) = elements[first].as_mut()
        {
            merge(place, value, element).map_err(|fault| named(fault, value, key))?;
        }
        if order != Directive::Delete {
            target.extend(elements[last].take());
        }
    }
    for (group, _) in groups.iter().zip(untouched).filter(|(_, untouched)| *untouched) {
        if let Some(mut value) = elements[group.last].take() {
            settle(&mut value, element)?;
            target.push(value);
        }
    }
    Ok(())
}

/// The groups of the target, and every distinct element of the patch with the group that it belongs to.
fn pair<'p>(target: &[Node], patch: &[&'p Node], key: &str) -> (Vec<Group>, Vec<(&'p Node, Option<usize>)>) {
    let mut groups: Vec<Group> = Vec::with_capacity(target.len());
    let mut by_key: HashMap<&str, usize> = HashMap::with_capacity(target.len());
    for (position, text) in target.iter().map(|value| key_text(value, key).unwrap_or_default()).enumerate() {
        let group = *by_key.entry(text).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(group) => group.last = position,
            None => groups.push(Group { first: position, last: position }),
        }
    }
    let mut seen = HashSet::new();
    let pairs = patch.iter().filter_map(|value| {
        let text = key_text(value, key).unwrap_or_default();
        let group = by_key.get(&text).copied();
        seen.insert(text).then_some((*value, group))
    });
    let pairs = pairs.collect();
    (groups, pairs)
}

/// Every element has all keys: the object's elements keep their places, new ones come before them.
fn merge_by_all_keys(target: &mut Vec<Node>, patch: &[&Node], keys: &[Key], element: Rule<'_>) -> Result<(), Fault> {
    let positions: HashMap<_, usize> =
        target.iter().enumerate().map(|(position, value)| (key_texts(value, keys), position)).collect();
    let pairs: Vec<(&Node, Option<usize>)> =
        patch.iter().map(|value| (*value, positions.get(&key_texts(value, keys)).copied())).collect();
    drop(positions);
    let mut elements: Vec<Option<Node>> = std::mem::take(target).into_iter().map(Some).collect();
    for (value, position) in pairs {
        let Some(position) = position else {
            target.extend(added(value, element).map_err(|fault| named(fault, value, &keys[0]))?);
            continue;
        };
        match value.as_mapping().map_or(Ok(Directive::Merge), directive)? {
            Directive::Delete => elements[position] = None,
            Directive::Replace => {}
            Directive::Merge => {
                if let Some(place) = elements[position].as_mut() {
                    merge(place, value, element).map_err(|fault| named(fault, value, &keys[0]))?;
                }
            }
        }
    }
    target.extend(elements.into_iter().flatten());
    Ok(())
}

pub(super) fn named(fault: Fault, element: &Node, key: &str) -> Fault {
    fault.below(format!("[{key}={}]", key_text(element, key).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn merged(target: Value, patch: Value, keys: &'static [&'static str]) -> Node {
        let (Node::Sequence(mut target), Node::Sequence(patch)) = (Node::from(target), Node::from(patch)) else {
            panic!("lists")
        };
        let keys: Vec<Key> = keys.iter().map(|key| (*key).into()).collect();
        assert_eq!(merge_keyed(&mut target, &patch, &keys, Rule::PLAIN).unwrap(), Outcome::Kept);
        Node::Sequence(target)
    }

    #[test]
    fn elements_of_the_patch_come_first() {
        let target = json!([{"name": "a", "v": 1}, {"name": "b", "v": 1}, {"name": "c"}]);
        let patch = json!([{"name": "n"}, {"name": "b", "v": 2}]);
        let expected = json!([{"name": "n"}, {"name": "b", "v": 2}, {"name": "a", "v": 1}, {"name": "c"}]);
        assert_eq!(merged(target, patch, &["name"]), Node::from(expected));
    }

    #[test]
    fn directives_of_elements_and_lists() {
        let target = || json!([{"name": "a", "v": 1}, {"name": "b"}]);
        let merged = |patch| merged(target(), patch, &["name"]);
        assert_eq!(merged(json!([{"name": "a", "$patch": "delete"}])), Node::from(json!([{"name": "b"}])));
        assert_eq!(merged(json!([{"name": "a", "w": 2, "$patch": "replace"}])), Node::from(target()));
        assert_eq!(merged(json!([{"$patch": "replace"}, {"name": "z"}])), Node::from(json!([{"name": "z"}])));
        assert_eq!(merged(json!([{"name": "q", "$patch": "delete"}])), Node::from(target()));
    }

    #[test]
    fn of_elements_with_one_key_the_first_is_merged_and_the_last_stays() {
        let target = json!([{"name": "a", "v": 1}, {"name": "a", "v": 2}]);
        assert_eq!(
            merged(target, json!([{"name": "a", "v": 9}]), &["name"]),
            Node::from(json!([{"name": "a", "v": 2}]))
        );
    }

    #[test]
    fn an_element_without_its_key_is_refused() {
        let fault = merge_keyed(
            &mut vec![Node::from(json!({"name": "a"}))],
            &[Node::from(json!({"v": 1}))],
            &["name".into()],
            Rule::PLAIN,
        )
        .unwrap_err();
        assert_eq!(fault.to_string(), "element 0 of the patch has no `name`, by which this list is merged");
    }

    #[test]
    fn with_two_keys_the_object_keeps_its_order() {
        let target = json!([{"port": 80, "protocol": "TCP"}, {"port": 90, "protocol": "TCP"}]);
        let patch = json!([{"port": "90", "protocol": "TCP", "n": 1}, {"port": 100, "protocol": "TCP"}]);
        let merged = merged(target, patch, &["port", "protocol"]);
        let ports: Vec<_> = merged.as_sequence().unwrap().iter().map(|port| key_text(port, "port").unwrap()).collect();
        assert_eq!(ports, ["100", "80", "90"]);
    }

    #[test]
    fn sets_keep_one_of_each() {
        let mut target = vec![Node::string("a"), Node::string("b")];
        merge_set(&mut target, &[Node::string("d"), Node::string("b")]).unwrap();
        assert_eq!(target, [Node::string("d"), Node::string("b"), Node::string("a")]);
    }
}
