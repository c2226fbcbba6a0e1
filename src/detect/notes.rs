//! Collecting notes, with a bound for each kind so that a hostile tree cannot drown the answer.

use std::collections::BTreeMap;

use super::answer::{Note, NoteKind};
use super::place::shown;

/// How many notes of one kind are kept; the rest are counted.
const KEPT_PER_KIND: usize = 20;

/// Notes in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Notes {
    kept: Vec<Note>,
    seen: BTreeMap<NoteKind, usize>,
}

impl Notes {
    /// Adds a note about `file`, unless the same note is there already.
    pub(super) fn about(&mut self, kind: NoteKind, file: &str, text: impl Into<String>) {
        self.push(Note { kind, file: Some(file.to_owned()), text: shown(&text.into()) });
    }

    /// Adds a note about no file.
    pub(super) fn plain(&mut self, kind: NoteKind, text: impl Into<String>) {
        self.push(Note { kind, file: None, text: shown(&text.into()) });
    }

    /// Adds `note`, unless it is there already.
    pub(super) fn push(&mut self, note: Note) {
        if self.kept.contains(&note) {
            return;
        }
        let seen = self.seen.entry(note.kind).or_default();
        *seen += 1;
        if *seen <= KEPT_PER_KIND {
            self.kept.push(note);
        }
    }

    /// The notes, with one more for each kind of which some were left out.
    pub(super) fn into_vec(mut self) -> Vec<Note> {
        for (kind, seen) in self.seen {
            if let Some(more) = seen.checked_sub(KEPT_PER_KIND).filter(|more| *more > 0) {
                self.kept.push(Note { kind, file: None, text: format!("and {more} more of this kind") });
            }
        }
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_counted() {
        let mut notes = Notes::default();
        for index in 0..50 {
            notes.about(NoteKind::Symlink, &format!("link{index}"), "not followed");
            notes.about(NoteKind::Symlink, "link0", "not followed");
        }
        let notes = notes.into_vec();
        assert_eq!(notes.len(), 21);
        assert_eq!(notes[20].text, "and 30 more of this kind");
    }
}
