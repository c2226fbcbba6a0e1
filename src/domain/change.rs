//! A change: one intent made concrete, and how far it has come.

use serde::{Deserialize, Serialize};

use super::names::InvalidName;

/// The identity of a change: a UUID, the same in the database, in the `Wooo-Change-Id` trailer of its commit and in
/// the API. It outlives regeneration.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChangeId(String);

impl ChangeId {
    /// The identity as text: 36 characters in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ChangeId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        // The parser also takes braces, a URN and no hyphens at all; one change must have one spelling.
        match uuid::Uuid::try_parse(text) {
            Ok(id) if id.to_string() == text => Ok(Self(text.to_owned())),
            _ => Err(InvalidName::new("a change's id is a UUID in lower case with hyphens")),
        }
    }
}

impl TryFrom<String> for ChangeId {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<ChangeId> for String {
    fn from(id: ChangeId) -> Self {
        id.0
    }
}

impl From<uuid::Uuid> for ChangeId {
    fn from(id: uuid::Uuid) -> Self {
        Self(id.to_string())
    }
}

impl std::fmt::Display for ChangeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a change has come.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, strum::Display, strum::EnumIter, strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ChangeState {
    /// It is written down and will be worked on.
    Accepted,
    /// Its commit is on a branch with an open merge request.
    Proposed,
    /// Its commit is on the synced branch; the cluster is being watched.
    Merged,
    /// The cluster has answered: there is an [`Outcome`](super::Outcome).
    Settled,
    /// There was nothing to change.
    Unchanged,
    /// It was refused or could not be made.
    Failed,
    /// Its merge request was closed without being merged.
    Closed,
}

impl ChangeState {
    /// Whether nothing more will happen to it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Settled | Self::Unchanged | Self::Failed | Self::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_id_has_one_spelling() {
        let id = "0195e7a0-7c1e-7000-8000-0123456789ab";
        assert_eq!(id.parse::<ChangeId>().unwrap().as_str(), id);
        for bad in ["", "0195E7A0-7C1E-7000-8000-0123456789AB", "0195e7a07c1e700080000123456789ab", "../x"] {
            assert!(bad.parse::<ChangeId>().is_err(), "{bad}");
        }
    }
}
