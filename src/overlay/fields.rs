//! Places in objects, written as paths.
//!
//! Owns the tables of field specifications: a path such as `spec/template/metadata/labels` and the kinds that it is for. A
//! path goes through every element of a list that it meets. Does not own what is put there.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::resource::Id;
use super::settings;

/// A place in the objects of some group, version and kind. An empty word stands for any.
#[derive(Clone, Debug)]
pub(super) struct FieldSpec {
    group: String,
    version: String,
    path: Vec<String>,
    /// Whether what is missing on the way is made.
    create: bool,
}

/// Field specifications by kind, so that an object meets only its own.
#[derive(Clone, Debug, Default)]
pub(super) struct FieldTable {
    any: Vec<FieldSpec>,
    by_kind: HashMap<String, Vec<FieldSpec>>,
}

/// One row of a built-in table: group, version, kind, path, and whether to create.
pub(super) type Row = (&'static str, &'static str, &'static str, &'static str, bool);

impl FieldTable {
    pub(super) fn from_rows<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut table = Self::default();
        for (group, version, kind, path, create) in rows {
            let spec = FieldSpec {
                group: (*group).to_owned(),
                version: (*version).to_owned(),
                path: split(path),
                create: *create,
            };
            table.add(kind, spec);
        }
        table
    }

    pub(super) fn add_setting(&mut self, spec: &settings::FieldSpec) {
        let (group, version) = (spec.group.clone(), spec.version.clone());
        self.add(&spec.kind, FieldSpec { group, version, path: split(&spec.path), create: spec.create });
    }

    fn add(&mut self, kind: &str, spec: FieldSpec) {
        let specs = if kind.is_empty() { &mut self.any } else { self.by_kind.entry(kind.to_owned()).or_default() };
        let is_known = specs
            .iter()
            .any(|other| other.path == spec.path && other.group == spec.group && other.version == spec.version);
        if !is_known {
            specs.push(spec);
        }
    }

    /// The places in an object with this identity.
    pub(super) fn of(&self, id: &Id<'_>) -> Vec<&FieldSpec> {
        let fits = |word: &str, text: &str| word.is_empty() || word == text;
        let specs = self.any.iter().chain(self.by_kind.get(id.kind).into_iter().flatten());
        specs.filter(|spec| fits(&spec.group, id.group) && fits(&spec.version, id.version)).collect()
    }
}

/// The segments of a path. `\/` is a slash within a name.
pub(super) fn split(path: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut characters = path.trim_matches('/').chars().peekable();
    while let Some(character) = characters.next() {
        match (character, segments.last_mut()) {
            ('\\', Some(last)) if characters.peek() == Some(&'/') => {
                last.extend(characters.next());
            }
            ('/', _) => segments.push(String::new()),
            (character, Some(last)) => last.push(character),
            (_, None) => {}
        }
    }
    segments
}

impl FieldSpec {
    /// Calls `change` with every value at the place. What is missing is made as `empty`, if it is to be made.
    pub(super) fn visit<E>(
        &self,
        object: &mut Value,
        empty: &Value,
        change: &mut impl FnMut(&mut Value) -> Result<(), E>,
    ) -> Result<(), E> {
        let empty = self.create.then_some(empty);
        visit(object, &self.path, empty, change)
    }
}

/// Calls `change` with every value at a path. With `empty`, what is missing is made.
pub(super) fn visit<E>(
    value: &mut Value,
    path: &[String],
    empty: Option<&Value>,
    change: &mut impl FnMut(&mut Value) -> Result<(), E>,
) -> Result<(), E> {
    let Some((segment, rest)) = path.split_first() else {
        return change(value);
    };
    match value {
        Value::Array(list) => list.iter_mut().try_for_each(|value| visit(value, path, empty, change)),
        Value::Object(map) => {
            let name = segment.strip_suffix("[]").unwrap_or(segment);
            let is_list = name.len() < segment.len();
            let missing = map.get(name).is_none_or(Value::is_null);
            if missing {
                let Some(empty) = empty.filter(|_| !is_list) else {
                    return Ok(());
                };
                let made = if rest.is_empty() { empty.clone() } else { Value::Object(Map::new()) };
                map.insert(name.to_owned(), made);
            }
            map.get_mut(name).map_or(Ok(()), |value| visit(value, rest, empty, change))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(object: &mut Value, path: &str, create: bool) {
        let empty = Value::Object(Map::new());
        let empty = create.then_some(&empty);
        visit(object, &split(path), empty, &mut |value| -> Result<(), ()> {
            *value = json!("x");
            Ok(())
        })
        .unwrap();
    }

    #[test]
    fn a_path_goes_through_lists_and_makes_what_is_missing() {
        let mut object = json!({"l": [{"a": {}}, {"b": 1}]});
        set(&mut object, "l/a/c", true);
        set(&mut object, "m/n", true);
        set(&mut object, "o/p", false);
        set(&mut object, "q[]/r", true);
        assert_eq!(object, json!({"l": [{"a": {"c": "x"}}, {"b": 1, "a": {"c": "x"}}], "m": {"n": "x"}}));
    }

    #[test]
    fn a_slash_can_be_escaped() {
        assert_eq!(split(r"metadata/annotations/example.com\/a"), ["metadata", "annotations", "example.com/a"]);
    }

    #[test]
    fn a_table_knows_groups_and_versions() {
        let table =
            FieldTable::from_rows(&[("apps", "", "A", "x", true), ("", "v1", "A", "y", true), ("", "", "", "z", true)]);
        let count = |api: &str, kind: &str| {
            let object = json!({"apiVersion": api, "kind": kind});
            table.of(&Id::of(&object)).len()
        };
        assert_eq!((count("apps/v1", "A"), count("v1", "A"), count("apps/v2", "A"), count("v1", "B")), (3, 2, 2, 1));
    }
}
