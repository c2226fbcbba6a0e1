//! `pyproject.toml`: PEP 621, PEP 735, Poetry and uv.

use super::requirement::{Dependency, Group, normal, parse};
use super::toml::{Item, Table, with_document};
use crate::detect::error::Error;

/// What the file says.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct PyProject {
    /// Main dependencies, and those of groups and extras as [`Group::Other`].
    pub(crate) dependencies: Vec<Dependency>,
    /// `requires-python`, or Poetry's `python`, with its line.
    pub(crate) python: Option<(String, usize)>,
    /// Where `[tool.poetry]` is used.
    pub(crate) poetry: Option<usize>,
    /// Where `[tool.uv]` is used.
    pub(crate) uv: Option<usize>,
    /// Whether the file describes a package that is installed, so that `src/` is not part of module names.
    pub(crate) is_package: bool,
}

/// Reads the file.
///
/// # Errors
/// [`Error::Broken`] if it is not TOML.
pub(crate) fn read(file: &str, text: &str) -> Result<PyProject, Error> {
    with_document(file, text, |root| {
        let mut project = PyProject { is_package: root.get("build-system").is_some(), ..PyProject::default() };
        read_project(root, &mut project);
        read_poetry(root, &mut project);
        if let Some(uv) = root.table(&["tool"]).and_then(|tool| tool.get("uv")) {
            project.uv = Some(uv.line);
            let dev = uv.table().and_then(|table| table.get("dev-dependencies"));
            add_list(dev, Group::Other, &mut project.dependencies);
        }
        project
    })
}

fn read_project(root: Table<'_>, project: &mut PyProject) {
    if let Some(table) = root.table(&["project"]) {
        add_list(table.get("dependencies"), Group::Main, &mut project.dependencies);
        for (_, extra) in table.table(&["optional-dependencies"]).into_iter().flat_map(Table::entries) {
            add_list(Some(extra), Group::Other, &mut project.dependencies);
        }
        project.python =
            table.get("requires-python").and_then(|item| Some((item.string()?.trim().to_owned(), item.line)));
    }
    for (_, group) in root.table(&["dependency-groups"]).into_iter().flat_map(Table::entries) {
        add_list(Some(group), Group::Other, &mut project.dependencies);
    }
}

fn read_poetry(root: Table<'_>, project: &mut PyProject) {
    let Some(poetry) = root.table(&["tool"]).and_then(|tool| tool.get("poetry")) else { return };
    project.poetry = Some(poetry.line);
    let Some(table) = poetry.table() else { return };
    if let Some(dependencies) = table.table(&["dependencies"]) {
        if let Some(python) = dependencies.get("python").filter(|_| project.python.is_none()) {
            project.python = python.string().map(|version| (version.to_owned(), python.line));
        }
        add_table(dependencies, Group::Main, &mut project.dependencies);
    }
    if let Some(dev) = table.table(&["dev-dependencies"]) {
        add_table(dev, Group::Other, &mut project.dependencies);
    }
    for (_, group) in table.table(&["group"]).into_iter().flat_map(Table::entries) {
        if let Some(dependencies) = group.table().and_then(|group| group.table(&["dependencies"])) {
            add_table(dependencies, Group::Other, &mut project.dependencies);
        }
    }
}

fn add_list(list: Option<Item<'_>>, group: Group, into: &mut Vec<Dependency>) {
    let items = list.into_iter().flat_map(Item::items);
    into.extend(items.filter_map(|item| parse(item.string()?, group, item.line)));
}

/// Adds the keys of a table in the manner of Poetry and Pipenv: `name = "^1"` or `name = {version = "^1", optional = true}`.
pub(super) fn add_table(table: Table<'_>, group: Group, into: &mut Vec<Dependency>) {
    for (name, value) in table.entries().filter(|(name, _)| *name != "python") {
        let optional = value.table().and_then(|table| table.get("optional")).is_some_and(Item::is_true);
        let group = if optional { Group::Other } else { group };
        into.push(Dependency { name: normal(name), group, line: value.line });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(project: &PyProject, group: Group) -> Vec<(&str, usize)> {
        project.dependencies.iter().filter(|d| d.group == group).map(|d| (d.name.as_str(), d.line)).collect()
    }

    #[test]
    fn pep_621_with_groups_and_extras() {
        let text = "[project]\nname = 'x'\nrequires-python = '>=3.12'\ndependencies = [\n  'Flask>=3',\n]\n\
                    [project.optional-dependencies]\napi = ['fastapi']\n\
                    [dependency-groups]\ndev = ['pytest', {include-group = 'lint'}]\n[tool.uv]\ndev-dependencies = ['ruff']\n";
        let project = read("pyproject.toml", text).unwrap();
        assert_eq!(names(&project, Group::Main), [("flask", 5)]);
        assert_eq!(names(&project, Group::Other), [("fastapi", 8), ("pytest", 10), ("ruff", 12)]);
        assert_eq!(project.python, Some((">=3.12".to_owned(), 3)));
        assert_eq!((project.uv, project.poetry, project.is_package), (Some(11), None, false));
    }

    #[test]
    fn poetry_with_groups() {
        let text = "[tool.poetry]\nname='x'\n[tool.poetry.dependencies]\npython = '^3.11'\ndjango = '^5'\n\
                    flask = {version='*', optional=true}\n[tool.poetry.group.dev.dependencies]\nfastapi = '*'\n[build-system]\n";
        let project = read("pyproject.toml", text).unwrap();
        assert_eq!(names(&project, Group::Main), [("django", 5)]);
        assert_eq!(names(&project, Group::Other), [("flask", 6), ("fastapi", 8)]);
        assert_eq!(project.python, Some(("^3.11".to_owned(), 4)));
        assert!(project.poetry.is_some() && project.is_package);
    }

    #[test]
    fn wrong_types_are_passed_over() {
        let text = "project = 3\ntool = ['x']\ndependency-groups = {dev = 3}\n";
        assert_eq!(read("pyproject.toml", text).unwrap(), PyProject::default());
    }
}
