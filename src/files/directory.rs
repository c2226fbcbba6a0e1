//! A folder of the file system.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::path::segments;
use super::{Entry, Error, FileTree, Kind};

/// A folder on disk. A path that passes through a symbolic link is treated as that link.
///
/// It is meant for one operation: folders that it has looked at are taken for folders from then on.
#[derive(Clone, Debug)]
pub struct DirectoryTree {
    root: PathBuf,
    /// Paths of folders that are reached through folders alone. Without them, every look at a file would be one at each
    /// folder above it.
    folders: Arc<RwLock<HashSet<String>>>,
}

impl DirectoryTree {
    /// The tree below `root`. The root itself may be reached through links; nothing below it may.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), folders: Arc::default() }
    }

    /// The folder on disk.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The kind of `path` and where it is on disk. Every segment is looked at without following it, because a link in
    /// the middle of a path leads out of the tree as surely as one at its end.
    fn locate(&self, path: &str) -> Result<Option<(Kind, PathBuf)>, Error> {
        let segments = segments(path)?;
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        // Nobody waits for the disk with this lock in hand.
        let skipped = if self.known().contains(parent) { segments.len() - 1 } else { 0 };
        let mut place = if skipped == 0 { self.root.clone() } else { self.root.join(parent) };
        let (mut kind, mut end) = (Kind::Directory, if skipped == 0 { 0 } else { parent.len() });
        for segment in segments.into_iter().skip(skipped) {
            if kind == Kind::Symlink {
                return Ok(Some((kind, place)));
            }
            place.push(segment);
            end += segment.len() + usize::from(end > 0);
            kind = match fs::symlink_metadata(&place) {
                Ok(metadata) => kind_of(metadata.file_type()),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    return Ok(None);
                }
                Err(source) => return Err(Error::Io { path: path.to_owned(), source }),
            };
            if kind == Kind::Directory {
                self.remember(&path[..end]);
            }
        }
        Ok(Some((kind, place)))
    }

    fn known(&self) -> RwLockReadGuard<'_, HashSet<String>> {
        // What another thread had put in before it panicked is true all the same.
        self.folders.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, folder: &str) {
        if !self.known().contains(folder) {
            self.folders.write().unwrap_or_else(PoisonError::into_inner).insert(folder.to_owned());
        }
    }

    fn expect(&self, path: &str, expected: Kind) -> Result<PathBuf, Error> {
        match self.locate(path)? {
            Some((found, place)) if found == expected => Ok(place),
            Some((found, _)) => Err(Error::WrongKind { path: path.to_owned(), expected, found }),
            None => Err(Error::NotFound { path: path.to_owned() }),
        }
    }
}

fn kind_of(file_type: fs::FileType) -> Kind {
    if file_type.is_symlink() {
        Kind::Symlink
    } else if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_file() {
        Kind::File
    } else {
        Kind::Submodule
    }
}

impl FileTree for DirectoryTree {
    fn shared(&self) -> Option<&(dyn FileTree + Sync)> {
        Some(self)
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, Error> {
        Ok(self.locate(path)?.map(|(kind, _)| kind))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let place = self.expect(path, Kind::File)?;
        let io = |source| Error::Io { path: path.to_owned(), source };
        let file = fs::File::open(&place).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let mut content = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0) + 1);
        // One byte more than the limit, so that a file that grows while it is read is noticed too.
        file.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(io)?;
        if content.len() as u64 > limit {
            return Err(Error::TooLarge { path: path.to_owned(), size: size.max(content.len() as u64), limit });
        }
        Ok(content)
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, Error> {
        let place = self.expect(path, Kind::Directory)?;
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut entries = Vec::new();
        for entry in fs::read_dir(place).map_err(io)? {
            let entry = entry.map_err(io)?;
            // A name that is not UTF-8 cannot be a file that anything here looks for.
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(Entry { name, kind: kind_of(entry.file_type().map_err(io)?) });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_reported_and_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "canary").unwrap();
        fs::write(folder.path().join("plain"), "text").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("file")).unwrap();
        let tree = DirectoryTree::new(folder.path());
        assert_eq!(tree.kind("link/secret").unwrap(), Some(Kind::Symlink));
        for path in ["file", "link/secret"] {
            let error = tree.read(path, 100).unwrap_err();
            assert!(matches!(error, Error::WrongKind { found: Kind::Symlink, .. }), "{error}");
        }
        assert_eq!(tree.read_text("plain", 4).unwrap(), "text");
        assert!(matches!(tree.read("plain", 3), Err(Error::TooLarge { .. })));
        assert!(matches!(tree.read("plain/x", 3), Err(Error::NotFound { .. })));
        assert!(matches!(tree.read("../x", 3), Err(Error::OutsideTree { .. })));
    }
}
