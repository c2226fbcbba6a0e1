//! The one list of commands: what each is called, takes, needs and does. `/wooo help`, `docs/comments.md` and the parser
//! read it; a command is added in its own file and in [`entry`].

use std::fmt::Write as _;

use futures::future::BoxFuture;
use strum::IntoEnumIterator as _;

use super::command::{Command, Key, Verb};
use super::commands;
use super::reply::Said;
use super::scene::Scene;
use crate::domain::{Problems, Role};

/// What a command does. It writes nothing but through operations, and done twice it does nothing twice.
pub(super) type Run = for<'a> fn(&'a Scene<'a>, &'a Command) -> BoxFuture<'a, Result<Said, Problems>>;

/// A command.
pub(super) struct Entry {
    /// Its name.
    pub(super) verb: Verb,
    /// How it is written.
    pub(super) usage: &'static str,
    /// What it does, in one sentence.
    pub(super) summary: &'static str,
    /// One that could be written.
    pub(super) example: &'static str,
    /// The least role that it needs, in the tenant of the app.
    pub(super) role: Role,
    /// The arguments that it takes.
    pub(super) keys: &'static [Key],
    /// Of each of these groups, one has to be there.
    pub(super) needs: &'static [&'static [Key]],
    /// Whether it is obeyed on a merge request that is merged or closed.
    pub(super) is_for_closed: bool,
    /// What it does.
    pub(super) run: Run,
}

impl Entry {
    /// Whether it changes something, and not only shows it.
    pub(super) fn acts(&self) -> bool {
        self.role > Role::Viewer
    }
}

/// The entry of a command.
pub(super) const fn entry(verb: Verb) -> &'static Entry {
    match verb {
        Verb::Help => &commands::help::ENTRY,
        Verb::Status => &commands::status::ENTRY,
        Verb::Diff => &commands::diff::ENTRY,
        Verb::Deploy => &commands::deploy::ENTRY,
        Verb::Rollback => &commands::rollback::ENTRY,
        Verb::Restart => &commands::restart::ENTRY,
        Verb::Scale => &commands::scale::ENTRY,
        Verb::Resize => &commands::resize::ENTRY,
        Verb::Promote => &commands::promote::ENTRY,
        Verb::Hold => &commands::hold::ENTRY,
        Verb::Unhold => &commands::unhold::ENTRY,
        Verb::Approve => &commands::approve::ENTRY,
        Verb::Retry => &commands::retry::ENTRY,
        Verb::Pause => &commands::pause::ENTRY,
        Verb::Resume => &commands::resume::ENTRY,
        Verb::Explain => &commands::explain::ENTRY,
    }
}

/// Every command with its usage and summary, in the order in which they are listed.
pub fn usages() -> impl Iterator<Item = (Verb, &'static str, &'static str)> {
    Verb::iter().map(|verb| (verb, entry(verb).usage, entry(verb).summary))
}

/// What `/wooo help` answers.
pub(super) fn help() -> String {
    let mut text = String::from("| command | does |\n|---|---|\n");
    for (_, usage, summary) in usages() {
        let _ = writeln!(text, "| `{}` | {summary} |", usage.replace('|', "\\|"));
    }
    text.push_str(
        "\nEach stands on a line of its own. Without an app, the one of this merge request is meant. `docs/comments.md` \
         says who may use them.",
    );
    text
}

/// The text of `docs/comments.md` that is made of the list.
#[must_use]
pub fn page() -> String {
    let mut text = String::new();
    for verb in Verb::iter() {
        let entry = entry(verb);
        let _ = writeln!(text, "### `{verb}`\n\n{}.\n", entry.summary);
        let _ = writeln!(text, "```text\n{}\n```\n", entry.usage);
        let _ = writeln!(text, "For example `{}`. Needs the role {}.", entry.example, entry.role);
        if entry.is_for_closed {
            text.push_str("Also on a merge request that is merged or closed.\n");
        }
        text.push('\n');
    }
    text
}
