//! TOML with lines: a document whose tables and values know where they stand.
//!
//! Owns the choice of parser and the mapping of its errors. Knows no file format.

use toml::de::{DeTable, DeValue};

use crate::detect::error::Error;
use crate::detect::place::LineIndex;

/// A table of a document.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    lines: &'a LineIndex,
    table: &'a DeTable<'a>,
}

/// A value, and the line in which it (or its key) starts.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    lines: &'a LineIndex,
    value: &'a DeValue<'a>,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// Parses `text` and hands its root table to `read`.
///
/// # Errors
/// [`Error::Broken`] with the parser's first complaint.
pub(crate) fn with_document<T>(file: &str, text: &str, read: impl FnOnce(Table<'_>) -> T) -> Result<T, Error> {
    let document = DeTable::parse(text)
        .map_err(|error| Error::broken(file, text, error.span().map_or(0, |span| span.start), error.message()))?;
    let lines = LineIndex::new(text);
    Ok(read(Table { lines: &lines, table: document.get_ref() }))
}

impl<'a> Table<'a> {
    /// The entries in the order of the parser's map.
    pub(crate) fn entries(self) -> impl Iterator<Item = (&'a str, Item<'a>)> {
        self.table.iter().map(move |(key, value)| {
            let line = self.lines.line(key.span().start);
            (key.get_ref().as_ref(), Item { lines: self.lines, value: value.get_ref(), line })
        })
    }

    /// The value at `key`.
    pub(crate) fn get(self, key: &str) -> Option<Item<'a>> {
        let (key, value) = self.table.get_key_value(key)?;
        Some(Item { lines: self.lines, value: value.get_ref(), line: self.lines.line(key.span().start) })
    }

    /// The table at the end of `path`.
    pub(crate) fn table(self, path: &[&str]) -> Option<Table<'a>> {
        path.iter().try_fold(self, |table, key| table.get(key)?.table())
    }
}

impl<'a> Item<'a> {
    /// The text, if this is text.
    pub(crate) fn string(self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// Whether this is `true`.
    pub(crate) fn is_true(self) -> bool {
        self.value.as_bool() == Some(true)
    }

    /// The table, if this is a table.
    pub(crate) fn table(self) -> Option<Table<'a>> {
        Some(Table { lines: self.lines, table: self.value.as_table()? })
    }

    /// The elements, if this is an array.
    pub(crate) fn items(self) -> impl Iterator<Item = Item<'a>> {
        self.value.as_array().into_iter().flat_map(|array| array.iter()).map(move |value| Item {
            lines: self.lines,
            value: value.get_ref(),
            line: self.lines.line(value.span().start),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_lines_and_errors_their_place() {
        let text = "[a.b]\nx = [\n  'one',\n  'two',\n]\ny = true\n";
        let lines = with_document("f.toml", text, |root| {
            let table = root.table(&["a", "b"]).unwrap();
            assert!(table.get("y").unwrap().is_true());
            table
                .get("x")
                .unwrap()
                .items()
                .map(|item| (item.string().unwrap().to_owned(), item.line))
                .collect::<Vec<_>>()
        });
        assert_eq!(lines.unwrap(), [("one".to_owned(), 3), ("two".to_owned(), 4)]);
        let error = with_document("f.toml", "a = 1\nb = = 2\n", |_| ()).unwrap_err();
        assert!(matches!(error, Error::Broken { line: 2, column: 5, .. }), "{error:?}");
    }
}
