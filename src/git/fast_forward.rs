//! Moving a branch forward, and the work tree with it where the branch is checked out.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use git2::build::CheckoutBuilder;
use git2::{ErrorClass, ErrorCode, Status};

use super::diff::FileChange;
use super::{BlobId, BranchName, CommitId, EntryId, Error, Repository, TreeId};

impl Repository {
    /// Moves `branch` from `expected` (`None` for a branch without a commit) to `to`, which must build on it. In a
    /// work tree that has the branch checked out, the files that differ between the two commits are written and put
    /// into the index, and all others are left alone, whatever state they are in.
    ///
    /// Files come first, then the index, then the branch. A process that is killed on the way leaves files that already
    /// are as they are to be, which the next try accepts and goes on from.
    ///
    /// # Errors
    /// [`Error::RefMoved`], [`Error::RefLocked`] and [`Error::NoObject`] as [`Repository::update_branch`];
    /// [`Error::NotFastForward`]; [`Error::LocalChanges`] if one of those files has changes of the user's own, or is
    /// in the way and not under version control. Nothing is written then.
    pub fn fast_forward(
        &self,
        branch: &BranchName,
        to: CommitId,
        expected: impl Into<Option<CommitId>>,
    ) -> Result<(), Error> {
        let expected = expected.into();
        if let Some(from) = expected
            && !self.is_ancestor(from, to)?
        {
            return Err(Error::NotFastForward { name: branch.to_ref(), from, to });
        }
        match self.work_tree() {
            Some(work_tree) if self.head_branch()?.as_ref() == Some(branch) => {
                self.fast_forward_work_tree(work_tree, branch, to, expected)
            }
            _ => self.update_branch(branch, to, expected),
        }
    }

    fn fast_forward_work_tree(
        &self,
        work_tree: &Path,
        branch: &BranchName,
        to: CommitId,
        expected: Option<CommitId>,
    ) -> Result<(), Error> {
        // Keeps our own processes apart. The system takes the lock off a process that dies, so it is never stale.
        let path = self.path().join("wooo-checkout.lock");
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io(&path))?;
        lock.lock().map_err(Error::io(&path))?;
        self.clear_dead_index_lock(&lock);
        let found = self.resolve(branch)?;
        if found != expected {
            return Err(Error::RefMoved { name: branch.to_ref(), expected, found });
        }
        let before = expected.map(|commit| self.tree(commit)).transpose()?.map(|tree| tree.id());
        let after = self.tree(to)?.id();
        let changes = self.changes(before, after)?;
        self.take_back_dead_checkout(work_tree, &mut lock, before)?;
        self.refuse_local_changes(work_tree, &changes)?;
        // What stands in the lock file until the branch has moved says, to whoever comes next, what was being written.
        let mark = |lock: &mut File, text: &str| {
            lock.set_len(0)?;
            lock.rewind()?;
            lock.write_all(text.as_bytes())
        };
        mark(&mut lock, &to.to_string()).map_err(Error::io(&path))?;
        let moved = self.check_out(after, &changes).and_then(|()| self.update_branch(branch, to, expected));
        if matches!(moved, Err(Error::RefMoved { .. })) {
            // Someone else was faster after all; the files are to be those of the branch when the caller tries again.
            self.take_back_dead_checkout(work_tree, &mut lock, before)?;
        }
        mark(&mut lock, "").map_err(Error::io(&path))?;
        moved
    }

    /// Puts back the files that a process of ours had written when it died, so that they do not count as somebody's
    /// changes. The next try may well write others: the time of a restart is another one then. A file that is not as
    /// that process would have left it is somebody's, and stays.
    fn take_back_dead_checkout(&self, work_tree: &Path, lock: &mut File, before: Option<TreeId>) -> Result<(), Error> {
        let mut mark = String::new();
        let dead = lock
            .rewind()
            .and_then(|()| lock.read_to_string(&mut mark))
            .ok()
            .and_then(|_| mark.parse::<CommitId>().ok());
        let (Some(dead), Some(before)) = (dead.and_then(|dead| self.tree(dead).ok()), before) else { return Ok(()) };
        let mut back = self.changes(Some(dead.id()), before)?;
        back.retain(|change| self.is_file_known(work_tree, change).unwrap_or(false));
        for new in back.iter().filter(|change| change.after.is_none()) {
            // The index may not know it yet, and libgit2 removes only what the index knows.
            let _ = fs::remove_file(work_tree.join(&new.path));
        }
        self.check_out(before, &back)
    }

    /// Removes the index lock of a process of ours that died while it held it: the lock file of this checkout, which
    /// the caller holds, still has its mark, and the index was locked right after that was written. A lock of another
    /// program says nothing by its age (`git commit` holds it while an editor is open) and stays.
    fn clear_dead_index_lock(&self, lock: &File) {
        let index_lock = self.path().join("index.lock");
        let Ok((mark, index)) = lock.metadata().and_then(|mark| Ok((mark, fs::metadata(&index_lock)?))) else { return };
        let (Ok(marked), Ok(locked)) = (mark.modified(), index.modified()) else { return };
        let right_after = locked.duration_since(marked).is_ok_and(|after| after < Duration::from_secs(2));
        if mark.len() > 0 && right_after {
            // If it cannot be removed, taking the lock fails next, and that error says which file it is.
            let _ = fs::remove_file(&index_lock);
        }
    }

    fn refuse_local_changes(&self, work_tree: &Path, changes: &[FileChange]) -> Result<(), Error> {
        let mut index = self.git2().index()?;
        index.read(true)?;
        let going: BTreeSet<&str> =
            changes.iter().filter(|change| change.after.is_none()).map(|change| change.path.as_str()).collect();
        let mut dirty = BTreeSet::new();
        for change in changes {
            let is_known = |id: Option<EntryId>| id == change.before || id == change.after;
            let staged = index.get_path(Path::new(&change.path), 0);
            let is_staged_as_known = match &staged {
                Some(entry) => [change.before, change.after].into_iter().flatten().any(|id| id.is_oid(entry.id)),
                None => is_known(None),
            };
            if !is_staged_as_known {
                dirty.insert(change.path.clone());
            } else if let Some(obstacle) = obstacle(work_tree, &change.path, &going) {
                dirty.insert(obstacle);
            } else if !self.is_file_known(work_tree, change)? {
                dirty.insert(change.path.clone());
            }
        }
        if dirty.is_empty() { Ok(()) } else { Err(Error::LocalChanges { paths: dirty.into_iter().collect() }) }
    }

    /// Whether the file is as one of the two commits has it, or not there.
    fn is_file_known(&self, work_tree: &Path, change: &FileChange) -> Result<bool, Error> {
        let path = work_tree.join(&change.path);
        let Ok(metadata) = fs::symlink_metadata(&path) else { return Ok(true) };
        let content = if metadata.is_symlink() {
            fs::read_link(&path).map(|target| target.into_os_string().into_encoded_bytes())
        } else if metadata.is_dir() {
            // Its files were looked at as obstacles; a submodule is never touched.
            return Ok(true);
        } else {
            fs::read(&path)
        };
        let content = content.map_err(Error::io(&path))?;
        let id = BlobId::of(&content).sha1();
        if [change.before, change.after].into_iter().flatten().any(|known| known.entry().id == id) {
            return Ok(true);
        }
        // What a process leaves that dies while it writes the file. Nothing is lost when the rest is written too.
        if let Some(after) = change.after
            && let Ok(blob) = self.git2().find_blob(after.entry().id.to_oid()?)
            && blob.content().starts_with(&content)
        {
            return Ok(true);
        }
        // Attributes and settings can make the file on disk differ from its blob, by line ends for one.
        match self.git2().status_file(Path::new(&change.path)) {
            Ok(status) => Ok(!status.intersects(Status::WT_MODIFIED | Status::WT_NEW | Status::WT_TYPECHANGE)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn check_out(&self, tree: TreeId, changes: &[FileChange]) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut options = CheckoutBuilder::new();
        // By force, because what may be overwritten has been decided above, more carefully than libgit2 does it: that
        // would refuse what an earlier try has already written. The paths are names and not patterns.
        options.force().disable_pathspec_match(true).update_index(true);
        for change in changes {
            options.path(change.path.as_str());
        }
        let tree = self.git2().find_object(tree.to_oid()?, Some(git2::ObjectType::Tree))?;
        self.git2().checkout_tree(&tree, Some(&mut options)).map_err(|error| match (error.code(), error.class()) {
            (ErrorCode::Locked, _) | (_, ErrorClass::Index) => {
                Error::IndexLocked { lock: self.path().join("index.lock") }
            }
            _ => Error::Git(error),
        })
    }
}

/// What is in the way of writing `path`: a link or file where a folder has to be, or files in a folder of that name.
/// Files in `going` are not, since they go first.
fn obstacle(work_tree: &Path, path: &str, going: &BTreeSet<&str>) -> Option<String> {
    for (end, _) in path.match_indices('/') {
        let above = path.get(..end)?;
        match fs::symlink_metadata(work_tree.join(above)) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return (!going.contains(above)).then(|| above.to_owned()),
            Err(_) => return None,
        }
    }
    let is_folder = fs::symlink_metadata(work_tree.join(path)).is_ok_and(|metadata| metadata.is_dir());
    if is_folder { stranger(work_tree, path, going) } else { None }
}

/// The first file below `folder` that is not in `going`.
fn stranger(work_tree: &Path, folder: &str, going: &BTreeSet<&str>) -> Option<String> {
    for entry in fs::read_dir(work_tree.join(folder)).ok()?.flatten() {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let found = if is_folder { stranger(work_tree, &path, going) } else { Some(path) };
        if let Some(path) = found.filter(|path| !going.contains(path.as_str())) {
            return Some(path);
        }
    }
    None
}
