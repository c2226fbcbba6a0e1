//! A read-only view of a tree of files, wherever it is kept.
//!
//! Owns the one [`FileTree`] abstraction that detection, overlays and rendering read through, its in-memory, directory
//! and layered forms, and the rules for paths inside a tree. A Git tree is the fourth form and lives in
//! [`git`](crate::git), next to the object database that it reads.
//!
//! Does not own: writing, and any meaning of the files. Symbolic links and submodules are reported and never followed,
//! so nothing outside the tree can be read through it.

mod directory;
mod layered;
mod memory;
mod path;

pub use directory::DirectoryTree;
pub use layered::LayeredTree;
pub use memory::MemoryTree;
pub use path::{join, parent};

use std::io;

/// What stands at a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// A regular file, executable or not.
    File,
    /// A folder.
    Directory,
    /// A symbolic link. It is never followed, whatever it points at.
    Symlink,
    /// A Git submodule, or anything else that is neither file, folder nor link.
    Submodule,
}

/// One name in a folder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The last segment of the path.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// Why a path could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing stands at the path.
    #[error("`{path}` does not exist")]
    NotFound {
        /// The path, relative to the tree's root.
        path: String,
    },
    /// Something stands there, of another kind than was asked for.
    #[error("`{path}` is a {found}, not a {expected}")]
    WrongKind {
        /// The path, relative to the tree's root.
        path: String,
        /// What the caller needs.
        expected: Kind,
        /// What is there.
        found: Kind,
    },
    /// The file is larger than the caller accepts.
    #[error("`{path}` has {size} bytes; at most {limit} are read")]
    TooLarge {
        /// The path, relative to the tree's root.
        path: String,
        /// Size in bytes.
        size: u64,
        /// The caller's limit in bytes.
        limit: u64,
    },
    /// The file is not UTF-8 text.
    #[error("`{path}` is not UTF-8 text")]
    NotText {
        /// The path, relative to the tree's root.
        path: String,
    },
    /// The path leaves the tree, or is absolute.
    #[error("`{path}` leads out of the tree")]
    OutsideTree {
        /// The path as it was given.
        path: String,
    },
    /// The storage below failed.
    #[error("`{path}` cannot be read: {source}")]
    Io {
        /// The path, relative to the tree's root.
        path: String,
        /// What the storage said.
        source: io::Error,
    },
}

/// A tree of files. Paths are relative to its root, segments joined by `/`, `""` is the root itself.
pub trait FileTree {
    /// The same tree for several threads at once, if it can be read so.
    fn shared(&self) -> Option<&(dyn FileTree + Sync)> {
        None
    }

    /// What stands at `path`, or `None`.
    ///
    /// # Errors
    /// [`Error::OutsideTree`] for a path with `..` or a leading `/`, [`Error::Io`] if the storage fails.
    fn kind(&self, path: &str) -> Result<Option<Kind>, Error>;

    /// The bytes of the regular file at `path`, if there are at most `limit` of them.
    ///
    /// # Errors
    /// As [`FileTree::kind`], and [`Error::NotFound`], [`Error::WrongKind`], [`Error::TooLarge`].
    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, Error>;

    /// The names in the folder `path`, sorted by their bytes.
    ///
    /// # Errors
    /// As [`FileTree::kind`], and [`Error::NotFound`], [`Error::WrongKind`].
    fn list(&self, path: &str) -> Result<Vec<Entry>, Error>;

    /// [`FileTree::read`] as UTF-8 text.
    ///
    /// # Errors
    /// As [`FileTree::read`], and [`Error::NotText`].
    fn read_text(&self, path: &str, limit: u64) -> Result<String, Error> {
        String::from_utf8(self.read(path, limit)?).map_err(|_| Error::NotText { path: path.to_owned() })
    }

    /// [`FileTree::read_text`], with `None` where nothing stands at `path`.
    ///
    /// # Errors
    /// As [`FileTree::read_text`] but for [`Error::NotFound`].
    fn read_text_if_present(&self, path: &str, limit: u64) -> Result<Option<String>, Error> {
        match self.read_text(path, limit) {
            Ok(text) => Ok(Some(text)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
