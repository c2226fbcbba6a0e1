//! Merging of a list with two keys in which some elements have only the first one: ports, some with a protocol.
//!
//! Kustomize's answer follows from the way it builds the list, element by element, and from no rule that could be stated:
//! `80` and `80/TCP` are not the same port, a port without a protocol that comes after one with it displaces it, and so
//! on. This file does the same steps; a table in the test holds what kustomize was seen to do. Known to differ: the order
//! of the result where the patch itself has one port both with and without a protocol.

use super::merge::{Directive, Fault, added, directive, merge};
use super::merge_list::{key_text, named};
use super::schema::{Key, Rule};
use crate::yaml::Node;

/// The steps are quadratic. Nobody has lists like this with more than a handful of elements.
const MAX_ELEMENTS: usize = 500;

/// An element's first key, and the second if it has one.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Keys {
    first: String,
    second: Option<String>,
}

struct Element {
    keys: Keys,
    value: Node,
}

fn keys_of(value: &Node, keys: &[Key]) -> Keys {
    let text = |index: usize| keys.get(index).and_then(|key| key_text(value, key)).map(str::to_owned);
    Keys { first: text(0).unwrap_or_default(), second: text(1) }
}

/// Merges where the other ways do not apply. Every element must have the first key.
pub(super) fn merge_mixed(target: &mut Vec<Node>, patch: &[&Node], keys: &[Key], rule: Rule<'_>) -> Result<(), Fault> {
    if target.len() + patch.len() > MAX_ELEMENTS {
        return Err(Fault::new(format!("more than {MAX_ELEMENTS} elements, some with `{}` and some without", keys[1])));
    }
    let mut old: Vec<Element> =
        std::mem::take(target).into_iter().map(|value| Element { keys: keys_of(&value, keys), value }).collect();
    let patch: Vec<(Keys, &Node)> = patch.iter().map(|value| (keys_of(value, keys), *value)).collect();

    let mut distinct: Vec<Keys> = Vec::new();
    for keys in patch.iter().map(|(keys, _)| keys).chain(old.iter().map(|element| &element.keys)) {
        if !distinct.contains(keys) {
            distinct.push(keys.clone());
        }
    }
    let is_first_bare = old.first().is_some_and(|element| element.keys.second.is_none());
    let mut result: Vec<Element> = Vec::new();
    for wanted in &distinct {
        // A key without its second half finds elements only where no element with that first half has a second one.
        let is_ambiguous = wanted.second.is_none()
            && distinct.iter().any(|other| other.first == wanted.first && other.second.is_some());
        if is_ambiguous {
            continue;
        }
        let place = old.iter().position(|element| element.keys == *wanted);
        let Some((_, value)) = patch.iter().find(|(keys, _)| keys == wanted) else {
            continue;
        };
        match place {
            None => {
                let value = added(value, rule).map_err(|fault| named(fault, value, &keys[0]))?;
                result.extend(value.map(|value| Element { keys: wanted.clone(), value }));
            }
            Some(place) => match value.as_mapping().map_or(Ok(Directive::Merge), directive)? {
                // What has no second key is not found again where it is to be taken out.
                Directive::Delete if wanted.second.is_none() => {}
                Directive::Delete => old.retain(|element| element.keys != *wanted),
                // Like elsewhere, the old element remains; but behind one without a second key it is merged all the same.
                Directive::Replace if wanted.second.is_some() && is_first_bare => {
                    let value = &without_directive(value);
                    merge(&mut old[place].value, value, rule).map_err(|fault| named(fault, value, &keys[0]))?;
                }
                Directive::Replace => {}
                Directive::Merge => {
                    merge(&mut old[place].value, value, rule).map_err(|fault| named(fault, value, &keys[0]))?;
                }
            },
        }
    }
    join(&mut result, old);
    target.extend(result.into_iter().map(|element| element.value));
    Ok(())
}

fn without_directive(value: &Node) -> Node {
    let mut value = value.clone();
    if let Node::Mapping(map) = &mut value {
        map.remove("$patch");
    }
    value
}

/// Puts the object's elements after the new ones, each in place of those that it is taken for.
fn join(result: &mut Vec<Element>, old: Vec<Element>) {
    for element in old {
        match element.keys.second {
            Some(_) => result.retain(|other| other.keys != element.keys),
            None => result.retain(|other| other.keys.first != element.keys.first),
        }
        result.push(element);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `80T` is port 80 with the protocol T; `d` marks an element of the object and `p` one of the patch.
    fn ports(text: &str, mark: &str) -> Vec<Node> {
        let port = |word: &str| {
            let (number, protocol) = word.split_at(2);
            let mut port = json!({"port": number, mark: true});
            if !protocol.is_empty() {
                port["protocol"] = json!(protocol);
            }
            port
        };
        text.split(' ').map(port).map(Node::from).collect()
    }

    fn shown(list: &[Node]) -> String {
        let show = |port: &Node| {
            let mark = |name| if port.get(name).is_some() { name } else { "" };
            let protocol = port.get("protocol").map_or("", |protocol| protocol.text().unwrap());
            format!("{}{protocol}{}{}", port.get("port").and_then(Node::text).unwrap(), mark("d"), mark("p"))
        };
        list.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn as_kustomize_was_seen_to_do() {
        let table = "80 + 80T = 80d; 80T + 80 = 80Td; 80T + 81 = 81p 80Td; 80U + 80 = 80Ud; 81 + 80T = 80Tp 81d; \
            81T + 80 = 80p 81Td; 80 80T + 80 = 80d 80Td; 80 80T + 80T = 80d 80Tdp; 80 80U + 80T = 80d 80Ud; \
            80 81 + 80T = 80d 81d; 80 81T + 80 = 80dp 81Td; 80 81T + 81 = 80d 81Td; 80T 80 + 80 = 80d; 80T 80 + 80T = 80d; \
            80T 80 + 81 = 81p 80d; 80T 80U + 80 = 80Td 80Ud; 80T 81 + 80 = 80Td 81d; 80T 81 + 80T = 80Tdp 81d; \
            80T 81 + 81 = 80Td 81dp; 80U 81 + 80T = 80Tp 80Ud 81d; 81 80 + 80T = 81d 80d; 81 80T + 80T = 81d 80Tdp; \
            81 80T + 81 = 81dp 80Td; 81 81T + 80 = 80p 81d 81Td; 81 81T + 81 = 81d 81Td; 81T 80 + 80 = 81Td 80dp; \
            81T 80 + 81 = 81Td 80d; 81T 80U + 80T = 80Tp 81Td 80Ud; 81T 81 + 80T = 80Tp 81d; 81T 81 + 81 = 81d";
        for line in table.split("; ") {
            let (inputs, expected) = line.trim().split_once(" = ").unwrap();
            let (target, patch) = inputs.split_once(" + ").unwrap();
            let (mut target, patch) = (ports(target, "d"), ports(patch, "p"));
            let patch: Vec<&Node> = patch.iter().collect();
            merge_mixed(&mut target, &patch, &["port".into(), "protocol".into()], Rule::PLAIN).unwrap();
            assert_eq!(shown(&target), expected, "{line}");
        }
    }
}
