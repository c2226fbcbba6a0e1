//! YAML in and out, in the one dialect that Kubernetes tools share.
//!
//! Owns the choice of library and of its options: plain scalars are read as `kubectl` reads them (YAML 1.1 booleans and
//! octal numbers), duplicate keys are errors, aliases and sizes are bounded, and whatever is written reads back as the
//! same value with any YAML 1.1 or 1.2 parser. Nothing else in wooo names the library.
//!
//! There are two forms of a document. A [`serde_json::Value`] whose keys keep their order is what wooo itself makes and
//! writes. A [`Node`] also keeps how a scalar was spelled; it is what kustomizations work on, which are read and written as
//! Go's tools do it, to the byte.
//!
//! Does not own the meaning of any document.

mod documents;
mod edit;
mod folded;
mod from_node;
mod go_json;
mod go_number;
mod go_writer;
mod node;
mod quick;
mod resolve;
mod scalar_style;
mod spans;
mod through_json;

pub use documents::{decode, read_nodes, read_patches, read_settings};
pub use edit::set;
pub use from_node::from_node;
pub use go_json::write_go_json;
pub use go_writer::write_go;
pub use node::{Mapping, Node, NotJson, Scalar, Style, Tag, texts};
pub use spans::{Place, Step, locate};
pub use through_json::{from_yaml_1_1, normalize, settle};

use serde::de::DeserializeOwned;
use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use serde_yaml::Error as SaphyrError;

/// What the reader takes at most. The figures bound the work that hostile text can cause; a rendered fleet of
/// thousands of objects is far below them.
const MAX_NODES: usize = 10_000_000;

/// How many events aliases may add: anchors are for a few repeated blocks, and a bomb is stopped within milliseconds.
const MAX_REPLAYED: usize = 100_000;

/// How many aliases a document of one type may use. A spec repeats a block a few times, if at all.
const MAX_ALIASES: usize = 50;

/// Why text could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// One sentence, without a place.
    pub message: String,
    /// Line, counted from 1; 0 if the place is not known.
    pub line: usize,
    /// Column in characters, counted from 1; 0 if the place is not known.
    pub column: usize,
    /// What kind of fault it is.
    pub kind: ErrorKind,
}

/// The faults that callers answer in different ways.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// The text is not YAML, or goes past a bound.
    Syntax,
    /// A key that the type does not have.
    UnknownField {
        /// The key as written.
        field: String,
        /// The keys that the type has.
        expected: Vec<&'static str>,
    },
    /// A word that is none of the type's variants.
    UnknownVariant {
        /// The word as written.
        variant: String,
        /// The words that the type has.
        expected: Vec<&'static str>,
    },
    /// A key that must be there and is not.
    MissingField {
        /// The key.
        field: &'static str,
    },
    /// A value of the wrong type or out of its range.
    Value,
}

impl Error {
    fn from_saphyr(error: &SaphyrError) -> Self {
        let error = error.without_snippet();
        let (line, column) = error.location().map_or((0, 0), |location| {
            (usize::try_from(location.line()).unwrap_or(0), usize::try_from(location.column()).unwrap_or(0))
        });
        // A fault behind an alias comes wrapped in the places of alias and anchor.
        let fault = match error {
            SaphyrError::AliasError { error, .. } => error.as_ref(),
            other => other,
        };
        let (message, kind) = match fault {
            SaphyrError::SerdeUnknownField { field, expected, .. } => (
                format!("unknown field `{field}`"),
                ErrorKind::UnknownField { field: field.clone(), expected: expected.clone() },
            ),
            SaphyrError::SerdeUnknownVariant { variant, expected, .. } => (
                format!("`{variant}` is not one of {}", expected.join(", ")),
                ErrorKind::UnknownVariant { variant: variant.clone(), expected: expected.clone() },
            ),
            SaphyrError::SerdeMissingField { field, .. } => {
                (format!("the field `{field}` is missing"), ErrorKind::MissingField { field })
            }
            SaphyrError::Message { msg, .. } => (msg.clone(), ErrorKind::Value),
            SaphyrError::SerdeInvalidType { unexpected, expected, .. }
            | SaphyrError::SerdeInvalidValue { unexpected, expected, .. } => {
                (format!("expected {expected}, found {unexpected}"), ErrorKind::Value)
            }
            SaphyrError::InvalidScalar { ty, .. } => (format!("this is not a valid {ty}"), ErrorKind::Value),
            SaphyrError::DuplicateMappingKey { key, .. } => (
                key.as_ref()
                    .map_or("a key stands here twice".to_owned(), |key| format!("the key `{key}` stands here twice")),
                ErrorKind::Syntax,
            ),
            SaphyrError::AliasReplayLimitExceeded { .. } | SaphyrError::AliasExpansionLimitExceeded { .. } => {
                (format!("its aliases stand for more than {MAX_REPLAYED} values"), ErrorKind::Syntax)
            }
            SaphyrError::MultipleDocuments { .. } => {
                ("there are several YAML documents where one is expected".to_owned(), ErrorKind::Syntax)
            }
            SaphyrError::Eof { .. } => ("there is nothing to read".to_owned(), ErrorKind::Syntax),
            SaphyrError::NullIntoString { .. } => ("expected text, found null".to_owned(), ErrorKind::Value),
            other => (one_line(&other.to_string()), ErrorKind::Syntax),
        };
        Self { message, line, column, kind }
    }
}

/// The library's own text says the place again, and may run over several lines.
fn one_line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = match first.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest,
        _ => first,
    };
    first.split(" at line ").next().unwrap_or(first).to_owned()
}

fn read_options() -> serde_yaml::Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_documents: 100_000,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_total_scalar_bytes: 512_000_000,
        },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
        legacy_octal_numbers: true,
        emit_comments: false,
    }
}

/// Every document of a stream. Documents without content are dropped.
///
/// # Errors
/// [`Error`] with the first fault.
pub fn read_all(text: &str) -> Result<Vec<Value>, Error> {
    serde_yaml::from_multiple_with_options(text, read_options()).map_err(|error| Error::from_saphyr(&error))
}

/// One document as the type `T`.
///
/// # Errors
/// [`Error`] with the first fault; two documents are one.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    refuse_bomb(text)?;
    serde_yaml::from_str_with_options(text, read_options()).map_err(|error| Error::from_saphyr(&error))
}

/// Says that a text is a bomb before its first value is found to be of the wrong type, which would be the smaller news.
fn refuse_bomb(text: &str) -> Result<(), Error> {
    if !text.contains('&') || !text.contains('*') {
        return Ok(());
    }
    match spans::aliases(text) {
        (count, Some(first)) if count > MAX_ALIASES => Err(Error {
            message: format!("{count} aliases stand here; at most {MAX_ALIASES} are read"),
            line: first.line,
            column: first.column,
            kind: ErrorKind::Syntax,
        }),
        _ => Ok(()),
    }
}

/// Writes documents, separated by `---`, each ending with a line break.
///
/// # Errors
/// [`std::fmt::Error`] if the value cannot be written, which no [`Value`] can bring about.
pub fn write_all<'a>(documents: impl IntoIterator<Item = &'a Value>) -> Result<String, std::fmt::Error> {
    let guarded: Vec<_> = documents.into_iter().map(Guard).collect();
    let options = serde_yaml::ser_options! { folded_wrap_chars: 1_000_000_000_usize };
    serde_yaml::to_string_multiple_with_options(&guarded, options).map_err(|_| std::fmt::Error)
}

/// Writes one document, ending with a line break.
///
/// # Errors
/// As [`write_all`].
pub fn write(document: &Value) -> Result<String, std::fmt::Error> {
    let options = serde_yaml::ser_options! { folded_wrap_chars: 1_000_000_000_usize };
    serde_yaml::to_string_with_options(&Guard(document), options).map_err(|_| std::fmt::Error)
}

/// A value of which every string is written in a form that all YAML parsers read alike.
///
/// A block scalar whose first line starts with a tab is legal YAML 1.2 and refused by libyaml; C1 controls, the Unicode
/// line separators and the byte-order mark are folded or refused by YAML 1.1 readers unless they are escaped.
struct Guard<'a>(&'a Value);

impl Serialize for Guard<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if needs_escapes(text) => serde_yaml::DoubleQuoted(text).serialize(serializer),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Guard)),
            Value::Object(map) => serializer.collect_map(map.iter().map(|(key, value)| (key, Guard(value)))),
            other => other.serialize(serializer),
        }
    }
}

fn needs_escapes(text: &str) -> bool {
    let special = |c: char| {
        matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\r')
    };
    let leading_tab = || text.contains('\n') && text.trim_start_matches('\n').starts_with('\t');
    text.contains(special) || leading_tab()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_read_as_kubectl_reads_them() {
        let read = |text: &str| read_all(text).unwrap().remove(0);
        assert_eq!(read("a: yes\nb: 0644\nc: \"no\"\nd: 1.0\n"), json!({"a": true, "b": 420, "c": "no", "d": 1.0}));
    }

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        for text in [
            "yes",
            "no",
            "08",
            "0x1f",
            "1e3",
            "null",
            "~",
            "",
            " x",
            "a: b",
            "- a",
            "<<",
            "2024-01-01",
            "{{ 7*7 }}",
            "\u{85}",
            "a\u{2028}b",
            "\u{feff}",
        ] {
            let document = json!({"v": text, "k": {text: 1}});
            let written = write(&document).unwrap();
            assert_eq!(read_all(&written).unwrap(), [document], "{written}");
        }
    }

    #[test]
    fn a_leading_tab_is_not_written_as_a_block() {
        let written = write(&json!({"v": "\n\tx\ny\n"})).unwrap();
        assert!(written.starts_with("v: \""), "{written}");
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let previous = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", previous.trim_end_matches(", ")));
        }
        let error = read_all(&bomb).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Syntax);
    }

    #[test]
    fn duplicate_keys_are_refused_with_their_place() {
        let error = read_all("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!((error.message.as_str(), error.line, error.column), ("the key `a` stands here twice", 3, 1));
    }
}
