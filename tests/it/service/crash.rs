//! `kill -9` at each step of a change: what comes of it after a restart is what comes of it without.

use std::collections::BTreeMap;

use serde_json::Value;

use super::process::{Served, Setting, app, git};
use crate::postgres::Postgres;

/// The steps, in the order in which a change takes them.
const STEPS: [&str; 9] = ["accept", "render", "commit", "push", "open", "record", "merge", "observe", "outcome"];

fn setting(folder: &std::path::Path, database: Option<String>) -> Setting {
    Setting {
        data: folder.join("data"),
        database,
        // A lease that ends soon lets the next process go on soon.
        more: "lease_seconds: 1\nrefresh_seconds: 1\n".to_owned(),
        port: free_port(),
    }
}

pub(super) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Everything about the end of a change that must not depend on how it came about.
fn end_of(served: &Served) -> BTreeMap<&'static str, String> {
    let changes = served.changes();
    assert_eq!(changes.len(), 1, "one wish is one change: {changes:?}\n{}", served.log());
    let change = served.get(&format!("/api/changes/{}", changes[0]["id"].as_str().unwrap()));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let repository = served.repository();
    let subjects = git(&repository, &["log", "--format=%s|%(trailers:key=Wooo-Action,valueonly,separator=)", "main"]);
    let ids = git(&repository, &["log", "--format=%(trailers:key=Wooo-Change-Id,valueonly,separator=)", "main"]);
    let ids: Vec<&str> = ids.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(ids, [changes[0]["id"].as_str().unwrap()], "one change is one commit");
    git(&repository, &["fsck", "--strict"]);
    let requests = |state: &str| {
        let folder = repository.join("wooo/merge-requests").join(state);
        std::fs::read_dir(folder).map_or(0, |entries| {
            entries.flatten().filter(|entry| entry.path().extension().is_some_and(|end| end == "json")).count()
        })
    };
    let branches = git(&repository, &["for-each-ref", "--format=%(refname)", "refs/heads"]);
    let notes = git(&repository, &["log", "--format=%N", "--notes=wooo", "-1", "main"]);
    let events: Vec<String> = notes
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|event| text(&event["event"]))
        .collect();
    BTreeMap::from([
        ("state", text(&change["state"])),
        ("outcome", text(&change["outcome"])),
        ("merge request", text(&change["merge_request"]["number"])),
        ("commits", subjects),
        ("open merge requests", requests("open").to_string()),
        ("closed merge requests", requests("closed").to_string()),
        ("branches", branches),
        ("events", events.join(" ")),
        ("tree", git(&repository, &["rev-parse", "main^{tree}"])),
    ])
}

fn post(served: &Served) -> Option<(u16, Value)> {
    served.post("/api/apps", "the-one-wish", &app("shop"))
}

/// A run without a crash.
fn uncrashed() -> BTreeMap<&'static str, String> {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting { port: FIXED_PORT.with(|port| *port), ..setting(folder.path(), None) };
    let served = Served::start(&setting, "");
    let (status, body) = post(&served).unwrap();
    assert!((200..300).contains(&status), "{body}");
    served.settled(body["change_id"].as_str().unwrap());
    end_of(&served)
}

thread_local! {
    /// The repository's address is part of what is rendered, so that all runs of a test have the same.
    static FIXED_PORT: u16 = free_port();
}

fn crash_at(step: &str, database: Option<String>) -> BTreeMap<&'static str, String> {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting { port: FIXED_PORT.with(|port| *port), ..setting(folder.path(), database) };
    let served = Served::start(&setting, &format!("{step}=pause"));
    std::thread::scope(|scope| {
        let wish = scope.spawn(|| post(&served));
        served.wait_for_step(step);
        served.signal("KILL");
        // At `accept` the asker has no answer yet.
        let _maybe = wish.join().unwrap();
    });
    drop(served);
    let served = Served::start(&setting, "");
    // Whoever has no answer asks again, and whoever has one may do so too.
    let (status, body) = post(&served).unwrap();
    assert!((200..300).contains(&status), "after a crash at {step}: {status} {body}\n{}", served.log());
    served.settled(body["change_id"].as_str().unwrap());
    end_of(&served)
}

fn all_steps(database: impl Fn() -> Option<String>) {
    let expected = uncrashed();
    assert_eq!(expected["state"], "settled");
    assert_eq!(expected["outcome"], "healthy");
    assert_eq!(expected["events"], "proposed merged outcome");
    for step in STEPS {
        assert_eq!(crash_at(step, database()), expected, "killed at {step}");
    }
}

#[test]
fn a_kill_at_any_step_loses_and_doubles_nothing_on_sqlite() {
    all_steps(|| None);
}

#[test]
fn a_kill_at_any_step_loses_and_doubles_nothing_on_postgresql() {
    all_steps(|| Some(Postgres::shared().database()));
}
