//! Whether a comment is listened to at all, before anybody looks at what it says. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::forge::{Comment, MergeRequest, User};

/// What is older than this is history: a service that starts on a repository with a past does not live it again, and an
/// order that nobody heard for a day may not be meant any more.
const STALE: SignedDuration = SignedDuration::from_hours(24);
/// What every text of wooo's has in it, hidden.
const OWN_MARKER: &str = "<!-- wooo ";

/// What is done with a comment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judgement {
    /// It is read.
    Hear,
    /// It is no person's, or too old: as if it were not there.
    Ignore,
    /// Its text was changed after it was written, perhaps by somebody else.
    Edited,
    /// The merge request comes from somebody's copy of the repository.
    Fork,
}

/// Judges a comment by its circumstances. `me` is who wooo is on this forge.
#[must_use]
pub fn judge(found: &MergeRequest, comment: &Comment, me: &User, now: Timestamp) -> Judgement {
    let is_own = comment.author.id == me.id || comment.body.contains(OWN_MARKER);
    let is_old = now.duration_since(comment.created) > STALE;
    match () {
        () if is_own || is_old || is_program(&comment.author.login) => Judgement::Ignore,
        () if found.from_fork => Judgement::Fork,
        () if comment.edited => Judgement::Edited,
        () => Judgement::Hear,
    }
}

/// Whether a login is one that forges give to programs: apps of GitHub, access tokens of GitLab's projects and groups,
/// and what is left of an account that is gone.
fn is_program(login: &str) -> bool {
    let lower = login.to_ascii_lowercase();
    let is_token = ["project_", "group_"].iter().any(|kind| {
        lower.strip_prefix(kind).and_then(|rest| rest.split_once('_')).is_some_and(|(number, rest)| {
            !number.is_empty()
                && number.bytes().all(|c| c.is_ascii_digit())
                && (rest == "bot" || rest.starts_with("bot_") || rest.strip_prefix("bot").is_some_and(is_number))
        })
    });
    lower.ends_with("[bot]") || is_token || lower == "ghost"
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_by_what_forges_call_them() {
        for program in
            ["renovate[bot]", "Dependabot[BOT]", "project_12_bot", "group_7_bot_0af3", "project_3_bot2", "ghost"]
        {
            assert!(is_program(program), "{program}");
        }
        for person in ["bot", "project_manager", "group_x_bot", "alice", "ghostwriter", "project_12_botany"] {
            assert!(!is_program(person), "{person}");
        }
    }
}
