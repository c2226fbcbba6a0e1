//! `kill -9` at each step of a change: what comes of it after a restart is what comes of it without.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::process::{Served, Setting, app, git};
use crate::git::http_server::GitServer;
use crate::postgres::Postgres;

/// The steps, in the order in which a change takes them.
const STEPS: [&str; 10] =
    ["clone", "accept", "render", "commit", "push", "open", "record", "merge", "observe", "outcome"];

/// What all runs of a test have in common: the app's source, and the port, because the address of the fleet's repository
/// is part of what is rendered.
struct Ground {
    sources: GitServer,
    port: u16,
}

impl Ground {
    fn new() -> Self {
        let sources = GitServer::open();
        let work = sources.root().join("work");
        let run = |arguments: &[&str]| {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"];
            let done = Command::new("git").args(identity).args(arguments).output().unwrap();
            assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        };
        let path = work.to_str().unwrap();
        run(&["init", path]);
        std::fs::write(work.join("requirements.txt"), "flask==3.0.0\ngunicorn==22.0.0\n").unwrap();
        std::fs::write(work.join("app.py"), "from flask import Flask\napp = Flask(__name__)\n").unwrap();
        run(&["-C", path, "add", "."]);
        run(&["-C", path, "commit", "-m", "First"]);
        run(&["clone", "--bare", path, sources.root().join("shop.git").to_str().unwrap()]);
        Self { sources, port: free_port() }
    }

    /// An app whose framework has to be found in its source.
    fn app(&self) -> Value {
        let mut app = app("shop");
        app.as_object_mut().unwrap().remove("framework");
        app["source_type"] = "git".into();
        app["source_url"] = format!("{}/shop.git", self.sources.origin()).into();
        app
    }

    fn post(&self, served: &Served, key: &str) -> Option<(u16, Value)> {
        served.post("/api/apps", key, &self.app())
    }

    fn setting(&self, folder: &Path, database: Option<String>) -> Setting {
        Setting {
            data: folder.join("data"),
            database,
            // A lease that ends soon lets the next process go on soon.
            more: format!("lease_seconds: 1\nrefresh_seconds: 1\ntrusted_origins: ['{}']\n", self.sources.origin()),
            port: self.port,
        }
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
        ("merge requests", merge_requests(&repository)),
        ("branches", branches),
        ("events", events.join(" ")),
        ("tree", git(&repository, &["rev-parse", "main^{tree}"])),
    ])
}

/// The merge requests that the embedded forge has, and which of them are open.
pub(super) fn merge_requests(repository: &Path) -> String {
    let names = |folder: &str| {
        let entries = std::fs::read_dir(repository.join("wooo").join(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names.join(" ")
    };
    format!("all: {}; open: {}", names("merge-requests"), names("open"))
}

/// A run without a crash.
fn uncrashed(ground: &Ground) -> BTreeMap<&'static str, String> {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(&ground.setting(folder.path(), None), "");
    let (status, body) = ground.post(&served, "the-one-wish").unwrap();
    assert!((200..300).contains(&status), "{body}");
    served.settled(body["change_id"].as_str().unwrap());
    end_of(&served)
}

fn crash_at(ground: &Ground, step: &str, database: Option<String>) -> BTreeMap<&'static str, String> {
    let folder = tempfile::tempdir().unwrap();
    let setting = ground.setting(folder.path(), database);
    let served = Served::start(&setting, &format!("{step}=pause"));
    let answer = std::thread::scope(|scope| {
        let wish = scope.spawn(|| ground.post(&served, "the-one-wish"));
        served.wait_for_step(step);
        served.signal("KILL");
        wish.join().unwrap()
    });
    drop(served);
    let served = Served::start(&setting, "");
    // Who has no answer asks again: with one process for the database under the same key. Of several it is not known
    // whether the one that was asked is at it, and who does not want to wait for a minute takes another key.
    let key = if setting.database.is_none() { "the-one-wish" } else { "another-key" };
    let (status, body) = answer.or_else(|| ground.post(&served, key)).unwrap();
    assert!((200..300).contains(&status), "after a crash at {step}: {status} {body}\n{}", served.log());
    served.settled(body["change_id"].as_str().unwrap());
    end_of(&served)
}

fn all_steps(database: impl Fn() -> Option<String>) {
    let ground = Ground::new();
    let expected = uncrashed(&ground);
    assert_eq!(expected["state"], "settled");
    assert_eq!(expected["outcome"], "healthy");
    assert_eq!(expected["events"], "proposed merged outcome");
    for step in STEPS {
        assert_eq!(crash_at(&ground, step, database()), expected, "killed at {step}");
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
