//! What a repository is, what its branches ask for, and who may do what in it.

use super::desk::{Desk, from_git};
use super::record::{MEMBERS, Members, REPOSITORY, RepositoryFile, SETTINGS, Settings};
use crate::forge::{Error, Identity, Permission, Protection, UserId};
use crate::git::BranchName;

impl Desk {
    pub(super) fn identity(&self) -> Result<Identity, Error> {
        let file: Option<RepositoryFile> = self.disk.read(REPOSITORY)?;
        let id = file.ok_or_else(|| Error::not_found(format!("the repository `{}`", self.name)))?.id;
        Ok(Identity {
            id,
            name: self.name.to_string(),
            clone_url: format!("{}/git/{}.git", self.base_url, self.name),
            url: format!("{}/merge-requests/{}", self.base_url, self.name),
        })
    }

    pub(super) fn default_branch(&self) -> Result<BranchName, Error> {
        let head = self.git.head_branch().map_err(from_git)?;
        head.ok_or_else(|| Error::not_found("the default branch"))
    }

    pub(super) fn protection(&self, branch: &BranchName) -> Result<Protection, Error> {
        Ok(self.settings()?.branches.remove(branch.as_str()).unwrap_or_default())
    }

    pub(super) fn set_protection(&self, branch: &BranchName, protection: Protection) -> Result<(), Error> {
        let writing = self.disk.lock()?;
        let mut settings = self.settings()?;
        settings.branches.insert(branch.to_string(), protection);
        writing.write(SETTINGS, &settings)
    }

    pub(super) fn protected_branches(&self) -> Result<Vec<(BranchName, Protection)>, Error> {
        let mut settings = self.settings()?;
        settings.branches.entry(self.default_branch()?.to_string()).or_default();
        let parsed = |(name, protection): (String, Protection)| Some((name.parse().ok()?, protection));
        Ok(settings.branches.into_iter().filter_map(parsed).collect())
    }

    fn settings(&self) -> Result<Settings, Error> {
        Ok(self.disk.read(SETTINGS)?.unwrap_or_default())
    }

    pub(super) fn permission(&self, user: &UserId) -> Result<Permission, Error> {
        let members: Members = self.disk.read(MEMBERS)?.unwrap_or_default();
        Ok(members.get(user).copied().unwrap_or_default())
    }

    pub(super) fn set_permission(&self, user: UserId, permission: Permission) -> Result<(), Error> {
        let writing = self.disk.lock()?;
        let mut members: Members = self.disk.read(MEMBERS)?.unwrap_or_default();
        match permission {
            Permission::None => members.remove(&user),
            some => members.insert(user, some),
        };
        writing.write(MEMBERS, &members)
    }
}
