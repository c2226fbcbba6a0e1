//! `package.json`.
//!
//! Fields of a wrong type count as absent, as npm itself mostly treats them; text that is not JSON is an error. Lines
//! are looked up when they are asked for: a hostile file may name very many packages.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::detect::error::Error;
use crate::detect::place::{Place, line_of_key};

/// What the file says.
#[derive(Clone, Debug)]
pub(crate) struct PackageJson {
    /// The file, relative to the tree's root.
    pub(crate) file: String,
    text: Rc<str>,
    root: Map<String, Value>,
}

/// A text and where it stands.
pub(crate) type Placed = (String, Place);

impl PackageJson {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Error::Broken`] if it is not a JSON object.
    pub(crate) fn read(file: &str, text: Rc<str>) -> Result<Self, Error> {
        let root: Value = serde_json::from_str(&text).map_err(|error| {
            Error::broken(file, &text, offset(&text, error.line(), error.column()), &reason(&error))
        })?;
        match root {
            Value::Object(root) => Ok(Self { file: file.to_owned(), text, root }),
            _ => Err(Error::broken(file, &text, 0, "a JSON object is expected")),
        }
    }

    /// Where the app says that it needs `name` to run.
    pub(crate) fn dependency(&self, name: &str) -> Option<Place> {
        self.entry("dependencies", name).map(|(_, place)| place)
    }

    /// Where `name` is needed, to run or to build.
    pub(crate) fn any_dependency(&self, name: &str) -> Option<Place> {
        self.dependency(name).or_else(|| Some(self.entry("devDependencies", name)?.1))
    }

    /// The first of `names` that the app needs to run, and where it says so.
    pub(crate) fn first_dependency(&self, names: &[&'static str]) -> Option<(&'static str, Place)> {
        names.iter().find_map(|name| Some((*name, self.dependency(name)?)))
    }

    /// A script.
    pub(crate) fn script(&self, name: &str) -> Option<Placed> {
        self.entry("scripts", name)
    }

    /// `engines.node`.
    pub(crate) fn node_version(&self) -> Option<Placed> {
        self.entry("engines", "node")
    }

    /// A text at the top: `main`, `packageManager`.
    pub(crate) fn string(&self, key: &str) -> Option<Placed> {
        let value = self.root.get(key)?.as_str()?;
        Some((value.to_owned(), Place::new(&self.file, line_of_key(&self.text, key, 1))))
    }

    /// Whether the file is the head of a workspace of several packages.
    pub(crate) fn has_workspaces(&self) -> bool {
        self.root.get("workspaces").is_some_and(|value| !value.is_null())
    }

    fn entry(&self, section: &str, key: &str) -> Option<Placed> {
        let value = self.root.get(section)?.as_object()?.get(key)?.as_str()?;
        let line = line_of_key(&self.text, key, line_of_key(&self.text, section, 1));
        Some((value.to_owned(), Place::new(&self.file, line)))
    }
}

/// The parser's text without the place, which is told apart.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

/// The byte at the parser's line and column, which counts bytes from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut offset = (before + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_their_lines() {
        let text = r#"{
  "name": "next",
  "main": "server.js",
  "workspaces": ["apps/*"],
  "engines": {"node": ">=20"},
  "scripts": {
    "start": "node server.js"
  },
  "dependencies": {
    "express": "^4",
    "next": "15"
  },
  "devDependencies": {"vite": 5, "typescript": "5"}
}"#;
        let package = PackageJson::read("package.json", text.into()).unwrap();
        let line = |place: Option<Place>| place.and_then(|place| place.line);
        assert_eq!(line(package.dependency("express")), Some(10));
        assert_eq!(line(package.dependency("next")), Some(11));
        assert_eq!(line(package.any_dependency("typescript")), Some(13));
        assert_eq!(line(package.any_dependency("vite")), None);
        assert_eq!(package.script("start").unwrap(), ("node server.js".to_owned(), Place::new("package.json", 7)));
        assert_eq!(package.node_version().unwrap().0, ">=20");
        assert_eq!(package.string("main").unwrap().1.line, Some(3));
        assert!(package.has_workspaces());
    }

    #[test]
    fn broken_files_say_where() {
        let read = |text: &str| PackageJson::read("package.json", text.into());
        let error = read("{\n  \"é\": ,\n}").unwrap_err();
        assert!(
            matches!(error, Error::Broken { line: 2, column: 8, ref reason, .. } if reason == "expected value"),
            "{error:?}"
        );
        assert!(matches!(read("[1]"), Err(Error::Broken { .. })));
        assert!(matches!(read(""), Err(Error::Broken { line: 1, column: 1, .. })));
        assert!(matches!(read(&"[".repeat(100_000)), Err(Error::Broken { .. })));
        let odd = read(r#"{"dependencies": [], "scripts": 3, "workspaces": null}"#).unwrap();
        assert!(!odd.has_workspaces() && odd.dependency("x").is_none());
    }
}
