//! Resources out of text, as nodes.
//!
//! Owns reading a stream the way kustomize does (kyaml's `ByteReader` over `gopkg.in/yaml.v3`): the text is cut at lines
//! that begin with `---`, of each part the first document counts, aliases and merge keys are resolved. Does not own what
//! a document means.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_yaml::granit_parser::{
    Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag as SourceTag, options,
};

use super::node::{Mapping, Node, Scalar, Style, Tag};
use super::quick;
use super::{Error, ErrorKind, MAX_NODES, MAX_REPLAYED, one_line};

/// How deep values may nest. Walking over them is recursive.
const MAX_DEPTH: usize = 250;

/// From how many keys on a map is searched for duplicates with an index.
const MANY_KEYS: usize = 16;

/// The text of a file: UTF-8, or UTF-16 if it begins with the mark that says so. `None` if it is neither.
#[must_use]
pub fn decode(bytes: Vec<u8>) -> Option<String> {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => String::from_utf8(bytes).ok(),
    }
}

/// How many values anchors may name.
const MAX_KEPT: usize = 1_000_000;

/// What is made of a key that stands in a map twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Twice {
    /// A fault.
    Refused,
    /// The first one counts.
    First,
    /// The last one counts.
    Last,
}

/// Every document of a stream. Empty ones are dropped.
///
/// # Errors
/// [`Error`] with the first fault.
pub fn read_nodes(text: &str) -> Result<Vec<Node>, Error> {
    read(text, Twice::Refused)
}

/// The same for patches: of keys that stand in a map twice, the first counts.
///
/// # Errors
/// [`Error`] with the first fault.
pub fn read_patches(text: &str) -> Result<Vec<Node>, Error> {
    read(text, Twice::First)
}

/// The first document of a file that Go reads with `encoding/json` in between: of keys that stand in a map twice, the last
/// counts. `None` if the file is empty.
///
/// # Errors
/// [`Error`] with the first fault.
pub fn read_settings(text: &str) -> Result<Option<Node>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(document(text, 0, Twice::Last, &mut Budget::default())?.filter(|node| !node.is_null()))
}

fn read(text: &str, twice: Twice) -> Result<Vec<Node>, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    let mut documents = Vec::new();
    let mut budget = Budget::default();
    let (mut rest, mut first_line) = (&*text, 0);
    loop {
        let (part, next) = cut(rest, first_line)?;
        documents.extend(document(part, first_line, twice, &mut budget)?.filter(|node| !node.is_null()));
        let Some(next) = next else { return Ok(documents) };
        first_line += part.matches('\n').count() + 1;
        rest = next;
    }
}

/// The first document of a text, by the quick reader if the text is of its kind.
fn document(text: &str, first_line: usize, twice: Twice, budget: &mut Budget) -> Result<Option<Node>, Error> {
    if let Some(node) = quick::read(text)
        && let Some(rest) = budget.nodes.checked_sub(node.count())
    {
        budget.nodes = rest;
        return Ok(Some(node));
    }
    Builder::new(text, first_line, twice, budget).document()
}

/// The text up to the next line that separates documents, and the text behind that line.
fn cut(text: &str, first_line: usize) -> Result<(&str, Option<&str>), Error> {
    let Some(position) = text.find("\n---") else { return Ok((text, None)) };
    let (part, separator) = text.split_at(position + 1);
    // Without a line break behind it, the last line separates nothing from nothing.
    let Some(end) = separator.find('\n') else { return Ok((text, None)) };
    let (line, rest) = separator.split_at(end);
    let behind = line[3..].trim();
    if !behind.is_empty() && !behind.starts_with('#') {
        let message = "there is something besides a comment on a line that separates documents".to_owned();
        let line = first_line + part.matches('\n').count() + 1;
        return Err(Error { message, line, column: 4, kind: ErrorKind::Syntax });
    }
    Ok((part, Some(&rest[1..])))
}

/// What one stream may cost.
struct Budget {
    nodes: usize,
    kept: usize,
    replayed: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { nodes: MAX_NODES, kept: MAX_KEPT, replayed: MAX_REPLAYED }
    }
}

/// A collection that has been begun.
enum Open {
    Sequence {
        items: Vec<Node>,
        anchor: usize,
        is_flow: bool,
    },
    Mapping {
        mapping: Mapping,
        key: Option<Scalar>,
        merged: Option<Vec<Mapping>>,
        anchor: usize,
        span: Span,
        is_flow: bool,
    },
}

struct Builder<'t, 'b> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    /// How many lines stand before this part.
    first_line: usize,
    twice: Twice,
    budget: &'b mut Budget,
    anchors: HashMap<usize, Node>,
    open: Vec<Open>,
    /// The lines that begin with a tab, as positions in the text, the last one first. The library skips those that have
    /// nothing else, kustomize's takes them only where indentation does not count.
    tabs: Vec<usize>,
}

impl<'t, 'b> Builder<'t, 'b> {
    fn new(text: &'t str, first_line: usize, twice: Twice, budget: &'b mut Budget) -> Self {
        let options = options! {
            emit_comments: false,
            bom_inside_document_as_content: true,
            block_scalar_eof_without_line_feed: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        let parser = Parser::new_from_str_with_options(text, options);
        let mut tabs: Vec<usize> = text.match_indices("\n\t").map(|(position, _)| position + 1).collect();
        tabs.reverse();
        if text.starts_with('\t') {
            tabs.push(0);
        }
        Self { text, parser, first_line, twice, budget, anchors: HashMap::new(), open: Vec::new(), tabs }
    }

    /// The first document, or `None` if there is none.
    fn document(&mut self) -> Result<Option<Node>, Error> {
        if self.begins_with_an_end() {
            let message = "a document ends here (`...`) before it begins".to_owned();
            return Err(Error { message, line: self.first_line + 1, column: 1, kind: ErrorKind::Syntax });
        }
        while let Some(event) = self.parser.next_event() {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            self.check_tabs(&event, &span)?;
            let (node, anchor) = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    (Node::Scalar(self.scalar(&text, style, tag.as_deref(), &span)?), anchor)
                }
                Event::Alias(anchor) => (self.alias(anchor, &span)?, 0),
                Event::SequenceStart(style, anchor, _) => {
                    self.begin(
                        Open::Sequence { items: Vec::new(), anchor, is_flow: style == StructureStyle::Flow },
                        &span,
                    )?;
                    continue;
                }
                Event::MappingStart(style, anchor, _) => {
                    let is_flow = style == StructureStyle::Flow;
                    let mapping = Mapping::default();
                    self.begin(Open::Mapping { mapping, key: None, merged: None, anchor, span, is_flow }, &span)?;
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                    Some(Open::Sequence { items, anchor, .. }) => (Node::Sequence(items), anchor),
                    Some(Open::Mapping { mapping, merged, anchor, span, .. }) => {
                        (self.close(mapping, merged, &span)?, anchor)
                    }
                    None => continue,
                },
                Event::DocumentEnd | Event::StreamEnd => return Ok(None),
                _ => continue,
            };
            self.spend(&span)?;
            if anchor != 0 {
                self.keep(anchor, &node, &span)?;
            }
            if self.open.is_empty() {
                self.check_end()?;
                return Ok(Some(node));
            }
            self.add(node, &span)?;
        }
        Ok(None)
    }

    /// Whether the mark that ends documents stands before any document.
    fn begins_with_an_end(&self) -> bool {
        let mut lines = self.text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty());
        lines.next().is_some_and(|line| {
            line.strip_prefix("...").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        })
    }

    /// Refuses lines that begin with a tab up to the end of an event, except within quotes, braces and brackets.
    fn check_tabs(&mut self, event: &Event<'_>, span: &Span) -> Result<(), Error> {
        let Some(range) = span.byte_range().filter(|_| !self.tabs.is_empty()) else { return Ok(()) };
        let is_quoted = matches!(event, Event::Scalar(_, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, ..));
        let is_free = self.is_in_flow() || is_quoted;
        while let Some(&tab) = self.tabs.last()
            && tab < range.end
        {
            if !(is_free && (self.is_in_flow() || range.start <= tab)) {
                let line = self.first_line + self.text[..tab].matches('\n').count() + 1;
                let message = "a line begins with a tab, which is no indentation".to_owned();
                return Err(Error { message, line, column: 1, kind: ErrorKind::Syntax });
            }
            self.tabs.pop();
        }
        Ok(())
    }

    /// Keeps what an anchor names. Anchors within anchors keep their values many times, whether or not they are used.
    fn keep(&mut self, anchor: usize, node: &Node, span: &Span) -> Result<(), Error> {
        match self.budget.kept.checked_sub(node.count()) {
            Some(rest) => self.budget.kept = rest,
            None => return Err(self.error(format!("its anchors name more than {MAX_KEPT} values"), span)),
        }
        self.anchors.insert(anchor, node.clone());
        Ok(())
    }

    /// What stands behind the document must be its end: a second value is a fault, a second document is not looked at.
    fn check_end(&mut self) -> Result<(), Error> {
        match self.parser.next_event() {
            Some(Err(error)) => Err(self.syntax(&error)),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, open: Open, span: &Span) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.error(format!("values nest more than {MAX_DEPTH} deep"), span));
        }
        self.open.push(open);
        Ok(())
    }

    /// Adds a finished node to the collection that it stands in.
    fn add(&mut self, node: Node, span: &Span) -> Result<(), Error> {
        let fault = match self.open.last_mut() {
            Some(Open::Sequence { items, .. }) => {
                items.push(node);
                None
            }
            Some(Open::Mapping { mapping, key, merged, .. }) => match (key.take(), node) {
                (None, Node::Scalar(scalar)) => {
                    *key = Some(scalar);
                    None
                }
                (None, _) => Some("a key must be a single value"),
                (Some(name), node) if is_merge(&name) => merge_source(node, merged).err(),
                // Go's second reading takes it for a merge key, and what is merged there is dropped.
                (Some(name), _) if name.text() == "<<" => None,
                (Some(name), node) => {
                    mapping.push(name, node);
                    None
                }
            },
            None => None,
        };
        fault.map_or(Ok(()), |message| Err(self.error(message.to_owned(), span)))
    }

    /// A finished map: no key twice, and what was merged into it behind its own entries.
    fn close(&mut self, mut mapping: Mapping, merged: Option<Vec<Mapping>>, span: &Span) -> Result<Node, Error> {
        if let Some(key) = duplicate(&mapping) {
            if self.twice == Twice::Refused {
                return Err(self.error(format!("the key `{key}` stands here twice"), span));
            }
            mapping = once(mapping, self.twice);
        }
        if let Some(merged) = merged {
            let mut names: HashSet<String> = mapping.iter().map(|(key, _)| key.text().to_owned()).collect();
            for (key, value) in merged.into_iter().flatten() {
                if names.insert(key.text().to_owned()) {
                    mapping.push(key, value);
                }
            }
        }
        Ok(Node::Mapping(mapping))
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&SourceTag>, span: &Span) -> Result<Scalar, Error> {
        let is_plain = style == ScalarStyle::Plain;
        // The parser writes out what is not there.
        let is_absent = is_plain && tag.is_none() && span.byte_range().is_none_or(|range| range.is_empty());
        if is_absent {
            let style = if self.is_in_flow() { Style::Quoted } else { Style::Plain };
            return Ok(Scalar::plain("").with_style(style));
        }
        let scalar = match tag.map(tag_name) {
            None if is_plain => Scalar::plain(text),
            None => {
                if style == ScalarStyle::DoubleQuoted {
                    self.check_escapes(span)?;
                }
                Scalar::string(text)
            }
            Some("!") => {
                if is_plain {
                    Scalar::plain(text)
                } else {
                    Scalar::string(text)
                }
            }
            Some(name) => tagged(text, name).ok_or_else(|| self.error(format!("`{text}` is not a {name}"), span))?,
        };
        Ok(match style {
            ScalarStyle::Literal => scalar.with_style(Style::Literal),
            ScalarStyle::Folded => scalar.with_style(Style::Folded),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if scalar.tag() != Tag::Null => {
                scalar.with_style(Style::Quoted)
            }
            _ => scalar,
        })
    }

    /// Whether the place is within braces or brackets, where kustomize writes out what is absent as an empty text.
    fn is_in_flow(&self) -> bool {
        self.open.iter().any(|open| match open {
            Open::Sequence { is_flow, .. } | Open::Mapping { is_flow, .. } => *is_flow,
        })
    }

    /// Refuses what only newer versions of YAML know.
    fn check_escapes(&self, span: &Span) -> Result<(), Error> {
        let written = span.byte_range().and_then(|range| self.text.get(range)).unwrap_or_default();
        let mut characters = written.chars();
        while let Some(character) = characters.next() {
            if character != '\\' {
                continue;
            }
            let fault = match characters.next() {
                Some('/') => "`\\/` is not an escape",
                Some('u')
                    if matches!(
                        characters.as_str().as_bytes(),
                        [b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]
                    ) =>
                {
                    "half of a surrogate pair is not a character"
                }
                _ => continue,
            };
            return Err(self.error(fault.to_owned(), span));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Result<Node, Error> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.error("an alias stands within what it stands for".to_owned(), span));
        };
        let node = node.clone();
        match self.budget.replayed.checked_sub(node.count()) {
            Some(rest) => self.budget.replayed = rest,
            None => return Err(self.error(format!("its aliases stand for more than {MAX_REPLAYED} values"), span)),
        }
        Ok(node)
    }

    fn spend(&mut self, span: &Span) -> Result<(), Error> {
        match self.budget.nodes.checked_sub(1) {
            Some(rest) => self.budget.nodes = rest,
            None => return Err(self.error(format!("there are more than {MAX_NODES} values"), span)),
        }
        Ok(())
    }

    fn syntax(&self, error: &ScanError) -> Error {
        let place = error.marker();
        Error {
            message: one_line(&error.info()),
            line: self.first_line + place.line(),
            column: place.col() + 1,
            kind: ErrorKind::Syntax,
        }
    }

    fn error(&self, message: String, span: &Span) -> Error {
        let (line, column) = (self.first_line + span.start.line(), span.start.col() + 1);
        Error { message, line, column, kind: ErrorKind::Syntax }
    }
}

fn is_merge(key: &Scalar) -> bool {
    key.tag() == Tag::Merge
}

/// Takes the value of a merge key: a map, or a list of maps of which the first ones count more.
fn merge_source(node: Node, merged: &mut Option<Vec<Mapping>>) -> Result<(), &'static str> {
    const REASON: &str = "a merge key takes a map or a list of maps";
    if merged.is_some() {
        return Err("the key `<<` stands here twice");
    }
    let sources = match node {
        Node::Mapping(mapping) => vec![mapping],
        Node::Sequence(items) => {
            let maps = items.into_iter().map(|item| match item {
                Node::Mapping(mapping) => Ok(mapping),
                _ => Err(REASON),
            });
            maps.collect::<Result<_, _>>()?
        }
        Node::Scalar(_) => return Err(REASON),
    };
    *merged = Some(sources);
    Ok(())
}

fn duplicate(mapping: &Mapping) -> Option<&str> {
    if mapping.len() > MANY_KEYS {
        let mut seen = HashSet::with_capacity(mapping.len());
        return mapping.iter().map(|(key, _)| key.text()).find(|key| !seen.insert(*key));
    }
    let mut keys = mapping.iter().enumerate();
    keys.find(|(position, (key, _))| mapping.iter().take(*position).any(|(other, _)| other.text() == key.text()))
        .map(|(_, (key, _))| key.text())
}

/// The entries of which each key has one: its first or its last.
fn once(mapping: Mapping, twice: Twice) -> Mapping {
    let mut entries: Vec<(Scalar, Node)> = mapping.into_iter().collect();
    let mut names = HashSet::with_capacity(entries.len());
    let mut is_new = |(key, _): &(Scalar, Node)| names.insert(key.text().to_owned());
    if twice == Twice::First {
        entries.retain(is_new);
        return entries.into_iter().collect();
    }
    entries.reverse();
    entries.retain(&mut is_new);
    entries.reverse();
    entries.into_iter().collect()
}

/// The short name of a tag: `str` of `!!str`, `!` of the tag that says nothing, and the whole of any other.
fn tag_name(tag: &SourceTag) -> &str {
    match (tag.handle(), tag.suffix()) {
        ("tag:yaml.org,2002:" | "!!", suffix) => suffix,
        ("", "!") | ("!", "") => "!",
        _ => "",
    }
}

/// A scalar with a tag. `None` if it is not what the tag says.
fn tagged(text: &str, name: &str) -> Option<Scalar> {
    let tag = match name {
        "str" => Tag::Str,
        "int" => Tag::Int,
        "float" => Tag::Float,
        "bool" => Tag::Bool,
        "null" => Tag::Null,
        "timestamp" => Tag::Timestamp,
        "binary" => {
            let text: String = text.split_ascii_whitespace().collect();
            return STANDARD.decode(&text).ok().map(|bytes| Scalar::string(String::from_utf8_lossy(&bytes)));
        }
        _ => return Some(Scalar::string(text)),
    };
    let found = Scalar::plain(text).tag();
    let fits = match tag {
        Tag::Str => true,
        Tag::Float => matches!(found, Tag::Float | Tag::Int),
        tag => tag == found,
    };
    fits.then(|| Scalar::tagged(text, tag))
}

#[cfg(test)]
mod tests {
    use super::super::write_go;
    use super::*;
    use proptest::prelude::{Strategy, any};
    use proptest::sample::select;
    use proptest::test_runner::{Config, TestRunner};
    use std::path::Path;

    fn round(text: &str) -> Result<String, String> {
        let nodes = read_nodes(text).map_err(|error| format!("{}:{}: {error}", error.line, error.column))?;
        write_go(&nodes).map_err(|error| error.to_string())
    }

    #[test]
    fn documents_are_cut_at_separators() {
        assert_eq!(round("---\na: 1\n--- # x\n---\n# only this\n---\nb: 2\n...\nc: 3\n").unwrap(), "a: 1\n---\nb: 2\n");
        assert_eq!(
            round("a: 1\n--- {b: 2}\n").unwrap_err(),
            "2:4: there is something besides a comment on a line that separates documents"
        );
        assert_eq!(round("a: 1\n---\nb: [\n").unwrap_err().split(':').next(), Some("3"));
    }

    #[test]
    fn aliases_and_merge_keys_are_resolved() {
        let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [{x: 5}, *a]}\nd: *a\n";
        let expected =
            "a:\n  x: 1\n  \"y\": 2\nb:\n  x: 1\n  \"y\": 3\nc:\n  x: 5\n  \"y\": 2\nd:\n  x: 1\n  \"y\": 2\n";
        assert_eq!(round(text).unwrap(), expected);
        for text in ["a: {<<: 1}", "a: {<<: [1]}", "a: &a [*a]"] {
            assert!(round(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tags_say_what_a_scalar_is() {
        assert_eq!(
            round("a: !!str 1\nb: !!int \"2\"\nc: !x 3\nd: !!binary aGk=\ne: ! 4\n").unwrap(),
            "a: \"1\"\nb: 2\nc: \"3\"\nd: hi\ne: 4\n"
        );
        assert!(round("a: !!int x\n").is_err());
    }

    #[test]
    fn keys_stand_once() {
        assert_eq!(round("a: 1\nb: {c: 1, c: 2}\n").unwrap_err(), "2:4: the key `c` stands here twice");
        let many: String = (0..20).map(|number| format!("k{number}: 1\n")).collect();
        assert!(round(&format!("{many}k3: 1\n")).is_err());
    }

    #[test]
    fn depth_and_aliases_are_bounded() {
        assert!(round(&format!("a: {}{}", "[".repeat(1000), "]".repeat(1000))).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let previous = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", previous.trim_end_matches(", ")));
        }
        assert!(round(&bomb).unwrap_err().contains("aliases stand for more than"));
    }

    /// Whether the quick reader reads a text, which it must read like the other.
    fn compare(text: &str) -> bool {
        let Some(quick) = quick::read(text) else { return false };
        let slow = Builder::new(text, 0, Twice::Refused, &mut Budget::default()).document();
        assert_eq!(slow.ok().flatten(), Some(quick), "{text}");
        true
    }

    #[test]
    fn the_quick_reader_reads_like_the_library() {
        let read = [
            "a: b\nc:\n  d: 1\n  e:\n  - x\n  - y: z\n    w: \"q # r\" # c\n  -\n    - - 1\nf: {a: b, c: [1, 'x y', nginx:1.2]}\ng:\nh: [] # end\n",
            "---\n# c\n- op: add\n  path: /a\n- plain # c\n-\n",
            "a: |\n  one\n   two\n\n  three\n\nb: |-\n  # no comment\n  x\nc: |+\n  y\n\n\n",
            "a: it's # fine\nb: a:b\nc: -x\nd: ?x\n",
        ];
        for text in read {
            assert!(compare(text), "{text}");
        }
        let given_up = [
            "a: b\n c: d\n",
            "a: b: c\n",
            "a: &x b\n",
            "a: *x\n",
            "a: !!str 1\n",
            "a: >\n  x\n",
            "a: |2\n   x\n",
            "a: \"x\\n\"\n",
            "a: 'it''s'\n",
            "a: 1\na: 2\n",
            "{a: b}: c\n",
            "? a\n",
            "a: [1,\n  2]\n",
            "a: é\n",
            "a:\tb\n",
            "a: b",
            "a: {b: }\n",
            "a: [a: b]\n",
            "a: {b}\n",
            "<<: {a: b}\n",
            "a: plain\n  more\n",
            "a: |\n\n  x\n",
            " a: b\n",
            "a: b\n...\n",
            "--- a\n",
            "a: [x] y\n",
            "a: \"x\" y\n",
            "a: @x\n",
        ];
        for text in given_up {
            assert!(!compare(text), "{text}");
        }
    }

    #[test]
    fn on_the_files_of_all_cases_as_well() {
        fn walk(folder: &Path, count: &mut usize) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, count);
                } else if let Ok(text) = std::fs::read_to_string(&path)
                    && !text.contains("\n---")
                {
                    *count += usize::from(compare(&text));
                }
            }
        }
        let mut count = 0;
        for folder in ["tests/it/overlay/cases", "overlays", "fixtures", "snapshots"] {
            walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut count);
        }
        assert!(count > 1000, "{count}");
    }

    #[test]
    fn and_on_random_lines() {
        const PARTS: &[&str] = &[
            "a", "b.c/d", "1", "true", "~", ":", ": ", "- ", "-", " ", "  ", "\n", "\n  ", "\n- ", "\n    ", "\na: ",
            "\n  b:", "#", " # c", "\"", "\"x\"", "'", "'y z'", "{", "}", "[", "]", ", ", ",", "|", "|-", "|+", ">",
            "&a ", "*a", "!t ", "?", "? ", "<<", "%", "@", "`", "$", "=", "nginx:1",
        ];
        let text = proptest::collection::vec(select(PARTS), 0..24);
        let text = (text, any::<bool>()).prop_map(|(parts, ends)| parts.concat() + if ends { "\n" } else { "" });
        let mut runner = TestRunner::new(Config { cases: 20_000, ..Config::default() });
        runner
            .run(&text, |text| {
                if !text.contains("\n---") {
                    compare(&text);
                }
                Ok(())
            })
            .unwrap();
    }
}
