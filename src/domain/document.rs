//! Reading what people wrote: a YAML file becomes a value, or a problem with its place.

use serde::de::DeserializeOwned;

use super::credential;
use super::problem::{Location, Problem, did_you_mean};
use crate::yaml::{self, ErrorKind, Place, Step};

/// The most bytes that a spec or settings file may have. A spec of a thousand variables is far smaller.
pub const MAX_DOCUMENT_BYTES: u64 = 256 * 1024;

/// A text file and the name by which its author knows it.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// The name for messages.
    pub file: &'a str,
    /// The whole text.
    pub text: &'a str,
}

impl Document<'_> {
    /// The file as a `T`.
    ///
    /// # Errors
    /// A [`Problem`] with code `spec.too_large`, `spec.syntax`, `spec.unknown_field`, `spec.missing_field` or
    /// `spec.value`, and its place.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let size = self.text.len() as u64;
        if size > MAX_DOCUMENT_BYTES {
            return Err(Problem::new(
                "spec.too_large",
                format!("`{}` has {size} bytes; at most {MAX_DOCUMENT_BYTES} are read", self.file),
            ));
        }
        yaml::read(self.text).map_err(|error| self.problem(error))
    }

    fn problem(&self, error: yaml::Error) -> Problem {
        let mut length = 1;
        let mut hint = None;
        let code = match &error.kind {
            ErrorKind::Syntax => "spec.syntax",
            ErrorKind::Value => "spec.value",
            ErrorKind::MissingField { field } => {
                hint = Some(format!("add `{field}:`"));
                "spec.missing_field"
            }
            ErrorKind::UnknownVariant { variant, expected } => {
                length = variant.chars().count();
                hint = did_you_mean(variant, expected.iter().copied()).map(|word| format!("did you mean `{word}`?"));
                "spec.value"
            }
            ErrorKind::UnknownField { field, expected } => {
                length = field.chars().count();
                hint = Some(match did_you_mean(field, expected.iter().copied()) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("the fields here are {}", expected.join(", ")),
                });
                "spec.unknown_field"
            }
        };
        let mut problem = Problem::new(code, error.message);
        problem.hints.extend(hint);
        if error.line > 0 {
            problem = problem.at(self.location(&Place { line: error.line, column: error.column.max(1), length }));
        } else {
            problem.detail = format!("{}: {}", self.file, problem.detail);
        }
        problem
    }

    /// Puts `problem` at the value that `path` leads to.
    #[must_use]
    pub fn place(&self, problem: Problem, path: &[Step<'_>]) -> Problem {
        let problem = match yaml::locate(self.text, path) {
            Some(place) => problem.at(self.location(&place)),
            None => problem,
        };
        problem.field(dotted(path))
    }

    fn location(&self, place: &Place) -> Location {
        let line = self.text.lines().nth(place.line - 1).unwrap_or_default();
        // The excerpt goes to terminals and comments: a long line is cut, control characters are shown as such.
        // One that holds a credential is not shown at all.
        let line = if credential::is_in(line) { "(a line with a credential is not shown)" } else { line };
        let excerpt: String = line.chars().take(200).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        Location {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            length: place.length.min(excerpt.chars().count().saturating_sub(place.column - 1)).max(1),
            excerpt,
        }
    }
}

fn dotted(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its presence is tested")]
        replicas: u8,
    }

    #[test]
    fn an_unknown_field_is_placed_and_explained() {
        let problem = Document { file: "a.yaml", text: "# x\nreplcias: 2\n" }.read::<Sample>().unwrap_err();
        assert_eq!(problem.to_string(), "a.yaml:2:1: unknown field `replcias` [spec.unknown_field]");
        assert_eq!(problem.hints, ["did you mean `replicas`?"]);
        let location = problem.location.unwrap();
        assert_eq!((location.excerpt.as_str(), location.length), ("replcias: 2", 8));
    }

    #[test]
    fn a_credential_is_not_shown() {
        let text = "replicas: AKIAABCDEFGHIJKLMNOP\n";
        let problem = Document { file: "a.yaml", text }.read::<Sample>().unwrap_err();
        assert!(!format!("{problem:?}").contains("AKIAABCDEFGHIJKLMNOP"), "{problem:?}");
    }

    #[test]
    fn a_huge_file_is_refused_before_it_is_read() {
        let text = "x".repeat(300 * 1024);
        let problem = Document { file: "a.yaml", text: &text }.read::<Sample>().unwrap_err();
        assert_eq!(problem.code, "spec.too_large");
    }
}
