//! Remote repositories: what they have, fetching from them, pushing to them.

use std::cell::Cell;

use git2::{AutotagOption, Direction, FetchOptions, RemoteCallbacks, RemoteRedirect};

use super::network::{Network, Service};
use super::packet::Advertisement;
use super::transport::{self, ADDRESS};
use super::{Access, BranchName, CommitId, Error, PushRef, RefName, RemoteUrl, Repository, push, ssh};

/// A repository somewhere else.
#[derive(Clone, Debug)]
pub struct Remote {
    url: RemoteUrl,
    access: Access,
    network: Network,
}

/// The branches of a remote.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RemoteBranches {
    /// The one that `HEAD` points to.
    pub default: Option<BranchName>,
    /// All of them, in the server's order.
    pub all: Vec<(BranchName, CommitId)>,
}

impl RemoteBranches {
    /// Where a branch stands.
    #[must_use]
    pub fn find(&self, branch: &BranchName) -> Option<CommitId> {
        self.all.iter().find(|(name, _)| name == branch).map(|(_, id)| *id)
    }
}

/// A ref to fetch and the ref to keep it under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FetchRef {
    /// The ref of the remote.
    pub from: RefName,
    /// The ref here. It is overwritten wherever it stands, so it must be one that nobody works on.
    pub to: RefName,
}

impl Remote {
    /// A remote. Nothing is called before something is asked of it.
    #[must_use]
    pub fn new(url: RemoteUrl, access: Access, network: &Network) -> Self {
        Self { url, access, network: network.clone() }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &RemoteUrl {
        &self.url
    }

    /// Its branches.
    ///
    /// # Errors
    /// [`Error::Auth`], [`Error::HostNotAllowed`], [`Error::Redirect`], [`Error::Timeout`], [`Error::TooLarge`],
    /// [`Error::Unreachable`].
    pub fn branches(&self) -> Result<RemoteBranches, Error> {
        if self.url.is_ssh() {
            return ssh::Program::new(&self.network, &self.url, &self.access)?.branches();
        }
        let session = self.network.session(&self.url, &self.access);
        let mut answer = session.advertisement(Service::UploadPack)?;
        let found = Advertisement::read(&mut answer).map_err(|error| session.broken(&error))?;
        let branch = |name: &str| name.strip_prefix("refs/heads/").and_then(|name| name.parse().ok());
        Ok(RemoteBranches {
            default: found.head().and_then(branch),
            all: found.refs.iter().filter_map(|(name, id)| Some((branch(name)?, CommitId::from_sha1(*id)))).collect(),
        })
    }

    /// Fetches refs with their history.
    ///
    /// # Errors
    /// As [`Remote::branches`], and [`Error::NoBranch`] if the remote lacks one of them; nothing is fetched then.
    pub fn fetch(&self, repository: &Repository, refs: &[FetchRef]) -> Result<Vec<CommitId>, Error> {
        self.fetch_to_depth(repository, refs, None)
    }

    /// Fetches only the newest commit of one branch, or of the default branch, without its history: enough to look at
    /// the files. It is kept under the same name.
    ///
    /// # Errors
    /// As [`Remote::fetch`].
    pub fn shallow_fetch(
        &self,
        repository: &Repository,
        branch: Option<&BranchName>,
    ) -> Result<(BranchName, CommitId), Error> {
        let branch = match branch {
            Some(branch) => branch.clone(),
            None => self.branches()?.default.ok_or_else(|| Error::NoBranch { name: "HEAD".to_owned() })?,
        };
        let name = branch.to_ref();
        let ids = self.fetch_to_depth(repository, &[FetchRef { from: name.clone(), to: name }], Some(1))?;
        let id = ids.into_iter().next().ok_or_else(|| Error::NoBranch { name: branch.to_string() })?;
        Ok((branch, id))
    }

    /// Moves refs of the remote, each only if it stands where the caller planned on. Branches below `wooo/` may be
    /// rewritten and deleted; all others, and other refs, only move forward.
    ///
    /// # Errors
    /// As [`Remote::branches`], and [`Error::RefMoved`] if somebody was faster, [`Error::Rejected`] if the remote's
    /// rules forbid it, [`Error::NotFastForward`] if ours do.
    pub fn push(&self, repository: &Repository, updates: &[PushRef]) -> Result<(), Error> {
        push::refuse_forbidden(repository, updates)?;
        if self.url.is_ssh() {
            ssh::Program::new(&self.network, &self.url, &self.access)?.push(repository, updates)
        } else {
            push::over_https(&self.network, &self.url, &self.access, repository, updates)
        }
    }

    fn fetch_to_depth(
        &self,
        repository: &Repository,
        refs: &[FetchRef],
        depth: Option<u16>,
    ) -> Result<Vec<CommitId>, Error> {
        if self.url.is_ssh() {
            ssh::Program::new(&self.network, &self.url, &self.access)?.fetch(repository, refs, depth)?;
        } else {
            self.fetch_over_https(repository, refs, depth)?;
        }
        let no_branch = |name: &RefName| Error::NoBranch { name: name.to_string() };
        refs.iter().map(|one| repository.resolve_ref(&one.to)?.ok_or_else(|| no_branch(&one.from))).collect()
    }

    fn fetch_over_https(&self, repository: &Repository, refs: &[FetchRef], depth: Option<u16>) -> Result<(), Error> {
        let session = self.network.session(&self.url, &self.access);
        transport::with_session(&session, || {
            let mut remote = repository.git2().remote_anonymous(ADDRESS)?;
            if remote.url()? != ADDRESS {
                return Err(git2::Error::from_str("a setting `url.*.insteadOf` rewrites every address").into());
            }
            let mut connection =
                remote.connect_auth(Direction::Fetch, None, None).map_err(|error| session.cause(error))?;
            let heads = connection.list()?;
            if let Some(absent) = refs.iter().find(|one| heads.iter().all(|head| head.name() != one.from.as_str())) {
                let name = absent.from.branch().map_or_else(|| absent.from.to_string(), |branch| branch.to_string());
                return Err(Error::NoBranch { name });
            }
            let limit = self.network.limits().objects;
            let has_too_many = Cell::new(false);
            let mut callbacks = RemoteCallbacks::new();
            callbacks.transfer_progress(|progress| {
                has_too_many.set(progress.total_objects() > limit);
                !has_too_many.get() && !session.is_over()
            });
            let mut options = FetchOptions::new();
            options.remote_callbacks(callbacks).download_tags(AutotagOption::None).update_fetchhead(false);
            options.follow_redirects(RemoteRedirect::None);
            if let Some(depth) = depth {
                options.depth(i32::from(depth));
            }
            let refspecs: Vec<String> = refs.iter().map(|one| format!("+{}:{}", one.from, one.to)).collect();
            let fetched = connection.remote().fetch(&refspecs, Some(&mut options), None);
            fetched.map_err(|error| {
                if has_too_many.get() {
                    session.fail(Error::TooLarge { limit: format!("{limit} objects") });
                } else if session.is_over() {
                    session.fail(session.timeout());
                }
                session.cause(error)
            })
        })?;
        repository.refresh()
    }
}
