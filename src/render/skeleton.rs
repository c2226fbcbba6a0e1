//! YAML with holes: what a template prints is read once, and filled with values any number of times.
//!
//! Templates print a placeholder where a value goes, so apps that take the same branches of a template print the very
//! same text. That text is read into a [`Shape`] once; each app then only fills in its values. The values never pass
//! through YAML, so nothing in them can become structure, and reading YAML, the costliest part of rendering, is not
//! repeated.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use serde_json::{Map, Value};

use crate::yaml;

/// How a placeholder begins and ends. As a YAML scalar it is a plain string; no field or value that Kubernetes knows
/// looks like it.
const OPEN: &str = "wooo--value-";
const CLOSE: char = '_';

/// How many texts are remembered. A fleet has a few dozen; one with templates that print in loops may have more, and
/// then starts over.
const MAX_REMEMBERED: usize = 4096;

/// The text that stands for the value in `slot`.
pub(super) fn placeholder(slot: usize) -> String {
    format!("{OPEN}{slot}{CLOSE}")
}

/// Why a printed text is not one object.
pub(super) enum Fault {
    /// It is not YAML.
    Yaml {
        /// What the reader says.
        reason: String,
        /// The line, with placeholders in place of values.
        line: String,
    },
    /// It is YAML of another shape.
    Shape(String),
}

/// The texts that have been read.
#[derive(Default)]
pub(super) struct Skeletons {
    read: RwLock<HashMap<String, Arc<Shape>>>,
}

/// An object with holes.
enum Shape {
    /// Nothing to fill in.
    Whole(Value),
    /// One value, with its type.
    Slot(usize),
    /// Text around values.
    Text(Vec<Piece>),
    List(Vec<Shape>),
    Map(Vec<(Key, Shape)>),
}

enum Key {
    Whole(String),
    Text(Vec<Piece>),
}

enum Piece {
    Literal(String),
    Slot(usize),
}

impl Skeletons {
    /// Reads `text` as one object, with `values` in place of their placeholders.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn fill(&self, text: String, values: &[Value]) -> Result<Value, Fault> {
        let known = self.read.read().ok().and_then(|read| read.get(&text).cloned());
        let shape = match known {
            Some(shape) => shape,
            None => {
                let shape = Arc::new(read(&text)?);
                // A lock that another thread broke costs the next app a reading, and nothing else.
                if let Ok(mut read) = self.read.write() {
                    if read.len() >= MAX_REMEMBERED {
                        read.clear();
                    }
                    read.insert(text, Arc::clone(&shape));
                }
                shape
            }
        };
        Ok(shape.fill(values))
    }
}

fn read(text: &str) -> Result<Shape, Fault> {
    let mut documents = yaml::read_all(text).map_err(|error| {
        let line = text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default().trim();
        Fault::Yaml { reason: error.message, line: line.chars().take(120).collect() }
    })?;
    match (documents.pop(), documents.len()) {
        (Some(object @ Value::Object(_)), 0) => Ok(Shape::of(object)),
        (Some(_), 0) => Err(Fault::Shape("a value that is not an object".to_owned())),
        (None, _) => Err(Fault::Shape("nothing".to_owned())),
        (Some(_), more) => Err(Fault::Shape(format!("{} documents where one is expected", more + 1))),
    }
}

impl Shape {
    fn of(value: Value) -> Self {
        match value {
            Value::String(text) => match pieces(&text) {
                None => Self::Whole(Value::String(text)),
                Some(pieces) => match pieces.as_slice() {
                    [Piece::Slot(slot)] => Self::Slot(*slot),
                    _ => Self::Text(pieces),
                },
            },
            Value::Array(items) => {
                let shapes: Vec<Self> = items.iter().cloned().map(Self::of).collect();
                if shapes.iter().all(Self::is_whole) { Self::Whole(Value::Array(items)) } else { Self::List(shapes) }
            }
            Value::Object(map) => {
                let shapes: Vec<(Key, Self)> =
                    map.iter().map(|(key, value)| (Key::of(key), Self::of(value.clone()))).collect();
                let whole = shapes.iter().all(|(key, shape)| matches!(key, Key::Whole(_)) && shape.is_whole());
                if whole { Self::Whole(Value::Object(map)) } else { Self::Map(shapes) }
            }
            other => Self::Whole(other),
        }
    }

    fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    fn fill(&self, values: &[Value]) -> Value {
        match self {
            Self::Whole(value) => value.clone(),
            Self::Slot(slot) => values.get(*slot).cloned().unwrap_or_default(),
            Self::Text(pieces) => Value::String(text(pieces, values)),
            Self::List(shapes) => shapes.iter().map(|shape| shape.fill(values)).collect(),
            Self::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (key, shape) in entries {
                    let key = match key {
                        Key::Whole(key) => key.clone(),
                        Key::Text(pieces) => text(pieces, values),
                    };
                    map.insert(key, shape.fill(values));
                }
                Value::Object(map)
            }
        }
    }
}

impl Key {
    fn of(key: &str) -> Self {
        pieces(key).map_or_else(|| Self::Whole(key.to_owned()), Self::Text)
    }
}

/// The parts of a text that holds placeholders; `None` if it holds none.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(OPEN) {
        let behind = &rest[at + OPEN.len()..];
        let (digits, after) = behind.split_once(CLOSE)?;
        let slot = digits.parse().ok()?;
        if at > 0 {
            found.push(Piece::Literal(rest[..at].to_owned()));
        }
        found.push(Piece::Slot(slot));
        rest = after;
    }
    if found.is_empty() {
        return None;
    }
    if !rest.is_empty() {
        found.push(Piece::Literal(rest.to_owned()));
    }
    Some(found)
}

fn text(pieces: &[Piece], values: &[Value]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Slot(slot) => match values.get(*slot) {
                Some(Value::String(value)) => text.push_str(value),
                Some(Value::Null) | None => {}
                Some(other) => text.push_str(&other.to_string()),
            },
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn holes_are_filled_and_the_text_is_read_once() {
        let skeletons = Skeletons::default();
        let text = format!("a: {}\nb: [1, x-{}-y]\n{}: {{c: d}}\n", placeholder(0), placeholder(1), placeholder(1));
        let fill = |values: &[Value]| skeletons.fill(text.clone(), values).unwrap_or_default();
        assert_eq!(fill(&[json!(5), json!("k")]), json!({"a": 5, "b": [1, "x-k-y"], "k": {"c": "d"}}));
        assert_eq!(fill(&[json!({"m": []}), json!("z")]), json!({"a": {"m": []}, "b": [1, "x-z-y"], "z": {"c": "d"}}));
        assert_eq!(skeletons.read.read().unwrap().len(), 1);
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_is_text() {
        let skeletons = Skeletons::default();
        let filled = skeletons.fill(format!("a: {}\n", placeholder(0)), &[json!(placeholder(1)), json!("secret")]);
        assert_eq!(filled.unwrap_or_default(), json!({"a": placeholder(1)}));
    }
}
