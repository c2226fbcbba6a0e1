//! What is written down in Git about a change beyond its commit: notes on that commit, one event each.
//!
//! Together with the commits they are the record; the database is an index of them. An event is written once: noting it
//! again, after a crash, changes nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::git_problems;
use super::place::Place;
use crate::domain::{ChangeId, EnvironmentName, Intent, Outcome, Problems};
use crate::git::{CommitId, Signature};

/// What is known of a change from now on.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Event {
    /// The change.
    pub change: ChangeId,
    /// When it became known.
    pub at: Timestamp,
    /// What became known.
    #[serde(flatten)]
    pub what: What,
}

/// The things that are noted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A merge request was opened.
    Proposed {
        /// The wish, as it was accepted.
        intent: Intent,
        /// When it was accepted.
        requested_at: Timestamp,
        /// Why it was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The number of the merge request.
        merge_request: u64,
        /// Its address for people.
        url: String,
    },
    /// It is on the synced branch.
    Merged {
        /// Who merged it.
        by: String,
    },
    /// Its merge request was closed.
    Closed {
        /// Why, in one sentence.
        reason: String,
    },
    /// A cluster has answered.
    Outcome {
        /// Where.
        environment: EnvironmentName,
        /// The answer.
        outcome: Outcome,
        /// Why, in one sentence.
        reason: String,
        /// The commit that the controller had applied then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
    },
}

impl Event {
    /// Whether both say the same thing, be it at different times.
    fn repeats(&self, other: &Self) -> bool {
        let same_kind = match (&self.what, &other.what) {
            (What::Outcome { environment: one, .. }, What::Outcome { environment: two, .. }) => one == two,
            (one, two) => std::mem::discriminant(one) == std::mem::discriminant(two),
        };
        self.change == other.change && same_kind
    }
}

/// The events that are noted on a commit, oldest first. Notes of other programs are passed over.
///
/// # Errors
/// What is wrong with the repository.
pub fn events(place: &Place, commit: CommitId) -> Result<Vec<Event>, Problems> {
    Ok(read(place.repository.notes(commit).map_err(git_problems)?))
}

/// The events among the values of a note.
#[must_use]
pub fn read(values: Vec<serde_json::Value>) -> Vec<Event> {
    values.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect()
}

/// Notes an event on a commit, unless it is noted already.
///
/// # Errors
/// What is wrong with the repository.
pub fn note(place: &Place, commit: CommitId, event: &Event, committer: &(String, String)) -> Result<(), Problems> {
    if events(place, commit)?.iter().any(|known| known.repeats(event)) {
        return Ok(());
    }
    let value = serde_json::to_value(event)
        .map_err(|error| crate::domain::Problem::new("record.unwritable", error.to_string()))?;
    let (name, email) = committer.clone();
    let signature = Signature { name, email, when: event.at };
    place.append_note(commit, &value, &signature).map_err(git_problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: What, second: i64) -> Event {
        Event {
            change: "0195e7a0-7c1e-7000-8000-0123456789ab".parse().unwrap(),
            at: Timestamp::from_second(second).unwrap(),
            what,
        }
    }

    fn outcome(environment: &str) -> What {
        What::Outcome {
            environment: environment.parse().unwrap(),
            outcome: Outcome::Healthy,
            reason: "all pods are ready".to_owned(),
            revision: None,
        }
    }

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        let event = event(outcome("staging"), 1_800_000_000);
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(
            text,
            r#"{"change":"0195e7a0-7c1e-7000-8000-0123456789ab","at":"2027-01-15T08:00:00Z","event":"outcome","environment":"staging","outcome":"healthy","reason":"all pods are ready"}"#
        );
        assert_eq!(read(vec![serde_json::from_str(&text).unwrap(), serde_json::json!({"other": 1})]), [event]);
    }

    #[test]
    fn the_same_event_is_noted_once_and_another_environment_is_another_event() {
        let folder = tempfile::tempdir().unwrap();
        let branch: crate::git::BranchName = "main".parse().unwrap();
        let repository = crate::git::Repository::init(folder.path(), &branch, true).unwrap();
        let tree = repository.writer().finish(None, &crate::git::TreeEdits::new()).unwrap();
        let who = ("wooo".to_owned(), "wooo@localhost".to_owned());
        let signature = Signature { name: who.0.clone(), email: who.1.clone(), when: Timestamp::UNIX_EPOCH };
        let commit = repository.commit(tree, &[], &signature, "First").unwrap();
        let place = Place::local(repository, branch);
        for (environment, second) in [("staging", 1), ("staging", 2), ("production", 3)] {
            note(&place, commit, &event(outcome(environment), second), &who).unwrap();
        }
        let noted = events(&place, commit).unwrap();
        assert_eq!(noted.iter().map(|event| event.at.as_second()).collect::<Vec<_>>(), [1, 3]);
    }
}
