//! Places in objects, written as paths.
//!
//! Owns field specifications (a path such as `spec/template/metadata/labels` and the kinds that it is for), how two lists
//! of them are merged, and the walk along a path, which goes through every element of a list that it meets. Does not own
//! what is put there.

use std::collections::HashMap;

use super::growth;
use super::resource::Id;
use super::settings;
use crate::yaml::{Mapping, Node};

/// A place in the objects of some group, version and kind. An empty word stands for any.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct FieldSpec {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
    pub(super) path: String,
    /// Whether what is missing on the way is made.
    pub(super) create: bool,
}

/// One row of a built-in table: group, version, kind, path, and whether to create.
pub(super) type Row = (&'static str, &'static str, &'static str, &'static str, bool);

impl FieldSpec {
    pub(super) fn from_row((group, version, kind, path, create): &Row) -> Self {
        let [group, version, kind, path] = [group, version, kind, path].map(|word| (*word).to_owned());
        Self { group, version, kind, path, create: *create }
    }

    pub(super) fn from_setting(setting: &settings::FieldSpec) -> Self {
        let settings::FieldSpec { group, version, kind, path, create } = setting.clone();
        Self { group, version, kind, path, create }
    }

    /// Whether all objects that `other` is for are among those that this one is for.
    fn covers(&self, other: &Self) -> bool {
        let fits = |word: &str, other: &str| word.is_empty() || word == other;
        self.path == other.path
            && fits(&self.group, &other.group)
            && fits(&self.version, &other.version)
            && fits(&self.kind, &other.kind)
    }
}

/// Adds a specification to a list. Of two for the same place, one of which is for a part of the objects of the other, the
/// one for fewer objects remains; kustomize takes them for one specification that was made more precise.
///
/// # Errors
/// If the two disagree about what is to be made.
pub(super) fn merge_one(specs: &mut Vec<FieldSpec>, new: FieldSpec) -> Result<(), String> {
    let Some(old) = specs.iter_mut().find(|old| old.covers(&new) || new.covers(old)) else {
        specs.push(new);
        return Ok(());
    };
    if old.create != new.create {
        return Err(format!("two specifications of `{}` disagree about `create`", new.path));
    }
    if old.covers(&new) {
        *old = new;
    }
    Ok(())
}

/// [`merge_one`] for each.
pub(super) fn merge_all(specs: &mut Vec<FieldSpec>, new: impl IntoIterator<Item = FieldSpec>) -> Result<(), String> {
    new.into_iter().try_for_each(|spec| merge_one(specs, spec))
}

/// Field specifications by kind, with their paths taken apart, so that an object meets only its own.
#[derive(Clone, Debug, Default)]
pub(super) struct FieldTable {
    any: Vec<Place>,
    by_kind: HashMap<String, Vec<Place>>,
}

/// A place in objects of one kind.
#[derive(Clone, Debug)]
pub(super) struct Place {
    group: String,
    version: String,
    segments: Vec<String>,
    create: bool,
}

impl FieldTable {
    pub(super) fn new<'a>(specs: impl IntoIterator<Item = &'a FieldSpec>) -> Self {
        let mut table = Self::default();
        for spec in specs {
            let FieldSpec { group, version, kind, path, create } = spec.clone();
            let places = if kind.is_empty() { &mut table.any } else { table.by_kind.entry(kind).or_default() };
            places.push(Place { group, version, segments: split(&path, '/'), create });
        }
        table
    }

    /// The places in an object with this identity.
    pub(super) fn of(&self, id: &Id<'_>) -> Vec<&Place> {
        let fits = |word: &str, text: &str| word.is_empty() || word == text;
        let places = self.any.iter().chain(self.by_kind.get(id.kind).into_iter().flatten());
        places.filter(|place| fits(&place.group, id.group) && fits(&place.version, id.version)).collect()
    }
}

/// The segments of a path. A backslash keeps a separator within a name.
pub(super) fn split(path: &str, separator: char) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut characters = path.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, segments.last_mut()) {
            ('\\', Some(last)) if characters.peek() == Some(&separator) => {
                last.extend(characters.next());
            }
            (character, _) if character == separator => segments.push(String::new()),
            (character, Some(last)) => last.push(character),
            (_, None) => {}
        }
    }
    segments
}

impl Place {
    /// Whether the path is this one.
    pub(super) fn is(&self, path: &[&str]) -> bool {
        self.segments == path
    }

    /// Calls `change` with every value at the place. What is missing is made, the last of it as `empty`, if it is to be.
    ///
    /// # Errors
    /// Where the path leads into a single value, and what `change` fails with.
    pub(super) fn visit(
        &self,
        object: &mut Node,
        empty: &Node,
        change: &mut impl FnMut(&mut Node) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.create {
            growth::check_path(self.segments.len())?;
        }
        visit(object, &self.segments, self.create.then_some(empty), change)
    }

    /// [`Place::visit`] without making anything.
    pub(super) fn visit_present(
        &self,
        object: &mut Node,
        change: &mut impl FnMut(&mut Node) -> Result<(), String>,
    ) -> Result<(), String> {
        visit(object, &self.segments, None, change)
    }
}

/// Calls `change` with every value at a path. With `empty`, what is missing is made.
///
/// # Errors
/// Where the path leads into a single value, and what `change` fails with.
pub(super) fn visit(
    node: &mut Node,
    path: &[String],
    empty: Option<&Node>,
    change: &mut impl FnMut(&mut Node) -> Result<(), String>,
) -> Result<(), String> {
    let Some((segment, rest)) = path.split_first() else {
        return change(node);
    };
    match node {
        Node::Sequence(items) => items.iter_mut().try_for_each(|item| visit(item, path, empty, change)),
        Node::Mapping(mapping) => match child(mapping, segment, rest.is_empty(), empty)? {
            Some(child) => visit(child, rest, empty, change),
            None => Ok(()),
        },
        scalar if scalar.is_null() => Ok(()),
        Node::Scalar(_) => Err(format!("there is a single value on the way to `{}`", path.join("/"))),
    }
}

fn child<'m>(
    mapping: &'m mut Mapping,
    segment: &str,
    is_last: bool,
    empty: Option<&Node>,
) -> Result<Option<&'m mut Node>, String> {
    let name = segment.strip_suffix("[]").unwrap_or(segment);
    let is_list = name.len() < segment.len();
    if name.is_empty() {
        return Err("a segment of the path is empty".to_owned());
    }
    let made = match empty.filter(|_| !is_list) {
        Some(empty) if is_last => Some(empty.clone()),
        Some(_) => Some(Node::mapping()),
        None => None,
    };
    match (mapping.position(name), made) {
        (Some(position), made) => {
            let value = mapping.value_at_mut(position);
            Ok(value.map(|value| {
                match made {
                    Some(made) if value.is_null() => *value = made,
                    None if is_list && value.is_null() => *value = Node::Sequence(Vec::new()),
                    _ => {}
                }
                value
            }))
        }
        (None, Some(made)) => Ok(Some(mapping.entry(name, || made))),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(object: &mut Node, path: &str, create: bool) -> Result<(), String> {
        let empty = Node::mapping();
        visit(object, &split(path, '/'), create.then_some(&empty), &mut |value| {
            *value = Node::string("x");
            Ok(())
        })
    }

    #[test]
    fn a_path_goes_through_lists_and_makes_what_is_missing() {
        let mut object = Node::from(json!({"l": [{"a": {}}, {"b": 1}], "s": 1}));
        set(&mut object, "l/a/c", true).unwrap();
        set(&mut object, "m/n", true).unwrap();
        set(&mut object, "o/p", false).unwrap();
        set(&mut object, "q[]/r", true).unwrap();
        let expected = json!({"l": [{"a": {"c": "x"}}, {"b": 1, "a": {"c": "x"}}], "s": 1, "m": {"n": "x"}});
        assert_eq!(object, Node::from(expected));
        assert!(set(&mut object, "s/t", true).is_err());
    }

    #[test]
    fn a_slash_can_be_escaped() {
        assert_eq!(split(r"metadata/annotations/example.com\/a", '/'), ["metadata", "annotations", "example.com/a"]);
    }

    #[test]
    fn a_table_knows_groups_and_versions() {
        let rows: [Row; 3] = [("apps", "", "A", "x", true), ("", "v1", "A", "y", true), ("", "", "", "z", true)];
        let specs: Vec<_> = rows.iter().map(FieldSpec::from_row).collect();
        let table = FieldTable::new(&specs);
        let count = |api: &str, kind: &str| {
            let object = Node::from(json!({"apiVersion": api, "kind": kind}));
            table.of(&Id::of(&object)).len()
        };
        assert_eq!((count("apps/v1", "A"), count("v1", "A"), count("apps/v2", "A"), count("v1", "B")), (3, 2, 2, 1));
    }

    #[test]
    fn of_two_specifications_the_more_precise_one_remains() {
        let spec = |kind: &str, create| FieldSpec { kind: kind.into(), path: "a".into(), create, ..Default::default() };
        let mut specs = vec![spec("", false)];
        merge_one(&mut specs, spec("A", false)).unwrap();
        merge_one(&mut specs, spec("", false)).unwrap();
        assert_eq!(specs, [spec("A", false)]);
        merge_one(&mut specs, spec("B", true)).unwrap();
        assert!(merge_one(&mut specs, spec("", true)).is_err());
    }
}
