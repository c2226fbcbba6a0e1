//! Where in a text each value stands.

use serde_yaml::granit_parser::{Event, Parser, Span};

/// A value with its place in the text it was read from.
#[derive(Debug)]
pub(super) struct Node {
    /// Byte offset of the first character.
    pub(super) start: usize,
    /// Byte offset behind the last character.
    pub(super) end: usize,
    /// Line of the first character, from 1.
    pub(super) line: usize,
    /// Column of the first character, from 1.
    pub(super) column: usize,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar(String),
    Sequence(Vec<Node>),
    /// Keys and values; `flow` when it is written in braces.
    Mapping {
        entries: Vec<(Node, Node)>,
        flow: bool,
    },
    /// An alias: what it stands for is written elsewhere.
    Alias,
}

impl Node {
    pub(super) fn entry(&self, key: &str) -> Option<&(Self, Self)> {
        let Content::Mapping { entries, .. } = &self.content else { return None };
        entries.iter().find(|(name, _)| matches!(&name.content, Content::Scalar(text) if text == key))
    }
}

/// One step from a value to one inside it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step<'a> {
    /// The value of a key.
    Key(&'a str),
    /// An item of a list.
    Index(usize),
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// How many characters are meant, at least 1.
    pub length: usize,
}

/// Where the value at `path` stands in the first document of `text`, or as much of the path as exists. `None` if the
/// text is not YAML.
#[must_use]
pub fn locate(text: &str, path: &[Step<'_>]) -> Option<Place> {
    let root = parse(text)?;
    let mut node = &root;
    for step in path {
        let next = match (step, &node.content) {
            (Step::Key(key), Content::Mapping { .. }) => node.entry(key).map(|(_, value)| value),
            (Step::Index(index), Content::Sequence(items)) => items.get(*index),
            _ => None,
        };
        let Some(next) = next else { break };
        node = next;
    }
    let first_line = text.get(node.start..node.end)?.lines().next().unwrap_or_default();
    Some(Place { line: node.line, column: node.column, length: first_line.trim_end().chars().count().max(1) })
}

/// How many aliases `text` uses, and where the first one stands. Nothing is expanded.
pub(super) fn aliases(text: &str) -> (usize, Option<Place>) {
    let mut parser = Parser::new_from_str(text);
    let (mut count, mut first) = (0, None);
    while let Some(Ok((event, span))) = parser.next_event() {
        if let Event::Alias(..) = event {
            count += 1;
            first = first.or(Some(Place { line: span.start.line(), column: span.start.col() + 1, length: 1 }));
        }
    }
    (count, first)
}

/// The first document of `text`. Nesting is bounded by the text having been read before by [`super::read`].
pub(super) fn parse(text: &str) -> Option<Node> {
    let mut parser = Parser::new_from_str(text);
    let mut open: Vec<Node> = Vec::new();
    let mut pending_keys: Vec<Option<Node>> = Vec::new();
    while let Some(event) = parser.next_event() {
        let (event, span) = event.ok()?;
        let finished = match event {
            Event::Scalar(value, ..) => node(&span, Content::Scalar(value.into_owned())),
            Event::Alias(..) => node(&span, Content::Alias),
            Event::SequenceStart(..) => {
                open.push(node(&span, Content::Sequence(Vec::new())));
                pending_keys.push(None);
                continue;
            }
            Event::MappingStart(..) => {
                let flow = text.get(span.byte_range()?)?.starts_with('{');
                open.push(node(&span, Content::Mapping { entries: Vec::new(), flow }));
                pending_keys.push(None);
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                pending_keys.pop();
                let mut closed = open.pop()?;
                closed.end = end_of(&closed, &span);
                closed
            }
            Event::DocumentEnd => break,
            _ => continue,
        };
        let Some(parent) = open.last_mut() else { return Some(finished) };
        let pending = pending_keys.last_mut()?;
        match &mut parent.content {
            Content::Sequence(items) => items.push(finished),
            Content::Mapping { entries, .. } => match pending.take() {
                Some(key) => entries.push((key, finished)),
                None => *pending = Some(finished),
            },
            Content::Scalar(_) | Content::Alias => return None,
        }
    }
    None
}

/// A block collection ends where its last child does: the parser's end mark lies behind the blank lines and comments
/// that follow, and those belong to what comes next.
fn end_of(node: &Node, end: &Span) -> usize {
    let closing = end.byte_range().map_or(node.end, |range| range.end);
    match &node.content {
        Content::Mapping { flow: true, .. } => closing,
        Content::Mapping { entries, .. } => entries.last().map_or(closing, |(_, value)| value.end),
        Content::Sequence(items) => {
            items.last().map_or(closing, |item| item.end.max(if end.is_empty() { 0 } else { closing }))
        }
        Content::Scalar(_) | Content::Alias => node.end,
    }
}

fn node(span: &Span, content: Content) -> Node {
    let range = span.byte_range().unwrap_or_default();
    Node { start: range.start, end: range.end, line: span.start.line(), column: span.start.col() + 1, content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_path() {
        let text = "name: x\nworkers:\n- name: a\n  command: [b, 'c d']\n";
        let place =
            locate(text, &[Step::Key("workers"), Step::Index(0), Step::Key("command"), Step::Index(1)]).unwrap();
        assert_eq!((place.line, place.column, place.length), (4, 16, 5));
        let place = locate(text, &[Step::Key("workers"), Step::Index(0), Step::Key("nope")]).unwrap();
        assert_eq!((place.line, place.column), (3, 3));
    }

    #[test]
    fn columns_count_characters() {
        let place = locate("{名字: 值, b: c}\n", &[Step::Key("b")]).unwrap();
        assert_eq!((place.line, place.column, place.length), (1, 12, 1));
    }
}
