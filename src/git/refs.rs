//! Moving refs: always a compare-and-swap, always under the lock that every Git program respects.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use backon::{BlockingRetryable, ExponentialBuilder};
use git2::ErrorCode;

use super::{BranchName, CommitId, Error, RefName, Repository};

/// Git holds the lock of a ref for milliseconds. One that is older than this was left by a process that died.
const STALE: Duration = Duration::from_secs(5);

/// What a ref becomes.
#[derive(Clone, Copy)]
enum Move {
    To(CommitId),
    Gone,
}

impl Repository {
    /// Moves a branch to `new` if it stands where the caller believes: at `expected`, or nowhere for `None`. Any number
    /// of processes may try at once; one of them wins. The work tree is not touched: a branch that is checked out is
    /// moved with [`Repository::fast_forward`].
    ///
    /// # Errors
    /// [`Error::RefMoved`] if it stands elsewhere, [`Error::RefLocked`] if another process keeps it locked,
    /// [`Error::NoObject`] if `new` is not a commit of this repository.
    pub fn update_branch(&self, branch: &BranchName, new: CommitId, expected: Option<CommitId>) -> Result<(), Error> {
        self.update_ref(&branch.to_ref(), new, expected)
    }

    /// Deletes a branch if it stands at `expected`.
    ///
    /// # Errors
    /// As [`Repository::update_branch`].
    pub fn delete_branch(&self, branch: &BranchName, expected: CommitId) -> Result<(), Error> {
        self.move_ref(&branch.to_ref(), Move::Gone, Some(expected))
    }

    /// Keeps other wooo processes from opening branches until it is dropped, so that what is found there can be decided
    /// about. The system takes it off a process that dies.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn lock_branches(&self) -> Result<File, Error> {
        self.own_lock("wooo-branches.lock")
    }

    fn own_lock(&self, name: &str) -> Result<File, Error> {
        let path = self.git2().commondir().join(name);
        let lock = File::create(&path).map_err(Error::io(&path))?;
        lock.lock().map_err(Error::io(&path))?;
        Ok(lock)
    }

    pub(super) fn update_ref(&self, name: &RefName, new: CommitId, expected: Option<CommitId>) -> Result<(), Error> {
        self.find_commit(new)?;
        self.move_ref(name, Move::To(new), expected)
    }

    pub(super) fn resolve_ref(&self, name: &RefName) -> Result<Option<CommitId>, Error> {
        match self.git2().refname_to_id(name.as_str()) {
            Ok(id) => Ok(Some(CommitId::from_oid(id))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn move_ref(&self, name: &RefName, to: Move, expected: Option<CommitId>) -> Result<(), Error> {
        // Keeps our own processes apart, also while they make and clear away the folders of refs. The system takes this
        // lock off a process that dies, so it is never stale.
        let _ours = self.own_lock("wooo.lock")?;
        // Another program holds a ref's lock for about a millisecond.
        let patience = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(1))
            .with_max_delay(Duration::from_millis(50))
            .with_total_delay(Some(Duration::from_secs(2)))
            .without_max_times()
            .with_jitter();
        (|| self.move_ref_once(name, to, expected))
            .retry(patience)
            .when(|error| match error {
                Error::RefLocked { lock, .. } => {
                    // None of our own processes can hold it, and no other holds it for that long.
                    if is_stale(lock) {
                        let _gone = fs::remove_file(lock);
                    }
                    true
                }
                _ => false,
            })
            .call()
    }

    fn move_ref_once(&self, name: &RefName, to: Move, expected: Option<CommitId>) -> Result<(), Error> {
        let mut transaction = self.git2().transaction()?;
        transaction.lock_ref(name.as_str()).map_err(|error| self.not_locked(error, name))?;
        let found = self.resolve_ref(name)?;
        if found != expected {
            return Err(Error::RefMoved { name: name.clone(), expected, found });
        }
        if found.is_none() {
            self.refuse_folder_conflict(name)?;
        }
        match to {
            Move::To(new) => transaction.set_target(name.as_str(), new.to_oid()?, None, "wooo")?,
            Move::Gone => transaction.remove(name.as_str())?,
        }
        transaction.commit().map_err(|error| match error.code() {
            ErrorCode::Locked => {
                Error::RefLocked { name: name.clone(), lock: self.git2().commondir().join("packed-refs.lock") }
            }
            _ => Error::Git(error),
        })
    }

    /// A new ref cannot be where others have a folder, nor below another ref. The file system says so for refs that are
    /// files; for packed ones nothing would, and Git then could not unpack them.
    fn refuse_folder_conflict(&self, name: &RefName) -> Result<(), Error> {
        let below = format!("{name}/");
        for other in self.git2().references()?.names() {
            let Ok(other) = other else { continue };
            let is_above = name.as_str().strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
            if is_above || other.starts_with(&below) {
                return Err(Error::RefBlocked { name: name.clone(), by: other.to_owned() });
            }
        }
        Ok(())
    }

    fn not_locked(&self, error: git2::Error, name: &RefName) -> Error {
        let lock = self.git2().commondir().join(format!("{name}.lock"));
        match error.code() {
            ErrorCode::Locked => Error::RefLocked { name: name.clone(), lock },
            // Another process that deletes the last ref of a folder clears the folder away, perhaps between our making
            // it and our locking in it.
            ErrorCode::NotFound => Error::RefLocked { name: name.clone(), lock },
            _ => self.refuse_folder_conflict(name).err().unwrap_or(Error::Git(error)),
        }
    }
}

fn is_stale(lock: &Path) -> bool {
    let modified = fs::metadata(lock).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > STALE))
}
