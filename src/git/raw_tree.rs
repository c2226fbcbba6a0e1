//! The bytes of a tree object: finding an entry in them, and putting others in.
//!
//! A folder of ten thousand apps is 400 kB of sorted entries. Changing one of them here is a binary search and one copy
//! of the bytes around it; nothing is turned into a list of owned entries and back.

use std::cmp::Ordering;

use super::names::Sha1;

/// The kinds of entry that Git knows. Older modes such as 100664 count as what they mean.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Mode {
    File,
    Executable,
    Symlink,
    Submodule,
    Folder,
}

impl Mode {
    fn parse(octal: &[u8]) -> Option<Self> {
        let bits = u32::from_str_radix(str::from_utf8(octal).ok()?, 8).ok()?;
        match bits & 0o170_000 {
            0o040_000 => Some(Self::Folder),
            0o100_000 if bits & 0o100 != 0 => Some(Self::Executable),
            0o100_000 => Some(Self::File),
            0o120_000 => Some(Self::Symlink),
            0o160_000 => Some(Self::Submodule),
            _ => None,
        }
    }

    fn octal(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
            Self::Submodule => "160000",
            Self::Folder => "40000",
        }
    }
}

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Entry {
    pub(super) mode: Mode,
    pub(super) id: Sha1,
}

/// A tree object and where its entries begin.
#[derive(Debug, Default)]
pub(super) struct RawTree {
    bytes: Vec<u8>,
    starts: Vec<u32>,
}

impl RawTree {
    /// `None` if the bytes are no tree: cut off, of unknown modes, or not in Git's order, which everything here builds
    /// on. `git fsck` refuses the same trees.
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let mut starts = Vec::with_capacity(bytes.len() / 32);
        let mut start = 0;
        let mut previous: Option<(&[u8], bool)> = None;
        while start < bytes.len() {
            let (entry, name, length) = parse_entry(bytes.get(start..)?)?;
            let is_folder = entry.mode == Mode::Folder;
            if name.is_empty() || previous.is_some_and(|(before, was)| order(before, was, name, is_folder).is_ge()) {
                return None;
            }
            previous = Some((name, is_folder));
            starts.push(u32::try_from(start).ok()?);
            start += length;
        }
        Some(Self { bytes, starts })
    }

    /// How much memory it takes, near enough.
    pub(super) fn footprint(&self) -> usize {
        self.bytes.len() + 4 * self.starts.len() + 64
    }

    /// The entries in Git's order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&[u8], Entry)> {
        self.starts.iter().filter_map(|start| self.at(*start)).map(|(entry, name, _)| (name, entry))
    }

    /// What `name` stands for.
    pub(super) fn find(&self, name: &[u8]) -> Option<Entry> {
        // A name sorts differently as a folder and as anything else, so it has two places to be.
        [false, true].into_iter().find_map(|as_folder| {
            let index = self.lower_bound(name, as_folder);
            let (entry, found, _) = self.at(*self.starts.get(index)?)?;
            (found == name && (entry.mode == Mode::Folder) == as_folder).then_some(entry)
        })
    }

    /// The bytes of the tree with each name of `edits` standing for what it says, or for nothing.
    pub(super) fn with(&self, edits: &[(&[u8], Option<Entry>)]) -> Vec<u8> {
        // Both places of each name, in Git's order: what stands there goes, and in one of the two the new one comes.
        let mut places: Vec<(&[u8], bool, Option<Entry>)> = edits
            .iter()
            .flat_map(|(name, new)| {
                [false, true]
                    .map(|as_folder| (*name, as_folder, new.filter(|entry| (entry.mode == Mode::Folder) == as_folder)))
            })
            .collect();
        places.sort_unstable_by(|a, b| order(a.0, a.1, b.0, b.1));
        let mut bytes = Vec::with_capacity(self.bytes.len() + 64 * edits.len());
        let mut copied = 0;
        for (name, as_folder, new) in places {
            let index = self.lower_bound(name, as_folder);
            let start = self.start(index);
            bytes.extend_from_slice(self.bytes.get(copied..start).unwrap_or_default());
            copied = start;
            if let Some((old, found, length)) = self.bytes.get(start..).and_then(parse_entry)
                && found == name
                && (old.mode == Mode::Folder) == as_folder
            {
                copied += length;
            }
            if let Some(entry) = new {
                push_entry(&mut bytes, name, entry);
            }
        }
        bytes.extend_from_slice(self.bytes.get(copied..).unwrap_or_default());
        bytes
    }

    /// The index of the first entry that does not sort before `name`.
    fn lower_bound(&self, name: &[u8], as_folder: bool) -> usize {
        self.starts.partition_point(|start| {
            self.at(*start).is_some_and(|(entry, other, _)| {
                order(other, entry.mode == Mode::Folder, name, as_folder) == Ordering::Less
            })
        })
    }

    fn start(&self, index: usize) -> usize {
        self.starts.get(index).map_or(self.bytes.len(), |start| *start as usize)
    }

    fn at(&self, start: u32) -> Option<(Entry, &[u8], usize)> {
        self.bytes.get(start as usize..).and_then(parse_entry)
    }
}

/// Git's order of names: bytewise, folders as if they ended in `/`.
pub(super) fn order(a: &[u8], a_is_folder: bool, b: &[u8], b_is_folder: bool) -> Ordering {
    let shared = a.len().min(b.len());
    let end = |name: &[u8], is_folder: bool| name.get(shared).copied().or(is_folder.then_some(b'/'));
    a.get(..shared).cmp(&b.get(..shared)).then_with(|| end(a, a_is_folder).cmp(&end(b, b_is_folder)))
}

/// The entry at the start of `bytes`, its name, and how many bytes it takes.
fn parse_entry(bytes: &[u8]) -> Option<(Entry, &[u8], usize)> {
    let space = bytes.iter().take(7).position(|byte| *byte == b' ')?;
    let (mode, rest) = (bytes.get(..space)?, bytes.get(space + 1..)?);
    let nul = rest.iter().position(|byte| *byte == 0)?;
    let id = rest.get(nul + 1..)?.first_chunk()?;
    Some((Entry { mode: Mode::parse(mode)?, id: Sha1(*id) }, rest.get(..nul)?, space + 1 + nul + 1 + id.len()))
}

fn push_entry(bytes: &mut Vec<u8>, name: &[u8], entry: Entry) {
    bytes.extend_from_slice(entry.mode.octal().as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(name);
    bytes.push(0);
    bytes.extend_from_slice(&entry.id.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(mode: Mode, byte: u8) -> Option<Entry> {
        Some(Entry { mode, id: Sha1([byte; 20]) })
    }

    fn tree(entries: &[(&str, Option<Entry>)]) -> RawTree {
        let edits: Vec<_> = entries.iter().map(|(name, entry)| (name.as_bytes(), *entry)).collect();
        RawTree::parse(RawTree::default().with(&edits)).unwrap()
    }

    fn names(tree: &RawTree) -> Vec<String> {
        tree.entries().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    }

    #[test]
    fn folders_sort_as_if_they_ended_in_a_slash() {
        let tree = tree(&[
            ("a", entry(Mode::Folder, 1)),
            ("a.yaml", entry(Mode::File, 2)),
            ("a0", entry(Mode::File, 3)),
            ("a-b", entry(Mode::File, 4)),
        ]);
        assert_eq!(names(&tree), ["a-b", "a.yaml", "a", "a0"]);
        for name in ["a", "a.yaml", "a0", "a-b"] {
            assert!(tree.find(name.as_bytes()).is_some(), "{name}");
        }
        assert_eq!(tree.find(b"b"), None);
    }

    #[test]
    fn an_edit_replaces_a_folder_by_a_file_at_its_new_place_and_back() {
        let before = tree(&[("a", entry(Mode::Folder, 1)), ("a.b", entry(Mode::File, 2))]);
        let after = RawTree::parse(before.with(&[(b"a", entry(Mode::File, 3))])).unwrap();
        assert_eq!(names(&after), ["a", "a.b"]);
        assert_eq!(after.with(&[(b"a", entry(Mode::Folder, 1))]), before.bytes);
        assert!(after.with(&[(b"a", None), (b"a.b", None), (b"none", None)]).is_empty());
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let good = tree(&[("a", entry(Mode::File, 1)), ("b", entry(Mode::File, 2))]).bytes;
        let (first, second) = good.split_at(good.len() / 2);
        let swapped = [second, first].concat();
        let twice = [first, first].concat();
        for bytes in [&good[..good.len() - 1], &swapped, &twice, b"100644 \0aaaaaaaaaaaaaaaaaaaa", b"999 x\0", b"x"] {
            assert!(RawTree::parse(bytes.to_vec()).is_none(), "{bytes:?}");
        }
        assert!(RawTree::parse(Vec::new()).is_some());
    }
}
