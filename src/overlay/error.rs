//! Why a kustomization could not be read or applied.
//!
//! Owns the one error type of the module. Every variant is a decision that a caller may want to tell apart, and every
//! one names the file and, where there is one, the field. Does not own how errors are shown.

use std::fmt;

use crate::{files, yaml};

/// A place in a file of the tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Location {
    /// The path of the file, relative to the tree's root.
    pub file: String,
    /// Line, counted from 1; 0 if the place is not known.
    pub line: usize,
    /// Column in characters, counted from 1; 0 if the place is not known.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => formatter.write_str(&self.file),
            (line, column) => write!(formatter, "{}:{line}:{column}", self.file),
        }
    }
}

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that a field names cannot be read.
    #[error("{file}: {field}: {source}")]
    Read {
        /// The kustomization file that asks for it.
        file: String,
        /// The field, such as `resources[0]`.
        field: String,
        /// What the tree said.
        source: files::Error,
    },
    /// A file is not the YAML that it should be.
    #[error("{location}: {message}")]
    Syntax {
        /// Where.
        location: Location,
        /// One sentence.
        message: String,
    },
    /// A field that kustomize does not have.
    #[error("{location}: unknown field `{field}`{}", suggestion.as_ref().map(|known| format!("; did you mean `{known}`?")).unwrap_or_default())]
    UnknownField {
        /// Where.
        location: Location,
        /// The field as written.
        field: String,
        /// The known field that is nearest to it.
        suggestion: Option<String>,
    },
    /// Something that kustomize has and this build does not do: not yet, or never.
    #[error("{file}: {field}: {reason}")]
    Unsupported {
        /// The kustomization file.
        file: String,
        /// The field.
        field: String,
        /// What is not supported, as a sentence.
        reason: String,
    },
    /// A path that may not be followed: out of the root, remote, or a link.
    #[error("{file}: {field}: {reason}")]
    Forbidden {
        /// The kustomization file.
        file: String,
        /// The field.
        field: String,
        /// Why.
        reason: String,
    },
    /// Kustomizations that include each other.
    #[error("{file}: {field}: `{directory}` is being built already: {}", chain.join(" -> "))]
    Cycle {
        /// The kustomization file that closes the cycle.
        file: String,
        /// The field.
        field: String,
        /// The folder that is asked for again.
        directory: String,
        /// The folders from the outermost inwards.
        chain: Vec<String>,
    },
    /// A value that kustomize refuses, too.
    #[error("{file}: {field}: {reason}")]
    Invalid {
        /// The file.
        file: String,
        /// The field, or the object within the file.
        field: String,
        /// Why.
        reason: String,
    },
    /// Two objects of the same kind, name and namespace.
    #[error("{file}: {field}: {object} is there twice")]
    Duplicate {
        /// The kustomization file.
        file: String,
        /// The field that brings the second one.
        field: String,
        /// The object.
        object: String,
    },
    /// A patch or a setting finds no object, or more than the one it needs.
    #[error("{file}: {field}: {reason}")]
    Target {
        /// The kustomization file.
        file: String,
        /// The field.
        field: String,
        /// What was looked for, and what was found.
        reason: String,
    },
    /// A patch does not fit the object that it is for.
    #[error("{file}: {field}: {object}: {reason}")]
    Patch {
        /// The kustomization file.
        file: String,
        /// The field.
        field: String,
        /// The object.
        object: String,
        /// Where in the object, and why.
        reason: String,
    },
    /// More than the build is willing to do.
    #[error("{file}: {reason}")]
    Limit {
        /// The kustomization file.
        file: String,
        /// Which bound, and how far.
        reason: String,
    },
    /// The objects cannot be written as YAML.
    #[error("the objects cannot be written: {source}")]
    Write {
        /// What the writer said.
        source: yaml::NotJson,
    },
}

impl Error {
    /// The error for text that the YAML reader refused, with the nearest known field where one is unknown.
    pub(super) fn from_yaml(file: &str, error: yaml::Error) -> Self {
        let location = Location { file: file.to_owned(), line: error.line, column: error.column };
        match error.kind {
            yaml::ErrorKind::UnknownField { field, expected } => {
                let suggestion = nearest(&field, &expected);
                Self::UnknownField { location, field, suggestion }
            }
            _ => Self::Syntax { location, message: error.message },
        }
    }
}

/// A slip of the keyboard is at most a third of the word; beyond that a guess misleads.
fn nearest(field: &str, known: &[&'static str]) -> Option<String> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&field.to_lowercase(), &candidate.to_lowercase()), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

/// The kustomization file and the field that a step comes from, carried along so that whatever fails in it can say so.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The kustomization file.
    pub(super) file: String,
    /// The field, such as `patches[2]`.
    pub(super) field: String,
}

impl Origin {
    pub(super) fn new(file: &str, field: impl Into<String>) -> Self {
        Self { file: file.to_owned(), field: field.into() }
    }

    pub(super) fn invalid(&self, reason: impl Into<String>) -> Error {
        Error::Invalid { file: self.file.clone(), field: self.field.clone(), reason: reason.into() }
    }

    pub(super) fn unsupported(&self, reason: impl Into<String>) -> Error {
        Error::Unsupported { file: self.file.clone(), field: self.field.clone(), reason: reason.into() }
    }

    pub(super) fn forbidden(&self, reason: impl Into<String>) -> Error {
        Error::Forbidden { file: self.file.clone(), field: self.field.clone(), reason: reason.into() }
    }

    pub(super) fn target(&self, reason: impl Into<String>) -> Error {
        Error::Target { file: self.file.clone(), field: self.field.clone(), reason: reason.into() }
    }

    pub(super) fn patch(&self, object: impl fmt::Display, reason: impl Into<String>) -> Error {
        Error::Patch {
            file: self.file.clone(),
            field: self.field.clone(),
            object: object.to_string(),
            reason: reason.into(),
        }
    }

    pub(super) fn duplicate(&self, object: impl fmt::Display) -> Error {
        Error::Duplicate { file: self.file.clone(), field: self.field.clone(), object: object.to_string() }
    }

    pub(super) fn read(&self, source: files::Error) -> Error {
        Error::Read { file: self.file.clone(), field: self.field.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_corrected_and_a_stranger_is_not() {
        let known = ["resources", "replicas", "namePrefix"];
        assert_eq!(nearest("resource", &known).as_deref(), Some("resources"));
        assert_eq!(nearest("nameprefix", &known).as_deref(), Some("namePrefix"));
        assert_eq!(nearest("zebra", &known), None);
    }

    #[test]
    fn a_location_without_a_line_is_the_file() {
        let place = |line| Location { file: "a/k.yaml".into(), line, column: 3 }.to_string();
        assert_eq!((place(0), place(7)), ("a/k.yaml".to_owned(), "a/k.yaml:7:3".to_owned()));
    }
}
