//! Settings out of nodes.
//!
//! Owns reading a node as a Rust type the way kustomize reads its own files: YAML 1.1 decides what a plain scalar is, and
//! then Go's `encoding/json` fills the fields, whose names it compares without regard to case. Does not own the fields.

use std::borrow::Cow;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Error;

use super::go_number;
use super::node::{Mapping, Node, Scalar, Style, Tag};
use super::resolve::{self, Int};
use super::scalar_style;

/// Reads a node as a `T`.
///
/// # Errors
/// What does not fit, without a place.
pub fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, String> {
    T::deserialize(Source(node)).map_err(|error| error.to_string())
}

/// A node that is read.
#[derive(Clone, Copy)]
struct Source<'n>(&'n Node);

impl<'de> Deserializer<'de> for Source<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Node::Scalar(scalar) => visit_scalar(scalar, visitor),
            Node::Sequence(items) => visitor.visit_seq(Items(items.iter())),
            Node::Mapping(mapping) => visitor.visit_map(Fields::new(mapping, &[])),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Node::Mapping(mapping) => visitor.visit_map(Fields::new(mapping, fields)),
            node if node.is_null() => visitor.visit_map(Fields { entries: Vec::new().into_iter(), value: None }),
            // Not as a list of its fields, which the library would take.
            Node::Sequence(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            Node::Scalar(_) => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Source<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn visit_scalar<'de, V: Visitor<'de>>(scalar: &'de Scalar, visitor: V) -> Result<V::Value, Error> {
    let text = scalar.text();
    match scalar.tag() {
        Tag::Null => visitor.visit_unit(),
        Tag::Bool => visitor.visit_bool(text.eq_ignore_ascii_case("true")),
        Tag::Int => match resolve::int(text) {
            Some(Int::Signed(value)) => visitor.visit_i64(value),
            Some(Int::Unsigned(value)) => visitor.visit_u64(value),
            None => Err(Error::custom(format_args!("`{text}` is not an integer"))),
        },
        Tag::Float => visitor.visit_f64(go_number::value(text).unwrap_or(f64::NAN)),
        Tag::Str if scalar.style() == Style::Plain => match scalar_style::truth_in_yaml_1_1(text) {
            Some(value) => visitor.visit_bool(value),
            None => visitor.visit_borrowed_str(text),
        },
        Tag::Timestamp | Tag::Str | Tag::Merge => visitor.visit_borrowed_str(text),
    }
}

struct Items<'n>(std::slice::Iter<'n, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|node| seed.deserialize(Source(node))).transpose()
    }
}

/// The entries of a map, under the names of the fields that they are meant for. Of two for one field the last counts.
struct Fields<'n> {
    entries: std::vec::IntoIter<(Cow<'n, str>, &'n Node)>,
    value: Option<&'n Node>,
}

impl<'n> Fields<'n> {
    fn new(mapping: &'n Mapping, known: &'static [&'static str]) -> Self {
        let mut entries: Vec<(Cow<'n, str>, &'n Node)> = Vec::with_capacity(mapping.len());
        for (key, node) in mapping.iter() {
            if known.is_empty() {
                entries.push((key_text(key), node));
                continue;
            }
            let written = key.text();
            let alike = || known.iter().find(|name| name.eq_ignore_ascii_case(written));
            let name = if known.contains(&written) { written } else { alike().copied().unwrap_or(written) };
            match entries.iter_mut().find(|(other, _)| *other == name) {
                Some(entry) => entry.1 = node,
                None => entries.push((Cow::Borrowed(name), node)),
            }
        }
        Self { entries: entries.into_iter(), value: None }
    }
}

/// A key as a text: what a word or number without quotes stands for, written out.
fn key_text(key: &Scalar) -> Cow<'_, str> {
    let text = key.text();
    match key.tag() {
        Tag::Bool => Cow::Owned(text.to_ascii_lowercase()),
        Tag::Int | Tag::Float => key.number().map_or(Cow::Borrowed(text), |number| Cow::Owned(number.to_string())),
        Tag::Str if key.style() == Style::Plain => match scalar_style::truth_in_yaml_1_1(text) {
            Some(value) => Cow::Owned(value.to_string()),
            None => Cow::Borrowed(text),
        },
        _ => Cow::Borrowed(text),
    }
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, node)) = self.entries.next() else { return Ok(None) };
        self.value = Some(node);
        let key: StrDeserializer<'_, Error> = (&*name).into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.value.take() {
            Some(node) => seed.deserialize(Source(node)),
            None => Err(Error::custom("a value without its key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_nodes;
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    struct Settings {
        name_prefix: String,
        is_on: bool,
        count: i64,
        inner: Option<Box<Settings>>,
    }

    fn read(text: &str) -> Result<Settings, String> {
        from_node(&read_nodes(text).unwrap()[0])
    }

    #[test]
    fn names_of_fields_have_no_case_and_plain_words_are_truth_values() {
        let settings = read("NAMEPREFIX: a\nisOn: yes\ncount: 010\ninner: {isOn: off}\n").unwrap();
        let inner = Some(Box::new(Settings::default()));
        assert_eq!(settings, Settings { name_prefix: "a".into(), is_on: true, count: 8, inner });
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(read("namePrefix: 1\n").unwrap_err().contains("expected a string"));
        assert!(read("isOn: \"true\"\n").is_err());
        assert!(read("nameprefx: a\n").unwrap_err().contains("unknown field `nameprefx`"));
    }
}
