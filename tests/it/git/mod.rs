//! The `git` module against the real `git` program.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows a test by its attribute, and the helpers here have none"
)]

mod commits;
mod edits;
pub(crate) mod http_server;
mod names;
mod records;
mod remotes;
mod trees;
mod work_trees;

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use wooo::git::{BranchName, CommitId, PreparedBlob, Repository, Signature, TreeEdits, TreeId};

/// A `git` command in `folder` that sees nobody's configuration.
pub(crate) fn git(folder: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Test").env(format!("GIT_{role}_EMAIL"), "test@example.org");
    }
    command
}

/// What `git` prints, without the last line break. It must succeed.
pub(crate) fn output(folder: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    let output = git(folder, arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
}

pub(crate) fn assert_sound(repository: &Repository) {
    let output = git(repository.path(), ["fsck", "--full", "--strict", "--no-dangling"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn main_branch() -> BranchName {
    "main".parse().unwrap()
}

pub(crate) fn bare(folder: &Path) -> Repository {
    Repository::init(folder, &main_branch(), true).unwrap()
}

pub(crate) fn signature() -> Signature {
    Signature {
        name: "Wooo".to_owned(),
        email: "wooo@example.org".to_owned(),
        when: Timestamp::from_second(1_750_000_000).unwrap(),
    }
}

/// `base` with these files.
pub(crate) fn write(repository: &Repository, base: Option<TreeId>, files: &[(&str, &str)]) -> TreeId {
    let mut writer = repository.writer();
    let mut edits = TreeEdits::new();
    for (path, content) in files {
        let blob = writer.add(PreparedBlob::new(content.as_bytes())).unwrap();
        edits.put(path, blob).unwrap();
    }
    writer.finish(base, &edits).unwrap()
}

/// A commit on `main` with these files on top of what is there.
pub(crate) fn commit(repository: &Repository, files: &[(&str, &str)], message: &str) -> CommitId {
    let parent = repository.resolve(&main_branch()).unwrap();
    let base = parent.map(|parent| repository.tree(parent).unwrap().id());
    let tree = write(repository, base, files);
    let id = repository.commit(tree, parent.as_slice(), &signature(), message).unwrap();
    repository.update_branch(&main_branch(), id, parent).unwrap();
    id
}
