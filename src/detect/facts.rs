//! Everything that is known about one folder before anything is concluded from it.
//!
//! Owns which files are read for a folder and in which order. A manifest that is broken or too large is set aside as a
//! fault: whether it matters is known only when the folder's framework is.

use super::container::{self, Container};
use super::error::Error;
use super::manifests::gunicorn::GunicornConf;
use super::manifests::next_config::Output;
use super::manifests::package_json::PackageJson;
use super::manifests::{go_mod, gunicorn, next_config};
use super::place::Place;
use super::python_project::{self, PythonProject};
use super::reader::Reader;
use super::sources::go::GoSource;
use super::sources::javascript::JavascriptSource;
use super::sources::python::PythonSource;
use super::survey::{Survey, below};
use crate::files::parent;

/// How many source files of one language are scanned for one folder.
const SCANNED_PER_APP: usize = 48;

/// What the files of one folder say.
pub(super) struct Facts<'a> {
    /// The names in the tree.
    pub(super) survey: &'a Survey,
    /// The folder, relative to the tree's root.
    pub(super) folder: String,
    /// Python's dependency files.
    pub(super) python: PythonProject,
    /// Python's sources.
    pub(super) python_source: PythonSource,
    /// `gunicorn.conf.py` and its path.
    pub(super) gunicorn: Option<(String, GunicornConf)>,
    /// `package.json`.
    pub(super) package: Option<PackageJson>,
    /// The sources of a Node.js app.
    pub(super) javascript: JavascriptSource,
    /// `output` in `next.config.*`.
    pub(super) next_output: Option<(Output, Place)>,
    /// `go.mod`.
    pub(super) module: Option<go_mod::GoMod>,
    /// The sources of a Go module.
    pub(super) go: GoSource,
    /// `Dockerfile` and `Procfile`, its own or those of a folder above that name it.
    pub(super) container: Container,
    /// Manifests that could not be used.
    pub(super) faults: Vec<Error>,
}

impl<'a> Facts<'a> {
    /// Reads what `folder` says.
    ///
    /// # Errors
    /// [`Error::Files`] if the storage fails; broken and too large files are set aside.
    pub(super) fn gather(survey: &'a Survey, folder: &str, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut faults = Vec::new();
        let python = python_project::gather(survey, folder, reader, &mut faults)?;
        let mut facts = Self {
            survey,
            folder: folder.to_owned(),
            python,
            python_source: PythonSource::default(),
            gunicorn: None,
            package: None,
            javascript: JavascriptSource::default(),
            next_output: None,
            module: None,
            go: GoSource::default(),
            container: Container::default(),
            faults,
        };
        facts.container = set_aside(container::gather(folder, reader), &mut facts.faults)?.unwrap_or_default();
        facts.read_node(reader)?;
        facts.read_go(reader)?;
        facts.read_python(reader)?;
        Ok(facts)
    }

    /// Whether the folder has a dependency file of its own.
    pub(super) fn has_manifest(&self) -> bool {
        self.python.is_present() || self.package.is_some() || self.module.is_some()
    }

    /// The path of `name` in the folder.
    pub(super) fn path(&self, name: &str) -> String {
        below(&self.folder, name)
    }

    /// Whether `name` is a file in the folder.
    pub(super) fn has(&self, name: &str) -> bool {
        self.survey.has(&self.folder, name)
    }

    /// The first of `names` that is a file in the folder, as a path.
    pub(super) fn first_file(&self, names: &[&str]) -> Option<String> {
        names.iter().find(|name| self.has(name)).map(|name| self.path(name))
    }

    /// `path` as seen from the folder.
    pub(super) fn relative<'p>(&self, path: &'p str) -> &'p str {
        let inside = path.strip_prefix(self.folder.as_str()).unwrap_or(path);
        inside.strip_prefix('/').unwrap_or(inside)
    }

    fn read_python(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        const MANIFESTS: [&str; 4] = ["requirements.txt", "pyproject.toml", "Pipfile", "setup.py"];
        if let Some(path) = self.first_file(&["gunicorn.conf.py", "gunicorn_config.py"]) {
            self.gunicorn = reader.source(&path)?.map(|text| (path, gunicorn::read(&text)));
        }
        // Without a dependency file only the folder's own files count: deeper ones may belong to anything.
        let deep = self.python.is_present();
        let wanted = |path: &str| path.ends_with(".py") && (deep || parent(path) == self.folder);
        for path in ranked(self.survey.sources(&self.folder, &MANIFESTS, wanted), &PYTHON_NAMES) {
            if let Some(text) = reader.source(path)? {
                self.python_source.scan(path, &text);
            }
        }
        Ok(())
    }

    fn read_node(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let path = self.path("package.json");
        let read = reader.manifest(&path).and_then(|text| text.map(|text| PackageJson::read(&path, text)).transpose());
        self.package = set_aside(read, &mut self.faults)?.flatten();
        if self.package.is_none() {
            return Ok(());
        }
        if let Some(config) = self.first_file(&next_config::NAMES)
            && let Some(text) = reader.source(&config)?
        {
            self.next_output = next_config::output(&text).map(|(output, line)| (output, Place::new(&config, line)));
        }
        for path in ranked(self.survey.sources(&self.folder, &["package.json"], is_server_script), &NODE_NAMES) {
            if let Some(text) = reader.source(path)? {
                self.javascript.scan(path, &text);
            }
        }
        Ok(())
    }

    fn read_go(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        let path = self.path("go.mod");
        let Some(text) = set_aside(reader.manifest(&path), &mut self.faults)?.flatten() else { return Ok(()) };
        self.module = Some(go_mod::read(&path, &text));
        let wanted = |path: &str| path.ends_with(".go") && !path.ends_with("_test.go");
        for path in ranked(self.survey.sources(&self.folder, &["go.mod"], wanted), &GO_NAMES) {
            if let Some(text) = reader.source(path)? {
                self.go.scan(path, &text);
            }
        }
        Ok(())
    }
}

/// Sets a broken or too large file aside; any other error is the caller's.
pub(super) fn set_aside<T>(read: Result<T, Error>, faults: &mut Vec<Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(fault @ (Error::Broken { .. } | Error::FileTooLarge { .. })) => {
            faults.push(fault);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Names of Python files that tell the most, first.
const PYTHON_NAMES: [&str; 16] = [
    "manage.py",
    "wsgi.py",
    "asgi.py",
    "app.py",
    "main.py",
    "server.py",
    "api.py",
    "application.py",
    "run.py",
    "__init__.py",
    "settings.py",
    "base.py",
    "urls.py",
    "health.py",
    "routes.py",
    "views.py",
];

/// Names of JavaScript files that tell the most, first.
const NODE_NAMES: [&str; 14] = [
    "server.js",
    "server.ts",
    "index.js",
    "index.ts",
    "app.js",
    "app.ts",
    "main.js",
    "main.ts",
    "server.mjs",
    "index.mjs",
    "health.js",
    "health.ts",
    "health.controller.ts",
    "routes.js",
];

/// Names of Go files that tell the most, first.
const GO_NAMES: [&str; 8] =
    ["main.go", "server.go", "router.go", "routes.go", "http.go", "health.go", "handler.go", "handlers.go"];

/// The best of `paths` to scan: those with a telling name first, then those near the top.
fn ranked<'p>(mut paths: Vec<&'p str>, names: &[&str]) -> impl Iterator<Item = &'p str> {
    paths.sort_by_cached_key(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let depth = path.matches('/').count();
        (!names.contains(&name), depth, names.iter().position(|known| *known == name), *path)
    });
    paths.into_iter().take(SCANNED_PER_APP)
}

fn is_server_script(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let script = [".js", ".mjs", ".cjs", ".ts", ".mts"].iter().any(|suffix| name.ends_with(suffix));
    let other = [".test.", ".spec.", ".d.ts", ".min.", ".config."].iter().any(|part| name.contains(part));
    script && !other && !path.split('/').any(|segment| matches!(segment, "public" | "static" | "assets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telling_names_near_the_top_come_first() {
        let paths = vec!["a/b/main.py", "a/z.py", "main.py", "app.py", "b.py"];
        assert_eq!(
            ranked(paths, &PYTHON_NAMES).collect::<Vec<_>>(),
            ["app.py", "main.py", "a/b/main.py", "b.py", "a/z.py"]
        );
        assert!(is_server_script("src/index.ts") && !is_server_script("public/app.js"));
        assert!(!is_server_script("vite.config.ts") && !is_server_script("a.test.js"));
    }
}
