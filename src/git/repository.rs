//! A repository on disk: opening it, making one, and looking at its branches.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{ErrorCode, ObjectType, OdbLookupFlags, RepositoryInitOptions};

use super::names::Sha1;
use super::raw_tree::RawTree;
use super::{BranchName, CommitId, Error, GitTree, TreeId, loose};

/// Raw trees that are kept in memory. The three big folders of a fleet of ten thousand apps take 1.5 MB.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// The list of names in one folder may be so long: some 800,000 of them.
const MAX_TREE: usize = 32 * 1024 * 1024;

/// A Git repository, bare or with a work tree.
///
/// One handle serves one thread at a time; opening another takes a fraction of a millisecond. Nothing here reads
/// `GIT_DIR` or any other variable of the environment.
pub struct Repository {
    inner: git2::Repository,
    objects: PathBuf,
    trees: RefCell<TreeCache>,
}

#[derive(Default)]
struct TreeCache {
    trees: HashMap<Sha1, Arc<RawTree>>,
    bytes: usize,
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({})", self.path().display())
    }
}

impl Repository {
    /// Opens the repository at `path`: a bare one, a `.git` folder, or the top of a work tree. Folders above are not
    /// searched.
    ///
    /// # Errors
    /// [`Error::NoRepository`], or [`Error::NotOwned`] if the folder belongs to another user and `safe.directory` does
    /// not name it: its settings would be obeyed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let inner = git2::Repository::open(path).map_err(|error| match error.code() {
            ErrorCode::NotFound => Error::NoRepository { path: path.to_owned() },
            ErrorCode::Owner => Error::NotOwned { path: path.to_owned() },
            _ => Error::Git(error),
        })?;
        Ok(Self::new(inner))
    }

    /// Makes a repository at `path`, and the folders above it where they are missing. `HEAD` points to `branch`, which
    /// has no commit yet; no template, hook or file is written besides what makes it a repository.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if there is one.
    pub fn init(path: impl AsRef<Path>, branch: &BranchName, bare: bool) -> Result<Self, Error> {
        let path = path.as_ref();
        let mut options = RepositoryInitOptions::new();
        options.bare(bare).no_reinit(true).external_template(false).initial_head(branch.as_str());
        let inner = git2::Repository::init_opts(path, &options).map_err(|error| match error.code() {
            ErrorCode::Exists => Error::AlreadyExists { path: path.to_owned() },
            _ => Error::Git(error),
        })?;
        Ok(Self::new(inner))
    }

    fn new(inner: git2::Repository) -> Self {
        // Git itself trusts the objects that it has stored, and checks them in `fsck` and when they come in over the
        // network. Hashing the tree of ten thousand apps on each read would be a third of the cost of a change.
        git2::opts::strict_hash_verification(false);
        // Of a linked work tree, the objects are those of the main one.
        let objects = inner.commondir().join("objects");
        Self { inner, objects, trees: RefCell::default() }
    }

    /// The repository's own folder: `.git`, or the whole of a bare one.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.inner.path()
    }

    /// Whether it has no work tree.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.inner.is_bare()
    }

    /// The top of the work tree.
    #[must_use]
    pub fn work_tree(&self) -> Option<&Path> {
        self.inner.workdir()
    }

    /// The branch that `HEAD` points to, whether it has a commit or not; `None` if `HEAD` is detached.
    ///
    /// # Errors
    /// [`Error::Git`] if `HEAD` cannot be read.
    pub fn head_branch(&self) -> Result<Option<BranchName>, Error> {
        let head = self.inner.find_reference("HEAD")?;
        let target = head.symbolic_target()?.and_then(|name| name.strip_prefix("refs/heads/"));
        Ok(target.and_then(|name| name.parse().ok()))
    }

    /// The name and e-mail address that Git's own settings give to commits here, each if it is set.
    #[must_use]
    pub fn configured_identity(&self) -> (Option<String>, Option<String>) {
        self.inner.config().map_or((None, None), |config| identity(&config))
    }

    /// The commit that the branch points to; `None` if there is no such branch, or no commit on it yet.
    ///
    /// # Errors
    /// [`Error::Git`] if the ref cannot be read.
    pub fn resolve(&self, branch: &BranchName) -> Result<Option<CommitId>, Error> {
        self.resolve_ref(&branch.to_ref())
    }

    /// [`Repository::resolve`] for a branch that has to be there.
    ///
    /// # Errors
    /// As [`Repository::resolve`], and [`Error::NoBranch`].
    pub fn tip(&self, branch: &BranchName) -> Result<CommitId, Error> {
        self.resolve(branch)?.ok_or_else(|| Error::NoBranch { name: branch.to_string() })
    }

    /// The branches whose names begin with `prefix`, sorted by name.
    ///
    /// # Errors
    /// [`Error::Git`] if the refs cannot be read.
    pub fn branches_with_prefix(&self, prefix: &str) -> Result<Vec<(BranchName, CommitId)>, Error> {
        let mut branches = Vec::new();
        for reference in self.inner.references()? {
            let reference = reference?;
            // A name that is not UTF-8 was not made here and cannot be spoken of.
            let Ok(name) = reference.name() else { continue };
            let wanted = name.strip_prefix("refs/heads/").filter(|name| name.starts_with(prefix));
            if let (Some(Ok(branch)), Some(id)) = (wanted.map(str::parse), reference.target()) {
                branches.push((branch, CommitId::from_oid(id)));
            }
        }
        branches.sort_unstable();
        Ok(branches)
    }

    /// The files of a commit.
    ///
    /// # Errors
    /// [`Error::NoObject`] if there is no such commit.
    pub fn tree(&self, commit: CommitId) -> Result<GitTree<'_>, Error> {
        let tree = self.find_commit(commit)?.tree_id();
        Ok(GitTree::new(self, TreeId::from_oid(tree)))
    }

    /// The files of a tree that has no commit yet.
    ///
    /// # Errors
    /// [`Error::NoObject`] if there is no such tree.
    pub fn tree_by_id(&self, tree: TreeId) -> Result<GitTree<'_>, Error> {
        self.raw_tree(tree.sha1())?;
        Ok(GitTree::new(self, tree))
    }

    /// The best common ancestor of two commits, or `None` if they share no history.
    ///
    /// # Errors
    /// [`Error::Git`] if a commit cannot be read.
    pub fn merge_base(&self, one: CommitId, other: CommitId) -> Result<Option<CommitId>, Error> {
        match self.inner.merge_base(one.to_oid()?, other.to_oid()?) {
            Ok(base) => Ok(Some(CommitId::from_oid(base))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether `ancestor` is `commit` or one of the commits that it builds on. A commit that the repository does not
    /// have is nobody's ancestor.
    ///
    /// # Errors
    /// [`Error::NoObject`] if `commit` itself is missing.
    pub fn is_ancestor(&self, ancestor: CommitId, commit: CommitId) -> Result<bool, Error> {
        self.find_commit(commit)?;
        if ancestor == commit {
            return Ok(true);
        }
        match self.inner.find_commit(ancestor.to_oid()?) {
            Ok(_) => Ok(self.inner.graph_descendant_of(commit.to_oid()?, ancestor.to_oid()?)?),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn git2(&self) -> &git2::Repository {
        &self.inner
    }

    /// The folder of loose objects and packs.
    pub(super) fn objects(&self) -> &Path {
        &self.objects
    }

    pub(super) fn find_commit(&self, id: CommitId) -> Result<git2::Commit<'_>, Error> {
        self.inner.find_commit(id.to_oid()?).map_err(|error| no_object(error, "commit", id.sha1()))
    }

    /// Whether an object is there, so that it need not be written. An object that came with a pack which this handle
    /// has not noticed yet counts as absent: looking for new packs every time costs more than writing it twice.
    pub(super) fn has(&self, id: Sha1) -> Result<bool, Error> {
        let exists = self.inner.odb()?.exists_ext(id.to_oid()?, OdbLookupFlags::NO_REFRESH);
        if exists {
            loose::freshen(&self.objects, id);
        }
        Ok(exists)
    }

    /// Makes new packs known to this handle.
    pub(super) fn refresh(&self) -> Result<(), Error> {
        Ok(self.inner.odb()?.refresh()?)
    }

    pub(super) fn raw_tree(&self, id: Sha1) -> Result<Arc<RawTree>, Error> {
        if let Some(tree) = self.trees.borrow().trees.get(&id) {
            return Ok(Arc::clone(tree));
        }
        let odb = self.inner.odb()?;
        let (size, _) = odb.read_header(id.to_oid()?).map_err(|error| no_object(error, "tree", id))?;
        if size > MAX_TREE {
            return Err(Error::TooLarge { limit: format!("{MAX_TREE} bytes for one folder") });
        }
        let object = odb.read(id.to_oid()?).map_err(|error| no_object(error, "tree", id))?;
        if object.kind() != ObjectType::Tree {
            return Err(Error::NoObject { kind: "tree", id: id.to_string() });
        }
        let tree = RawTree::parse(object.data().to_vec())
            .ok_or_else(|| Error::Damaged { kind: "tree", id: id.to_string() })?;
        Ok(self.remember_tree(id, tree))
    }

    /// Keeps a tree at hand for the next edit or read.
    pub(super) fn remember_tree(&self, id: Sha1, tree: RawTree) -> Arc<RawTree> {
        let mut cache = self.trees.borrow_mut();
        // Starting over is as good as any cleverer way here: what is in use comes back with the next few reads.
        if cache.bytes > CACHE_BYTES {
            *cache = TreeCache::default();
        }
        let tree = Arc::new(tree);
        if cache.trees.insert(id, Arc::clone(&tree)).is_none() {
            cache.bytes += tree.footprint();
        }
        tree
    }
}

/// What a failed lookup of an object means.
pub(super) fn no_object(error: git2::Error, kind: &'static str, id: Sha1) -> Error {
    match error.code() {
        ErrorCode::NotFound => Error::NoObject { kind, id: id.to_string() },
        _ => Error::Git(error),
    }
}

/// The name and e-mail address that Git's own settings give to commits where there is no repository yet.
#[must_use]
pub fn default_identity() -> (Option<String>, Option<String>) {
    git2::Config::open_default().map_or((None, None), |config| identity(&config))
}

fn identity(config: &git2::Config) -> (Option<String>, Option<String>) {
    let text = |key| config.get_string(key).ok().filter(|text| !text.trim().is_empty());
    (text("user.name"), text("user.email"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_can_move_to_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<Repository>();
    }

    #[test]
    fn a_new_repository_points_to_its_branch_and_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let branch: BranchName = "trunk".parse().unwrap();
        for bare in [true, false] {
            let path = folder.path().join(format!("deep/{bare}"));
            let made = Repository::init(&path, &branch, bare).unwrap();
            assert!(matches!(Repository::init(&path, &branch, bare), Err(Error::AlreadyExists { .. })));
            let opened = Repository::open(&path).unwrap();
            assert_eq!((opened.is_bare(), opened.work_tree().is_some()), (bare, !bare));
            assert_eq!(opened.head_branch().unwrap(), Some(branch.clone()));
            assert_eq!(opened.resolve(&branch).unwrap(), None);
            assert!(matches!(opened.tip(&branch), Err(Error::NoBranch { .. })));
            assert!(opened.branches_with_prefix("").unwrap().is_empty());
            assert_eq!(made.path(), opened.path());
        }
        assert!(matches!(Repository::open(folder.path()), Err(Error::NoRepository { .. })));
        assert!(matches!(Repository::open(folder.path().join("none")), Err(Error::NoRepository { .. })));
        // Only the top of a work tree is one, and not what lies below.
        let below = folder.path().join("deep/false/below");
        std::fs::create_dir(&below).unwrap();
        assert!(matches!(Repository::open(below), Err(Error::NoRepository { .. })));
    }
}
