//! The files of a commit, read straight from the object database.

use std::io;

use git2::ObjectType;

use super::names::Sha1;
use super::raw_tree::{Entry, Mode};
use super::repository::no_object;
use super::{BlobId, Error, Repository, TreeId};
use crate::files::{self, FileTree, Kind};

/// A tree in a repository: all files of a commit, or those of one of its folders.
///
/// Nothing is checked out, so no link is followed, no submodule is entered, and no filter or hook runs.
#[derive(Clone, Copy, Debug)]
pub struct GitTree<'r> {
    repository: &'r Repository,
    root: TreeId,
}

/// What stands at a path, as an identity: equal ids mean equal content, for a folder all the way down.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct EntryId(Entry);

impl EntryId {
    /// The tree, if it is a folder.
    #[must_use]
    pub fn tree(&self) -> Option<TreeId> {
        (self.0.mode == Mode::Folder).then(|| TreeId::from_sha1(self.0.id))
    }

    /// The blob, if it is a regular file.
    #[must_use]
    pub fn blob(&self) -> Option<BlobId> {
        matches!(self.0.mode, Mode::File | Mode::Executable).then(|| BlobId::from_sha1(self.0.id))
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        kind(self.0.mode)
    }

    pub(super) fn new(entry: Entry) -> Self {
        Self(entry)
    }

    pub(super) fn entry(self) -> Entry {
        self.0
    }

    pub(super) fn is_oid(&self, oid: git2::Oid) -> bool {
        Sha1::from_oid(oid) == self.0.id
    }
}

impl<'r> GitTree<'r> {
    pub(super) fn new(repository: &'r Repository, root: TreeId) -> Self {
        Self { repository, root }
    }

    /// The tree's own id: equal for equal files.
    #[must_use]
    pub fn id(&self) -> TreeId {
        self.root
    }

    /// The folder at `path` as a tree of its own.
    ///
    /// # Errors
    /// [`files::Error::NotFound`] and [`files::Error::WrongKind`] if no folder stands there.
    pub fn subtree(&self, path: &str) -> Result<Self, files::Error> {
        let id = self.expect(path, Kind::Directory)?;
        Ok(Self { repository: self.repository, root: TreeId::from_sha1(id) })
    }

    /// The identity of what stands at `path`, or `None`. Its content is not read.
    ///
    /// # Errors
    /// [`files::Error::OutsideTree`] and [`files::Error::Io`].
    pub fn entry_id(&self, path: &str) -> Result<Option<EntryId>, files::Error> {
        // What lies "below" a link is not an entry of this tree.
        Ok(self.locate(path)?.and_then(|(entry, is_whole_path)| is_whole_path.then_some(EntryId(entry))))
    }

    /// What stands at `path`, or the link or submodule that the path runs into, and whether the path ends there.
    fn locate(&self, path: &str) -> Result<Option<(Entry, bool)>, files::Error> {
        let mut entry = Entry { mode: Mode::Folder, id: self.root.sha1() };
        for segment in segments(path)? {
            match entry.mode {
                Mode::Folder => {}
                Mode::Symlink | Mode::Submodule => return Ok(Some((entry, false))),
                Mode::File | Mode::Executable => return Ok(None),
            }
            let tree = self.repository.raw_tree(entry.id).map_err(|error| storage(path, error))?;
            match tree.find(segment.as_bytes()) {
                Some(found) => entry = found,
                None => return Ok(None),
            }
        }
        Ok(Some((entry, true)))
    }

    fn expect(&self, path: &str, expected: Kind) -> Result<Sha1, files::Error> {
        match self.locate(path)? {
            Some((entry, _)) if kind(entry.mode) == expected => Ok(entry.id),
            Some((entry, _)) => {
                Err(files::Error::WrongKind { path: path.to_owned(), expected, found: kind(entry.mode) })
            }
            None => Err(files::Error::NotFound { path: path.to_owned() }),
        }
    }
}

impl FileTree for GitTree<'_> {
    fn kind(&self, path: &str) -> Result<Option<Kind>, files::Error> {
        Ok(self.locate(path)?.map(|(entry, _)| kind(entry.mode)))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, files::Error> {
        let id = self.expect(path, Kind::File)?;
        let failed = |error: git2::Error| storage(path, no_object(error, "blob", id));
        let oid = id.to_oid().map_err(|error| storage(path, error))?;
        let odb = self.repository.git2().odb().map_err(failed)?;
        // The header first: a few bytes in a repository can stand for gigabytes, which must not be inflated to be
        // found too large.
        let (size, stored) = odb.read_header(oid).map_err(failed)?;
        if stored != ObjectType::Blob {
            return Err(storage(path, Error::NoObject { kind: "blob", id: id.to_string() }));
        }
        if size as u64 > limit {
            return Err(files::Error::TooLarge { path: path.to_owned(), size: size as u64, limit });
        }
        Ok(odb.read(oid).map_err(failed)?.data().to_vec())
    }

    fn list(&self, path: &str) -> Result<Vec<files::Entry>, files::Error> {
        let id = self.expect(path, Kind::Directory)?;
        let tree = self.repository.raw_tree(id).map_err(|error| storage(path, error))?;
        let mut entries: Vec<_> = tree
            .entries()
            .filter_map(|(name, entry)| {
                // A name that is not UTF-8 cannot be a file that anything here looks for.
                let name = str::from_utf8(name).ok()?.to_owned();
                Some(files::Entry { name, kind: kind(entry.mode) })
            })
            .collect();
        // Git sorts folders as if they ended in a slash, the trait does not.
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

fn kind(mode: Mode) -> Kind {
    match mode {
        Mode::File | Mode::Executable => Kind::File,
        Mode::Folder => Kind::Directory,
        Mode::Symlink => Kind::Symlink,
        Mode::Submodule => Kind::Submodule,
    }
}

/// The segments of a path to be read, by the rules of [`files`]. A hostile tree may hold entries named
/// `..` or `.git`; the former cannot be asked for, and reading the latter reaches nothing but its bytes in this tree.
fn segments(path: &str) -> Result<impl Iterator<Item = &str>, files::Error> {
    let is_fault = |segment: &str| matches!(segment, "" | "." | "..") || segment.contains(['\\', '\0']);
    if !path.is_empty() && path.split('/').any(is_fault) {
        return Err(files::Error::OutsideTree { path: path.to_owned() });
    }
    Ok(path.split('/').filter(|segment| !segment.is_empty()))
}

fn storage(path: &str, error: Error) -> files::Error {
    files::Error::Io { path: path.to_owned(), source: io::Error::other(error) }
}
