//! One file per family of verbs: arguments to an operation, its result to words.

pub(super) mod build;
pub(super) mod check;
pub(super) mod detect;
pub(super) mod diff;
pub(super) mod init;
pub(super) mod intent;
pub(super) mod read;
pub(super) mod render;
pub(super) mod rerender;
pub(super) mod schema;

use std::path::Path;

use jiff::Timestamp;

use super::args::ChangeArgs;
use crate::domain::document::MAX_DOCUMENT_BYTES;
use crate::domain::{Problem, Problems};
use crate::files::DirectoryTree;
use crate::git::CommitId;
use crate::operations::Request;
use crate::operations::change::Options;
use crate::operations::place::Place;

/// The time: the system's, or that of `SOURCE_DATE_EPOCH` for those who reproduce a commit
/// (<https://reproducible-builds.org/specs/source-date-epoch/>).
fn now() -> Timestamp {
    let fixed = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    fixed.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or_else(Timestamp::now)
}

/// Who asks, and in whose name commits are made: Git's own settings, unless told otherwise.
fn request(actor: Option<String>, reason: Option<String>, place: Option<&Place>) -> Request {
    let (name, email) = place.map_or((None, None), |place| place.repository.configured_identity());
    let person = name.clone().or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| "unknown".to_owned());
    Request {
        actor: actor.unwrap_or_else(|| format!("local:{person}")),
        reason,
        now: now(),
        committer: (name.unwrap_or_else(|| "wooo".to_owned()), email.unwrap_or_else(|| "wooo@localhost".to_owned())),
    }
}

fn change_request(args: &ChangeArgs, place: &Place) -> (Request, Options) {
    let request = request(args.actor.clone(), args.reason.clone(), Some(place));
    (request, Options { merge: args.merge, dry_run: args.dry_run })
}

/// The text of a file that the user named.
fn read_text(path: &Path) -> Result<String, Problem> {
    let fail = |reason: String| Problem::new("files.unreadable", format!("{}: {reason}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if size > MAX_DOCUMENT_BYTES {
        return Err(fail(format!("it has {size} bytes; at most {MAX_DOCUMENT_BYTES} are read")));
    }
    std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))
}

/// A folder that the user named.
fn folder(path: &Path) -> Result<DirectoryTree, Problem> {
    if !path.is_dir() {
        return Err(Problem::new("files.not_found", format!("{} is not a folder", path.display())));
    }
    Ok(DirectoryTree::new(path))
}

/// The commit that a branch name or a full commit id means. Nothing else is resolved: no expression, no abbreviation.
fn commit(place: &Place, rev: Option<&str>) -> Result<CommitId, Problems> {
    let Some(rev) = rev else { return place.tip() };
    let unknown = || {
        Problem::new(
            "git.unknown_revision",
            format!("`{}` is neither a branch nor a full commit id", rev.escape_debug()),
        )
        .hint("`git branch --list 'wooo/*'` lists the open changes")
    };
    if let Ok(id) = rev.parse::<CommitId>() {
        return Ok(id);
    }
    let branch = rev.parse().map_err(|_| unknown())?;
    let found = place.repository.resolve(&branch).map_err(|error| Problem::new(error.code(), error.to_string()))?;
    Ok(found.ok_or_else(unknown)?)
}
