//! Fields of one object, as `replacements` and `vars` write them: `spec.containers.[name=web].image`.
//!
//! Owns reading such a path, finding what it leads to, and making what is missing on the way. Other than in a
//! [field specification](super::fields), a path names the elements of lists that it goes through.

use std::fmt;

use regex::Regex;

use super::{fields, growth};
use crate::yaml::{Mapping, Node, Scalar, Style};

/// One step of a path.
#[derive(Clone, Debug)]
enum Segment {
    /// A key of a map.
    Key(String),
    /// An element of a list.
    Index(usize),
    /// The last element of a list.
    Last,
    /// The elements of a list whose field has a value; an empty field means the element itself.
    Element { field: String, value: String, pattern: Box<Regex> },
    /// Every element of a list.
    Every,
}

/// A path.
#[derive(Clone, Debug)]
pub(super) struct FieldPath {
    segments: Vec<Segment>,
    written: String,
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.written)
    }
}

impl FieldPath {
    /// Reads a path of a replacement: segments are separated by dots, `\.` is a dot within a key, and what stands in
    /// brackets is one segment.
    pub(super) fn new(written: &str) -> Result<Self, String> {
        let mut parts = fields::split(written, '.').into_iter();
        let mut segments = Vec::new();
        while let Some(part) = parts.next() {
            if !part.starts_with('[') || part.ends_with(']') {
                segments.push(Segment::new(part)?);
                continue;
            }
            let mut bracketed = part;
            for next in parts.by_ref() {
                bracketed.push('.');
                bracketed.push_str(&next);
                if next.ends_with(']') {
                    break;
                }
            }
            segments.push(match bracketed.contains('=') {
                true => Segment::new(bracketed)?,
                false => Segment::Key(bracketed.trim_matches(['[', ']']).to_owned()),
            });
        }
        Ok(Self { segments, written: written.to_owned() })
    }

    /// Reads a path of a variable: `a[1].b`, `a.1.b` and `a.[1].b` are the same, and stray dots say nothing.
    pub(super) fn of_variable(written: &str) -> Result<Self, String> {
        let mut segments = Vec::new();
        for part in fields::split(written, '.') {
            let (key, index) = part.split_once('[').map_or((part.as_str(), None), |(key, index)| (key, Some(index)));
            if !key.is_empty() {
                segments.push(match key.parse() {
                    Ok(index) => Segment::Index(index),
                    Err(_) => Segment::Key(key.to_owned()),
                });
            }
            if let Some(index) = index {
                let index = index.strip_suffix(']').ok_or_else(|| format!("`{part}` has no closing bracket"))?;
                segments.push(Segment::Index(index.parse().map_err(|_| format!("`{index}` is not an index"))?));
            }
        }
        Ok(Self { segments, written: written.to_owned() })
    }
}

impl Segment {
    fn new(part: String) -> Result<Self, String> {
        if part == "*" {
            return Ok(Self::Every);
        }
        if part == "-" {
            return Ok(Self::Last);
        }
        if let Ok(index) = part.parse() {
            return Ok(Self::Index(index));
        }
        let Some(inner) = part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
            return Ok(Self::Key(part));
        };
        let Some((field, value)) = inner.split_once('=') else {
            return Err(format!("`{part}` is not of the form `[field=value]`"));
        };
        // Kustomize compares with a regular expression that need not match the whole value.
        let pattern = Regex::new(value).map_err(|_| format!("`{value}` is not a regular expression"))?;
        Ok(Self::Element { field: field.to_owned(), value: value.to_owned(), pattern: Box::new(pattern) })
    }
}

/// The first node that a path leads to.
///
/// # Errors
/// Where the path does not fit what is there.
pub(super) fn find<'n>(node: &'n Node, path: &FieldPath) -> Result<Option<&'n Node>, String> {
    let mut place = node;
    for segment in &path.segments {
        if place.is_null() {
            return Ok(None);
        }
        let next = match (segment, place) {
            (Segment::Key(key), Node::Mapping(mapping)) => mapping.get(key),
            (Segment::Index(index), Node::Sequence(items)) => items.get(*index),
            (Segment::Last, Node::Sequence(items)) => items.last(),
            (Segment::Element { field, value, .. }, Node::Sequence(items)) => {
                items.iter().find(|item| match &**field {
                    "" => item.as_scalar().is_some_and(|scalar| scalar.text() == value),
                    field => item.get(field).and_then(Node::text) == Some(value),
                })
            }
            (Segment::Every, _) => return Err("`*` cannot be part of the path of a source".to_owned()),
            (Segment::Key(key), _) => return Err(format!("there is no map at `{key}`")),
            _ => return Err("there is no list where the path has an element of one".to_owned()),
        };
        match next {
            Some(next) => place = next,
            None => return Ok(None),
        }
    }
    Ok(Some(place))
}

impl FieldPath {
    /// How many segments it has.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }
}

/// Calls `change` with every node that a path leads to, and says how many there were. With `made`, what is missing on the
/// way is made, the last of it as `made`.
///
/// # Errors
/// Where the path does not fit what is there, and what `change` fails with.
pub(super) fn visit(
    node: &mut Node,
    path: &FieldPath,
    made: Option<&Node>,
    change: &mut dyn FnMut(&mut Node) -> Result<(), String>,
) -> Result<usize, String> {
    if made.is_some() {
        growth::check_path(path.len())?;
    }
    walk(node, &path.segments, made, change)
}

fn walk(
    node: &mut Node,
    segments: &[Segment],
    made: Option<&Node>,
    change: &mut dyn FnMut(&mut Node) -> Result<(), String>,
) -> Result<usize, String> {
    let Some((segment, rest)) = segments.split_first() else {
        return change(node).map(|()| 1);
    };
    let new = || made.map(|made| new_node(rest.first(), made));
    match segment {
        Segment::Key(key) => match node {
            Node::Mapping(mapping) => {
                let position = mapping.position(key).or_else(|| {
                    new().map(|node| {
                        mapping.push(Scalar::string(key), node);
                        mapping.len() - 1
                    })
                });
                match position.and_then(|position| mapping.value_at_mut(position)) {
                    Some(child) => walk(child, rest, made, change),
                    None => Ok(0),
                }
            }
            // Kustomize makes the field of nothing, and puts it nowhere.
            node if node.is_null() => Ok(usize::from(made.is_some())),
            _ => Err(format!("there is no map at `{key}`")),
        },
        Segment::Last => Err("`-` cannot be part of the path of a target".to_owned()),
        Segment::Every => {
            let mut count = 0;
            for item in items_of(node)? {
                count += walk(item, rest, made, change)?;
            }
            Ok(count)
        }
        Segment::Index(index) => {
            let items = items_of(node)?;
            if *index == items.len() {
                items.extend(new());
            }
            let count = items.len();
            let item = items.get_mut(*index);
            walk(item.ok_or_else(|| format!("there is no element {index}, there are {count}"))?, rest, made, change)
        }
        Segment::Element { field, value, pattern } => {
            let items = items_of(node)?;
            let (mut count, mut is_found) = (0, false);
            for item in items.iter_mut() {
                let text = if field.is_empty() { item.text() } else { item.get(field).and_then(Node::text) };
                if text.is_some_and(|text| pattern.is_match(text)) {
                    is_found = true;
                    count += walk(item, rest, made, change)?;
                }
            }
            if let (false, Some(made)) = (is_found, made) {
                items.push(new_element(field, value));
                if let Some(item) = items.last_mut() {
                    count += walk(item, rest, Some(made), change)?;
                }
            }
            Ok(count)
        }
    }
}

fn items_of(node: &mut Node) -> Result<&mut Vec<Node>, String> {
    node.as_sequence_mut().ok_or_else(|| "there is no list where the path has an element of one".to_owned())
}

/// What is made for a segment, which depends on the one behind it.
fn new_node(next: Option<&Segment>, made: &Node) -> Node {
    match next {
        None => match made {
            Node::Scalar(_) => Node::Scalar(Scalar::plain("").with_style(Style::Made)),
            Node::Sequence(_) => Node::Sequence(Vec::new()),
            Node::Mapping(_) => Node::mapping(),
        },
        Some(Segment::Key(_)) => Node::mapping(),
        Some(_) => Node::Sequence(Vec::new()),
    }
}

fn new_element(field: &str, value: &str) -> Node {
    let node = Node::Scalar(Scalar::plain(value).with_style(Style::Made));
    if field.is_empty() {
        return node;
    }
    let mut mapping = Mapping::default();
    mapping.insert(field, node);
    Node::Mapping(mapping)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn set(object: Value, path: &str, create: bool) -> Result<(usize, Value), String> {
        let mut node = Node::from(object);
        let made = Node::string("");
        let count = visit(&mut node, &FieldPath::new(path)?, create.then_some(&made), &mut |node| {
            *node = Node::string("x");
            Ok(())
        })?;
        Ok((count, Value::try_from(node).unwrap()))
    }

    #[test]
    fn elements_of_lists_are_named() {
        let object = || json!({"l": [{"n": "a.b", "v": 1}, {"n": "c", "v": 2}], "a.b": 1});
        assert_eq!(set(object(), "l.[n=a.b].v", false).unwrap().1["l"][0]["v"], "x");
        assert_eq!(set(object(), "l.1.v", false).unwrap().1["l"][1]["v"], "x");
        assert_eq!(set(object(), "l.*.v", false).unwrap().0, 2);
        assert_eq!(set(object(), r"a\.b", false).unwrap().1["a.b"], "x");
        assert_eq!(set(object(), "[a.b]", false).unwrap().1["a.b"], "x");
        assert_eq!(set(object(), "l.[n=q].v", false).unwrap().0, 0);
        assert!(set(object(), "l.7.v", false).is_err());
        assert!(set(object(), "l.v", false).is_err());
    }

    #[test]
    fn what_is_missing_is_made() {
        let (_, made) = set(json!({}), "a.[n=b].c.0", true).unwrap();
        assert_eq!(made, json!({"a": [{"n": "b", "c": ["x"]}]}));
    }

    #[test]
    fn paths_of_variables_have_indices_in_brackets() {
        let node = Node::from(json!({"a": [{"b": 1}, {"b": 2}]}));
        for path in ["a[1].b", "a.1.b", "a.[1].b", ".a..1.b."] {
            let path = FieldPath::of_variable(path).unwrap();
            assert_eq!(find(&node, &path).unwrap().and_then(Node::text), Some("2"));
        }
    }
}
