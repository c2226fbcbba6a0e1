//! What people read about a change on the forge: the merge request's text, the one comment about its outcome, statuses.
//! Pure: from facts to Markdown.

use std::fmt::Write as _;

use crate::domain::text::reorders;
use crate::domain::{AppName, ChangeId, EnvironmentName, Outcome};
use crate::forge::{Body, Description, NewStatus, StatusContext, StatusState, Title};
use crate::git;
use crate::render::diff::{Entry, Risk};

use super::change::EnvironmentDiff;
use super::file_diff::FileDiff;
use super::gate::{Decision, Verdict};

/// How many differences of one environment are shown before the rest is only counted.
const MAX_LISTED: usize = 60;

/// What a merge request is told about.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The change.
    pub id: &'a ChangeId,
    /// One line that says what it does.
    pub subject: &'a str,
    /// Who asked, as in `github:alice`.
    pub actor: &'a str,
    /// Why, in the asker's words.
    pub reason: Option<&'a str>,
    /// What the reader should know.
    pub notes: &'a [String],
    /// What differs.
    pub diffs: &'a [EnvironmentDiff],
    /// The files that differ.
    pub files: &'a [FileDiff],
    /// Whether a person is needed, and why.
    pub verdict: &'a Verdict,
    /// How to undo it once it is merged.
    pub undo: &'a str,
}

/// Title and body of a change's merge request.
#[must_use]
pub fn merge_request(proposal: &Proposal<'_>) -> (Title, Body) {
    let mut text = String::new();
    if let Some(reason) = proposal.reason {
        let _ = writeln!(text, "{}\n", quoted(reason));
    }
    let _ = writeln!(text, "Asked for by {}.", plain(proposal.actor));
    for diff in proposal.diffs {
        let _ = writeln!(text, "\n### {}\n", diff.environment);
        list(&mut text, &diff.entries);
    }
    let end = ending(proposal);
    // The end holds what the change is found again by, so that the files get what is left.
    let room = Body::MAX.saturating_sub(text.chars().count() + end.chars().count());
    text.push_str(&file_sections(proposal.files, room));
    text.push_str(&end);
    (Title::new(proposal.subject), Body::new(&text))
}

/// What stands below the differences: notes, what merging waits for, the way back.
fn ending(proposal: &Proposal<'_>) -> String {
    let mut text = String::new();
    if !proposal.notes.is_empty() {
        text.push_str("\n### Notes\n\n");
        for note in proposal.notes {
            let _ = writeln!(text, "- {}", plain(note));
        }
    }
    text.push_str("\n### Merging\n\n");
    match proposal.verdict.decision {
        Decision::Auto => text.push_str("wooo merges this as soon as every check is green.\n"),
        Decision::Propose => {
            for reason in &proposal.verdict.reasons {
                let _ = writeln!(text, "- {}", plain(reason));
            }
        }
    }
    let _ = writeln!(text, "\nTo undo it afterwards: `{}`", proposal.undo.replace('`', "'"));
    let _ = write!(text, "\n{}", change_marker(proposal.id));
    text
}

/// What the body of a change's merge request ends with, so that it is known to be that change's.
#[must_use]
pub fn change_marker(id: &ChangeId) -> String {
    format!("<!-- wooo change {id} -->")
}

/// The files with their differences, each folded, as many as fit into `room` characters. The rest is counted.
#[must_use]
pub fn file_sections(files: &[FileDiff], room: usize) -> String {
    if files.is_empty() {
        return String::new();
    }
    let (added, removed) = files.iter().fold((0, 0), |(a, r), file| (a + file.added, r + file.removed));
    let mut text = format!("\n### Files\n\n{} with +{added} −{removed} lines\n\n", counted(files.len(), "file"));
    // For the line about what does not fit.
    let mut left = room.saturating_sub(text.chars().count() + 80);
    let mut shown = 0;
    for file in files {
        let section = file_section(file);
        let length = section.chars().count();
        if length > left {
            break;
        }
        left -= length;
        text.push_str(&section);
        shown += 1;
    }
    if shown < files.len() {
        let _ = writeln!(text, "and {} that would not fit here", counted(files.len() - shown, "more file"));
    }
    if text.chars().count() > room { String::new() } else { text }
}

fn file_section(file: &FileDiff) -> String {
    let path = plain(&file.path);
    if file.text.is_empty() {
        return format!("- {path}: too long to be shown\n\n");
    }
    let fence = fence(&file.text);
    let (added, removed) = (file.added, file.removed);
    format!(
        "<details><summary>{path} (+{added} −{removed})</summary>\n\n{fence}diff\n{}{fence}\n\n</details>\n\n",
        file.text
    )
}

/// More backticks than stand in a row anywhere in the text: a block ends at a fence that is as long as its own.
#[must_use]
pub fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn list(text: &mut String, entries: &[Entry]) {
    if entries.is_empty() {
        text.push_str("Nothing that runs differs.\n");
        return;
    }
    text.push_str("| risk | object | change |\n|---|---|---|\n");
    for entry in entries.iter().take(MAX_LISTED) {
        let risk = if entry.risk == Risk::High { "**high**".to_owned() } else { entry.risk.to_string() };
        let _ = writeln!(text, "| {risk} | {} | {} |", cell(&entry.object), cell(&entry.summary));
    }
    if entries.len() > MAX_LISTED {
        let _ = writeln!(text, "\nand {} more", entries.len() - MAX_LISTED);
    }
}

/// The outcome of a change in one environment.
#[derive(Clone, Debug)]
pub struct Told {
    /// Where.
    pub environment: EnvironmentName,
    /// What the cluster said; none while it is being watched.
    pub outcome: Option<Outcome>,
    /// Why, in one sentence.
    pub reason: String,
}

/// What the one comment about outcomes begins with, so that it is found again.
pub const OUTCOME_MARKER: &str = "<!-- wooo outcome -->";

/// The comment that says what came of a change. Its text changes only when what it says does.
#[must_use]
pub fn outcome_comment(outcomes: &[Told], url: Option<&str>) -> Body {
    let mut text = format!("{OUTCOME_MARKER}\n| environment | outcome | why |\n|---|---|---|\n");
    for told in outcomes {
        let word = told.outcome.map_or_else(|| "watching".to_owned(), |outcome| outcome.to_string().replace('_', " "));
        let _ = writeln!(text, "| {} | {word} | {} |", told.environment, cell(&told.reason));
    }
    if let Some(url) = url {
        let _ = writeln!(text, "\n{url}");
    }
    Body::new(&text)
}

/// The status that says how a change fares in one environment.
///
/// # Errors
/// None for a name that was parsed; [`crate::forge::Error::Invalid`] otherwise.
pub fn deploy_status(
    app: &AppName,
    environment: &EnvironmentName,
    outcome: Option<Outcome>,
    reason: &str,
) -> Result<NewStatus, crate::forge::Error> {
    let state = match outcome {
        None => StatusState::Pending,
        Some(Outcome::Healthy) => StatusState::Success,
        Some(Outcome::Degraded | Outcome::TimedOut) => StatusState::Failure,
        Some(Outcome::Unknown) => StatusState::Error,
    };
    status(&format!("wooo/deploy: {app}/{environment}"), state, reason)
}

/// The statuses of a commit that wooo has rendered and decided about.
///
/// # Errors
/// None in practice: the contexts are fixed.
pub fn check_statuses(diffs: &[EnvironmentDiff], verdict: &Verdict) -> Result<[NewStatus; 2], crate::forge::Error> {
    let digests: Vec<&str> = diffs.iter().filter_map(|diff| diff.digest.as_deref()).collect();
    let rendered = match digests.as_slice() {
        [] => "nothing is left to render".to_owned(),
        [one] => format!("rendered as {}", one.get(..19).unwrap_or(one)),
        many => format!("rendered for {} environments", many.len()),
    };
    let policy = match verdict.decision {
        Decision::Auto => "may be merged without a person".to_owned(),
        Decision::Propose => verdict.reasons.join("; "),
    };
    Ok([status("wooo/render", StatusState::Success, &rendered)?, status("wooo/policy", StatusState::Success, &policy)?])
}

fn status(context: &str, state: StatusState, description: &str) -> Result<NewStatus, crate::forge::Error> {
    let context: StatusContext = context.parse()?;
    Ok(NewStatus { context, state, description: Description::new(description), url: None })
}

/// The command that undoes a change, for the person who reads its merge request.
#[must_use]
pub fn undo(action: &crate::domain::Action, app: &AppName, environment: Option<&EnvironmentName>) -> String {
    use crate::domain::Action;
    let place = environment.map_or_else(String::new, |environment| format!(" --env {environment}"));
    match action {
        Action::Onboard { .. } => format!("wooo offboard {app}{place}"),
        Action::Hold { .. } => format!("wooo unhold {app}{place}"),
        Action::Deploy { .. } | Action::Promote | Action::Rollback { .. } => format!("wooo rollback {app}{place}"),
        _ => "git revert the commit, then wooo rerender".to_owned(),
    }
}

/// A person's text as a quotation: whatever Markdown it holds stays inside.
#[must_use]
pub fn quoted(text: &str) -> String {
    text.trim().lines().map(|line| format!("> {}", plain(line))).collect::<Vec<_>>().join("\n")
}

/// Text that stays text in Markdown: no tag begins and nobody is called by it, and characters that reorder others show as
/// what they are.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            // A mention needs the name right behind the sign.
            '@' => safe.push_str("@\u{200b}"),
            c if c.is_control() || reorders(c) => {
                let _ = write!(safe, "U+{:04X}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

/// Text on one line of Markdown, as in a cell of a table.
#[must_use]
pub fn cell(text: &str) -> String {
    plain(&text.replace(['\n', '\r'], " ")).replace('|', "\\|")
}

/// What stands for a comment's content when it is compared with what is there.
#[must_use]
pub fn same_text(one: &str, other: &str) -> bool {
    // Forges trim, and change line breaks.
    let normal = |text: &str| git::BlobId::of(text.replace("\r\n", "\n").trim().as_bytes());
    normal(one) == normal(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff() -> EnvironmentDiff {
        let before = serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "app-a"}, "data": {"X": "1"},
        });
        let mut after = before.clone();
        after["data"]["X"] = "<b>|@all".into();
        EnvironmentDiff {
            environment: "staging".parse().unwrap(),
            entries: crate::render::diff::compare(&[before], &[after]),
            digest: Some("sha256:0123456789abcdef0123".to_owned()),
        }
    }

    #[test]
    fn a_merge_request_says_who_why_what_and_how_to_undo_it() {
        let verdict = Verdict {
            decision: Decision::Propose,
            reasons: vec!["changes to staging are merged by a person".to_owned()],
        };
        let id = "0195e7a0-7c1e-7000-8000-0123456789ab".parse().unwrap();
        let (title, body) = merge_request(&Proposal {
            id: &id,
            subject: "Configure a",
            actor: "github:alice",
            reason: Some("# big\n<img src=x> @team"),
            notes: &["look".to_owned()],
            diffs: &[diff()],
            files: &[],
            verdict: &verdict,
            undo: "wooo rollback a --env staging",
        });
        assert_eq!(title.as_str(), "Configure a");
        insta::assert_snapshot!(body.as_str().replace('\u{200b}', "{zwsp}"), @r"
        > # big
        > &lt;img src=x> @{zwsp}team

        Asked for by github:alice.

        ### staging

        | risk | object | change |
        |---|---|---|
        | medium | ConfigMap a | variable X 1 -> &lt;b>\|@{zwsp}all |

        ### Notes

        - look

        ### Merging

        - changes to staging are merged by a person

        To undo it afterwards: `wooo rollback a --env staging`

        <!-- wooo change 0195e7a0-7c1e-7000-8000-0123456789ab -->
        ");
    }

    #[test]
    fn files_are_shown_as_far_as_there_is_room_and_what_finds_the_change_always() {
        let file = |name: &str, lines: usize| FileDiff {
            path: format!("rendered/staging/a/{name}.yaml"),
            text: format!("@@ -0,0 +1 @@\n+```\n{}", "+x\n".repeat(lines)),
            added: lines + 1,
            removed: 0,
        };
        insta::assert_snapshot!(file_sections(&[file("one", 1), file("two", 2000)], 600), @r"

        ### Files

        2 files with +2003 −0 lines

        <details><summary>rendered/staging/a/one.yaml (+2 −0)</summary>

        ````diff
        @@ -0,0 +1 @@
        +```
        +x
        ````

        </details>

        and 1 more file that would not fit here
        ");
        let id = "0195e7a0-7c1e-7000-8000-0123456789ab".parse().unwrap();
        let many: Vec<FileDiff> = (0..300).map(|number| file(&number.to_string(), 100)).collect();
        let verdict = Verdict { decision: Decision::Auto, reasons: Vec::new() };
        let (_, body) = merge_request(&Proposal {
            id: &id,
            subject: "Configure a",
            actor: "github:alice",
            reason: None,
            notes: &[],
            diffs: &[diff()],
            files: &many,
            verdict: &verdict,
            undo: "wooo rollback a",
        });
        assert!(body.as_str().chars().count() <= Body::MAX && body.as_str().ends_with(&change_marker(&id)));
        assert!(body.as_str().contains("more files that would not fit here"));
    }

    #[test]
    fn statuses_fit_what_forges_take() {
        let verdict = Verdict { decision: Decision::Auto, reasons: Vec::new() };
        let [render, policy] = check_statuses(&[diff()], &verdict).unwrap();
        assert_eq!(render.description.as_str(), "rendered as sha256:0123456789ab");
        assert_eq!(policy.description.as_str(), "may be merged without a person");
        let app = "a".parse().unwrap();
        let status =
            deploy_status(&app, &"staging".parse().unwrap(), Some(Outcome::Unknown), &"x".repeat(300)).unwrap();
        assert_eq!((status.context.to_string().as_str(), status.state), ("wooo/deploy: a/staging", StatusState::Error));
        assert!(status.description.as_str().chars().count() <= 140);
    }

    #[test]
    fn a_comment_is_rewritten_only_when_it_says_something_else() {
        let told = |outcome| {
            let told = Told { environment: "staging".parse().unwrap(), outcome, reason: "ready".to_owned() };
            outcome_comment(&[told], None)
        };
        let watching = told(None);
        assert!(same_text(watching.as_str(), &format!("{}\r\n", watching.as_str().replace('\n', "\r\n"))));
        assert!(!same_text(watching.as_str(), told(Some(Outcome::Healthy)).as_str()));
    }
}
