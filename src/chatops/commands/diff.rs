//! `/wooo diff`: what a change renders.

use crate::chatops::command::{Command, Key, Verb};
use crate::chatops::registry::Entry;
use crate::chatops::reply::Said;
use crate::chatops::scene::Scene;
use crate::domain::{Problem, Problems, Role};
use crate::git::CommitId;
use crate::operations::compare::{self, AppDiff};
use crate::operations::file_diff::visible;
use crate::operations::tell::{cell, fence, plain};

pub(in crate::chatops) const ENTRY: Entry = Entry {
    verb: Verb::Diff,
    usage: "/wooo diff [app] [env=ENV]",
    summary: "Show what the change of this merge request, or the newest change of the app, renders differently",
    example: "/wooo diff",
    role: Role::Viewer,
    keys: &[Key::App, Key::Env],
    needs: &[],
    is_for_closed: false,
    run: |scene, command| Box::pin(run(scene, command)),
};

async fn run(scene: &Scene<'_>, command: &Command) -> Result<Said, Problems> {
    let app = scene.app(command)?;
    let change = scene.change_of(command, &app).await?;
    let Some(change) = change.as_ref() else {
        return Err(Problem::new("change.not_found", format!("there is no change of `{app}`")).into());
    };
    // Only commits that wooo has recorded are looked at, never one that a comment names.
    let commit = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<CommitId>().ok());
    let (Some(base), Some(head)) = (commit(&change.base_commit), commit(&change.commit_sha)) else {
        return Err(Problem::new("change.incomplete", "the change has no commit yet").into());
    };
    let fleet = scene.service.fleet(&scene.source.fleet)?;
    let diffs = fleet
        .with_place(move |place| {
            let tree = |commit| place.repository.tree(commit).map_err(Problems::from);
            compare::run(&tree(base)?, &tree(head)?)
        })
        .await?;
    let wanted = |diff: &&AppDiff| {
        diff.app == app.as_str() && command.arguments.env.as_ref().is_none_or(|env| diff.environment == env.as_str())
    };
    let diffs: Vec<&AppDiff> = diffs.iter().filter(wanted).collect();
    Ok(Said::done(shown(&diffs, scene.room)))
}

/// How many differences of one environment are listed.
const MAX_LISTED: usize = 100;

/// The differences, folded, within `room` characters. What does not fit is left out by whole lines, and said to be.
fn shown(diffs: &[&AppDiff], room: usize) -> String {
    if diffs.is_empty() {
        return "Nothing that is rendered differs.".to_owned();
    }
    let each = room / diffs.len();
    diffs.iter().map(|diff| section(diff, each)).collect::<Vec<_>>().join("\n")
}

fn section(diff: &AppDiff, room: usize) -> String {
    let count = diff.entries.len();
    let mut text = format!(
        "<details><summary>{}: {count} {}</summary>\n\n| risk | object | change |\n|---|---|---|\n",
        plain(&diff.environment),
        if count == 1 { "difference" } else { "differences" }
    );
    for (listed, entry) in diff.entries.iter().take(MAX_LISTED).enumerate() {
        let row = format!("| {} | {} | {} |\n", entry.risk, cell(&entry.object), cell(&entry.summary));
        if characters(&text) + characters(&row) > room / 2 {
            text.push_str(&format!("\nand {} more\n", count - listed));
            break;
        }
        text.push_str(&row);
    }
    let fence = fence(&diff.text);
    text.push_str(&format!("\n{fence}diff\n"));
    let mut left = room.saturating_sub(characters(&text) + 200);
    for line in diff.text.lines() {
        let line = visible(line);
        let length = characters(&line) + 1;
        if length > left {
            text.push_str("... the rest is in the merge request\n");
            break;
        }
        left -= length;
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str(&format!("{fence}\n\n</details>\n"));
    text
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(text: String) -> AppDiff {
        AppDiff { app: "shop".to_owned(), environment: "staging".to_owned(), entries: Vec::new(), text }
    }

    #[test]
    fn a_large_diff_fits_and_is_closed() {
        let large = diff("+ 網網網網 line\n".repeat(50_000));
        let text = shown(&[&large, &large], 62_000);
        assert!(characters(&text) <= 62_000, "{}", characters(&text));
        assert_eq!(text.matches("</details>").count(), 2);
        assert_eq!(text.matches("... the rest is in the merge request\n```\n\n</details>").count(), 2);
    }

    #[test]
    fn nothing_in_a_diff_leaves_its_block() {
        insta::assert_snapshot!(shown(&[&diff("+ a: |\n+   ````\n+   </details> \u{202e}x\n".to_owned())], 1_000), @r"
        <details><summary>staging: 0 differences</summary>

        | risk | object | change |
        |---|---|---|

        `````diff
        + a: |
        +   ````
        +   </details> U+202Ex
        `````

        </details>
        ");
    }
}
