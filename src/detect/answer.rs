//! What detection says about an app: the answers, the evidence for each, and the notes beside them.
//!
//! Values only. How an answer is found is the business of the other files.

use serde::Serialize;

use crate::domain::Framework;

/// Everything that the files of an app say about running it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Detection {
    /// What the app is built with.
    pub framework: Framework,
    /// The folder where the app lives, relative to the tree's root; `""` is the root itself.
    pub root: String,
    /// The TCP port that the app listens on.
    pub port: u16,
    /// The HTTP path that probes ask for.
    pub health_path: String,
    /// The HTTP path of Prometheus metrics, if the app has one.
    pub metrics_path: Option<String>,
    /// What a server or an interpreter is told to run.
    pub entry_point: Option<EntryPoint>,
    /// What installs the dependencies.
    pub package_manager: Option<PackageManager>,
    /// The version of the language runtime, as the files say it: `3.12`, `>=20`.
    pub runtime_version: Option<String>,
    /// The command line that the files themselves give, one word an element.
    pub command: Option<Vec<String>>,
    /// Why each answer is what it is, in the order of [`Answer`].
    pub evidence: Vec<Evidence>,
    /// What was skipped, and what a reader should know.
    pub notes: Vec<Note>,
}

/// What a server or an interpreter is told to run.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct EntryPoint {
    /// How it is run.
    pub kind: EntryKind,
    /// `module:variable` for WSGI and ASGI, a file for a script, a package folder for a binary. Relative to the app's
    /// root.
    pub target: String,
}

/// How an entry point is run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum EntryKind {
    /// A Python callable for a WSGI server such as gunicorn.
    Wsgi,
    /// A Python callable for an ASGI server such as uvicorn.
    Asgi,
    /// A file for an interpreter.
    Script,
    /// A program that is compiled.
    Binary,
}

/// What installs the dependencies.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, strum::Display, strum::EnumString)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum PackageManager {
    /// Python: pip.
    Pip,
    /// Python: Poetry.
    Poetry,
    /// Python: Pipenv.
    Pipenv,
    /// Python: uv.
    Uv,
    /// Node.js: npm.
    Npm,
    /// Node.js: Yarn.
    Yarn,
    /// Node.js: pnpm.
    Pnpm,
    /// Node.js: Bun.
    Bun,
    /// Go modules.
    Go,
}

/// The questions that detection answers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Answer {
    /// [`Detection::framework`].
    Framework,
    /// [`Detection::root`].
    Root,
    /// [`Detection::port`].
    Port,
    /// [`Detection::health_path`].
    HealthPath,
    /// [`Detection::metrics_path`].
    MetricsPath,
    /// [`Detection::entry_point`].
    EntryPoint,
    /// [`Detection::package_manager`].
    PackageManager,
    /// [`Detection::runtime_version`].
    RuntimeVersion,
    /// [`Detection::command`].
    Command,
}

/// One reason for one answer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Evidence {
    /// The question.
    pub answer: Answer,
    /// The answer, as text.
    pub value: String,
    /// The file that says so, relative to the tree's root; `None` for a default.
    pub file: Option<String>,
    /// The line in that file, counted from 1; `None` where the file's presence is what counts.
    pub line: Option<usize>,
    /// How the answer follows, one phrase.
    pub why: String,
}

/// Something that a reader of the answers should know.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Note {
    /// What kind of thing it is, for programs.
    pub kind: NoteKind,
    /// The file or folder it is about, relative to the tree's root.
    pub file: Option<String>,
    /// One sentence without a final full stop.
    pub text: String,
}

/// The kinds of notes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum NoteKind {
    /// A symbolic link, which is never followed.
    Symlink,
    /// A submodule or a repository in the repository, which is never entered.
    Submodule,
    /// A pointer of Git LFS stands where the content should be.
    LfsPointer,
    /// A file that is not UTF-8 text.
    NotText,
    /// A file above the size that is read, which decides nothing.
    TooLarge,
    /// A file with a syntax error, which decides nothing.
    Broken,
    /// Names in one folder that are equal but for their case.
    NameCollision,
    /// A name with control characters or backslashes.
    StrangeName,
    /// A folder that the storage would not list.
    Unreadable,
    /// A bound on the work was reached; what lies behind it was not looked at.
    Bound,
    /// Two files disagree; the answer follows the stronger one.
    Disagreement,
    /// Another app in the tree.
    OtherApp,
    /// What the app needs that the answers alone do not say.
    Advice,
}
