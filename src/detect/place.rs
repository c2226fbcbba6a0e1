//! Places in text: from byte offsets to lines and columns, and names made safe to print.

/// A line in a file of the tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// The file, relative to the tree's root.
    pub(super) file: String,
    /// Counted from 1; `None` where the file's presence is what counts.
    pub(super) line: Option<usize>,
}

impl Place {
    /// A line of a file.
    pub(super) fn new(file: &str, line: usize) -> Self {
        Self { file: file.to_owned(), line: Some(line) }
    }

    /// A file as a whole.
    pub(super) fn file(file: &str) -> Self {
        Self { file: file.to_owned(), line: None }
    }
}

/// The line of the byte `offset`, counted from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// The lines of a text, for many questions.
pub(super) struct LineIndex(Vec<usize>);

impl LineIndex {
    /// Counts the lines of `text`.
    pub(super) fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of the byte `offset`, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|at| *at < offset) + 1
    }
}

/// The column of the byte `offset` in its line, in characters, counted from 1.
pub(super) fn column_at(text: &str, offset: usize) -> usize {
    let start = text.as_bytes().iter().take(offset).rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    text[start..].char_indices().take_while(|(at, _)| start + at < offset).count() + 1
}

/// The line in which `"key":` stands, at or after the line `from`; `from` if it stands nowhere.
pub(super) fn line_of_key(text: &str, key: &str, from: usize) -> usize {
    let quoted = serde_json::Value::from(key).to_string();
    let holds =
        |line: &str| line.match_indices(&quoted).any(|(at, _)| line[at + quoted.len()..].trim_start().starts_with(':'));
    text.lines().enumerate().skip(from.saturating_sub(1)).find(|(_, line)| holds(line)).map_or(from, |(at, _)| at + 1)
}

/// `text` cut to a length that suits a message, with control characters escaped so that it cannot move the cursor.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 160;
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || reorders { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text = "é = 1\r\n名 = 2\n";
        let at = text.find('2').unwrap();
        assert_eq!((line_at(text, at), column_at(text, at)), (2, 5));
        assert_eq!((line_at(text, 0), column_at(text, 0)), (1, 1));
        assert_eq!((line_at("", 9), column_at("", 9)), (1, 1));
    }

    #[test]
    fn a_key_is_found_after_its_section() {
        let text = "{\n\"name\": \"next\",\n\"dependencies\": {\n\"next\" : \"15\"\n}}";
        assert_eq!(line_of_key(text, "next", 3), 4);
        assert_eq!(line_of_key(text, "absent", 3), 3);
    }

    #[test]
    fn control_and_direction_characters_are_escaped() {
        assert_eq!(shown("a\u{1b}[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), 161);
    }
}
