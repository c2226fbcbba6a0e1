//! What is learned about a commit after it was made: one JSON value a line, in a Git note.
//!
//! Notes live under `refs/notes/wooo`, where `git log --notes=wooo` shows them, and travel like any other ref.

use std::time::Duration;

use backon::{BlockingRetryable, ExponentialBuilder};

use super::raw_tree::{Entry, Mode};
use super::{CommitId, Error, PreparedBlob, RefName, Repository, Signature, TreeEdits, TreeId};

/// Notes of a commit beyond this are not read; ours are a few kilobytes.
const LIMIT: usize = 1024 * 1024;

impl Repository {
    /// The ref that notes are kept under.
    ///
    /// # Errors
    /// Never; the name is checked like every other.
    pub fn notes_ref() -> Result<RefName, Error> {
        "refs/notes/wooo".parse()
    }

    /// Where the notes stand, or `None` before the first.
    ///
    /// # Errors
    /// [`Error::Io`] if the ref cannot be read.
    pub fn note_tip(&self) -> Result<Option<CommitId>, Error> {
        self.resolve_ref(&Self::notes_ref()?)
    }

    /// The values noted on a commit, oldest first. Lines that are not JSON, which only a person can have written, are
    /// left out.
    ///
    /// # Errors
    /// [`Error::NoObject`] or [`Error::Damaged`] if the notes cannot be read.
    pub fn notes(&self, commit: CommitId) -> Result<Vec<serde_json::Value>, Error> {
        let Some(tip) = self.resolve_ref(&Self::notes_ref()?)? else { return Ok(Vec::new()) };
        let root = self.tree(tip)?.id();
        let Some((_, note)) = self.find_note(root, commit)? else { return Ok(Vec::new()) };
        Ok(values(&self.note_bytes(note)?))
    }

    /// Every commit that has notes, with them, in no particular order.
    ///
    /// # Errors
    /// As [`Repository::notes`].
    pub fn all_notes(&self) -> Result<Vec<(CommitId, Vec<serde_json::Value>)>, Error> {
        let Some(tip) = self.resolve_ref(&Self::notes_ref()?)? else { return Ok(Vec::new()) };
        let mut notes = Vec::new();
        for file in self.changes(None, self.tree(tip)?.id())? {
            // However many levels of folders Git has made of the id.
            let id = file.path.replace('/', "").parse();
            if let (Ok(commit), Some(note)) = (id, file.after) {
                notes.push((commit, values(&self.note_bytes(note.entry())?)));
            }
        }
        Ok(notes)
    }

    /// Adds a value to the notes of a commit, whoever else is writing notes at the same time.
    ///
    /// # Errors
    /// [`Error::RefMoved`] if others always were faster, [`Error::RefLocked`], [`Error::Io`].
    pub fn append_note(&self, commit: CommitId, value: &serde_json::Value, signature: &Signature) -> Result<(), Error> {
        let patience = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(2))
            .with_max_delay(Duration::from_millis(100))
            .with_max_times(50)
            .with_jitter();
        (|| self.append_note_once(commit, value, signature))
            .retry(patience)
            .when(|error| matches!(error, Error::RefMoved { .. }))
            .call()
    }

    fn append_note_once(
        &self,
        commit: CommitId,
        value: &serde_json::Value,
        signature: &Signature,
    ) -> Result<(), Error> {
        let name = Self::notes_ref()?;
        let tip = self.resolve_ref(&name)?;
        let root = tip.map(|tip| self.tree(tip)).transpose()?.map(|tree| tree.id());
        let found = root.map(|root| self.find_note(root, commit)).transpose()?.flatten();
        let (path, mut content) = match found {
            Some((path, note)) => (path, self.note_bytes(note)?),
            None => (fanned(commit), Vec::new()),
        };
        if content.last().is_some_and(|byte| *byte != b'\n') {
            content.push(b'\n');
        }
        // A JSON value never holds a raw line break.
        content.extend_from_slice(value.to_string().as_bytes());
        content.push(b'\n');
        let mut writer = self.writer();
        let mut edits = TreeEdits::new();
        edits.put(&path, writer.add(PreparedBlob::new(&content))?)?;
        let tree = writer.finish(root, &edits)?;
        let message = format!("Note on {}", commit.short());
        let new = self.commit(tree, tip.as_slice(), signature, &message)?;
        self.update_ref(&name, new, tip)
    }

    /// Where the note of `commit` stands. Git puts notes into more levels of folders as they become more, and every
    /// level has to be looked at.
    fn find_note(&self, root: TreeId, commit: CommitId) -> Result<Option<(String, Entry)>, Error> {
        let digits = commit.to_string();
        let (mut folder, mut rest, mut path) = (root.sha1(), digits.as_str(), String::new());
        loop {
            let tree = self.raw_tree(folder)?;
            if let Some(entry) = tree.find(rest.as_bytes()).filter(|entry| entry.mode == Mode::File) {
                return Ok(Some((path + rest, entry)));
            }
            let Some((head, tail)) = rest.split_at_checked(2) else { return Ok(None) };
            match tree.find(head.as_bytes()) {
                Some(Entry { mode: Mode::Folder, id }) => folder = id,
                _ => return Ok(None),
            }
            path = format!("{path}{head}/");
            rest = tail;
        }
    }

    fn note_bytes(&self, note: Entry) -> Result<Vec<u8>, Error> {
        let damaged = || Error::Damaged { kind: "blob", id: note.id.to_string() };
        let odb = self.git2().odb()?;
        let oid = note.id.to_oid()?;
        let (size, _) = odb.read_header(oid).map_err(|_| damaged())?;
        if size > LIMIT {
            return Err(damaged());
        }
        Ok(odb.read(oid).map_err(|_| damaged())?.data().to_vec())
    }
}

/// One level of folders, so that a hundred thousand notes make trees of a few hundred entries.
fn fanned(commit: CommitId) -> String {
    let digits = commit.to_string();
    let (head, tail) = digits.split_at(2);
    format!("{head}/{tail}")
}

fn values(content: &[u8]) -> Vec<serde_json::Value> {
    content.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}
