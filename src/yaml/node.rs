//! Values that keep what [`serde_json::Value`] loses: how a scalar was written.
//!
//! Owns the three kinds of nodes and the type that a scalar has. `1.10` is the number 1.1 when it is written and the text
//! `1.10` when it is copied into a label, so a scalar is its text and its type, and stays so until it is written. Does not
//! own reading or writing.

use std::iter;

use compact_str::CompactString;
use serde_json::Value;

use super::{go_number, resolve};

/// A YAML value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Node {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys with values, in their order.
    Mapping(Mapping),
}

/// What a scalar is taken for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Tag {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// Any other number.
    Float,
    /// A date, or a date with a time.
    Timestamp,

    /// A text.
    Str,
    /// `<<` without quotes, which as a key merges a map into the one that it stands in.
    Merge,
}

/// How a scalar was written, as far as that shows in what is written of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In quotes.
    Quoted,
    /// In no particular way: a mark for scalars that are watched for being written to.
    Watched,
    /// Not yet: a mark for scalars that were made on the way to a field, whose type is that of what is put there.
    Made,
    /// Not at all: it came from a program, and is not to become what readers and writers of YAML make of rare characters.
    Exact,
    /// A block whose line breaks are its own (`|`).
    Literal,
    /// A block whose line breaks are folded (`>`).
    Folded,
}

/// A single value: the text that stands for it, without quotes, and what it is taken for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scalar {
    text: CompactString,
    tag: Tag,
    style: Style,
}

impl Scalar {
    /// A text, whatever it looks like.
    pub fn string(text: impl AsRef<str>) -> Self {
        Self::tagged(text, Tag::Str)
    }

    /// What the text is without quotes: `1` is a number.
    pub fn plain(text: impl AsRef<str>) -> Self {
        let text = CompactString::new(text);
        Self { tag: resolve::resolve(&text), text, style: Style::Plain }
    }

    /// A text that is taken for something in particular.
    pub fn tagged(text: impl AsRef<str>, tag: Tag) -> Self {
        Self { text: CompactString::new(text), tag, style: Style::Plain }
    }

    /// The text that stands for the value.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is taken for.
    #[must_use]
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// The number that it stands for, if it is one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self.tag {
            Tag::Int | Tag::Float => go_number::value(&self.text),
            _ => None,
        }
    }

    fn into_value(self) -> Result<Value, NotJson> {
        let fault = |reason| NotJson::new(&self.text, reason);
        Ok(match self.tag {
            Tag::Null => Value::Null,
            Tag::Bool => Value::Bool(self.text.eq_ignore_ascii_case("true")),
            Tag::Int => {
                let decimal = go_number::int(&self.text).ok_or_else(|| fault("is not an integer"))?;
                Value::Number(decimal.parse().map_err(|_| fault("is not an integer"))?)
            }
            Tag::Float => {
                let number = self.number().and_then(serde_json::Number::from_f64);
                Value::Number(number.ok_or_else(|| fault("is not a number that JSON has"))?)
            }
            Tag::Timestamp => Value::String(resolve::timestamp(&self.text).ok_or_else(|| fault("is not a time"))?),
            Tag::Str | Tag::Merge => Value::String(self.text.into_string()),
        })
    }

    /// How it was written.
    #[must_use]
    pub fn style(&self) -> Style {
        self.style
    }

    /// The same as it would have been read in a style.
    #[must_use]
    pub fn with_style(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

impl Node {
    /// A text, whatever it looks like.
    pub fn string(text: impl AsRef<str>) -> Self {
        Self::Scalar(Scalar::string(text))
    }

    /// What the text is without quotes.
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self::Scalar(Scalar::plain(text))
    }

    /// A `null`.
    #[must_use]
    pub fn null() -> Self {
        Self::Scalar(Scalar { text: CompactString::const_new("null"), tag: Tag::Null, style: Style::Plain })
    }

    /// An empty map.
    #[must_use]
    pub fn mapping() -> Self {
        Self::Mapping(Mapping::default())
    }

    /// Whether it is a `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(Scalar { tag: Tag::Null, .. }))
    }

    /// The text of a scalar that is no `null`, whatever its type.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(scalar) if scalar.tag != Tag::Null => Some(&scalar.text),
            _ => None,
        }
    }

    /// The scalar, if it is one.
    #[must_use]
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match self {
            Self::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Puts another text in the place of a scalar, as kustomize does: quotes stay, and without them the new text is
    /// what it looks like.
    pub fn set_text(&mut self, text: &str) {
        let style = self.as_scalar().map_or(Style::Plain, Scalar::style);
        *self = match style {
            Style::Plain => Self::plain(text),
            style => Self::Scalar(Scalar::string(text).with_style(style)),
        };
    }

    /// How many values there are here and below, with the keys of maps.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Scalar(_) => 1,
            Self::Sequence(items) => items.iter().map(Self::count).chain(iter::once(1)).sum(),
            Self::Mapping(mapping) => mapping.iter().map(|(_, value)| 1 + value.count()).chain(iter::once(1)).sum(),
        }
    }

    /// How many levels there are: one for a single value.
    #[must_use]
    pub fn depth(&self) -> usize {
        let below = match self {
            Self::Scalar(_) => None,
            Self::Sequence(items) => items.iter().map(Self::depth).max(),
            Self::Mapping(mapping) => mapping.iter().map(|(_, value)| value.depth()).max(),
        };
        1 + below.unwrap_or_default()
    }

    /// The map, if it is one.
    #[must_use]
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match self {
            Self::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_mapping_mut(&mut self) -> Option<&mut Mapping> {
        match self {
            Self::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_sequence(&self) -> Option<&[Self]> {
        match self {
            Self::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_sequence_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_mapping().and_then(|mapping| mapping.get(key))
    }

    /// The value of a key, if this is a map that has it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        self.as_mapping_mut().and_then(|mapping| mapping.get_mut(key))
    }
}

/// Keys with values. Keys are told apart by their text alone.
///
/// Maps of Kubernetes objects have a handful of keys, for which a list is the fastest map there is; what walks over large
/// ones keeps an index of its own.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Mapping {
    entries: Vec<(Scalar, Node)>,
}

impl Mapping {
    /// An empty map with room for `capacity` entries.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity) }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is an entry with this key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The place of a key among the entries.
    #[must_use]
    pub fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|(name, _)| name.text == key)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    /// The value of a key.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    /// The value at a place that [`Mapping::position`] gave.
    pub fn value_at_mut(&mut self, position: usize) -> Option<&mut Node> {
        self.entries.get_mut(position).map(|(_, value)| value)
    }

    /// The value of a key; `make` makes it where it is missing. As kustomize writes a new key, it is what it looks like
    /// without quotes.
    pub fn entry(&mut self, key: &str, make: impl FnOnce() -> Node) -> &mut Node {
        let position = self.position(key).unwrap_or_else(|| {
            self.entries.push((Scalar::plain(key), make()));
            self.entries.len() - 1
        });
        &mut self.entries[position].1
    }

    /// Sets the value of a key in its place, or adds it at the end, in the way of [`Mapping::entry`].
    pub fn insert(&mut self, key: &str, value: Node) {
        match self.get_mut(key) {
            Some(place) => *place = value,
            None => self.push(Scalar::plain(key), value),
        }
    }

    /// Adds an entry whose key is known to be new.
    pub fn push(&mut self, key: Scalar, value: Node) {
        self.entries.push((key, value));
    }

    /// Removes an entry; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.position(key).map(|position| self.entries.remove(position).1)
    }

    /// Keeps the entries that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&Scalar, &mut Node) -> bool) {
        self.entries.retain_mut(|(key, value)| keep(key, value));
    }

    /// The entries in their order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Scalar, &Node)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The entries in their order, with values that can be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Scalar, &mut Node)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The values in their order.
    pub fn values_mut(&mut self) -> impl ExactSizeIterator<Item = &mut Node> {
        self.entries.iter_mut().map(|(_, value)| value)
    }
}

impl IntoIterator for Mapping {
    type Item = (Scalar, Node);
    type IntoIter = std::vec::IntoIter<(Scalar, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl FromIterator<(Scalar, Node)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (Scalar, Node)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::null(),
            Value::Bool(value) => Self::Scalar(Scalar::tagged(if value { "true" } else { "false" }, Tag::Bool)),
            Value::Number(number) => {
                let tag = if number.is_f64() { Tag::Float } else { Tag::Int };
                Self::Scalar(Scalar::tagged(number.to_string(), tag))
            }
            Value::String(text) => Self::Scalar(owned(text)),
            Value::Array(items) => Self::Sequence(items.into_iter().map(Self::from).collect()),
            Value::Object(fields) => {
                Self::Mapping(fields.into_iter().map(|(key, value)| (owned(key), Self::from(value))).collect())
            }
        }
    }
}

fn owned(text: String) -> Scalar {
    let is_common = text.bytes().all(|byte| byte < 0x7f);
    let style = if is_common { Style::Plain } else { Style::Exact };
    Scalar { text: CompactString::from(text), tag: Tag::Str, style }
}

impl TryFrom<Node> for Value {
    type Error = NotJson;

    fn try_from(node: Node) -> Result<Self, NotJson> {
        Ok(match node {
            Node::Scalar(scalar) => scalar.into_value()?,
            Node::Sequence(items) => {
                let items = items.into_iter().enumerate();
                Self::Array(
                    items
                        .map(|(position, item)| Self::try_from(item).map_err(|error| error.below(position)))
                        .collect::<Result<_, _>>()?,
                )
            }
            Node::Mapping(mapping) => {
                let mut fields = serde_json::Map::with_capacity(mapping.len());
                for (key, node) in mapping {
                    let value = Self::try_from(node).map_err(|error| error.below(key.text()))?;
                    fields.insert(key.text.into_string(), value);
                }
                Self::Object(fields)
            }
        })
    }
}

impl From<Mapping> for Node {
    fn from(mapping: Mapping) -> Self {
        Self::Mapping(mapping)
    }
}

/// A node that has no JSON form, with the way to it from the outside in.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}`{text}` {reason}", way(path))]
pub struct NotJson {
    /// Keys and positions.
    pub path: Vec<String>,
    /// The scalar at fault.
    pub text: String,
    /// What it is not.
    pub reason: &'static str,
}

fn way(path: &[String]) -> String {
    if path.is_empty() { String::new() } else { format!("{}: ", path.join(".")) }
}

impl NotJson {
    pub(super) fn new(text: &str, reason: &'static str) -> Self {
        Self { path: Vec::new(), text: text.to_owned(), reason }
    }

    pub(super) fn below(mut self, segment: impl ToString) -> Self {
        self.path.insert(0, segment.to_string());
        self
    }
}

/// Collects texts with texts as a map.
pub fn texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Mapping {
    pairs.into_iter().map(|(key, text)| (Scalar::plain(key), Node::string(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_map_keeps_its_order_and_replaces_in_place() {
        let mut mapping = texts([("b", "1"), ("a", "2")]);
        mapping.insert("b", Node::plain("3"));
        mapping.insert("c", Node::null());
        mapping.remove("a");
        let entries: Vec<_> = mapping.iter().map(|(key, value)| (key.text(), value.text())).collect();
        assert_eq!(entries, [("b", Some("3")), ("c", None)]);
    }

    #[test]
    fn json_values_become_nodes() {
        let node = Node::from(json!({"a": [1, 1.5, true, null, "1"]}));
        let tags: Vec<_> =
            node.get("a").unwrap().as_sequence().unwrap().iter().map(|item| item.as_scalar().unwrap().tag()).collect();
        assert_eq!(tags, [Tag::Int, Tag::Float, Tag::Bool, Tag::Null, Tag::Str]);
    }
}
