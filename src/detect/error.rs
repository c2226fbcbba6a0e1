//! Why there is no answer, and what decides then.

use serde::Serialize;

use super::answer::{Evidence, Note};
use super::place::shown;
use crate::domain::{Framework, Location, Problem};
use crate::files;

/// One of several apps that the files could mean.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Candidate {
    /// What it would be built with.
    pub framework: Framework,
    /// The folder where it would live, relative to the tree's root; `""` is the root itself.
    pub root: String,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The files fit more than one app, and none of them outranks the others.
    #[error("the files fit {} apps: {}", candidates.len(), named(candidates))]
    Ambiguous {
        /// The apps, at least two, sorted by folder.
        candidates: Vec<Candidate>,
        /// What the owner can write to decide, most useful first.
        how_to_decide: Vec<String>,
    },
    /// No file says what the app is built with.
    #[error("no file says what this app is built with")]
    NothingFound {
        /// What would have said it, and what was there instead.
        looked_at: Vec<String>,
        /// What was skipped, and what the files say that is not enough.
        notes: Vec<Note>,
    },
    /// The tree could not be read.
    #[error(transparent)]
    Files(#[from] files::Error),
    /// A file that decides is not what its name says.
    #[error("`{}` is broken: {}", shown(file), shown(reason))]
    Broken {
        /// The file, relative to the tree's root.
        file: String,
        /// Line, counted from 1.
        line: usize,
        /// Column in characters, counted from 1.
        column: usize,
        /// The text of that line, cut to a printable length.
        excerpt: String,
        /// What the parser says.
        reason: String,
    },
    /// A file that decides is larger than what is read.
    #[error("`{}` has {size} bytes; at most {limit} are read", shown(file))]
    FileTooLarge {
        /// The file, relative to the tree's root.
        file: String,
        /// Size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

impl Error {
    /// A syntax error at the byte `offset` of `text`.
    pub(super) fn broken(file: &str, text: &str, offset: usize, reason: &str) -> Self {
        let line = super::place::line_at(text, offset);
        Self::Broken {
            file: file.to_owned(),
            line,
            column: super::place::column_at(text, offset),
            excerpt: shown(text.lines().nth(line - 1).unwrap_or_default()),
            reason: reason.lines().next().unwrap_or_default().to_owned(),
        }
    }
}

fn named(candidates: &[Candidate]) -> String {
    let name = |candidate: &Candidate| format!("{} in {}", candidate.framework, folder_name(&candidate.root));
    candidates.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A folder as a message names it.
pub(super) fn folder_name(folder: &str) -> String {
    if folder.is_empty() { "the root folder".to_owned() } else { format!("`{}/`", shown(folder)) }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Ambiguous { how_to_decide, .. } => {
                how_to_decide.into_iter().fold(Self::new("detect.ambiguous", detail).field("framework"), Self::hint)
            }
            Error::NothingFound { looked_at, notes } => nothing_found(detail, &looked_at, &notes),
            Error::Files(error) => files_problem(&error, detail),
            Error::Broken { file, line, column, excerpt, .. } => Self::new("detect.broken_file", detail)
                .hint(format!("mend {}, or set `framework:` in the app spec", shown(&file)))
                .at(Location { file, line, column, excerpt, length: 1 }),
            Error::FileTooLarge { .. } => Self::new("detect.file_too_large", detail)
                .hint("set `framework:` in the app spec, and detection is not needed")
                .hint("keep generated data out of the files that name dependencies"),
        }
    }
}

fn nothing_found(detail: String, looked_at: &[String], notes: &[Note]) -> Problem {
    let problem = Problem::new("detect.nothing_found", detail)
        .field("framework")
        .hint("set `framework:` in the app spec: flask, django, fastapi, nodejs, nextjs, static or go")
        .hint("if the app lives in a subfolder, name it: `--root web/`")
        .hint(format!("looked at: {}", looked_at.join(", ")));
    let line = |note: &Note| match &note.file {
        Some(file) => format!("`{}`: {}", shown(file), note.text),
        None => note.text.clone(),
    };
    notes.iter().map(line).fold(problem, Problem::hint)
}

fn files_problem(error: &files::Error, detail: String) -> Problem {
    match error {
        files::Error::NotFound { .. } => {
            Problem::new("detect.no_such_folder", detail).hint("`--root` names a folder of the repository")
        }
        files::Error::WrongKind { .. } => Problem::new("detect.not_a_folder", detail)
            .hint("`--root` names a folder; links and submodules are never followed"),
        files::Error::OutsideTree { .. } => {
            Problem::new("detect.outside_tree", detail).hint("`--root` is relative to the repository: `--root web/`")
        }
        _ => Problem::new("detect.unreadable", detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_says_where() {
        let problem = Problem::from(Error::broken("web/package.json", "{\n  \"a\": ,\n}", 9, "expected value\nmore"));
        assert_eq!(
            problem.to_string(),
            "web/package.json:2:8: `web/package.json` is broken: expected value [detect.broken_file]"
        );
        assert_eq!(problem.location.unwrap().excerpt, "  \"a\": ,");
    }

    #[test]
    fn an_ambiguity_names_the_folders_and_what_decides() {
        let candidate = |framework, root: &str| Candidate { framework, root: root.to_owned(), evidence: Vec::new() };
        let problem = Problem::from(Error::Ambiguous {
            candidates: vec![candidate(Framework::Fastapi, "backend"), candidate(Framework::Static, "")],
            how_to_decide: vec!["`--root backend/`".to_owned()],
        });
        assert_eq!(problem.detail, "the files fit 2 apps: fastapi in `backend/`, static in the root folder");
        assert_eq!(problem.hints, ["`--root backend/`"]);
    }
}
