//! A set of changes to a tree, before it is applied to one.

use std::collections::BTreeMap;

use super::raw_tree::{Entry, Mode};
use super::{BlobId, Error, path};

/// Changes to the files of a tree. They take effect in the order in which they were made, so a later one wins.
///
/// Files are regular and not executable. A folder exists where a file is below it: there are no empty ones, and nothing
/// has to be done to make one. Where a file is put in the place of a folder, the folder goes with all that it holds,
/// and where a file is put below another file, that one becomes a folder.
#[derive(Clone, Debug, Default)]
pub struct TreeEdits {
    root: Node,
}

/// The changes at one path and below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// The file that stands here now.
    put: Option<BlobId>,
    /// Whether a file (or link, or submodule) that the base tree has here goes.
    drops_file: bool,
    /// Whether a folder that the base tree has here goes, before `children` are applied.
    drops_folder: bool,
    children: BTreeMap<String, Node>,
}

impl TreeEdits {
    /// No changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are no changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.children.is_empty() && !self.root.drops_folder
    }

    /// The file at `path` becomes `blob`.
    ///
    /// # Errors
    /// [`Error::Path`] for a path that leaves the tree, names `.git` in any spelling, or that some system cannot check
    /// out.
    pub fn put(&mut self, path: &str, blob: BlobId) -> Result<(), Error> {
        let mut node = &mut self.root;
        for segment in path::segments(path)? {
            // A file in the way is a folder from here on. One that was put here has already taken the place of any
            // folder of the base tree.
            node.put = None;
            node.drops_file = true;
            node = node.children.entry(segment.to_owned()).or_default();
        }
        *node = Node { put: Some(blob), drops_file: true, drops_folder: true, children: BTreeMap::new() };
        Ok(())
    }

    /// The file at `path` goes. Nothing happens where none stands, or a folder does.
    ///
    /// # Errors
    /// As [`TreeEdits::put`].
    pub fn remove(&mut self, path: &str) -> Result<(), Error> {
        if let Some(node) = self.below(path)? {
            node.put = None;
            node.drops_file = true;
        }
        Ok(())
    }

    /// Whatever stands at `path` goes, a folder with all that it holds. Nothing happens where nothing stands.
    ///
    /// # Errors
    /// As [`TreeEdits::put`].
    pub fn remove_tree(&mut self, path: &str) -> Result<(), Error> {
        if let Some(node) = self.below(path)? {
            *node = Node { put: None, drops_file: true, drops_folder: true, children: BTreeMap::new() };
        }
        Ok(())
    }

    /// The node at `path`, or `None` if a file that was put on the way leaves nothing there.
    fn below(&mut self, path: &str) -> Result<Option<&mut Node>, Error> {
        let mut node = &mut self.root;
        for segment in path::segments(path)? {
            if node.put.is_some() {
                return Ok(None);
            }
            node = node.children.entry(segment.to_owned()).or_default();
        }
        Ok(Some(node))
    }

    pub(super) fn root(&self) -> &Node {
        &self.root
    }
}

/// What the edits make of one path.
pub(super) enum Outcome<'a> {
    /// This stands there, or nothing.
    Entry(Option<Entry>),
    /// The folder with these changes applied to `base`; and if nothing is left in it, `instead`.
    Folder { base: Option<super::names::Sha1>, changes: &'a Node, instead: Option<Entry> },
}

impl Node {
    pub(super) fn children(&self) -> impl ExactSizeIterator<Item = (&str, &Self)> {
        self.children.iter().map(|(name, node)| (name.as_str(), node))
    }

    /// What becomes of the path at which `standing` stands in the base tree.
    pub(super) fn outcome(&self, standing: Option<Entry>) -> Outcome<'_> {
        if let Some(blob) = self.put {
            return Outcome::Entry(Some(Entry { mode: Mode::File, id: blob.sha1() }));
        }
        let (folder, file) = match standing {
            Some(entry) if entry.mode == Mode::Folder => (Some(entry).filter(|_| !self.drops_folder), None),
            other => (None, other.filter(|_| !self.drops_file)),
        };
        if self.children.is_empty() {
            return Outcome::Entry(folder.or(file));
        }
        Outcome::Folder { base: folder.map(|entry| entry.id), changes: self, instead: file }
    }
}
