//! The names that Git knows things by: branches, refs and object ids.
//!
//! Every one of them is checked when it is made, so that nothing which a user wrote can be read as an option, a range
//! or a search by any Git program. There is no lookup by abbreviation or expression anywhere in this module: ids are
//! complete or refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Error;

/// Longer names fit no file system together with `.lock` and the folders of a repository.
const MAX_NAME: usize = 240;

const HEADS: &str = "refs/heads/";

/// The name of a branch, without `refs/heads/`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct BranchName(String);

impl BranchName {
    /// The name as it is written after `refs/heads/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full ref.
    #[must_use]
    pub fn to_ref(&self) -> RefName {
        RefName(format!("{HEADS}{}", self.0))
    }
}

impl FromStr for BranchName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // `-x` is an option to every Git command, and `HEAD` is never a branch: both are Git's own rules for branches,
        // on top of those for refs.
        let well_formed = !text.starts_with('-') && text != "HEAD" && is_valid_ref(&format!("{HEADS}{text}"));
        if well_formed { Ok(Self(text.to_owned())) } else { Err(invalid("a branch name", text)) }
    }
}

/// The full name of a ref: `refs/heads/main`, `refs/notes/wooo`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct RefName(String);

impl RefName {
    /// The full name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The branch that it is, if it is one.
    #[must_use]
    pub fn branch(&self) -> Option<BranchName> {
        self.0.strip_prefix(HEADS).and_then(|name| name.parse().ok())
    }
}

impl FromStr for RefName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let well_formed = text.starts_with("refs/") && is_valid_ref(text);
        if well_formed { Ok(Self(text.to_owned())) } else { Err(invalid("a full ref name", text)) }
    }
}

impl From<BranchName> for RefName {
    fn from(branch: BranchName) -> Self {
        branch.to_ref()
    }
}

fn is_valid_ref(full: &str) -> bool {
    // Control characters come first because a NUL must not reach a C string.
    full.len() <= MAX_NAME && !full.contains(char::is_control) && git2::Reference::is_valid_name(full)
}

fn invalid(expected: &'static str, text: &str) -> Error {
    Error::Name { expected, text: text.chars().take(MAX_NAME).collect() }
}

/// The id of a commit.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(Sha1);

/// The id of a tree, which is the content of a folder with all that is in it.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreeId(Sha1);

/// The id of a blob, which is the content of a file.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobId(Sha1);

/// The twenty bytes of any object id. Unlike `git2::Oid` it can be made from a digest without a way to fail.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Sha1(pub(super) [u8; 20]);

impl Sha1 {
    pub(super) fn from_oid(oid: git2::Oid) -> Self {
        let mut bytes = [0; 20];
        // A repository with SHA-256 ids is refused when it is opened, so there are always twenty bytes.
        for (target, source) in bytes.iter_mut().zip(oid.as_bytes()) {
            *target = *source;
        }
        Self(bytes)
    }

    pub(super) fn to_oid(self) -> Result<git2::Oid, Error> {
        Ok(git2::Oid::from_bytes(&self.0)?)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut bytes = [0; 20];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
            let [high, low] =
                pair.map(|digit| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()));
            *byte = high? << 4 | low?;
        }
        // Forty zeros mean "no object" wherever Git speaks of ids, never an object.
        (bytes != [0; 20]).then_some(Self(bytes))
    }
}

impl fmt::Display for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What all three kinds of object id have in common. A macro and not a generic type, so that a message or a stack
/// trace says `CommitId` and each can get methods of its own.
macro_rules! object_id {
    ($name:ident, $expected:literal) => {
        impl $name {
            /// The first ten digits, for people to read. Nothing is ever looked up by them.
            #[must_use]
            pub fn short(&self) -> String {
                self.to_string().chars().take(10).collect()
            }

            pub(super) fn from_sha1(sha1: Sha1) -> Self {
                Self(sha1)
            }

            pub(super) fn sha1(self) -> Sha1 {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Sha1::parse(text).map(Self).ok_or_else(|| invalid($expected, text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        text_form!($name, 0);
    };
}

/// The way to libgit2 and back, for the ids that it is asked about.
macro_rules! oid_form {
    ($name:ident) => {
        impl $name {
            pub(super) fn from_oid(oid: git2::Oid) -> Self {
                Self(Sha1::from_oid(oid))
            }

            pub(super) fn to_oid(self) -> Result<git2::Oid, Error> {
                self.0.to_oid()
            }
        }
    };
}

/// `Display`, and the conversions through `String` that serde wants.
macro_rules! text_form {
    ($name:ident, $field:tt) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.$field.fmt(f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    };
}

text_form!(BranchName, 0);
text_form!(RefName, 0);
object_id!(CommitId, "a commit id of 40 hexadecimal digits");
object_id!(TreeId, "a tree id of 40 hexadecimal digits");
object_id!(BlobId, "a blob id of 40 hexadecimal digits");
oid_form!(CommitId);
oid_form!(TreeId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_names_are_those_of_git_and_never_options_or_expressions() {
        for name in ["main", "wooo/shop/production/deploy-1f2e", "a-b_c.d", "功能", "@"] {
            assert_eq!(name.parse::<BranchName>().unwrap().as_str(), name);
        }
        let long = "a".repeat(300);
        for name in [
            "",
            "-x",
            "--upload-pack=x",
            "HEAD",
            "@{-1}",
            ":/regex",
            "a..b",
            "a.lock",
            "a/.b",
            ".a",
            "/a",
            "a/",
            "a//b",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            "a.",
            "../../x",
            &long,
        ] {
            assert!(name.parse::<BranchName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn refs_are_full_names() {
        assert_eq!("refs/heads/main".parse::<RefName>().unwrap().branch().unwrap().as_str(), "main");
        assert_eq!("refs/notes/wooo".parse::<RefName>().unwrap().branch(), None);
        for name in ["main", "HEAD", "refs/", "refs/heads/a..b", "-refs/heads/x"] {
            assert!(name.parse::<RefName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn ids_are_complete_or_refused() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        let id: CommitId = text.parse().unwrap();
        assert_eq!((id.to_string().as_str(), id.short().as_str()), (text, "0123456789"));
        assert_eq!(CommitId::from_oid(id.to_oid().unwrap()), id);
        assert_eq!(serde_json::from_str::<CommitId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        for text in ["", "0123456", &"0".repeat(40), &"g".repeat(40), &"1".repeat(41), "HEAD"] {
            assert!(text.parse::<CommitId>().is_err(), "{text:?}");
        }
    }
}
