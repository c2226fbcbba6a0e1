//! Writing many objects and the trees over them, at a cost that follows the number of changes and not the size of
//! the fleet.

use std::collections::HashSet;

use super::edit::{Node, Outcome};
use super::names::Sha1;
use super::object::{Kind, Prepared, PreparedBlob};
use super::pack::PackWriter;
use super::raw_tree::{Entry, Mode, RawTree};
use super::{BlobId, Error, Repository, TreeEdits, TreeId, loose};

/// So many objects, or so many bytes, and a pack is the better form. Below, files of their own are written faster
/// (50 us each against 3 ms for the two synced files of a pack) and do not slow down later reads.
const LOOSE_OBJECTS: usize = 200;
const LOOSE_BYTES: usize = 8 * 1024 * 1024;

/// Takes objects as they are made and writes them: few to files of their own, many to one pack.
///
/// Nothing is visible in the repository before [`ObjectWriter::finish`], and nothing is left behind if it is never
/// called. An object that the repository has already is not written again.
pub struct ObjectWriter<'r> {
    repository: &'r Repository,
    seen: HashSet<Sha1>,
    waiting: Vec<Prepared>,
    waiting_bytes: usize,
    pack: Option<PackWriter>,
}

impl std::fmt::Debug for ObjectWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ObjectWriter({} objects)", self.seen.len())
    }
}

impl<'r> ObjectWriter<'r> {
    pub(super) fn new(repository: &'r Repository) -> Self {
        Self { repository, seen: HashSet::new(), waiting: Vec::new(), waiting_bytes: 0, pack: None }
    }

    /// Takes a blob. Its compressed bytes are written soon and are not kept.
    ///
    /// # Errors
    /// [`Error::Io`] if the pack cannot be written.
    pub fn add(&mut self, blob: PreparedBlob) -> Result<BlobId, Error> {
        let id = blob.id();
        self.push(blob.into_prepared())?;
        Ok(id)
    }

    /// Writes the tree that `edits` make of `base`, and everything that was added. Blobs that the edits name must have
    /// been added here or be in the repository. Where nothing changes, the answer is `base` itself.
    ///
    /// # Errors
    /// [`Error::NoObject`] if `base` is not in the repository, [`Error::Io`] if a file cannot be written.
    pub fn finish(mut self, base: Option<TreeId>, edits: &TreeEdits) -> Result<TreeId, Error> {
        let base = base.map(TreeId::sha1);
        let root = match edits.root().outcome(base.map(|id| Entry { mode: Mode::Folder, id })) {
            Outcome::Entry(entry) => entry.map(|entry| entry.id),
            Outcome::Folder { base, changes, .. } => self.apply(base, changes)?,
        };
        let root = match root {
            Some(id) => id,
            None => self.add_tree(Vec::new())?,
        };
        self.flush()?;
        Ok(TreeId::from_sha1(root))
    }

    /// The folder `base` with `changes`, or `None` if nothing is left in it.
    fn apply(&mut self, base: Option<Sha1>, changes: &Node) -> Result<Option<Sha1>, Error> {
        let tree = base.map(|id| self.repository.raw_tree(id)).transpose()?.unwrap_or_default();
        let mut edits = Vec::with_capacity(changes.children().len());
        for (name, node) in changes.children() {
            let standing = tree.find(name.as_bytes());
            let new = match node.outcome(standing) {
                Outcome::Entry(entry) => entry,
                Outcome::Folder { base, changes, instead } => {
                    self.apply(base, changes)?.map(|id| Entry { mode: Mode::Folder, id }).or(instead)
                }
            };
            if new != standing {
                edits.push((name.as_bytes(), new));
            }
        }
        if edits.is_empty() {
            return Ok(base);
        }
        let bytes = tree.with(&edits);
        if bytes.is_empty() { Ok(None) } else { self.add_tree(bytes).map(Some) }
    }

    fn add_tree(&mut self, bytes: Vec<u8>) -> Result<Sha1, Error> {
        let object = Prepared::new(Kind::Tree, &bytes);
        let id = object.id;
        self.push(object)?;
        // The next change begins where this one ends, so the tree is wanted again at once.
        if let Some(tree) = RawTree::parse(bytes) {
            self.repository.remember_tree(id, tree);
        }
        Ok(id)
    }

    pub(super) fn push(&mut self, object: Prepared) -> Result<(), Error> {
        if !self.seen.insert(object.id) || self.repository.has(object.id)? {
            return Ok(());
        }
        if let Some(pack) = &mut self.pack {
            return pack.append(&object);
        }
        self.waiting_bytes += object.deflated.len();
        self.waiting.push(object);
        if self.waiting.len() > LOOSE_OBJECTS || self.waiting_bytes > LOOSE_BYTES {
            let mut pack = PackWriter::create(self.repository.objects())?;
            self.waiting.drain(..).try_for_each(|object| pack.append(&object))?;
            self.pack = Some(pack);
        }
        Ok(())
    }

    pub(super) fn flush(self) -> Result<(), Error> {
        match self.pack {
            Some(pack) => {
                pack.finish()?;
                self.repository.refresh()
            }
            // In the order in which they came: blobs, then the trees over them, the root last. A process that is
            // killed on the way leaves no tree without its parts.
            None => self.waiting.iter().try_for_each(|object| loose::write(self.repository.objects(), object)),
        }
    }
}

impl Repository {
    /// Takes in objects one by one, and then the tree over them.
    #[must_use]
    pub fn writer(&self) -> ObjectWriter<'_> {
        ObjectWriter::new(self)
    }

    /// The tree that `edits` make of `base`; [`ObjectWriter::finish`] for when all blobs are in the repository already,
    /// or for changes that only remove.
    ///
    /// # Errors
    /// As [`ObjectWriter::finish`].
    pub fn apply(&self, base: Option<TreeId>, edits: &TreeEdits) -> Result<TreeId, Error> {
        self.writer().finish(base, edits)
    }
}
