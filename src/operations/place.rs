//! Where a fleet is kept, and the branch that the controllers sync.

use std::path::Path;

use super::{from_git, git_problems};
use crate::domain::{Problem, Problems};
use crate::git::{BranchName, CommitId, Repository};

/// A fleet repository that can be read and written.
pub struct Place {
    /// The repository.
    pub repository: Repository,
    /// The branch that is synced.
    pub base: BranchName,
}

impl Place {
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
        Ok(Self { repository, base })
    }

    /// The commit at the end of the synced branch.
    ///
    /// # Errors
    /// `git.no_branch` before the first commit.
    pub fn tip(&self) -> Result<CommitId, Problems> {
        self.repository.tip(&self.base).map_err(git_problems)
    }
}
