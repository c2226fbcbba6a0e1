//! Where a fleet is kept, and the branch that the controllers sync.
//!
//! A fleet in a folder is written where it is. One behind a URL is fetched into a bare repository of this process alone,
//! and each ref moves on the remote first: the remote decides who was faster, as the local ref lock does otherwise.

use std::path::Path;

use super::git_problems;
use crate::domain::{Problem, Problems};
use crate::git::{self, Access, BranchName, CommitId, FetchRef, Network, PushRef, Remote, RemoteUrl, Repository};

/// The branches that wooo makes begin like this.
pub const OWN_PREFIX: &str = "wooo/";

/// How often a note is tried on a remote that others write to.
const NOTE_TRIES: usize = 10;

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
    /// Goes with the place, if it was made for it.
    _folder: Option<tempfile::TempDir>,
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
            Problem::from(error).hint(format!("`wooo init {}` makes a fleet repository", path.display()))
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
        let path = folder.path().to_owned();
        Self::fetched(&path, Some(folder), Remote::new(url, access, network))
    }

    /// As [`Place::fetch`], into a folder that stays: the next time only what is new is fetched. One process at a time
    /// may work in it.
    ///
    /// # Errors
    /// As [`Place::fetch`].
    pub fn mirror(folder: &Path, url: RemoteUrl, access: Access, network: &Network) -> Result<Self, Problems> {
        Self::fetched(folder, None, Remote::new(url, access, network))
    }

    fn fetched(path: &Path, folder: Option<tempfile::TempDir>, remote: Remote) -> Result<Self, Problems> {
        let base = remote.branches().map_err(git_problems)?.default.ok_or_else(|| {
            Problem::new("git.no_branch", format!("{} has no default branch with a commit", remote.url()))
        })?;
        let repository = match Repository::open(path) {
            Ok(repository) => repository,
            Err(git::Error::NoRepository { .. }) => Repository::init(path, &base, true).map_err(git_problems)?,
            Err(error) => return Err(git_problems(error)),
        };
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

    /// Adds a value to the notes of a commit, on the remote too where there is one.
    ///
    /// # Errors
    /// [`git::Error::RefMoved`] if others always were faster.
    pub(super) fn append_note(
        &self,
        commit: CommitId,
        value: &serde_json::Value,
        signature: &git::Signature,
    ) -> Result<(), git::Error> {
        let name = Repository::notes_ref()?;
        for _ in 0..NOTE_TRIES {
            let before = self.repository.note_tip()?;
            self.repository.append_note(commit, value, signature)?;
            let Some(origin) = &self.remote else { return Ok(()) };
            let new = self.repository.note_tip()?;
            let update = PushRef { name: name.clone(), new, expected: before };
            match origin.remote.push(&self.repository, &[update]) {
                Err(git::Error::RefMoved { .. }) => {
                    // Somebody else has noted something: theirs comes first, and ours is added to it.
                    let fetch = FetchRef { from: name.clone(), to: name.clone() };
                    origin.remote.fetch(&self.repository, &[fetch])?;
                }
                done => return done,
            }
        }
        Err(git::Error::RefMoved { expected: None, found: self.repository.note_tip()?, name })
    }

    /// The commit at the end of the synced branch.
    ///
    /// # Errors
    /// `git.no_branch` before the first commit.
    pub fn tip(&self) -> Result<CommitId, Problems> {
        self.repository.tip(&self.base).map_err(git_problems)
    }

    /// The files at the end of the synced branch.
    ///
    /// # Errors
    /// As [`Place::tip`].
    pub fn tree(&self) -> Result<git::GitTree<'_>, Problems> {
        self.repository.tree(self.tip()?).map_err(git_problems)
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
