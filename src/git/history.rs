//! The commits of a branch, newest first.

use super::names::Sha1;
use super::raw_tree::{Entry, Mode};
use super::{CommitId, CommitInfo, Error, Repository, TreeId};

/// The commits that a commit builds on, itself first, the newer before the older. Commits are read as they are asked
/// for.
pub struct History<'r> {
    repository: &'r Repository,
    walk: git2::Revwalk<'r>,
    paths: Vec<String>,
}

impl std::fmt::Debug for History<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "History({:?})", self.paths)
    }
}

impl Repository {
    /// The history of `from`; with `paths`, only the commits that changed what stands at one of them. A merge counts only if
    /// it differs from everything that it merges, as with `git log`: what it brought in is there in its own commits.
    ///
    /// # Errors
    /// [`Error::NoObject`] if there is no such commit.
    pub fn history(&self, from: CommitId, paths: &[&str]) -> Result<History<'_>, Error> {
        self.find_commit(from)?;
        let mut walk = self.git2().revwalk()?;
        // The order that a walk has by itself, which is that of `git log`: the newest of those commits that have been
        // reached. Any order that is asked for would read the whole history before the first answer, and the one by
        // time would shuffle the commits of one second.
        walk.push(from.to_oid()?)?;
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        Ok(History { repository: self, walk, paths })
    }

    /// The commits that `from` builds on and `known` does not. What a merge brought in is among them, however much older
    /// than `known` it is.
    ///
    /// # Errors
    /// [`Error::NoObject`] if one of the two is not there.
    pub fn history_since(&self, from: CommitId, known: CommitId) -> Result<History<'_>, Error> {
        self.find_commit(known)?;
        let mut history = self.history(from, &[])?;
        history.walk.hide(known.to_oid()?)?;
        Ok(history)
    }

    /// Whether what stands at `path` is not the same in both trees. Folders are opened only as long as they differ.
    fn differs_at(&self, path: &str, one: Option<Sha1>, other: Option<Sha1>) -> Result<bool, Error> {
        let folder = |id| Entry { mode: Mode::Folder, id };
        let (mut one, mut other) = (one.map(folder), other.map(folder));
        for segment in path.split('/') {
            if one == other {
                return Ok(false);
            }
            let step = |entry: Option<Entry>| match entry {
                Some(Entry { mode: Mode::Folder, id }) => Ok(self.raw_tree(id)?.find(segment.as_bytes())),
                _ => Ok::<_, Error>(None),
            };
            (one, other) = (step(one)?, step(other)?);
        }
        Ok(one != other)
    }
}

impl History<'_> {
    fn touches(&self, commit: &git2::Commit<'_>, path: &str) -> Result<bool, Error> {
        let tree = |commit: &git2::Commit<'_>| TreeId::from_oid(commit.tree_id()).sha1();
        let own = Some(tree(commit));
        if commit.parent_count() == 0 {
            return self.repository.differs_at(path, own, None);
        }
        for id in commit.parent_ids() {
            // The parent of the oldest commit of a shallow clone is not there; then nothing says that it is the same.
            let parent = match self.repository.git2().find_commit(id) {
                Ok(parent) => Some(tree(&parent)),
                Err(error) if error.code() == git2::ErrorCode::NotFound => None,
                Err(error) => return Err(error.into()),
            };
            if !self.repository.differs_at(path, own, parent)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn next_commit(&mut self) -> Result<Option<CommitInfo>, Error> {
        while let Some(id) = self.walk.next() {
            let id = CommitId::from_oid(id?);
            let commit = self.repository.find_commit(id)?;
            let mut is_wanted = self.paths.is_empty();
            for path in &self.paths {
                is_wanted = is_wanted || self.touches(&commit, path)?;
            }
            if is_wanted {
                return self.repository.commit_info(id).map(Some);
            }
        }
        Ok(None)
    }
}

impl Iterator for History<'_> {
    type Item = Result<CommitInfo, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_commit().transpose()
    }
}
