//! The local forge: merge requests on bare repositories in one folder, with nothing else to install.
//!
//! Owns what a forge adds to Git, in files beside Git's own (`<name>.git/wooo`), so that every process that shares the
//! folder agrees. What Git knows is read from Git each time: the head of a merge request is where its branch stands, and
//! one whose head has become part of the target branch is merged, whoever pushed it there. Does not own accounts (whoever
//! calls says who they are) nor the serving of the repositories to Git.

mod comments;
mod desk;
mod disk;
mod merge;
mod record;
mod requests;
mod settings;
mod statuses;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use desk::Desk;
use disk::Disk;
use record::{REPOSITORY, RepositoryFile};

use super::{
    Approval, Body, Comment, CommentId, Comments, Edit, Error, Filter, Identity, MergeRequest, MergeRequestNumber,
    MergeRequests, NewMergeRequest, NewStatus, Page, PageRequest, Permission, Protection, Reaction, RepositoryId,
    RepositoryInfo, RepositoryName, Rights, Status, Statuses, User, UserId,
};
use crate::git::{self, BranchName, CommitId, Repository};

/// What says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The folder of all repositories.
#[derive(Clone)]
pub struct LocalForges {
    root: PathBuf,
    base_url: String,
    clock: Clock,
}

impl fmt::Debug for LocalForges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalForges({})", self.root.display())
    }
}

impl LocalForges {
    /// The forge in the folder `root`, which is made with its first repository. People reach it at `base_url`, the
    /// address of the service.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, base_url: &str, clock: Clock) -> Self {
        Self { root: root.into(), base_url: base_url.trim_end_matches('/').to_owned(), clock }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a repository is, or would be.
    #[must_use]
    pub fn path(&self, name: &RepositoryName) -> PathBuf {
        self.root.join(format!("{name}.git"))
    }

    /// Makes an empty bare repository whose default branch is `base`, to be used as `me`. Blocks on the file system.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is one of that name; [`Error::Unavailable`] if it cannot be written.
    pub fn create(
        &self,
        name: &RepositoryName,
        base: &BranchName,
        id: RepositoryId,
        me: User,
    ) -> Result<LocalForge, Error> {
        fs::create_dir_all(&self.root).map_err(Error::unavailable)?;
        // Made aside and then renamed: there is a whole repository under the name, or none.
        let aside = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.root).map_err(Error::unavailable)?;
        let made = aside.path().join("repository");
        Repository::init(&made, base, true).map_err(desk::from_git)?;
        Disk::in_repository(&made).lock()?.write(REPOSITORY, &RepositoryFile { id })?;
        match fs::rename(&made, self.path(name)) {
            Ok(()) => self.open(name, me),
            Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                Err(Error::invalid(format!("there is a repository `{name}` already")))
            }
            Err(error) => Err(Error::unavailable(error)),
        }
    }

    /// The repository of that name, to be used as `me`. Blocks on the file system.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none.
    pub fn open(&self, name: &RepositoryName, me: User) -> Result<LocalForge, Error> {
        let path = self.path(name);
        match Repository::open(&path) {
            Ok(_) => {}
            Err(git::Error::NoRepository { .. }) => return Err(Error::not_found(format!("the repository `{name}`"))),
            Err(error) => return Err(desk::from_git(error)),
        }
        let place = Place { path, name: name.clone(), base_url: self.base_url.clone(), clock: Arc::clone(&self.clock) };
        Ok(LocalForge { place: Arc::new(place), me })
    }

    /// The names of all repositories, sorted. Blocks on the file system.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<RepositoryName>, Error> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::unavailable(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(Error::unavailable)?.file_name();
            let name = name.to_str().and_then(|name| name.strip_suffix(".git"));
            names.extend(name.and_then(|name| name.parse().ok()));
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Which repository, and how it is reached.
struct Place {
    path: PathBuf,
    name: RepositoryName,
    base_url: String,
    clock: Clock,
}

/// One repository of the local forge, used by one user. Cheap to clone.
#[derive(Clone)]
pub struct LocalForge {
    place: Arc<Place>,
    me: User,
}

impl fmt::Debug for LocalForge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalForge({} as {})", self.place.name, self.me.login)
    }
}

impl LocalForge {
    /// The same repository, used by somebody else. The caller has made sure that it is them.
    #[must_use]
    pub fn acting_as(&self, user: User) -> Self {
        Self { place: Arc::clone(&self.place), me: user }
    }

    /// The folder of the bare repository.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &RepositoryName {
        &self.place.name
    }

    /// Approves a merge request as it is at `head`, as the user of this value.
    ///
    /// # Errors
    /// [`Error::HeadMoved`] if that is no longer its head; [`Error::NotOpen`]; [`Error::Forbidden`] for one of the user's
    /// own; [`Error::NotFound`]; [`Error::Unavailable`].
    pub async fn approve(&self, number: MergeRequestNumber, head: CommitId) -> Result<(), Error> {
        self.at_desk(move |desk| desk.approve(number, head)).await
    }

    /// Takes the user's approval back, if there is one.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn withdraw_approval(&self, number: MergeRequestNumber) -> Result<(), Error> {
        self.at_desk(move |desk| desk.withdraw_approval(number)).await
    }

    /// Says what somebody may do; with [`Permission::None`] they are nobody here.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn set_permission(&self, user: UserId, permission: Permission) -> Result<(), Error> {
        self.at_desk(move |desk| desk.set_permission(user, permission)).await
    }

    /// Says what a branch asks for before something is merged into it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn set_protection(&self, branch: BranchName, protection: Protection) -> Result<(), Error> {
        self.at_desk(move |desk| desk.set_protection(&branch, protection)).await
    }

    /// All branches that ask for something, with the default branch, which is never moved back.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the repository is gone; [`Error::Unavailable`].
    pub async fn protected_branches(&self) -> Result<Vec<(BranchName, Protection)>, Error> {
        self.at_desk(Desk::protected_branches).await
    }

    /// Does what blocks on files, locks and Git away from the threads that serve everybody.
    async fn at_desk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desk) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let forge = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&Desk::new(&forge)?)).await;
        done.unwrap_or_else(|error| Err(Error::unavailable(format!("the work was given up: {error}"))))
    }
}

#[async_trait]
impl MergeRequests for LocalForge {
    async fn open(&self, new: &NewMergeRequest) -> Result<MergeRequest, Error> {
        let new = new.clone();
        self.at_desk(move |desk| desk.open(new)).await
    }

    async fn get(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        self.at_desk(move |desk| desk.get(number)).await
    }

    async fn find_open(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error> {
        let (source, target) = (source.clone(), target.clone());
        self.at_desk(move |desk| desk.find_open(&source, &target)).await
    }

    async fn find_latest(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error> {
        let (source, target) = (source.clone(), target.clone());
        self.at_desk(move |desk| desk.find_latest(&source, &target)).await
    }

    async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page<MergeRequest>, Error> {
        let filter = filter.clone();
        self.at_desk(move |desk| desk.list(&filter, page)).await
    }

    async fn update(&self, number: MergeRequestNumber, edit: &Edit) -> Result<MergeRequest, Error> {
        let edit = edit.clone();
        self.at_desk(move |desk| desk.update(number, edit)).await
    }

    async fn close(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        self.at_desk(move |desk| desk.close(number)).await
    }

    async fn reopen(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        self.at_desk(move |desk| desk.reopen(number)).await
    }

    async fn merge(&self, number: MergeRequestNumber, expected_head: CommitId) -> Result<CommitId, Error> {
        self.at_desk(move |desk| desk.merge(number, expected_head)).await
    }
}

#[async_trait]
impl Comments for LocalForge {
    async fn comments(&self, number: MergeRequestNumber, page: PageRequest) -> Result<Page<Comment>, Error> {
        self.at_desk(move |desk| desk.comments(number, page)).await
    }

    async fn comment(&self, number: MergeRequestNumber, body: &Body) -> Result<Comment, Error> {
        let body = body.clone();
        self.at_desk(move |desk| desk.comment(number, body)).await
    }

    async fn edit_comment(
        &self,
        number: MergeRequestNumber,
        comment: CommentId,
        body: &Body,
    ) -> Result<Comment, Error> {
        let body = body.clone();
        self.at_desk(move |desk| desk.edit_comment(number, comment, body)).await
    }

    async fn react(&self, number: MergeRequestNumber, comment: CommentId, reaction: Reaction) -> Result<(), Error> {
        self.at_desk(move |desk| desk.react(number, comment, reaction)).await
    }

    async fn reactions(&self, number: MergeRequestNumber, comment: CommentId) -> Result<Vec<(Reaction, User)>, Error> {
        self.at_desk(move |desk| desk.reactions(number, comment)).await
    }
}

#[async_trait]
impl Statuses for LocalForge {
    async fn set_status(&self, commit: CommitId, status: &NewStatus) -> Result<(), Error> {
        let status = status.clone();
        self.at_desk(move |desk| desk.set_status(commit, status)).await
    }

    async fn statuses(&self, commit: CommitId) -> Result<Vec<Status>, Error> {
        self.at_desk(move |desk| desk.statuses(commit)).await
    }
}

#[async_trait]
impl Rights for LocalForge {
    async fn myself(&self) -> Result<User, Error> {
        Ok(self.me.clone())
    }

    async fn permission(&self, user: &UserId) -> Result<Permission, Error> {
        let user = user.clone();
        self.at_desk(move |desk| desk.permission(&user)).await
    }

    async fn approvals(&self, number: MergeRequestNumber) -> Result<Vec<Approval>, Error> {
        self.at_desk(move |desk| desk.approvals(number)).await
    }
}

#[async_trait]
impl RepositoryInfo for LocalForge {
    async fn identity(&self) -> Result<Identity, Error> {
        self.at_desk(Desk::identity).await
    }

    async fn default_branch(&self) -> Result<BranchName, Error> {
        self.at_desk(Desk::default_branch).await
    }

    async fn protection(&self, branch: &BranchName) -> Result<Protection, Error> {
        let branch = branch.clone();
        self.at_desk(move |desk| desk.protection(&branch)).await
    }
}
