//! One tree laid over another, file by file.

use std::collections::BTreeMap;

use super::{Entry, Error, FileTree, Kind};

/// `upper` over `lower`: a path that exists in `upper` is read there, any other in `lower`. So a fleet's own
/// `templates/` and `overlays/` shadow the built-in ones by path.
pub struct LayeredTree<'a> {
    upper: &'a dyn FileTree,
    lower: &'a dyn FileTree,
}

impl<'a> LayeredTree<'a> {
    /// Lays `upper` over `lower`.
    #[must_use]
    pub fn new(upper: &'a dyn FileTree, lower: &'a dyn FileTree) -> Self {
        Self { upper, lower }
    }
}

impl FileTree for LayeredTree<'_> {
    fn kind(&self, path: &str) -> Result<Option<Kind>, Error> {
        match self.upper.kind(path)? {
            None => self.lower.kind(path),
            found => Ok(found),
        }
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, Error> {
        match self.upper.read(path, limit) {
            Err(Error::NotFound { .. }) => self.lower.read(path, limit),
            result => result,
        }
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>, Error> {
        let mut entries = BTreeMap::new();
        let mut missing = 0;
        for layer in [self.lower, self.upper] {
            match layer.list(path) {
                Ok(names) => entries.extend(names.into_iter().map(|entry| (entry.name, entry.kind))),
                Err(Error::NotFound { .. }) => missing += 1,
                Err(error) => return Err(error),
            }
        }
        if missing == 2 {
            return Err(Error::NotFound { path: path.to_owned() });
        }
        Ok(entries.into_iter().map(|(name, kind)| Entry { name, kind }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemoryTree;
    use super::*;

    #[test]
    fn upper_shadows_lower_by_path() {
        let lower: MemoryTree = [("d/a", "low"), ("d/b", "low")].into_iter().map(|(p, c)| (p, c.as_bytes())).collect();
        let upper: MemoryTree = [("d/b", "up"), ("d/c", "up")].into_iter().map(|(p, c)| (p, c.as_bytes())).collect();
        let tree = LayeredTree::new(&upper, &lower);
        let read = |path| tree.read_text(path, 9).unwrap();
        assert_eq!((read("d/a"), read("d/b"), read("d/c")), ("low".into(), "up".into(), "up".into()));
        let names: Vec<_> = tree.list("d").unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(matches!(tree.list("x"), Err(Error::NotFound { .. })));
    }
}
