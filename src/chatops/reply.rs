//! What wooo answers: the one author of the texts of replies. Pure: from what was found out to Markdown.

use std::fmt::Write as _;

use super::command::shown;
use super::parse::{Fault, MAX_COMMANDS};
use crate::domain::{Problem, Problems};
use crate::forge::{Body, CommentId, Reaction};
use crate::operations::tell::plain;
use crate::store::CommentAnswer;

/// The answer to one command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Said {
    /// Markdown.
    pub(super) text: String,
    /// How it went.
    pub(super) mood: Mood,
}

/// How it went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

/// The reaction that says at a glance what became of a comment.
pub(super) const fn reaction(answer: CommentAnswer) -> Reaction {
    match answer {
        CommentAnswer::Done => Reaction::ThumbsUp,
        CommentAnswer::Confused => Reaction::Confused,
        _ => Reaction::ThumbsDown,
    }
}

impl Said {
    /// That it was done.
    pub(super) fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), mood: Mood::Done }
    }

    /// That it was refused, and why.
    pub(super) fn refused(problems: &Problems) -> Self {
        Self { text: told(problems.as_slice()), mood: Mood::Refused }
    }
}

/// How many characters of a reply are free for what it says.
pub(super) const ROOM: usize = 62_000;

/// What a reply begins with, so that it is found again instead of written twice, and says what became of the comment.
fn marked(comment: CommentId, answer: CommentAnswer, text: &str) -> Body {
    Body::new(&format!("{}{answer} -->\n{text}", marker(comment)))
}

fn marker(comment: CommentId) -> String {
    format!("<!-- wooo reply {comment} ")
}

/// What became of a comment, if `body` is the reply to it.
pub(super) fn is_reply(body: &str, comment: CommentId) -> Option<CommentAnswer> {
    let (word, _) = body.strip_prefix(&marker(comment))?.split_once(" -->")?;
    word.parse().ok()
}

/// The one reply to a comment: what each of its commands came to.
pub(super) fn answer(comment: CommentId, answers: &[(String, Said)]) -> (CommentAnswer, Body) {
    let is_done = answers.iter().all(|(_, said)| said.mood == Mood::Done);
    let answer = if is_done { CommentAnswer::Done } else { CommentAnswer::Refused };
    let sections = answers.iter().map(|(line, said)| section(line, &said.text)).collect::<Vec<_>>();
    (answer, marked(comment, answer, &sections.join("\n")))
}

/// What is said to a comment that is not understood; nothing of it is done.
pub(super) fn faults(comment: CommentId, faults: &[Fault]) -> Body {
    let section = |fault: &Fault| section(&fault.line, &told(std::slice::from_ref(&fault.problem)));
    let mut sections: Vec<String> = faults.iter().map(section).collect();
    sections.push("Nothing of this comment was done.\n".to_owned());
    marked(comment, CommentAnswer::Confused, &sections.join("\n"))
}

fn section(line: &str, text: &str) -> String {
    format!("> {}\n\n{}\n", code(line), text.trim_end())
}

/// What is said to too many commands at once.
pub(super) fn too_many(comment: CommentId, count: usize) -> Body {
    let text = format!(
        "This comment holds {count} commands, and one comment may hold {MAX_COMMANDS}. Nothing of it was done.\n"
    );
    marked(comment, CommentAnswer::Confused, &text)
}

/// What is said once to people who have nothing to say here. It does not say what would be needed: who ought to know, does.
pub(super) fn outsider(comment: CommentId) -> Body {
    let text = "Thank you. wooo takes commands here only from people who look after this fleet; one of them may do this for \
                you.\n";
    marked(comment, CommentAnswer::Outsider, text)
}

/// What is said once about a merge request from a fork.
pub(super) fn fork(comment: CommentId) -> Body {
    let text = "wooo takes no commands on a merge request that comes from a copy of this repository.\n";
    marked(comment, CommentAnswer::Fork, text)
}

/// What is said once about comments that were edited.
pub(super) fn edited(comment: CommentId) -> Body {
    let text = "A comment that was edited is not obeyed, because somebody else may have edited it. Write a new one.\n";
    marked(comment, CommentAnswer::Edited, text)
}

/// What is said of a command that comes behind one that was refused.
pub(super) fn skipped() -> Said {
    Said { text: "Not done, because the command before it was refused.".to_owned(), mood: Mood::Refused }
}

/// Problems as people read them. What is wrong inside of wooo is for its log and its operators.
fn told(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        if is_internal(problem.code) {
            let _ = writeln!(text, "wooo could not do this; its log says why (`{}`).", problem.code);
            continue;
        }
        let _ = writeln!(text, "{} (`{}`).", plain(&sentence(&problem.detail)), problem.code);
        for hint in &problem.hints {
            let _ = writeln!(text, "- {}", plain(hint));
        }
    }
    text
}

fn is_internal(code: &str) -> bool {
    ["git.", "files.", "store.", "service.", "forge.invalid", "job."].iter().any(|area| code.starts_with(area))
}

/// A detail with a capital letter, unless it begins with a name.
pub(super) fn sentence(detail: &str) -> String {
    let mut characters = detail.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// A line as code, which holds nothing but that line.
fn code(line: &str) -> String {
    format!("`{}`", shown(line.trim()).replace('@', "@\u{200b}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visible(body: &Body) -> String {
        body.as_str().replace('\u{200b}', "{zwsp}")
    }

    #[test]
    fn a_reply_quotes_and_answers_each_command() {
        let refused = Problem::new("hold.active", "`shop` is held by <b>@all").hint("`/wooo unhold shop`");
        let answers = [
            ("/wooo status".to_owned(), Said::done("| a |\n|---|\n| b |\n")),
            ("/wooo deploy `x` @all -- \u{202e}".to_owned(), Said::refused(&refused.into())),
            ("/wooo restart".to_owned(), skipped()),
        ];
        insta::assert_snapshot!(visible(&answer(CommentId(7), &answers).1), @r"
        <!-- wooo reply 7 refused -->
        > `/wooo status`

        | a |
        |---|
        | b |

        > `/wooo deploy 'x' @{zwsp}all -- \u{202e}`

        `shop` is held by &lt;b>@{zwsp}all (`hold.active`).
        - `/wooo unhold shop`

        > `/wooo restart`

        Not done, because the command before it was refused.
        ");
    }

    #[test]
    fn what_is_wrong_inside_is_not_for_everybody() {
        let inside = Problem::new("git.io", "/var/lib/wooo/x: permission denied");
        assert_eq!(Said::refused(&inside.into()).text, "wooo could not do this; its log says why (`git.io`).\n");
    }

    #[test]
    fn what_is_said_once() {
        insta::assert_snapshot!(outsider(CommentId(1)).as_str(), @r"
        <!-- wooo reply 1 outsider -->
        Thank you. wooo takes commands here only from people who look after this fleet; one of them may do this for you.
        ");
        insta::assert_snapshot!(edited(CommentId(2)).as_str(), @r"
        <!-- wooo reply 2 edited -->
        A comment that was edited is not obeyed, because somebody else may have edited it. Write a new one.
        ");
        insta::assert_snapshot!(fork(CommentId(3)).as_str(), @r"
        <!-- wooo reply 3 fork -->
        wooo takes no commands on a merge request that comes from a copy of this repository.
        ");
        insta::assert_snapshot!(too_many(CommentId(4), 40).as_str(), @r"
        <!-- wooo reply 4 confused -->
        This comment holds 40 commands, and one comment may hold 10. Nothing of it was done.
        ");
    }
}
