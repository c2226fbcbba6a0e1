//! What lies in the tree: the names, and which folders could hold an app.
//!
//! Owns the walk and its bounds: at most [`MAX_ENTRIES`] names, at most [`MAX_DEPTH`] folders below the start,
//! breadth first, so that what is near the top is always seen. Nothing is read here. Links and submodules are noted and
//! not entered; folders that hold installed packages, version control or caches are passed over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::answer::NoteKind;
use super::notes::Notes;
use crate::files::{Entry, Error, FileTree, Kind, join, parent};

/// How many names are taken in.
pub(super) const MAX_ENTRIES: usize = 20_000;
/// How many folders below the start names are taken in.
const MAX_DEPTH: usize = 8;
/// How many folders below the start an app may live.
const MAX_APP_DEPTH: usize = 3;
/// How many folders are looked at as possible homes of an app.
const MAX_APPS: usize = 32;

/// Folders that never hold what the app's authors wrote. Folders whose name starts with a dot are passed over too.
const NEVER_ENTERED: [&str; 10] = [
    "node_modules",
    "bower_components",
    "vendor",
    "venv",
    "env",
    "virtualenv",
    "site-packages",
    "__pycache__",
    "third_party",
    "coverage",
];

/// Folders that hold something beside the app: neither an app nor its sources are looked for in them.
const BESIDE_THE_APP: [&str; 29] = [
    "test",
    "tests",
    "__tests__",
    "spec",
    "specs",
    "e2e",
    "cypress",
    "doc",
    "docs",
    "documentation",
    "example",
    "examples",
    "sample",
    "samples",
    "demo",
    "fixtures",
    "testdata",
    "templates",
    "migrations",
    "scripts",
    "hack",
    "deploy",
    "k8s",
    "charts",
    "infra",
    "terraform",
    "dist",
    "build",
    "out",
];

/// Files that make their folder a possible home of an app.
const MARKERS: [&str; 11] = [
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "requirements.in",
    "Pipfile",
    "setup.py",
    "setup.cfg",
    "go.mod",
    "manage.py",
    "index.html",
    "Procfile",
];

/// The names in a tree below one folder.
pub(super) struct Survey {
    /// The folder where the walk started.
    pub(super) start: String,
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
    /// Lock files in the folders above the start: a workspace keeps one for all its packages.
    locks_above: BTreeSet<String>,
}

impl Survey {
    /// Walks the tree below `start`.
    ///
    /// # Errors
    /// What the tree says if `start` itself cannot be listed.
    pub(super) fn take(tree: &dyn FileTree, start: &str, notes: &mut Notes) -> Result<Self, Error> {
        let mut survey = Self {
            start: start.to_owned(),
            files: BTreeSet::new(),
            folders: BTreeSet::new(),
            locks_above: locks_above(tree, start)?,
        };
        let mut queue = VecDeque::from([(start.to_owned(), 0)]);
        let mut left = MAX_ENTRIES;
        while let Some((folder, depth)) = queue.pop_front() {
            let entries = match tree.list(&folder) {
                Ok(entries) => entries,
                Err(error) if depth > 0 => {
                    notes.about(NoteKind::Unreadable, &folder, error.to_string());
                    continue;
                }
                Err(error) => return Err(error),
            };
            if depth > 0 && entries.iter().any(|entry| entry.name == ".git") {
                notes.about(NoteKind::Submodule, &folder, "a repository of its own, not entered");
                continue;
            }
            note_collisions(&folder, &entries, notes);
            for entry in entries {
                let Some(rest) = left.checked_sub(1) else {
                    notes.plain(NoteKind::Bound, format!("only the first {MAX_ENTRIES} names were looked at"));
                    return Ok(survey);
                };
                left = rest;
                survey.add(&folder, depth, &entry, &mut queue, notes);
            }
        }
        Ok(survey)
    }

    fn add(
        &mut self,
        folder: &str,
        depth: usize,
        entry: &Entry,
        queue: &mut VecDeque<(String, usize)>,
        notes: &mut Notes,
    ) {
        let name = entry.name.as_str();
        let strange = name.contains(|c: char| c.is_control() || c == '\\' || c == '/');
        if strange || matches!(name, "" | "." | "..") {
            notes.about(NoteKind::StrangeName, folder, format!("the name {name:?} is not looked at"));
            return;
        }
        let path = below(folder, name);
        match entry.kind {
            Kind::File => {
                self.files.insert(path);
            }
            Kind::Symlink => notes.about(NoteKind::Symlink, &path, "a symbolic link, not followed"),
            Kind::Submodule => notes.about(NoteKind::Submodule, &path, "a submodule, not entered"),
            Kind::Directory if name.starts_with('.') || NEVER_ENTERED.contains(&name) => {}
            Kind::Directory if depth == MAX_DEPTH => {
                let text = format!("more than {MAX_DEPTH} folders down, not entered");
                notes.about(NoteKind::Bound, &path, text);
            }
            Kind::Directory => {
                queue.push_back((path.clone(), depth + 1));
                self.folders.insert(path);
            }
        }
    }

    /// Whether `name` is a file in `folder`.
    pub(super) fn has(&self, folder: &str, name: &str) -> bool {
        self.files.contains(&below(folder, name))
    }

    /// The first of the lock files `names` in `folder` or the nearest folder above it, and its index among `names`.
    pub(super) fn nearest_lock(&self, folder: &str, names: &[&str]) -> Option<(usize, String)> {
        let mut folder = folder;
        loop {
            let paths = names.iter().map(|name| below(folder, name));
            let present = |path: &String| self.files.contains(path) || self.locks_above.contains(path);
            if let Some(found) = paths.enumerate().find(|(_, path)| present(path)) {
                return Some(found);
            }
            if folder.is_empty() {
                return None;
            }
            folder = parent(folder);
        }
    }

    /// Whether `path`, relative to `folder` and perhaps with `.` in it, is a file.
    pub(super) fn resolve(&self, folder: &str, path: &str) -> Option<String> {
        join(folder, path).ok().filter(|path| self.files.contains(path))
    }

    /// The folder at `path` as seen from `folder`; `folder` itself if `path` leads out of the tree.
    pub(super) fn resolve_folder(&self, folder: &str, path: &str) -> String {
        join(folder, path).unwrap_or_else(|_| folder.to_owned())
    }

    /// Whether `name` is a folder in `folder`.
    pub(super) fn has_folder(&self, folder: &str, name: &str) -> bool {
        self.folders.contains(&below(folder, name))
    }

    /// Every file in or below `folder`, sorted by path.
    pub(super) fn files_below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.files.range(prefix.clone()..).take_while(move |path| path.starts_with(&prefix)).map(String::as_str)
    }

    /// The files below `folder` that `wanted` takes and that belong to no folder below it with one of `manifests`;
    /// what stands beside the app is left out.
    pub(super) fn sources<'a>(
        &'a self,
        folder: &str,
        manifests: &[&str],
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<&'a str> {
        let skip = if folder.is_empty() { 0 } else { folder.len() + 1 };
        let mut owned: BTreeMap<&str, bool> = BTreeMap::new();
        let mut sources = Vec::new();
        for path in self.files_below(folder).filter(|path| wanted(path)) {
            let relative = path.get(skip..).unwrap_or_default();
            let Some((home, _)) = relative.rsplit_once('/') else {
                sources.push(path);
                continue;
            };
            let belongs = *owned.entry(home).or_insert_with(|| self.belongs(folder, home, manifests));
            if belongs {
                sources.push(path);
            }
        }
        sources
    }

    fn belongs(&self, folder: &str, home: &str, manifests: &[&str]) -> bool {
        let mut at = folder.to_owned();
        home.split('/').all(|segment| {
            at = below(&at, segment);
            !BESIDE_THE_APP.contains(&segment) && !manifests.iter().any(|name| self.has(&at, name))
        })
    }

    /// The folders that could hold an app, the start first, then by depth and name.
    pub(super) fn app_folders(&self, notes: &mut Notes) -> Vec<String> {
        let skip = if self.start.is_empty() { 0 } else { self.start.len() + 1 };
        let depth = |folder: &str| folder.get(skip..).unwrap_or_default().split('/').count();
        let mut found: Vec<&String> = self
            .folders
            .iter()
            .filter(|folder| {
                let relative = folder.get(skip..).unwrap_or_default();
                depth(folder) <= MAX_APP_DEPTH
                    && !relative.split('/').any(|segment| BESIDE_THE_APP.contains(&segment) && !is_output(relative))
                    && MARKERS.iter().any(|name| self.has(folder, name))
            })
            .collect();
        found.sort_by_key(|folder| (depth(folder), folder.as_str()));
        if found.len() >= MAX_APPS {
            let text = format!("only the first {MAX_APPS} of {} possible app folders were looked at", found.len() + 1);
            notes.plain(NoteKind::Bound, text);
        }
        std::iter::once(&self.start).chain(found.into_iter().take(MAX_APPS - 1)).cloned().collect()
    }
}

/// Lock files that stand for a whole workspace.
const WORKSPACE_LOCKS: [&str; 7] =
    ["pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb", "package-lock.json", "npm-shrinkwrap.json", "uv.lock"];

fn locks_above(tree: &dyn FileTree, start: &str) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    let mut folder = start;
    while !folder.is_empty() {
        folder = parent(folder);
        for path in WORKSPACE_LOCKS.map(|name| below(folder, name)) {
            if tree.kind(&path)? == Some(Kind::File) {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

/// A folder at the top that holds what a build made: files to serve, if nothing else is there.
fn is_output(relative: &str) -> bool {
    matches!(relative, "dist" | "build" | "out")
}

/// `name` in `folder`.
pub(super) fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn note_collisions(folder: &str, entries: &[Entry], notes: &mut Notes) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for entry in entries {
        if let Some(other) = seen.insert(entry.name.to_lowercase(), &entry.name) {
            let text = format!("`{other}` and `{}` are one file on some systems", entry.name);
            notes.about(NoteKind::NameCollision, &below(folder, &entry.name), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryTree;

    fn survey(paths: &[&str]) -> (Survey, Vec<String>) {
        let tree: MemoryTree = paths.iter().map(|path| (*path, b"".as_slice())).collect();
        let mut notes = Notes::default();
        let survey = Survey::take(&tree, "", &mut notes).unwrap();
        (survey, notes.into_vec().into_iter().map(|note| format!("{} {}", note.kind, note.text)).collect())
    }

    #[test]
    fn apps_are_looked_for_where_people_keep_them() {
        let (survey, _) = survey(&[
            "package.json",
            "apps/web/package.json",
            "apps/web/node_modules/x/package.json",
            "docs/index.html",
            "tests/app/requirements.txt",
            "a/b/c/d/go.mod",
            "backend/pyproject.toml",
            "dist/index.html",
        ]);
        assert_eq!(survey.app_folders(&mut Notes::default()), ["", "backend", "dist", "apps/web"]);
    }

    #[test]
    fn sources_of_another_app_are_not_ours() {
        let (survey, _) =
            survey(&["app.py", "lib/x.py", "backend/requirements.txt", "backend/a/main.py", "tests/t.py"]);
        let python = |path: &str| path.ends_with(".py");
        assert_eq!(survey.sources("", &["requirements.txt"], python), ["app.py", "lib/x.py"]);
        assert_eq!(survey.sources("backend", &["requirements.txt"], python), ["backend/a/main.py"]);
    }

    #[test]
    fn odd_trees_are_noted() {
        let deep = "d/".repeat(4000) + "x";
        let (_, notes) = survey(&[deep.as_str(), "Readme", "README", "sub/.git", "sub/app.py", "a\\b", "x\ny"]);
        assert_eq!(
            notes,
            [
                "name_collision `README` and `Readme` are one file on some systems",
                "strange_name the name \"a\\\\b\" is not looked at",
                "strange_name the name \"x\\ny\" is not looked at",
                "submodule a repository of its own, not entered",
                "bound more than 8 folders down, not entered",
            ]
        );
    }
}
