//! YAML as Go's tools write it.
//!
//! Owns the text that `sigs.k8s.io/yaml` makes of an object, byte for byte, because people keep that text in Git and
//! compare it: keys sorted as people sort, lists not indented, scalars plain where they can be, folded behind the 80th
//! column. The rules are those of `gopkg.in/yaml.v2` (encode.go, sorter.go, emitterc.go), which is a translation of libyaml.
//!
//! Does not own what an object is.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use super::folded;
use super::go_number;
use super::node::{Mapping, Node, NotJson, Scalar, Style as Written, Tag};
use super::resolve;
use super::scalar_style::{self, Style};

/// The column behind which a scalar is folded at its next space.
const BEST_WIDTH: usize = 80;

/// The longest key that stands on one line with its value, in bytes.
const MAX_SIMPLE_KEY: usize = 128;

/// Writes documents, separated by `---`, each ending with a line break.
///
/// # Errors
/// [`NotJson`] with the first scalar that Go could not write as JSON: a number that is none, a key that is no text.
pub fn write_go<'a>(documents: impl IntoIterator<Item = &'a Node>) -> Result<String, NotJson> {
    let mut writer = Writer::default();
    for (position, document) in documents.into_iter().enumerate() {
        if position > 0 {
            writer.text.push_str("---\n");
        }
        writer.document(document)?;
    }
    Ok(writer.text)
}

#[derive(Default)]
struct Writer {
    text: String,
    column: usize,
}

/// Where a node stands, which decides how its first line begins.
#[derive(Clone, Copy, Eq, PartialEq)]
enum After {
    /// The beginning of a document.
    Nothing,
    /// The colon of a key.
    Key,
    /// The dash of an item, or the question mark of a long key.
    Dash,
}

impl Writer {
    fn document(&mut self, node: &Node) -> Result<(), NotJson> {
        self.column = 0;
        self.node(node, 0, After::Nothing)?;
        self.line_break();
        Ok(())
    }

    fn put(&mut self, character: char) {
        self.text.push(character);
        self.column += 1;
    }

    fn put_str(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += if text.is_ascii() { text.len() } else { text.chars().count() };
    }

    fn line_break(&mut self) {
        self.text.push('\n');
        self.column = 0;
    }

    fn new_line(&mut self, indent: usize) {
        self.line_break();
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// Writes a node whose own lines are indented by `indent`.
    fn node(&mut self, node: &Node, indent: usize, after: After) -> Result<(), NotJson> {
        match node {
            Node::Scalar(scalar) => {
                let (text, is_plain) = written(scalar)?;
                if after != After::Nothing {
                    self.put(' ');
                }
                // A scalar is a level of its own to the emitter, but for one that is a whole document.
                let inner = if after == After::Nothing { 0 } else { indent };
                self.scalar(&text, is_plain, inner, false);
                Ok(())
            }
            Node::Sequence(items) if items.is_empty() => self.empty("[]", after),
            Node::Mapping(mapping) if mapping.is_empty() => self.empty("{}", after),
            Node::Sequence(items) => self.sequence(items, indent, after),
            Node::Mapping(mapping) => self.mapping(mapping, indent, after),
        }
    }

    fn empty(&mut self, text: &str, after: After) -> Result<(), NotJson> {
        if after != After::Nothing {
            self.put(' ');
        }
        self.put_str(text);
        Ok(())
    }

    fn sequence(&mut self, items: &[Node], indent: usize, after: After) -> Result<(), NotJson> {
        // Below a key, the dashes stand where the key stands.
        let indent = if after == After::Key { indent - 2 } else { indent };
        for (position, item) in items.iter().enumerate() {
            self.begin(position, indent, after);
            self.put('-');
            self.node(item, indent + 2, After::Dash).map_err(|error| error.below(position))?;
        }
        Ok(())
    }

    /// The place of an entry: the first one follows a dash on its line.
    fn begin(&mut self, position: usize, indent: usize, after: After) {
        match (position, after) {
            (0, After::Nothing) => {}
            (0, After::Dash) => self.put(' '),
            _ => self.new_line(indent),
        }
    }

    fn mapping(&mut self, mapping: &Mapping, indent: usize, after: After) -> Result<(), NotJson> {
        let mut entries: Vec<(&Scalar, &Node)> = mapping.iter().collect();
        if !entries.is_sorted_by(|(left, _), (right, _)| compare_keys(left.text(), right.text()) == Ordering::Less) {
            entries = sorted(entries);
        }
        for (position, (key, value)) in entries.into_iter().enumerate() {
            self.begin(position, indent, after);
            let text = key.text();
            match key.tag() {
                Tag::Null => return Err(NotJson::new(text, "is nothing, and cannot be a key")),
                Tag::Str | Tag::Merge => {}
                _ if after == After::Nothing => {}
                _ => return Err(NotJson::new(text, "is a key and not a text")),
            }
            let is_simple = text.len() <= MAX_SIMPLE_KEY && !text.contains(scalar_style::is_break);
            if is_simple {
                self.scalar(text, is_text(text), indent + 2, true);
                self.put(':');
                self.node(value, indent + 2, After::Key).map_err(|error| error.below(text))?;
            } else {
                self.put_str("? ");
                self.scalar(text, is_text(text), indent + 2, false);
                self.new_line(indent);
                self.put(':');
                self.node(value, indent + 2, After::Dash).map_err(|error| error.below(text))?;
            }
        }
        Ok(())
    }

    /// Writes a scalar. `may_be_plain` says whether it would read back as what it is without quotes.
    fn scalar(&mut self, text: &str, may_be_plain: bool, indent: usize, is_key: bool) {
        match scalar_style::choose(text, may_be_plain, is_key) {
            Style::Plain => self.plain(text, indent, !is_key),
            Style::Single => self.single_quoted(text, indent, !is_key),
            Style::Double => self.double_quoted(text, indent, !is_key),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn plain(&mut self, text: &str, indent: usize, may_fold: bool) {
        if !may_fold || self.column + text.len() <= BEST_WIDTH {
            self.put_str(text);
            return;
        }
        let mut characters = text.chars().peekable();
        let mut was_space = false;
        while let Some(character) = characters.next() {
            let is_space = character == ' ';
            if is_space && !was_space && self.column > BEST_WIDTH && characters.peek() != Some(&' ') {
                self.new_line(indent);
            } else {
                self.put(character);
            }
            was_space = is_space;
        }
    }

    fn single_quoted(&mut self, text: &str, indent: usize, may_fold: bool) {
        self.put('\'');
        let last = text.len().saturating_sub(1);
        let (mut was_space, mut was_break) = (false, false);
        let mut characters = text.char_indices().peekable();
        while let Some((position, character)) = characters.next() {
            let next_is_space = characters.peek().is_some_and(|(_, next)| *next == ' ');
            if character == ' ' {
                let is_inside = position > 0 && position < last;
                if may_fold && !was_space && self.column > BEST_WIDTH && is_inside && !next_is_space {
                    self.new_line(indent);
                } else {
                    self.put(' ');
                }
                was_space = true;
            } else if scalar_style::is_break(character) {
                if !was_break && character == '\n' {
                    self.line_break();
                }
                self.text.push(character);
                self.column = 0;
                (was_break, was_space) = (true, false);
            } else {
                if was_break {
                    self.text.extend(std::iter::repeat_n(' ', indent));
                    self.column = indent;
                }
                if character == '\'' {
                    self.put('\'');
                }
                self.put(character);
                (was_space, was_break) = (false, false);
            }
        }
        if was_break {
            self.text.extend(std::iter::repeat_n(' ', indent));
            self.column = indent;
        }
        self.put('\'');
    }

    fn double_quoted(&mut self, text: &str, indent: usize, may_fold: bool) {
        self.put('"');
        let last = text.len().saturating_sub(1);
        let mut was_space = false;
        // libyaml asks for every character whether the text begins with a mark of byte order, where it means the character.
        let is_marked = text.starts_with('\u{feff}');
        let mut characters = text.char_indices().peekable();
        while let Some((position, character)) = characters.next() {
            if is_marked || scalar_style::needs_escape(character) {
                self.escape(character);
                was_space = false;
            } else if character == ' ' {
                if may_fold && !was_space && self.column > BEST_WIDTH && position > 0 && position < last {
                    self.new_line(indent);
                    if characters.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                was_space = true;
            } else {
                self.put(character);
                was_space = false;
            }
        }
        self.put('"');
    }

    fn escape(&mut self, character: char) {
        self.put('\\');
        let short = match character {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            other => {
                let code = u32::from(other);
                let before = self.text.len();
                let _ = match code {
                    0..=0xff => write!(self.text, "x{code:02X}"),
                    0x100..=0xffff => write!(self.text, "u{code:04X}"),
                    _ => write!(self.text, "U{code:08X}"),
                };
                self.column += self.text.len() - before;
                return;
            }
        };
        self.put(short);
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put('|');
        if text.starts_with(|character| character == ' ' || scalar_style::is_break(character)) {
            self.put('2');
        }
        let mut backwards = text.chars().rev();
        match (backwards.next(), backwards.next()) {
            (Some(last), _) if !scalar_style::is_break(last) => self.put('-'),
            (Some(_), None) => self.put('+'),
            (Some(_), Some(before)) if scalar_style::is_break(before) => self.put('+'),
            _ => {}
        }
        self.line_break();
        let mut was_break = true;
        for character in text.chars() {
            if scalar_style::is_break(character) {
                self.text.push(character);
                self.column = 0;
                was_break = true;
            } else {
                if was_break {
                    self.text.extend(std::iter::repeat_n(' ', indent));
                    self.column = indent;
                }
                self.put(character);
                was_break = false;
            }
        }
        // The line break of the text is that of the line: what follows begins a new one.
        if was_break && self.text.ends_with('\n') {
            self.text.pop();
        }
    }
}

/// The text of a scalar in the output, and whether it stands there without quotes.
fn written(scalar: &Scalar) -> Result<(Cow<'_, str>, bool), NotJson> {
    let text = scalar.text();
    let number = |number: Option<String>, reason| {
        number.map(|number| (Cow::Owned(number), true)).ok_or_else(|| NotJson::new(text, reason))
    };
    match scalar.tag() {
        // Absent in braces: kustomize writes quotes there, and reads them as a text.
        Tag::Null if text.is_empty() && scalar.style() == Written::Quoted => Ok((Cow::Borrowed(""), false)),
        Tag::Null if is_nothing(text) => Ok((Cow::Borrowed("null"), true)),
        Tag::Null => Err(NotJson::new(text, "is not nothing")),
        Tag::Bool => match text {
            "true" | "True" | "TRUE" => Ok((Cow::Borrowed("true"), true)),
            "false" | "False" | "FALSE" => Ok((Cow::Borrowed("false"), true)),
            _ => Err(NotJson::new(text, "is not a truth value")),
        },
        Tag::Int => number(go_number::int(text), "is not an integer"),
        Tag::Float => number(go_number::float(text), "is not a number that JSON has"),
        Tag::Timestamp => {
            let time = resolve::timestamp(text).ok_or_else(|| NotJson::new(text, "is not a time"))?;
            Ok((Cow::Owned(time), false))
        }
        Tag::Str | Tag::Merge => {
            let text = reread(scalar)?;
            let is_plain = is_text(&text);
            Ok((text, is_plain))
        }
    }
}

/// The line break of C1 is folded into one space, and the spaces around it with it.
fn without_next_lines(text: &str) -> String {
    let mut lines = text.split('\u{85}').peekable();
    let mut folded = String::with_capacity(text.len());
    let mut is_first = true;
    while let Some(line) = lines.next() {
        let line = if is_first { line } else { line.trim_start_matches(' ') };
        is_first = false;
        match lines.peek() {
            Some(_) => {
                folded.push_str(line.trim_end_matches(' '));
                folded.push(' ');
            }
            None => folded.push_str(line),
        }
    }
    folded
}

fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// A text as it is after kustomize has written its nodes once and read them again, which not every text outlives whole.
pub(super) fn reread(scalar: &Scalar) -> Result<Cow<'_, str>, NotJson> {
    let text = scalar.text();
    if scalar.style() == Written::Exact {
        return Ok(Cow::Borrowed(text));
    }
    if text.is_ascii() && !text.contains('\u{7f}') && !matches!(scalar.style(), Written::Literal | Written::Folded) {
        return Ok(Cow::Borrowed(text));
    }
    if text
        .contains(|character| matches!(character, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}'))
    {
        return Err(NotJson::new(text, "has control characters"));
    }
    if scalar.style() == Written::Literal && text.starts_with('\t') {
        return Err(NotJson::new(text, "is a block that begins with a tab"));
    }
    let text = match scalar.style() {
        Written::Folded => Cow::Owned(folded::again(text)),
        _ => Cow::Borrowed(text),
    };
    Ok(if text.contains('\u{85}') { Cow::Owned(without_next_lines(&text)) } else { text })
}

/// Whether a text is a text to a reader of YAML 1.1 when it stands without quotes.
fn is_text(text: &str) -> bool {
    scalar_style::is_text_in_yaml_1_1(text)
}

/// Entries in the order of their keys, by merging. That order contradicts itself where numbers outgrow 64 bits, and the
/// standard library's sort may panic on such an order.
fn sorted<'n>(mut entries: Vec<(&'n Scalar, &'n Node)>) -> Vec<(&'n Scalar, &'n Node)> {
    if entries.len() < 2 {
        return entries;
    }
    let right = sorted(entries.split_off(entries.len() / 2));
    let mut left = sorted(entries).into_iter().peekable();
    let mut right = right.into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some((one, _)), Some((other, _))) = (left.peek(), right.peek()) {
        let is_first = compare_keys(one.text(), other.text()) != Ordering::Greater;
        merged.extend(if is_first { left.next() } else { right.next() });
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// The order of keys: letters by their code, runs of digits by their number, other characters before letters.
fn compare_keys(left: &str, right: &str) -> Ordering {
    if left.bytes().chain(right.bytes()).all(|byte| byte.is_ascii_lowercase()) {
        return left.cmp(right);
    }
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    for (position, (a, b)) in left.iter().zip(&right).enumerate() {
        if a == b {
            continue;
        }
        return match (a.is_alphabetic(), b.is_alphabetic()) {
            (true, true) => a.cmp(b),
            (false, true) => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, false) => compare_numbers(&left, &right, position).then(a.cmp(b)),
        };
    }
    left.len().cmp(&right.len())
}

/// Compares the numbers that begin at a place; zeros in front of one count unless digits precede them.
fn compare_numbers(left: &[char], right: &[char], position: usize) -> Ordering {
    let is_digit = |character: &char| character.is_numeric();
    let mut start = 0_i64;
    if left[position] == '0' || right[position] == '0' {
        let before = left[..position].iter().rev().take_while(|character| is_digit(character));
        if before.into_iter().any(|digit| *digit != '0') {
            start = 1;
        }
    }
    let number = |text: &[char]| {
        let digits = text[position..].iter().take_while(|character| is_digit(character));
        digits.fold((start, 0_usize), |(value, count), digit| {
            let digit = i64::from(u32::from(*digit)) - i64::from(u32::from('0'));
            (value.wrapping_mul(10).wrapping_add(digit), count + 1)
        })
    };
    let ((left, left_count), (right, right_count)) = (number(left), number(right));
    left.cmp(&right).then(left_count.cmp(&right_count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(value: serde_json::Value) -> String {
        write_go([&Node::from(value)]).unwrap()
    }

    #[test]
    fn lists_stand_below_their_key_and_maps_are_indented() {
        let text = written(json!({"b": [{"y": 1, "x": [[1], {}, []]}], "a": {"k": null, "e": ""}}));
        assert_eq!(text, "a:\n  e: \"\"\n  k: null\nb:\n- x:\n  - - 1\n  - {}\n  - []\n  \"y\": 1\n");
    }

    #[test]
    fn an_order_that_contradicts_itself_is_no_panic() {
        let small = (1..40).map(|number| number.to_string());
        let large = (0..40).map(|number| format!("92233720368547758{number:02}"));
        let keys = small.clone().zip(large.clone()).flat_map(|(small, large)| [large, small]);
        let mapping: Mapping = keys.map(|key| (Scalar::string(key), Node::plain("1"))).collect();
        assert_eq!(write_go([&Node::Mapping(mapping.clone())]).unwrap().lines().count(), mapping.len());
    }

    #[test]
    fn keys_are_sorted_as_people_sort() {
        let text = written(json!({"a10": 1, "a2": 1, "B": 1, "b": 1, "a-b": 1, "a_b": 1, "ab": 1, "a": 1, "1": 1}));
        let keys: Vec<_> = text.lines().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(keys, ["\"1\"", "B", "a", "a-b", "a_b", "a2", "a10", "ab", "b"]);
    }

    #[test]
    fn long_lines_are_folded_behind_the_eightieth_column() {
        let text = written(json!({"k": "word ".repeat(20).trim_end(), "q": format!("'{}", " word".repeat(20))}));
        let words = |count: usize| "word ".repeat(count).trim_end().to_owned();
        assert_eq!(text, format!("k: {}\n  {}\nq: ''' {}\n  {}'\n", words(16), words(4), words(15), words(5)));
    }

    #[test]
    fn texts_with_line_breaks_are_blocks() {
        let text = written(json!({"a": "x\ny", "b": "x\n", "c": " x\n\n", "d": "x \ny", "e": "\n"}));
        assert_eq!(text, "a: |-\n  x\n  y\nb: |\n  x\nc: |2+\n   x\n\nd: \"x \\ny\"\ne: |2+\n\n");
    }

    #[test]
    fn long_keys_have_a_question_mark() {
        let key = "k".repeat(129);
        assert_eq!(written(json!({ (key.clone()): 1 })), format!("? {key}\n: 1\n"));
    }
}
