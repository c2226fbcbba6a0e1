//! A quick reader for the YAML that most manifests are made of.
//!
//! Owns a small part of the language: block maps and lists with keys that are words, values of one line, plain or in quotes
//! without escapes, collections in braces that end where they begin, literal blocks. Everything else, and everything that is
//! wrong, makes it give up, and the whole text is read by the library instead. So it needs no errors, and it must never read
//! anything differently: the tests compare the two on the files of all cases, and on random texts.
//!
//! It is here because the library takes more than half of the time of a build of many small files.

use super::node::{Mapping, Node, Scalar, Style};

/// How deep values may nest before it gives up.
const MAX_DEPTH: usize = 60;

/// From how many keys on looking for one that is there twice would take too long here.
const MAX_KEYS: usize = 64;

/// The one document of a text, or `None` if the text is not of the simple kind.
pub(super) fn read(text: &str) -> Option<Node> {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) || byte == b'\n';
    if !text.bytes().all(is_plain) || !text.ends_with('\n') {
        return None;
    }
    let text = text.strip_prefix("---\n").unwrap_or(text);
    let mut reader = Reader { rest: text, shift: None, depth: 0 };
    let first = reader.peek()?;
    if first.indent != 0 {
        return None;
    }
    let node = reader.block(0)?;
    reader.peek().is_none().then_some(node)
}

/// A line that has content.
#[derive(Clone, Copy)]
struct Line<'t> {
    indent: usize,
    content: &'t str,
    /// Where the next line begins.
    behind: &'t str,
}

struct Reader<'t> {
    rest: &'t str,
    /// How much of the present line has been taken: the dash in front of an entry.
    shift: Option<usize>,
    depth: usize,
}

impl<'t> Reader<'t> {
    /// The next line that is neither blank nor a comment.
    fn peek(&mut self) -> Option<Line<'t>> {
        loop {
            let (line, behind) = self.rest.split_once('\n')?;
            let indent = self.shift.unwrap_or_else(|| spaces(line));
            let content = &line[indent..];
            if self.shift.is_none() && (content.is_empty() || content.starts_with('#')) {
                self.rest = behind;
                continue;
            }
            return Some(Line { indent, content, behind });
        }
    }

    fn take(&mut self, line: Line<'t>) {
        (self.rest, self.shift) = (line.behind, None);
    }

    fn block(&mut self, indent: usize) -> Option<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let line = self.peek()?;
        let node = if is_item(line.content) { self.sequence(indent) } else { self.mapping(indent) };
        self.depth -= 1;
        node
    }

    fn mapping(&mut self, indent: usize) -> Option<Node> {
        let mut mapping = Mapping::with_capacity(8);
        while let Some(line) = self.peek() {
            if line.indent < indent || (line.indent == indent && is_item(line.content)) {
                break;
            }
            if line.indent > indent || mapping.len() >= MAX_KEYS {
                return None;
            }
            let (key, value) = key(line.content)?;
            if mapping.contains_key(key) {
                return None;
            }
            self.take(line);
            let node = match value {
                "" => self.below(indent, true)?,
                value => self.inline(value, indent)?,
            };
            mapping.push(Scalar::plain(key), node);
        }
        Some(Node::Mapping(mapping))
    }

    fn sequence(&mut self, indent: usize) -> Option<Node> {
        let mut items = Vec::new();
        while let Some(line) = self.peek() {
            if line.indent < indent || (line.indent == indent && !is_item(line.content)) {
                break;
            }
            if line.indent > indent {
                return None;
            }
            let content = without_comment(line.content[1..].trim_start_matches(' '));
            let inner = line.indent + line.content.len() - line.content[1..].trim_start_matches(' ').len();
            items.push(if content.is_empty() {
                self.take(line);
                self.below(indent, false)?
            } else if is_item(content) || key(content).is_some() {
                self.shift = Some(inner);
                self.block(inner)?
            } else {
                self.take(line);
                self.inline(content, indent)?
            });
        }
        Some(Node::Sequence(items))
    }

    /// What stands below a key or a dash that has nothing behind it. A list below a key may stand where the key stands.
    fn below(&mut self, indent: usize, is_key: bool) -> Option<Node> {
        match self.peek() {
            Some(line) if line.indent > indent => self.block(line.indent),
            Some(line) if is_key && line.indent == indent && is_item(line.content) => {
                self.depth += 1;
                let node = if self.depth > MAX_DEPTH { None } else { self.sequence(indent) };
                self.depth -= 1;
                node
            }
            _ => Some(Node::plain("")),
        }
    }

    /// A value that begins behind a key or a dash at `indent`.
    fn inline(&mut self, text: &'t str, indent: usize) -> Option<Node> {
        if let Some(header) = text.strip_prefix('|') {
            return self.literal(header, indent);
        }
        let node = match text.as_bytes().first()? {
            b'{' | b'[' => {
                let (node, rest) = flow(text, 0)?;
                is_end(rest).then_some(node)?
            }
            quote @ (b'"' | b'\'') => {
                let (node, rest) = quoted(text, char::from(*quote))?;
                is_end(rest).then_some(node)?
            }
            b',' | b']' | b'}' | b'#' | b'&' | b'*' | b'!' | b'>' | b'%' | b'@' | b'`' => return None,
            b'-' | b'?' | b':' if text.len() == 1 || text.as_bytes()[1] == b' ' => return None,
            _ => {
                let text = without_comment(text);
                if text.contains(": ") || text.ends_with(':') {
                    return None;
                }
                Node::plain(text)
            }
        };
        // A line that is further in goes on with the value.
        match self.peek() {
            Some(line) if line.indent > indent => None,
            _ => Some(node),
        }
    }

    fn literal(&mut self, header: &str, indent: usize) -> Option<Node> {
        if !matches!(header, "" | "-" | "+") {
            return None;
        }
        let mut text = String::new();
        let (mut inner, mut blank) = (0, 0);
        while let Some((line, behind)) = self.rest.split_once('\n') {
            let spaces = spaces(line);
            if spaces == line.len() {
                // Blank lines at the beginning, and such with spaces of their own, have rules of their own.
                if inner == 0 || spaces > inner {
                    return None;
                }
                blank += 1;
            } else if inner == 0 {
                if spaces <= indent {
                    return None;
                }
                inner = spaces;
                text.push_str(&line[inner..]);
            } else if spaces >= inner {
                text.extend(std::iter::repeat_n('\n', blank + 1));
                text.push_str(&line[inner..]);
                blank = 0;
            } else if spaces > indent {
                return None;
            } else {
                break;
            }
            self.rest = behind;
        }
        if inner == 0 {
            return None;
        }
        match header {
            "-" => {}
            "+" => text.extend(std::iter::repeat_n('\n', blank + 1)),
            _ => text.push('\n'),
        }
        Some(Node::Scalar(Scalar::string(text).with_style(Style::Literal)))
    }
}

fn spaces(line: &str) -> usize {
    line.bytes().take_while(|byte| *byte == b' ').count()
}

fn is_item(content: &str) -> bool {
    content == "-" || content.starts_with("- ")
}

/// Whether nothing follows a value on its line but a comment.
fn is_end(rest: &str) -> bool {
    let trimmed = rest.trim_start_matches(' ');
    trimmed.is_empty() || (trimmed.starts_with('#') && trimmed.len() < rest.len())
}

fn without_comment(text: &str) -> &str {
    let end = if text.starts_with('#') { 0 } else { text.find(" #").unwrap_or(text.len()) };
    text[..end].trim_end_matches(' ')
}

/// A key that is a word, and the value behind it without blanks and comments around it.
fn key(content: &str) -> Option<(&str, &str)> {
    let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'-' | b'$');
    let end = content.bytes().position(|byte| !is_of_key(byte))?;
    let (key, rest) = content.split_at(end);
    let value = rest.strip_prefix(':')?;
    let is_key = !key.is_empty() && !key.starts_with(['-', '.']) && key.len() < 512;
    if !is_key || !(value.is_empty() || value.starts_with(' ')) {
        return None;
    }
    let value = value.trim_start_matches(' ');
    // A block keeps its header; what is in quotes or braces may have the sign of a comment in it.
    let value = match value.as_bytes().first() {
        Some(b'"' | b'\'' | b'{' | b'[') => value.trim_end_matches(' '),
        _ => without_comment(value),
    };
    Some((key, value))
}

/// A text in quotes that stands for itself, and what follows it.
fn quoted(text: &str, quote: char) -> Option<(Node, &str)> {
    let (inner, rest) = text[1..].split_once(quote)?;
    if inner.contains('\\') && quote == '"' || rest.starts_with(quote) {
        return None;
    }
    Some((Node::Scalar(Scalar::string(inner).with_style(Style::Quoted)), rest))
}

/// A value within braces or brackets, and what follows it.
fn flow(text: &str, depth: usize) -> Option<(Node, &str)> {
    if depth > MAX_DEPTH {
        return None;
    }
    match text.as_bytes().first()? {
        b'{' => flow_mapping(&text[1..], depth),
        b'[' => flow_sequence(&text[1..], depth),
        quote @ (b'"' | b'\'') => quoted(text, char::from(*quote)),
        _ => flow_word(text).map(|(word, rest)| (Node::plain(word), rest)),
    }
}

fn flow_mapping(text: &str, depth: usize) -> Option<(Node, &str)> {
    let mut mapping = Mapping::default();
    let mut rest = text.trim_start_matches(' ');
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((Node::Mapping(mapping), rest));
    }
    loop {
        let (key, behind) = flow_word(rest)?;
        if mapping.contains_key(key) || mapping.len() >= MAX_KEYS {
            return None;
        }
        let behind = behind.strip_prefix(": ")?.trim_start_matches(' ');
        let (node, behind) = flow(behind, depth + 1)?;
        mapping.push(Scalar::plain(key), node);
        let behind = behind.trim_start_matches(' ');
        if let Some(rest) = behind.strip_prefix('}') {
            return Some((Node::Mapping(mapping), rest));
        }
        rest = behind.strip_prefix(", ")?.trim_start_matches(' ');
    }
}

fn flow_sequence(text: &str, depth: usize) -> Option<(Node, &str)> {
    let mut items = Vec::new();
    let mut rest = text.trim_start_matches(' ');
    if let Some(rest) = rest.strip_prefix(']') {
        return Some((Node::Sequence(items), rest));
    }
    loop {
        let (node, behind) = flow(rest, depth + 1)?;
        items.push(node);
        let behind = behind.trim_start_matches(' ');
        if let Some(rest) = behind.strip_prefix(']') {
            return Some((Node::Sequence(items), rest));
        }
        rest = behind.strip_prefix(", ")?.trim_start_matches(' ');
    }
}

/// A word within braces. A colon is a part of it if it is followed by more of it.
fn flow_word(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/' | b'$');
    bytes.first().filter(|byte| is_of_word(byte))?;
    let mut end = 1;
    while let Some(byte) = bytes.get(end) {
        let is_part = match byte {
            b'-' | b'@' | b'=' => true,
            b':' => bytes.get(end + 1).is_some_and(is_of_word),
            byte => is_of_word(byte),
        };
        if !is_part {
            break;
        }
        end += 1;
    }
    let (word, rest) = text.split_at(end);
    matches!(rest.as_bytes().first(), Some(b',' | b'}' | b']' | b':' | b' ')).then_some((word, rest))
}
