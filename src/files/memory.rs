//! A tree held in memory: what is embedded in the binary, and what tests build.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::path::segments;
use super::{Entry, Error, FileTree, Kind};

/// A tree in memory. Folders exist where a file lies below them.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    files: BTreeMap<String, Cow<'static, [u8]>>,
}

impl MemoryTree {
    /// Adds or replaces the file at `path`.
    pub fn insert(&mut self, path: impl Into<String>, content: impl Into<Cow<'static, [u8]>>) {
        self.files.insert(path.into(), content.into());
    }

    /// Every file with its path, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.as_ref()))
    }

    fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = &'a str> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let length = prefix.len();
        self.files
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(move |(path, _)| &path[length..])
    }
}

impl<P: Into<String>, C: Into<Cow<'static, [u8]>>> FromIterator<(P, C)> for MemoryTree {
    fn from_iter<I: IntoIterator<Item = (P, C)>>(files: I) -> Self {
        Self { files: files.into_iter().map(|(path, content)| (path.into(), content.into())).collect() }
    }
}

impl FileTree for MemoryTree {
    fn shared(&self) -> Option<&(dyn FileTree + Sync)> {
        Some(self)
    }

    fn kind(&self, path: &str) -> Result<Option<Kind>, Error> {
        segments(path)?;
        if self.files.contains_key(path) {
            return Ok(Some(Kind::File));
        }
        let is_folder = path.is_empty() || self.below(path).next().is_some();
        Ok(is_folder.then_some(Kind::Directory))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, Error> {
        segments(path)?;
        let Some(content) = self.files.get(path) else {
            return Err(match self.kind(path)? {
                Some(found) => Error::WrongKind { path: path.to_owned(), expected: Kind::File, found },
                None => Error::NotFound { path: path.to_owned() },
            });
        };
        let size = content.len() as u64;
        if size > limit {
            return Err(Error::TooLarge { path: path.to_owned(), size, limit });
        }
        Ok(content.to_vec())
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, Error> {
        match self.kind(path)? {
            Some(Kind::Directory) => {}
            Some(found) => {
                return Err(Error::WrongKind { path: path.to_owned(), expected: Kind::Directory, found });
            }
            None => return Err(Error::NotFound { path: path.to_owned() }),
        }
        let mut entries: BTreeMap<&str, Kind> = BTreeMap::new();
        for rest in self.below(path) {
            match rest.split_once('/') {
                Some((folder, _)) => entries.insert(folder, Kind::Directory),
                None => entries.insert(rest, Kind::File),
            };
        }
        Ok(entries.into_iter().map(|(name, kind)| Entry { name: name.to_owned(), kind }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_files_and_implied_folders() {
        let tree: MemoryTree =
            [("a/x", "1"), ("a/b/y", "22"), ("z", "")].into_iter().map(|(p, c)| (p, c.as_bytes())).collect();
        let names = |path| tree.list(path).unwrap().into_iter().map(|e| (e.name, e.kind)).collect::<Vec<_>>();
        assert_eq!(names(""), [("a".to_owned(), Kind::Directory), ("z".to_owned(), Kind::File)]);
        assert_eq!(names("a"), [("b".to_owned(), Kind::Directory), ("x".to_owned(), Kind::File)]);
        assert_eq!(tree.read("a/b/y", 2).unwrap(), b"22");
        assert!(matches!(tree.read("a/b/y", 1), Err(Error::TooLarge { size: 2, limit: 1, .. })));
        assert!(matches!(tree.read("a", 9), Err(Error::WrongKind { .. })));
        assert!(matches!(tree.read("nope", 9), Err(Error::NotFound { .. })));
    }
}
