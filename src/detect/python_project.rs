//! What a Python app depends on, from whichever files say it.
//!
//! Owns which dependency files are read, how includes are followed, and which file wins.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::error::Error;
use super::facts::set_aside;
use super::manifests::requirement::{Dependency, Group};
use super::manifests::{pipfile, pyproject, requirements, setup};
use super::place::Place;
use super::reader::Reader;
use super::survey::{Survey, below};
use crate::files::{join, parent};

/// How many requirements files are read for one folder.
const MAX_REQUIREMENTS: usize = 24;

/// What the dependency files of a folder say.
#[derive(Debug, Default)]
pub(super) struct PythonProject {
    dependencies: BTreeMap<String, (Group, Place)>,
    /// The version of Python that is asked for.
    pub(super) version: Option<(String, Place)>,
    /// Where `[tool.poetry]` stands.
    pub(super) poetry: Option<Place>,
    /// Where `[tool.uv]` stands.
    pub(super) uv: Option<Place>,
    /// The `Pipfile`.
    pub(super) pipfile: Option<Place>,
    /// The first file that pip alone can install from.
    pub(super) pip: Option<Place>,
    /// Whether the app is installed as a package, so that `src/` is no part of module names.
    pub(super) is_package: bool,
}

impl PythonProject {
    /// Whether any dependency file is there.
    pub(super) fn is_present(&self) -> bool {
        self.pip.is_some() || self.pipfile.is_some()
    }

    /// Where the app says that it needs `name` to run.
    pub(super) fn dependency(&self, name: &str) -> Option<&Place> {
        self.dependencies.get(name).filter(|(group, _)| *group == Group::Main).map(|(_, place)| place)
    }

    /// The first of `names` that the app needs to run, and where it says so.
    pub(super) fn first_dependency(&self, names: &[&'static str]) -> Option<(&'static str, &Place)> {
        names.iter().find_map(|name| Some((*name, self.dependency(name)?)))
    }

    fn add(&mut self, file: &str, dependencies: Vec<Dependency>) {
        for Dependency { name, group, line } in dependencies {
            let new =
                self.dependencies.get(&name).is_none_or(|(known, _)| *known != Group::Main && group == Group::Main);
            if new {
                self.dependencies.insert(name, (group, Place::new(file, line)));
            }
        }
    }
}

/// Reads the dependency files of `folder`.
///
/// # Errors
/// [`Error::Files`] if the storage fails; broken and too large files go to `faults`.
pub(super) fn gather(
    survey: &Survey,
    folder: &str,
    reader: &mut Reader<'_>,
    faults: &mut Vec<Error>,
) -> Result<PythonProject, Error> {
    let mut project = PythonProject::default();
    let path = below(folder, "pyproject.toml");
    let read = reader.manifest(&path).and_then(|text| text.map(|text| pyproject::read(&path, &text)).transpose());
    if let Some(file) = set_aside(read, faults)?.flatten() {
        project.add(&path, file.dependencies);
        project.version = file.python.map(|(version, line)| (version, Place::new(&path, line)));
        project.poetry = file.poetry.map(|line| Place::new(&path, line));
        project.uv = file.uv.map(|line| Place::new(&path, line));
        project.is_package = file.is_package;
        project.pip = Some(Place::file(&path));
    }
    let path = below(folder, "Pipfile");
    let read = reader.manifest(&path).and_then(|text| text.map(|text| pipfile::read(&path, &text)).transpose());
    if let Some(file) = set_aside(read, faults)?.flatten() {
        project.add(&path, file.dependencies);
        project.version = project.version.or_else(|| file.python.map(|(text, line)| (text, Place::new(&path, line))));
        project.pipfile = Some(Place::file(&path));
    }
    read_requirements(survey, folder, reader, &mut project, faults)?;
    for (name, read) in [("setup.cfg", setup::read_cfg as fn(&str) -> _), ("setup.py", setup::read_py)] {
        let path = below(folder, name);
        if let Some(text) = set_aside(reader.manifest(&path), faults)?.flatten() {
            project.add(&path, read(&text));
            project.is_package |= name == "setup.py";
            project.pip.get_or_insert(Place::file(&path));
        }
    }
    Ok(project)
}

fn read_requirements(
    survey: &Survey,
    folder: &str,
    reader: &mut Reader<'_>,
    project: &mut PythonProject,
    faults: &mut Vec<Error>,
) -> Result<(), Error> {
    let sub = below(folder, "requirements");
    let direct = survey.files_below(folder).filter(|path| parent(path) == folder);
    let named = direct.filter_map(|path| Some((path.to_owned(), requirements::group_of(name_of(path))?)));
    let in_folder = survey.files_below(&sub).filter(|path| parent(path) == sub);
    let grouped = in_folder.filter_map(|path| Some((path.to_owned(), requirements::group_in_folder(name_of(path))?)));
    let mut files: Vec<(String, Group)> = named.chain(grouped).collect();
    // What the app itself needs first, so that a bound cuts the rest.
    files.sort_by_key(|(path, group)| (*group != Group::Main, path.matches('/').count()));
    let mut queue: VecDeque<(String, Group)> = files.into_iter().take(MAX_REQUIREMENTS).collect();
    let mut seen: BTreeSet<(String, bool)> = BTreeSet::new();
    while let Some((path, group)) = queue.pop_front() {
        if seen.len() == 2 * MAX_REQUIREMENTS || !seen.insert((path.clone(), group == Group::Main)) {
            continue;
        }
        let Some(text) = set_aside(reader.manifest(&path), faults)?.flatten() else { continue };
        let read = requirements::read(&text, group);
        project.add(&path, read.dependencies);
        if parent(&path) == folder || parent(&path) == sub {
            project.pip.get_or_insert(Place::file(&path));
        }
        // An include that leads out of the tree names nothing that could be read.
        let includes = read.includes.iter().filter_map(|file| join(parent(&path), file).ok());
        queue.extend(includes.take(MAX_REQUIREMENTS).map(|file| (file, group)));
    }
    Ok(())
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::notes::Notes;
    use crate::files::MemoryTree;

    fn project(files: &[(&'static str, &'static str)]) -> PythonProject {
        let tree: MemoryTree = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let survey = Survey::take(&tree, "", &mut Notes::default()).unwrap();
        gather(&survey, "", &mut Reader::new(&tree, Notes::default()), &mut Vec::new()).unwrap()
    }

    #[test]
    fn includes_are_followed_inside_the_tree_and_not_in_circles() {
        let project = project(&[
            ("requirements.txt", "-r deps/base.txt\n-r ../../etc/passwd\n-r /etc/passwd\n"),
            ("deps/base.txt", "flask\n-r ../requirements.txt\n"),
        ]);
        assert_eq!(project.dependency("flask"), Some(&Place::new("deps/base.txt", 1)));
    }

    #[test]
    fn a_main_dependency_wins_over_one_for_development() {
        let project = project(&[
            ("requirements-dev.txt", "-r requirements.txt\nfastapi\nflask\n"),
            ("requirements.txt", "flask\n"),
            ("requirements/dev.txt", "django\n"),
        ]);
        assert_eq!(project.dependency("flask"), Some(&Place::new("requirements.txt", 1)));
        assert_eq!((project.dependency("fastapi"), project.dependency("django")), (None, None));
    }
}
