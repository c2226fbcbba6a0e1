//! What forges send when something happens: the few fields of it that say what has changed.
//!
//! A hook is a hint. What is read here is only ever used to decide what to ask the forge about, so that a hook that is
//! old, sent twice or out of order does no harm. Owns the shapes of the payloads; does not own their signatures, nor
//! what follows from them. Of what people wrote (titles, comments, names) nothing is read at all.

mod gitea;
mod github;
mod gitlab;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{MergeRequestNumber, RepositoryId};
use crate::git::{BranchName, RefName};

/// How many numbers or branches of one hook are looked at. A commit on more branches than that says nothing about each.
const MAX_ITEMS: usize = 50;
/// The word for an event that is none of those that are read.
pub const OTHER: &str = "other";

/// Which forge sends.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum ForgeKind {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea and Forgejo.
    Gitea,
}

/// What a hook says has changed. Nothing, for an event of which nothing follows.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Changed {
    /// Merge requests that are not what they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merge_requests: Vec<MergeRequestNumber>,
    /// Merge requests on which somebody said something new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<MergeRequestNumber>,
    /// Branches that were moved, made or deleted, or on whose commits a check has ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<BranchName>,
}

impl Changed {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.merge_requests.is_empty() && self.comments.is_empty() && self.branches.is_empty()
    }

    fn merge_request(number: u64) -> Self {
        Self { merge_requests: vec![MergeRequestNumber(number)], ..Self::default() }
    }

    fn comment(number: u64) -> Self {
        Self { comments: vec![MergeRequestNumber(number)], ..Self::default() }
    }

    fn merge_requests(numbers: impl IntoIterator<Item = u64>) -> Self {
        let numbers = numbers.into_iter().take(MAX_ITEMS).map(MergeRequestNumber).collect();
        Self { merge_requests: numbers, ..Self::default() }
    }

    /// The branches of these names.
    fn branches<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Unreadable> {
        let parse = |name: &str| name.parse::<BranchName>().map_err(|_| Unreadable::Branch);
        let branches = names.into_iter().take(MAX_ITEMS).map(parse).collect::<Result<_, _>>()?;
        Ok(Self { branches, ..Self::default() })
    }

    /// The branch of a full ref; nothing, for a tag or anything else.
    fn full_ref(name: &str) -> Result<Self, Unreadable> {
        let full: RefName = name.parse().map_err(|_| Unreadable::Branch)?;
        let branches = full.branch().into_iter().collect();
        Ok(Self { branches, ..Self::default() })
    }
}

/// A hook that was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Read {
    /// The repository that it is about, if it says one.
    pub repository: Option<RepositoryId>,
    /// What happened, as one of a few words, [`OTHER`] among them. Whoever makes up events makes no new word.
    pub event: &'static str,
    /// What has changed.
    pub changed: Result<Changed, Unreadable>,
}

/// Why a hook could not be read. Nothing of it is repeated: it may hold what nobody is to see.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON, or nested too deeply.
    #[error("the body is no JSON object, at {line}:{column}")]
    Json {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// It is JSON of another shape than the forge documents.
    #[error("the body has another shape than this event has, at {line}:{column}")]
    Shape {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// It does not say which repository it is about, or says two.
    #[error("the body does not say which repository it is about")]
    Repository,
    /// Git has no branches or refs of such a name.
    #[error("the body names a branch or ref as Git has none")]
    Branch,
}

/// Reads a hook. `event` is what its header calls it.
#[must_use]
pub fn read(kind: ForgeKind, event: &str, body: &[u8]) -> Read {
    let mut read = match kind {
        ForgeKind::Github => github::read(event, body),
        ForgeKind::Gitlab => gitlab::read(body),
        ForgeKind::Gitea => gitea::read(event, body),
    };
    // What nobody can be asked about is of no use.
    if read.repository.is_none() && read.changed.as_ref().is_ok_and(|changed| !changed.is_empty()) {
        read.changed = Err(Unreadable::Repository);
    }
    read
}

/// The word of the list for an event.
fn word(known: &[&'static str], event: &str) -> &'static str {
    known.iter().find(|known| **known == event).copied().unwrap_or(OTHER)
}

/// A part of a body; what the type does not name is skipped.
fn part<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    // A list would be read as the fields of a type in their order.
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') {
        return Err(Unreadable::Json { line: 1, column: 1 });
    }
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        if error.is_data() { Unreadable::Shape { line, column } } else { Unreadable::Json { line, column } }
    })
}

/// An object with a number, as GitHub and Gitea call a merge request's.
#[derive(Deserialize)]
struct Numbered {
    number: u64,
}

/// An object with an id.
#[derive(Deserialize)]
struct Identified {
    id: u64,
}

/// The repository of a payload of GitHub or Gitea.
#[derive(Deserialize)]
struct About {
    repository: Option<Identified>,
}

impl About {
    fn repository(self) -> Option<RepositoryId> {
        self.repository.and_then(|repository| repository.id.to_string().parse().ok())
    }
}

/// A push to a branch or tag, as all forges have it.
#[derive(Deserialize)]
struct Pushed {
    r#ref: String,
}

/// A branch or tag that was made or deleted, as GitHub and Gitea have it: the ref is a short name.
#[derive(Deserialize)]
struct Named {
    r#ref: String,
    ref_type: String,
}

impl Named {
    fn changed(&self) -> Result<Changed, Unreadable> {
        if self.ref_type == "branch" { Changed::branches([self.r#ref.as_str()]) } else { Ok(Changed::default()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_unreadable_and_repeats_nothing() {
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        let bodies: [&[u8]; 9] = [
            b"",
            b"null",
            b"[{\"id\": 1}]",
            b"{\"repository\": {\"id\": \"canary\"}}",
            b"\xff\xfe",
            b"{\"repository\": 7}",
            b"{\"repository\": {\"id\": -1}}",
            b"{\"ref\": \"refs/heads/main\"",
            b"{\"repository\": {\"id\": 1e99}}",
        ];
        for kind in [ForgeKind::Github, ForgeKind::Gitea] {
            for body in bodies.iter().copied().chain([deep.as_bytes()]) {
                let read = read(kind, "push", body);
                let error = read.changed.unwrap_err();
                assert!(!error.to_string().contains("canary"), "{error}");
                assert_eq!(read.repository, None);
            }
        }
        for body in bodies.iter().copied() {
            let read = read(ForgeKind::Gitlab, "Push Hook", body);
            assert!(read.changed.is_err() || read.changed.is_ok_and(|changed| changed.is_empty()));
        }
    }

    #[test]
    fn names_that_git_does_not_have_are_refused() {
        let long = "x".repeat(300);
        for name in ["refs/heads/../../x", "refs/heads/a b", "refs/heads/-x\u{7}", "", "main", long.as_str()] {
            let body = serde_json::json!({"repository": {"id": 1}, "ref": name}).to_string();
            let read = read(ForgeKind::Github, "push", body.as_bytes());
            assert_eq!(read.changed, Err(Unreadable::Branch), "{name}");
        }
        let shell = serde_json::json!({"repository": {"id": 1}, "ref": "refs/heads/$(id)"}).to_string();
        let read = read(ForgeKind::Github, "push", shell.as_bytes());
        assert_eq!(read.changed.unwrap().branches[0].as_str(), "$(id)");
    }

    #[test]
    fn a_hook_about_no_repository_changes_nothing() {
        let read = |body: &str| read(ForgeKind::Github, "push", body.as_bytes());
        assert_eq!(read("{\"ref\": \"refs/heads/main\"}").changed, Err(Unreadable::Repository));
        let nowhere = read("{\"ref\": \"refs/tags/v1\", \"repository\": null}");
        assert_eq!((nowhere.repository, nowhere.changed), (None, Ok(Changed::default())));
    }
}
