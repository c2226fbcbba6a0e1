//! The fleet's files at the newest commit of a branch.

use std::io;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::options::FleetSource;
use crate::git::{self, BranchName, CommitId, Remote, Repository};

/// Where the fleet is, and where it is kept in the meantime.
#[derive(Debug)]
pub(in crate::sandbox) struct Fleet {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    Remote(Box<Remote>, TempDir),
}

impl Fleet {
    /// The fleet of a source. Nothing is read yet.
    ///
    /// # Errors
    /// If there is no room for what will be fetched.
    pub(in crate::sandbox) fn new(source: FleetSource) -> io::Result<Self> {
        let place = match source {
            FleetSource::Folder(path) => Place::Folder(path),
            FleetSource::Remote(remote) => Place::Remote(remote, tempfile::tempdir()?),
        };
        Ok(Self { place })
    }

    /// The repository to read from. It serves one thread.
    pub(super) fn open(&self) -> Result<Repository, git::Error> {
        match &self.place {
            Place::Folder(path) => Repository::open(path),
            Place::Remote(_, folder) => match Repository::open(folder.path()) {
                Err(git::Error::NoRepository { .. }) => {
                    let branch: BranchName =
                        "main".parse().map_err(|_| git::Error::NoBranch { name: "main".into() })?;
                    Repository::init(folder.path(), &branch, true)
                }
                other => other,
            },
        }
    }

    /// The newest commit of a branch, whose files are in the repository afterwards.
    pub(super) fn tip(&self, repository: &Repository, branch: &BranchName) -> Result<CommitId, git::Error> {
        match &self.place {
            Place::Folder(_) => repository.tip(branch),
            Place::Remote(remote, _) => {
                let found = remote.branches()?.find(branch);
                match (found, repository.resolve(branch)?) {
                    (Some(found), Some(known)) if found == known => Ok(known),
                    _ => Ok(remote.shallow_fetch(repository, Some(branch))?.1),
                }
            }
        }
    }

    /// The branch that a platform team starts from.
    pub(super) fn default_branch(&self, repository: &Repository) -> Result<BranchName, git::Error> {
        let head = match &self.place {
            Place::Folder(_) => repository.head_branch()?,
            Place::Remote(remote, _) => remote.branches()?.default,
        };
        head.ok_or_else(|| git::Error::NoBranch { name: "HEAD".to_owned() })
    }
}
