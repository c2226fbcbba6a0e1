//! What a service made of a command, written into a folder for the pipeline that gave it: `wooo.md` for people, and
//! `wooo.env` with one `NAME=value` a line for the jobs after it. It is written whenever more is known, so that a job that
//! is stopped has left what it knew.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::args::{Verb, WaitArgs};
use crate::domain::{Outcome, Problem};
use crate::operations::tell::{cell, plain};

/// How many differences of one environment are shown before the rest is only counted.
const MAX_LISTED: usize = 60;

/// Where a report goes, and what is known.
pub(super) struct Report {
    folder: PathBuf,
    known: RefCell<Known>,
}

#[derive(Default)]
struct Known {
    change: Option<Value>,
    apps: Vec<Value>,
    problems: Vec<Problem>,
}

impl Report {
    /// Where the user wants one.
    pub(super) fn folder(verb: &Verb) -> Option<&Path> {
        let wait: &WaitArgs = match verb {
            Verb::Status(args) => return args.report.as_deref(),
            Verb::Onboard(args) => &args.change.wait,
            Verb::Deploy(args) => &args.change.wait,
            Verb::Configure(args) => &args.change.wait,
            Verb::Scale(args) => &args.change.wait,
            Verb::Offboard(args) => &args.change.wait,
            Verb::Restart(args) | Verb::Promote(args) | Verb::Unhold(args) => &args.change.wait,
            Verb::Rollback(args) => &args.app.change.wait,
            Verb::Resize(args) => &args.app.change.wait,
            Verb::Hold(args) => &args.app.change.wait,
            Verb::Change(args) => &args.wait,
            Verb::Merge(args) => &args.wait,
            _ => return None,
        };
        wait.report.as_deref()
    }

    /// A report that knows nothing yet.
    ///
    /// # Errors
    /// `files.unwritable`: better before anything was asked than after it was done.
    pub(super) fn new(folder: &Path) -> Result<Self, Problem> {
        let report = Self { folder: folder.to_path_buf(), known: RefCell::default() };
        std::fs::create_dir_all(folder)
            .and_then(|()| report.write())
            .map_err(|error| Problem::new("files.unwritable", format!("{}: {error}", folder.display())))?;
        Ok(report)
    }

    /// How a change stands now.
    pub(super) fn change(&self, change: &Value) {
        if self.known.borrow().change.as_ref() != Some(change) {
            self.known.borrow_mut().change = Some(change.clone());
            self.update();
        }
    }

    /// How apps are.
    pub(super) fn apps(&self, apps: &[Value]) {
        self.known.borrow_mut().apps = apps.to_vec();
        self.update();
    }

    /// What was wrong.
    pub(super) fn problems(&self, problems: &[Problem]) {
        self.known.borrow_mut().problems.extend_from_slice(problems);
        self.update();
    }

    /// A report that cannot be written must not hide what it is about.
    fn update(&self) {
        if let Err(error) = self.write() {
            tracing::warn!(folder = %self.folder.display(), %error, "the report was not written");
        }
    }

    fn write(&self) -> std::io::Result<()> {
        let known = self.known.borrow();
        std::fs::write(self.folder.join("wooo.md"), known.page())?;
        std::fs::write(self.folder.join("wooo.env"), known.facts())
    }
}

impl Known {
    /// One word for what came of it.
    fn outcome(&self) -> &str {
        if self.problems.iter().any(|problem| problem.code == "client.timeout") {
            return "waiting";
        }
        if let Some(change) = &self.change {
            return match text(change, "outcome") {
                "" => text(change, "state"),
                outcome => outcome,
            };
        }
        match self.places().as_slice() {
            [(_, place)] => text(place, "health"),
            _ if !self.problems.is_empty() => "refused",
            _ => "",
        }
    }

    /// Each app with each place where it is.
    fn places(&self) -> Vec<(&Value, &Value)> {
        self.apps.iter().flat_map(|app| items(app, "placements").iter().map(move |place| (app, place))).collect()
    }

    fn facts(&self) -> String {
        let of_change = |read: fn(&Value) -> &str| self.change.as_ref().map_or("", read);
        let facts = [
            ("CHANGE_ID", of_change(|change| text(change, "id"))),
            ("MERGE_REQUEST_URL", of_change(|change| address(change).unwrap_or_default())),
            ("OUTCOME", self.outcome()),
        ];
        let mut page = String::new();
        for (name, value) in facts {
            // What is no plain word could be read as something else by whoever reads the file.
            let is_plain =
                value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b'$'));
            let _ = writeln!(page, "WOOO_{name}={}", if is_plain { value } else { "" });
        }
        page
    }

    fn page(&self) -> String {
        let mut page = String::new();
        if let Some(change) = &self.change {
            tell_change(&mut page, change);
        }
        if !self.apps.is_empty() {
            page.push_str("### What runs\n\n| app | environment | image | health | sync |\n|---|---|---|---|---|\n");
            for (app, place) in self.places() {
                let cells = [text(app, "name"), text(place, "environment"), text(place, "image")];
                let cells = cells.into_iter().chain([text(place, "health"), text(place, "sync_state")]).map(cell);
                let _ = writeln!(page, "| {} |", cells.collect::<Vec<_>>().join(" | "));
            }
        }
        if !self.problems.is_empty() {
            page.push_str("\n### Problems\n\n");
            for problem in &self.problems {
                let _ = writeln!(page, "- `{}`: {}", problem.code, cell(&problem.detail));
                for hint in &problem.hints {
                    let _ = writeln!(page, "  - {}", cell(hint));
                }
            }
        }
        page
    }
}

fn tell_change(page: &mut String, change: &Value) {
    let _ = writeln!(page, "### {}\n", plain(text(change, "subject")));
    let state = match (text(change, "state"), text(change, "outcome")) {
        (state, "") => state.to_owned(),
        (state, outcome) if outcome == Outcome::Healthy.to_string() => format!("{state}, **healthy**"),
        (state, outcome) => format!("{state}, **{}**", outcome.replace('_', " ")),
    };
    let _ =
        writeln!(page, "{}: {} by {}\n", plain(&state), plain(text(change, "action")), plain(text(change, "actor")));
    if let Some(number) = change.get("merge_request").and_then(Value::as_i64) {
        let _ = match address(change) {
            Some(url) => writeln!(page, "[Merge request {number}]({url})\n"),
            None => writeln!(page, "Merge request {number}\n"),
        };
    }
    for diff in items(change, "diffs") {
        let _ = writeln!(page, "#### {}\n", cell(text(diff, "environment")));
        let entries = items(diff, "entries");
        if entries.is_empty() {
            page.push_str("Nothing that runs differs.\n\n");
            continue;
        }
        page.push_str("| risk | object | change |\n|---|---|---|\n");
        for entry in entries.iter().take(MAX_LISTED) {
            let cells = ["risk", "object", "summary"].map(|name| cell(text(entry, name)));
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
        if entries.len() > MAX_LISTED {
            let _ = writeln!(page, "\nand {} more", entries.len() - MAX_LISTED);
        }
        page.push('\n');
    }
    for note in items(change, "notes").iter().filter_map(Value::as_str) {
        let _ = writeln!(page, "- {}", cell(note));
    }
    let rows = items(change, "deployments");
    if !rows.is_empty() {
        page.push_str("\n| environment | outcome | why |\n|---|---|---|\n");
    }
    for row in rows {
        let (outcome, why) = match text(row, "outcome") {
            "" => (text(row, "status"), text(row, "waits_for")),
            outcome => (outcome, text(row, "reason")),
        };
        let _ = writeln!(page, "| {} | {} | {} |", cell(text(row, "environment")), cell(outcome), cell(why));
    }
}

/// The address of a change's merge request, if it is plainly the address of a page.
fn address(change: &Value) -> Option<&str> {
    let url = text(change, "merge_request_url");
    let is_plain = url.bytes().all(|c| c.is_ascii_alphanumeric() || b":/.-_~%?&=#+,@!".contains(&c));
    (is_plain && (url.starts_with("https://") || url.starts_with("http://"))).then_some(url)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn facts(known: &Known) -> Vec<String> {
        known.facts().lines().map(str::to_owned).collect()
    }

    #[test]
    fn one_word_says_what_came_of_it() {
        let timeout = Problem::new("client.timeout", "late");
        let change = |state: &str, outcome: Option<&str>| Some(json!({"id": "1", "state": state, "outcome": outcome}));
        let app = json!({"name": "shop", "placements": [{"environment": "staging", "health": "healthy"}]});
        let known = |change, apps, problems| Known { change, apps, problems };
        for (known, word) in [
            (known(None, vec![], vec![]), ""),
            (known(None, vec![], vec![Problem::new("app.not_found", "no")]), "refused"),
            (known(None, vec![app], vec![]), "healthy"),
            (known(change("proposed", None), vec![], vec![]), "proposed"),
            (known(change("settled", Some("degraded")), vec![], vec![]), "degraded"),
            (known(change("merged", None), vec![], vec![timeout]), "waiting"),
        ] {
            assert_eq!(known.outcome(), word);
        }
    }

    #[test]
    fn nothing_in_a_report_is_taken_for_something_else() {
        let change = json!({
            "id": "1\nPATH=/evil", "subject": "Deploy <img src=x>", "state": "proposed", "action": "deploy",
            "actor": "ci:github:acme/shop", "merge_request": 3, "merge_request_url": "javascript:alert(1)",
            "diffs": [{"environment": "staging", "entries": [
                {"risk": "medium", "object": "ConfigMap a|b", "summary": "variable X 1 -> @all\n### no"}]}],
        });
        let known = Known { change: Some(change), ..Known::default() };
        assert_eq!(facts(&known), ["WOOO_CHANGE_ID=", "WOOO_MERGE_REQUEST_URL=", "WOOO_OUTCOME=proposed"]);
        insta::assert_snapshot!(known.page().replace('\u{200b}', "{zwsp}"), @r"
        ### Deploy &lt;img src=x>

        proposed: deploy by ci:github:acme/shop

        Merge request 3

        #### staging

        | risk | object | change |
        |---|---|---|
        | medium | ConfigMap a\|b | variable X 1 -> @{zwsp}all ### no |
        ");
    }
}
