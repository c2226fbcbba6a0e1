//! `Pipfile`.

use super::pyproject::add_table;
use super::requirement::{Dependency, Group};
use super::toml::with_document;
use crate::detect::error::Error;

/// What the file says.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Pipfile {
    /// `[packages]` as [`Group::Main`], `[dev-packages]` as [`Group::Other`].
    pub(crate) dependencies: Vec<Dependency>,
    /// The Python version of `[requires]`, with its line.
    pub(crate) python: Option<(String, usize)>,
}

/// Reads the file.
///
/// # Errors
/// [`Error::Broken`] if it is not TOML.
pub(crate) fn read(file: &str, text: &str) -> Result<Pipfile, Error> {
    with_document(file, text, |root| {
        let mut pipfile = Pipfile::default();
        for (name, group) in [("packages", Group::Main), ("dev-packages", Group::Other)] {
            if let Some(table) = root.table(&[name]) {
                add_table(table, group, &mut pipfile.dependencies);
            }
        }
        let requires = root.table(&["requires"]);
        let version =
            requires.and_then(|table| table.get("python_full_version").or_else(|| table.get("python_version")));
        pipfile.python = version.and_then(|item| Some((item.string()?.to_owned(), item.line)));
        pipfile
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_python_version() {
        let text = "[packages]\nFlask = '*'\n[dev-packages]\nfastapi = '*'\n[requires]\npython_version = '3.11'\n";
        let pipfile = read("Pipfile", text).unwrap();
        let groups: Vec<_> = pipfile.dependencies.iter().map(|d| (d.name.as_str(), d.group, d.line)).collect();
        assert_eq!(groups, [("flask", Group::Main, 2), ("fastapi", Group::Other, 4)]);
        assert_eq!(pipfile.python, Some(("3.11".to_owned(), 6)));
    }
}
