//! What a commit changes, file by file, as text: what a reviewer reads below the semantic diff.

use super::git_problems;
use super::place::Place;
use crate::domain::Problems;
use crate::domain::text::hides;
use crate::files::FileTree;
use crate::git::{CommitId, TreeId};

/// The most files that are compared, and the longest one: beyond it a file is only named.
const MAX_FILES: usize = 400;
const MAX_BYTES: u64 = 256 * 1024;

/// What differs in one file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileDiff {
    /// Its path in the fleet.
    pub path: String,
    /// A unified diff without its header; empty if the file is too long to be compared.
    pub text: String,
    /// Lines that are new.
    pub added: usize,
    /// Lines that are gone.
    pub removed: usize,
}

/// The files that differ between a commit and the one that it was made on, by path: first what will run, then the specs
/// and records. More than a reviewer would read is left out.
///
/// # Errors
/// If the repository lacks what a commit says it has.
pub fn between(place: &Place, base: CommitId, commit: CommitId) -> Result<Vec<FileDiff>, Problems> {
    let repository = &place.repository;
    let before = repository.tree(base).map_err(git_problems)?;
    let after = repository.tree(commit).map_err(git_problems)?;
    let ids: (Option<TreeId>, TreeId) = (Some(before.id()), after.id());
    let mut changes = repository.changes(ids.0, ids.1).map_err(git_problems)?;
    // What wooo keeps for itself says nothing to a reader.
    changes.retain(|change| !is_record(&change.path));
    changes.sort_by_key(|change| !change.path.starts_with("rendered/"));
    changes.truncate(MAX_FILES);
    let mut diffs = Vec::new();
    for change in changes {
        // What is too long, or no text, is only named.
        let text = |tree: &dyn FileTree, is_there: bool| match is_there {
            true => tree.read_text(&change.path, MAX_BYTES).ok(),
            false => Some(String::new()),
        };
        let both = (text(&before, change.before.is_some()), text(&after, change.after.is_some()));
        diffs.push(match both {
            (Some(old), Some(new)) => compare(change.path, &old, &new),
            _ => FileDiff { path: change.path, text: String::new(), added: 0, removed: 0 },
        });
    }
    Ok(diffs)
}

fn is_record(path: &str) -> bool {
    path.starts_with("rendered/") && path.split('/').any(|part| part.starts_with('.'))
}

fn compare(path: String, old: &str, new: &str) -> FileDiff {
    let diff = similar::TextDiff::from_lines(old, new);
    let (mut added, mut removed) = (0, 0);
    for change in diff.iter_all_changes() {
        match change.tag() {
            similar::ChangeTag::Insert => added += 1,
            similar::ChangeTag::Delete => removed += 1,
            similar::ChangeTag::Equal => {}
        }
    }
    let text = diff.unified_diff().context_radius(3).missing_newline_hint(false).to_string();
    FileDiff { path, text: visible(&text), added, removed }
}

/// Text in which nothing hides: characters that reorder others, that take no room, or that a terminal obeys, show as
/// what they are.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            c if c.is_control() || hides(c) => shown.push_str(&format!("U+{:04X}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_counted_and_nothing_hides_in_it() {
        let diff = compare("a".to_owned(), "one\ntwo\n", "one\n\u{202e}2\u{1b}[0m\nthree\n");
        assert_eq!((diff.added, diff.removed), (2, 1));
        assert_eq!(diff.text, "@@ -1,2 +1,3 @@\n one\n-two\n+U+202E2U+001B[0m\n+three\n");
    }

    #[test]
    fn records_of_wooo_are_left_out() {
        assert!(is_record("rendered/staging/a/.wooo.json") && is_record("rendered/.hosts/aa/a.example"));
        assert!(!is_record("rendered/staging/a/deployment.yaml") && !is_record("apps/a/app.yaml"));
    }
}
