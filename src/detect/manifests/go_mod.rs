//! `go.mod`.

use std::collections::BTreeMap;

/// What the file says.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct GoMod {
    /// The file, relative to the tree's root.
    pub(crate) file: String,
    /// The module's path and its line.
    pub(crate) module: Option<(String, usize)>,
    /// The language version and its line.
    pub(crate) go: Option<(String, usize)>,
    /// Required modules: path to line.
    pub(crate) requires: BTreeMap<String, usize>,
}

/// Reads the file. Lines that are not understood are passed over.
pub(crate) fn read(file: &str, text: &str) -> GoMod {
    let mut module = GoMod { file: file.to_owned(), ..GoMod::default() };
    let mut block = None;
    for (at, line) in text.lines().enumerate() {
        let mut words = line.split("//").next().unwrap_or_default().split_whitespace();
        let Some(first) = words.next() else { continue };
        let second = words.next();
        let unquoted = |word: &str| word.trim_matches(['"', '`']).to_owned();
        match (block, first, second) {
            (_, ")", _) => block = None,
            (None, verb, Some("(")) => block = Some(verb == "require"),
            (None, "module", Some(path)) => module.module = Some((unquoted(path), at + 1)),
            (None, "go", Some(version)) => module.go = Some((version.to_owned(), at + 1)),
            (None, "require", Some(path)) | (Some(true), path, Some(_)) => {
                module.requires.insert(unquoted(path), at + 1);
            }
            _ => {}
        }
    }
    module
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_version_and_requirements() {
        let text = "module example.com/ledger // x\n\ngo 1.23\n\nrequire github.com/a/b v1.0.0\nrequire (\n\tgithub.com/gin-gonic/gin v1.10.0\n)\nreplace (\n\tx => y v1\n)\n";
        let module = read("go.mod", text);
        assert_eq!(module.module, Some(("example.com/ledger".to_owned(), 1)));
        assert_eq!(module.go, Some(("1.23".to_owned(), 3)));
        assert_eq!(module.requires.keys().collect::<Vec<_>>(), ["github.com/a/b", "github.com/gin-gonic/gin"]);
    }
}
