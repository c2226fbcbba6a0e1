//! Pages of long lists: where one ends, the next begins, whatever was added or removed meanwhile.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::Error;
use super::statement::{Row, Statement};

/// Where a page ended. Opaque to whoever carries it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor {
    /// What the list is sorted by.
    key: String,
    /// What tells rows with the same key apart.
    id: String,
}

/// How many items a page has: 1 to 200, 50 if nobody says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limit(u32);

/// Which page.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Paging {
    /// Its size.
    pub limit: Limit,
    /// Where the page before it ended; `None` for the first.
    pub after: Option<Cursor>,
}

/// A part of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

impl Limit {
    /// The largest.
    pub const MAX: u32 = 200;

    /// `number` items, or the nearest number that is allowed.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number.clamp(1, Self::MAX))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl Cursor {
    pub(super) fn new(key: impl fmt::Display, id: impl fmt::Display) -> Self {
        Self { key: key.to_string(), id: id.to_string() }
    }

    /// The key, of a list that is sorted by text.
    pub(super) fn text(&self) -> (String, String) {
        (self.key.clone(), self.id.clone())
    }

    /// The key, of a list that is sorted by time.
    pub(super) fn time(&self) -> Result<(i64, String), Error> {
        Ok((self.key.parse().map_err(|_| Error::Cursor)?, self.id.clone()))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{}\n{}", self.key, self.id)))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() > 1000 {
            return Err(Error::Cursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Cursor)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::Cursor)?;
        // PostgreSQL has no text with a NUL.
        match text.split_once('\n') {
            Some((key, id)) if !text.contains('\0') => Ok(Self { key: key.to_owned(), id: id.to_owned() }),
            _ => Err(Error::Cursor),
        }
    }
}

impl TryFrom<String> for Cursor {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string()
    }
}

impl Paging {
    /// Adds the order, newest first, and where this page begins and ends. The columns are not null.
    pub(super) fn newest_first(
        &self,
        statement: Statement,
        time: &'static str,
        id: &'static str,
    ) -> Result<Statement, Error> {
        let mut statement = statement;
        if let Some(cursor) = &self.after {
            let (at, last) = cursor.time()?;
            statement = statement.sql(" AND (").sql(time).sql(", ").sql(id).sql(") < (").arg(at).sql(", ");
            statement = statement.arg(last).sql(")");
        }
        statement = statement.sql(" ORDER BY ").sql(time).sql(" DESC, ").sql(id).sql(" DESC LIMIT ");
        Ok(statement.arg(self.rows()))
    }

    /// How many rows to ask for: one more than the page has, to see whether there is another page.
    pub(super) fn rows(&self) -> i64 {
        i64::from(self.limit.get()) + 1
    }

    /// The page out of the rows that were asked for.
    pub(super) fn page<T>(
        &self,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<T, Error>,
        cursor: impl Fn(&T) -> Cursor,
    ) -> Result<Page<T>, Error> {
        let size = usize::try_from(self.limit.get()).unwrap_or(usize::MAX);
        let items = rows.iter().take(size).map(read).collect::<Result<Vec<T>, Error>>()?;
        let next = if rows.len() > size { items.last().map(cursor) } else { None };
        Ok(Page { items, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_the_same_after_text_and_a_made_up_one_is_refused() {
        let cursor = Cursor::new(12, "a/b");
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        assert_eq!(cursor.time().unwrap(), (12, "a/b".to_owned()));
        for bad in ["", "!", "YQ", "AAo", &"A".repeat(2000)] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
        assert!(Cursor::new("x", "y").time().is_err());
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!([0, 7, 9999].map(|number| Limit::new(number).get()), [1, 7, 200]);
    }
}
