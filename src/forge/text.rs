//! The texts that go to a forge, within the limits that every forge keeps (GitHub's are the narrowest).
//!
//! What is only read by people is shortened, and says so with an ellipsis. What identifies something is refused: a
//! shortened name would be another name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Error;

/// `text` in at most `max` characters, the last of which is an ellipsis if something is missing.
fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// `text` as one line: control characters and runs of white space become one space.
fn one_line(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text for people: made from any text, by shortening.
macro_rules! display_text {
    ($(#[$doc:meta])* $name:ident, max: $max:expr, $clean:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct $name(String);

        impl $name {
            /// The most characters that it has.
            pub const MAX: usize = $max;

            /// As much of the text as fits.
            #[must_use]
            pub fn new(text: &str) -> Self {
                let clean: fn(&str) -> String = $clean;
                Self(shortened(&clean(text), Self::MAX))
            }

            /// The text as it is sent.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

display_text! {
    /// The title of a merge request: one line of at most 255 characters.
    Title, max: 255, one_line
}
display_text! {
    /// The body of a merge request or of a comment: Markdown of at most 65,536 characters.
    Body, max: 65_536, |text| text.replace('\0', "")
}
display_text! {
    /// What a status says to people: one line of at most 140 characters.
    Description, max: 140, one_line
}

/// An identifier: private text that was checked when it was made.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $what:literal, max: $max:expr, $fits:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The most characters that it has.
            pub const MAX: usize = $max;

            /// It as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                let fits: fn(&str) -> bool = $fits;
                let is_sized = !text.is_empty() && text.chars().nth(Self::MAX).is_none();
                if is_sized && fits(text) {
                    return Ok(Self(text.to_owned()));
                }
                let shown: String = text.chars().take(80).collect();
                Err(Error::invalid(format!(
                    concat!("`{}` cannot be ", $what, ": it has 1 to {} ", $rule),
                    shown.escape_debug(),
                    Self::MAX
                )))
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
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn is_opaque(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
}

/// Neither an option, nor hidden, nor a way up, nor what Git would take for something else.
fn is_folder_name(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_' | b'.');
    is_end(text.chars().next())
        && is_end(text.chars().last())
        && text.bytes().all(is_inner)
        && !text.contains("..")
        && ![".git", ".lock"].iter().any(|suffix| text.ends_with(suffix))
}

/// Each part goes into addresses: none is a way up, an option or empty.
fn is_repository_path(text: &str) -> bool {
    let is_part = |part: &str| {
        part.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
            && part.bytes().any(|c| c != b'.')
            && !part.starts_with('-')
            && !part.ends_with(".git")
    };
    text.contains('/') && text.split('/').all(is_part)
}

fn is_plain_line(text: &str) -> bool {
    !text.contains(char::is_control) && text.trim() == text
}

identifier! {
    /// The id of a person or program on its forge: a number on GitHub, GitLab and Gitea, a UUID of the service on the
    /// local forge. Nobody but the forge reads anything into it.
    UserId, "the id of a user", max: 64, is_opaque, "letters, digits, `-` and `_`"
}
identifier! {
    /// The id of a repository on its forge, which outlives renames.
    RepositoryId, "the id of a repository", max: 64, is_opaque, "letters, digits, `-` and `_`"
}
identifier! {
    /// A repository of a forge with owners: `acme/fleet`, on GitLab with as many groups as there are.
    RepositoryPath, "a repository", max: 255, is_repository_path,
    "letters, digits, `-`, `_` and `.` in two or more parts with `/` between them"
}
identifier! {
    /// A repository of the local forge: the name of its folder without `.git`, and a part of its addresses.
    RepositoryName, "the name of a repository", max: 64, is_folder_name,
    "lower-case letters, digits, `-`, `_` and `.`, starts and ends with a letter or digit, and does not end in `.git`"
}
identifier! {
    /// What a status is about: `wooo/render`, `wooo/deploy: shop/production`.
    StatusContext, "the context of a status", max: 255, is_plain_line,
    "characters on one line, without white space at its ends"
}
identifier! {
    /// A label of a merge request.
    Label, "a label", max: 50, |text| is_plain_line(text) && !text.contains(','),
    "characters on one line, without commas and without white space at its ends"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_text_is_cut_between_characters_and_says_so() {
        assert_eq!(Description::new("as it is").as_str(), "as it is");
        let exact = "網".repeat(140);
        assert_eq!(Description::new(&exact).as_str(), exact);
        let long = Description::new(&"網".repeat(141));
        assert_eq!(long.as_str().chars().count(), 140);
        assert!(long.as_str().ends_with("網…"));
        assert_eq!(Body::new(&"x".repeat(70_000)).as_str().chars().count(), Body::MAX);
        assert_eq!(Title::new(" two\r\nlines\t").as_str(), "two lines");
        assert_eq!(Body::new("two\nlines\0").as_str(), "two\nlines");
    }

    #[test]
    fn a_repository_has_an_owner_and_leads_nowhere_else() {
        for good in ["acme/fleet", "Acme/Fleet.js", "a/b/c/d", "_x/.dot"] {
            assert_eq!(good.parse::<RepositoryPath>().unwrap().as_str(), good);
        }
        for bad in
            ["", "fleet", "/fleet", "acme/", "acme//x", "../x", "acme/..", "acme/-x", "acme/x.git", "a/b?c", "a/b%2f"]
        {
            assert!(bad.parse::<RepositoryPath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn identifiers_are_refused_and_never_cut() {
        assert!("x".repeat(255).parse::<StatusContext>().is_ok());
        let long = "x".repeat(256).parse::<StatusContext>();
        assert!(matches!(long, Err(Error::Invalid { .. })), "{long:?}");
        assert!("網".repeat(255).parse::<StatusContext>().is_ok());
        for bad in ["", " x", "x\ny", "x\0"] {
            assert!(bad.parse::<StatusContext>().is_err(), "{bad:?}");
            assert!(bad.parse::<Label>().is_err(), "{bad:?}");
            assert!(bad.parse::<UserId>().is_err(), "{bad:?}");
        }
        assert!("../1".parse::<UserId>().is_err() && "4711".parse::<UserId>().is_ok());
        for good in ["fleet", "a", "4", "fleet-2.eu_west"] {
            assert!(good.parse::<RepositoryName>().is_ok(), "{good}");
        }
        for bad in ["", "-x", ".x", "..", "a..b", "a/b", "a\\b", "x.git", "x.lock", "x.", "Fleet", "網", "a b", "a%2e"]
        {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<UserId>("\"a b\"").is_err());
    }
}
