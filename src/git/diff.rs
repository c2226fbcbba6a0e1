//! Which files differ between two trees. Folders with equal ids are not opened, so the cost follows the difference.

use std::cmp::Ordering;

use super::names::Sha1;
use super::raw_tree::{Entry, Mode, order};
use super::{CommitId, EntryId, Error, Repository, TreeId};

/// Folders within folders beyond which a tree is not followed. It would be made to exhaust the stack, not to be read.
pub(super) const MAX_DEPTH: usize = 256;
pub(super) const TOO_DEEP: &str = "it has too many folders";

/// A file (or link, or submodule) that differs between two trees.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileChange {
    /// Its path.
    pub path: String,
    /// What stood there; `None` if it is new.
    pub before: Option<EntryId>,
    /// What stands there now; `None` if it is gone.
    pub after: Option<EntryId>,
}

impl Repository {
    /// Whether two commits have changed one file in different ways since they parted, so that a merge may need a
    /// person. The cost follows what they changed; how the lines of the file fit together is not looked at.
    ///
    /// # Errors
    /// As [`Repository::changes`].
    pub fn overlap(&self, one: CommitId, other: CommitId) -> Result<bool, Error> {
        let base = self.merge_base(one, other)?.map(|base| self.tree(base)).transpose()?.map(|tree| tree.id());
        let mut theirs = self.changes(base, self.tree(other)?.id())?.into_iter().peekable();
        for ours in self.changes(base, self.tree(one)?.id())? {
            // Both lists are sorted by path.
            while theirs.next_if(|change| change.path < ours.path).is_some() {}
            if theirs.peek().is_some_and(|change| change.path == ours.path && change.after != ours.after) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The files that differ between `before` (nothing at all for `None`) and `after`, sorted by path. A file in the
    /// place of a folder counts as one that is new and as many that are gone.
    ///
    /// # Errors
    /// [`Error::NoObject`] if a tree is missing, [`Error::Path`] for a changed name that is not UTF-8, or for more than
    /// 256 folders within each other.
    pub fn changes(&self, before: Option<TreeId>, after: TreeId) -> Result<Vec<FileChange>, Error> {
        let mut changes = Vec::new();
        let folder = |id| Some(Entry { mode: Mode::Folder, id });
        self.compare(
            "",
            folder_id(before.and_then(|id| folder(id.sha1()))),
            folder_id(folder(after.sha1())),
            &mut changes,
        )?;
        changes.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }

    fn compare(
        &self,
        folder: &str,
        before: Option<Sha1>,
        after: Option<Sha1>,
        changes: &mut Vec<FileChange>,
    ) -> Result<(), Error> {
        if folder.matches('/').count() > MAX_DEPTH {
            return Err(Error::Path { path: folder.to_owned(), reason: TOO_DEEP });
        }
        for (name, old, new) in self.differing(before, after)? {
            let path = joined(folder, &name)?;
            if old.or(new).is_some_and(|entry| entry.mode == Mode::Folder) {
                self.compare(&path, folder_id(old), folder_id(new), changes)?;
            } else {
                changes.push(FileChange { path, before: old.map(EntryId::new), after: new.map(EntryId::new) });
            }
        }
        Ok(())
    }

    /// The entries that differ between two folders, with what stands for them on each side. A file and a folder of one
    /// name are two entries.
    pub(super) fn differing(&self, before: Option<Sha1>, after: Option<Sha1>) -> Result<Vec<Difference>, Error> {
        let mut differences = Vec::new();
        if before == after {
            return Ok(differences);
        }
        let read = |id: Option<Sha1>| id.map(|id| self.raw_tree(id)).transpose().map(Option::unwrap_or_default);
        let (before, after) = (read(before)?, read(after)?);
        let (mut old, mut new) = (before.entries().peekable(), after.entries().peekable());
        loop {
            let side = match (old.peek(), new.peek()) {
                (None, None) => return Ok(differences),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((a, x)), Some((b, y))) => order(a, x.mode == Mode::Folder, b, y.mode == Mode::Folder),
            };
            let old = if side.is_le() { old.next() } else { None };
            let new = if side.is_ge() { new.next() } else { None };
            let Some((name, _)) = old.or(new) else { return Ok(differences) };
            let (old, new) = (old.map(|(_, entry)| entry), new.map(|(_, entry)| entry));
            if old != new {
                differences.push((name.to_owned(), old, new));
            }
        }
    }
}

/// A name, what it stood for, and what it stands for.
pub(super) type Difference = (Vec<u8>, Option<Entry>, Option<Entry>);

fn folder_id(entry: Option<Entry>) -> Option<Sha1> {
    entry.map(|entry| entry.id)
}

fn joined(folder: &str, name: &[u8]) -> Result<String, Error> {
    let lossy = || format!("{folder}/{}", String::from_utf8_lossy(name));
    let name = str::from_utf8(name).map_err(|_| Error::Path { path: lossy(), reason: "it is not UTF-8" })?;
    Ok(if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") })
}
