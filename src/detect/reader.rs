//! Reading files within bounds.
//!
//! Owns the limits: [`MAX_MANIFEST`] for a file that says what the app is, [`MAX_SOURCE`] and [`MAX_SOURCES`] for the
//! scan of source files. A byte-order mark is taken off; pointers of Git LFS and files that are not UTF-8 are noted and
//! count as absent.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::answer::NoteKind;
use super::error::Error;
use super::notes::Notes;
use crate::files::{self, FileTree};

/// The largest file that may decide what the app is, in bytes.
pub(super) const MAX_MANIFEST: u64 = 1024 * 1024;
/// The largest source file that is scanned, in bytes.
pub(super) const MAX_SOURCE: u64 = 256 * 1024;
/// How many source files are scanned in all.
pub(super) const MAX_SOURCES: usize = 256;
/// How many files of any kind are read in all.
pub(super) const MAX_READS: usize = 1024;

/// How many bytes are read in all.
pub(super) const MAX_BYTES: u64 = 32 * 1024 * 1024;

const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Reads files of a tree, each at most once.
pub(super) struct Reader<'a> {
    tree: &'a dyn FileTree,
    cache: BTreeMap<String, Option<Rc<str>>>,
    sources: usize,
    bytes: u64,
    /// What was skipped.
    pub(super) notes: Notes,
}

impl<'a> Reader<'a> {
    /// A reader that has read nothing.
    pub(super) fn new(tree: &'a dyn FileTree, notes: Notes) -> Self {
        Self { tree, cache: BTreeMap::new(), sources: 0, bytes: 0, notes }
    }

    /// The text of a file that says what the app is; `None` if there is no such text.
    ///
    /// # Errors
    /// [`Error::FileTooLarge`], and [`Error::Files`] if the storage fails.
    pub(super) fn manifest(&mut self, path: &str) -> Result<Option<Rc<str>>, Error> {
        match self.read(path, MAX_MANIFEST) {
            Err(files::Error::TooLarge { path, size, limit }) => Err(Error::FileTooLarge { file: path, size, limit }),
            other => Ok(other?),
        }
    }

    /// The text of a source file; `None` if there is none, or if a bound is reached, which is noted.
    ///
    /// # Errors
    /// [`Error::Files`] if the storage fails.
    pub(super) fn source(&mut self, path: &str) -> Result<Option<Rc<str>>, Error> {
        if !self.cache.contains_key(path) {
            if self.sources == MAX_SOURCES {
                let text = format!("only the first {MAX_SOURCES} source files were scanned");
                self.notes.plain(NoteKind::Bound, text);
                return Ok(None);
            }
            self.sources += 1;
        }
        match self.read(path, MAX_SOURCE) {
            Err(files::Error::TooLarge { size, limit, .. }) => {
                let text = format!("{size} bytes, and at most {limit} are scanned");
                self.notes.about(NoteKind::TooLarge, path, text);
                Ok(None)
            }
            other => Ok(other?),
        }
    }

    fn read(&mut self, path: &str, limit: u64) -> Result<Option<Rc<str>>, files::Error> {
        if let Some(text) = self.cache.get(path) {
            return Ok(text.clone());
        }
        if self.cache.len() == MAX_READS {
            self.notes.plain(NoteKind::Bound, format!("only the first {MAX_READS} files were read"));
            return Ok(None);
        }
        if self.bytes > MAX_BYTES {
            self.notes.plain(NoteKind::Bound, format!("only the first {MAX_BYTES} bytes were read"));
            return Ok(None);
        }
        let bytes = match self.tree.read(path, limit) {
            Ok(bytes) => bytes,
            // A folder, link or submodule under a file's name: the survey has noted what needs a note.
            Err(files::Error::NotFound { .. } | files::Error::WrongKind { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        self.bytes += bytes.len() as u64;
        let text = self.text(path, bytes);
        self.cache.insert(path.to_owned(), text.clone());
        Ok(text)
    }

    fn text(&mut self, path: &str, bytes: Vec<u8>) -> Option<Rc<str>> {
        if bytes.starts_with(LFS_POINTER) {
            self.notes.about(NoteKind::LfsPointer, path, "a Git LFS pointer, not the file itself; not read");
            return None;
        }
        let Ok(text) = String::from_utf8(bytes) else {
            self.notes.about(NoteKind::NotText, path, "not UTF-8 text, not read");
            return None;
        };
        Some(Rc::from(text.strip_prefix('\u{feff}').unwrap_or(&text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryTree;

    #[test]
    fn what_is_not_text_counts_as_absent_and_is_noted() {
        let mut tree = MemoryTree::default();
        tree.insert("bom", "\u{feff}x".as_bytes().to_vec());
        tree.insert("lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec());
        tree.insert("latin1", b"\xe9".to_vec());
        tree.insert("big", vec![b'x'; 1024 * 1024 + 1]);
        let mut reader = Reader::new(&tree, Notes::default());
        assert_eq!(reader.manifest("bom").unwrap().as_deref(), Some("x"));
        assert_eq!(reader.manifest("lfs").unwrap(), None);
        assert_eq!(reader.manifest("latin1").unwrap(), None);
        assert_eq!(reader.manifest("none").unwrap(), None);
        assert!(matches!(reader.manifest("big"), Err(Error::FileTooLarge { size: 1_048_577, limit: 1_048_576, .. })));
        assert_eq!(reader.source("big").unwrap(), None);
        let kinds: Vec<_> = reader.notes.into_vec().into_iter().map(|note| note.kind).collect();
        assert_eq!(kinds, [NoteKind::LfsPointer, NoteKind::NotText, NoteKind::TooLarge]);
    }
}
