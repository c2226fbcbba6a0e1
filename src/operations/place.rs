//! Where a fleet is kept, and the branch that the controllers sync.
//!
//! A fleet in a folder is written where it is. One behind a URL is fetched into a bare repository of this process alone,
//! and each ref moves on the remote first: the remote decides who was faster, as the local ref lock does otherwise.

use std::path::Path;

use super::{from_git, git_problems};
use crate::domain::{Problem, Problems};
use crate::git::{self, Access, BranchName, CommitId, FetchRef, Network, PushRef, Remote, RemoteUrl, Repository};

/// The branches that wooo makes begin like this.
pub const OWN_PREFIX: &str = "wooo/";

/// A fleet repository that can be read and written.
pub struct Place {
    /// The repository.
    pub repository: Repository,
    /// The branch that is synced.
    pub base: BranchName,
    remote: Option<Origin>,
}

/// The remote that a fleet was fetched from.
struct Origin {
    remote: Remote,
    /// Goes with the place.
    _folder: tempfile::TempDir,
}

impl Place {
    /// A fleet in `repository`, synced from `base`.
    #[must_use]
    pub fn local(repository: Repository, base: BranchName) -> Self {
        Self { repository, base, remote: None }
    }

    /// Opens the fleet in a folder: a work tree, or a bare repository.
    ///
    /// # Errors
    /// `git.no_repository`, `git.no_branch` for a repository whose `HEAD` is no branch.
    pub fn open(path: &Path) -> Result<Self, Problems> {
        let repository = Repository::open(path).map_err(|error| {
            from_git(&error).hint(format!("`wooo init {}` makes a fleet repository", path.display()))
        })?;
        let base = repository.head_branch().map_err(git_problems)?;
        let Some(base) = base else {
            let detail = format!("`HEAD` of {} is not a branch", path.display());
            return Err(Problem::new("git.no_branch", detail)
                .hint("check out the branch that the controllers sync")
                .into());
        };
        Ok(Self::local(repository, base))
    }

    /// Fetches the fleet behind a URL: the branch that its `HEAD` names, with its history, and wooo's own branches.
    ///
    /// # Errors
    /// What the network, the remote or its policy refuses; `git.no_branch` for an empty repository.
    pub fn fetch(url: RemoteUrl, access: Access, network: &Network) -> Result<Self, Problems> {
        let folder = tempfile::tempdir()
            .map_err(|error| Problem::new("files.unwritable", format!("no temporary folder can be made: {error}")))?;
        let remote = Remote::new(url, access, network);
        let base = remote.branches().map_err(git_problems)?.default.ok_or_else(|| {
            Problem::new("git.no_branch", format!("{} has no default branch with a commit", remote.url()))
        })?;
        let repository = Repository::init(folder.path(), &base, true).map_err(git_problems)?;
        let place = Self { repository, base, remote: Some(Origin { remote, _folder: folder }) };
        place.refresh()?;
        Ok(place)
    }

    /// Whether the fleet is behind a URL.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// Brings a fetched fleet up to date with its remote. A local one always is.
    ///
    /// # Errors
    /// As [`Place::fetch`].
    pub fn refresh(&self) -> Result<(), Problems> {
        let Some(origin) = &self.remote else { return Ok(()) };
        let branches = origin.remote.branches().map_err(git_problems)?;
        let wanted = |name: &BranchName| *name == self.base || name.as_str().starts_with(OWN_PREFIX);
        let refs: Vec<FetchRef> = branches
            .all
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, _)| FetchRef { from: name.to_ref(), to: name.to_ref() })
            .collect();
        origin.remote.fetch(&self.repository, &refs).map_err(git_problems)?;
        for (name, at) in self.repository.branches_with_prefix(OWN_PREFIX).map_err(git_problems)? {
            if branches.find(&name).is_none() {
                self.repository.delete_branch(&name, at).map_err(git_problems)?;
            }
        }
        Ok(())
    }

    /// The commit at the end of the synced branch.
    ///
    /// # Errors
    /// `git.no_branch` before the first commit.
    pub fn tip(&self) -> Result<CommitId, Problems> {
        self.repository.tip(&self.base).map_err(git_problems)
    }

    /// Moves one of wooo's branches, if it stands at `expected`.
    ///
    /// # Errors
    /// [`git::Error::RefMoved`] if it stands elsewhere.
    pub(super) fn update_branch(
        &self,
        branch: &BranchName,
        new: CommitId,
        expected: Option<CommitId>,
    ) -> Result<(), git::Error> {
        self.push(branch, Some(new), expected)?;
        self.repository.update_branch(branch, new, expected)
    }

    /// Deletes one of wooo's branches, if it stands at `expected`.
    ///
    /// # Errors
    /// [`git::Error::RefMoved`] if it stands elsewhere.
    pub(super) fn delete_branch(&self, branch: &BranchName, expected: CommitId) -> Result<(), git::Error> {
        self.push(branch, None, Some(expected))?;
        self.repository.delete_branch(branch, expected)
    }

    /// Fast-forwards the synced branch, if it stands at `expected`.
    ///
    /// # Errors
    /// [`git::Error::RefMoved`] if it stands elsewhere, and those of a work tree with changes in the way.
    pub(super) fn fast_forward(&self, to: CommitId, expected: CommitId) -> Result<(), git::Error> {
        self.push(&self.base, Some(to), Some(expected))?;
        self.repository.fast_forward(&self.base, to, expected)
    }

    fn push(&self, branch: &BranchName, new: Option<CommitId>, expected: Option<CommitId>) -> Result<(), git::Error> {
        let Some(origin) = &self.remote else { return Ok(()) };
        origin.remote.push(&self.repository, &[PushRef { name: branch.to_ref(), new, expected }])
    }
}
