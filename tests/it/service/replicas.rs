//! Two replicas on one PostgreSQL and one folder of repositories, one of which is stopped in the middle of its work.

use std::time::Duration;

use super::crash::{free_port, merge_requests};
use super::process::{Served, Setting, app, git};
use crate::postgres::Postgres;

/// How long the replica is stopped: longer than its lease. `WOOO_TEST_STOPPED_SECONDS=300` stops it for five minutes.
fn stopped() -> Duration {
    let told = std::env::var("WOOO_TEST_STOPPED_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(told.unwrap_or(4))
}

#[test]
fn a_replica_that_slept_through_its_lease_does_nothing_twice() {
    for step in ["render", "commit", "push", "open", "merge", "observe"] {
        sleeps_at(step);
    }
}

fn sleeps_at(step: &str) {
    let folder = tempfile::tempdir().unwrap();
    let database = Postgres::shared().database();
    let setting = |name: &str, role: &str| Setting {
        data: folder.path().join(name),
        database: Some(database.clone()),
        more: format!("lease_seconds: 1\nrefresh_seconds: 1\n{role}"),
        port: free_port(),
    };
    // The first is held at the step for a moment, in which it is stopped; its lease ends while it sleeps.
    let first = Served::start(&setting("data", ""), &format!("{step}=1*sleep(1000)"));
    let wish = std::thread::scope(|scope| {
        let wish = scope.spawn(|| first.post("/api/apps", "the-one-wish", &app("shop")));
        first.wait_for_step(step);
        first.signal("STOP");
        let second = Served::start(&setting("data", ""), "");
        std::thread::sleep(stopped());
        let id = second.changes()[0]["id"].as_str().unwrap().to_owned();
        // At `commit` the first has the lock of the branches, which it keeps while it sleeps: the other one waits for it.
        if step == "commit" {
            first.signal("CONT");
        }
        let settled = second.settled(&id);
        assert_eq!(settled["outcome"], "healthy", "stopped at {step}: {settled}\n{}", second.log());
        first.signal("CONT");
        std::thread::sleep(Duration::from_secs(4));
        let changes = second.changes();
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(changes[0]["state"], "settled");
        let repository = second.repository();
        let ids = git(&repository, &["log", "--format=%(trailers:key=Wooo-Change-Id,valueonly,separator=)", "main"]);
        assert_eq!(ids.lines().filter(|line| !line.is_empty()).count(), 1, "stopped at {step}");
        let branches = git(&repository, &["for-each-ref", "--format=%(refname)", "refs/heads"]);
        assert_eq!(branches.trim(), "refs/heads/main", "stopped at {step}\n{}", second.log());
        assert_eq!(merge_requests(&repository), "all: 1; open: ", "stopped at {step}");
        let comments = second.get(&format!("/api/changes/{id}"));
        assert!(comments["problem"].is_null(), "{comments}");
        wish.join().unwrap()
    });
    let (status, body) = wish.unwrap();
    assert!((200..300).contains(&status), "{body}");
}
