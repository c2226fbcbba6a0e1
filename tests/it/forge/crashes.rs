//! What a process leaves behind that is killed while it writes, at each point where that can happen.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use jiff::Timestamp;
use wooo::forge::{
    Comments, Error, Filter, LocalForges, MergeRequestState, MergeRequests, PageRequest, StatusState, Statuses,
};

use super::conformance::{branch, proposal, status};
use super::server::{Served, fleet, user};

const FOLDER: &str = "WOOO_TEST_CRASH_FOLDER";

fn open_only() -> Filter {
    Filter { state: Some(MergeRequestState::Open), ..Filter::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_and_temporary_files_of_the_dead_mean_nothing() {
    let served = Served::new();
    let clone = served.clone_of("human");
    clone.switch("wooo/a");
    let head = clone.write("a");
    assert!(clone.push(&["wooo/a"]).status.success());
    let forge = served.forge();
    let wooo = served.bare().join("wooo");
    let made = forge.open(&proposal("wooo/a")).await.unwrap();
    // Killed after the number was given away and marked, before the merge request was written.
    let source = fs::read_dir(wooo.join("by-source")).unwrap().next().unwrap().unwrap().path();
    for folder in [source, wooo.join("open")] {
        fs::write(folder.join("2"), "").unwrap();
    }
    fs::write(wooo.join("counters.json"), r#"{"merge_requests": 2, "comments": 0}"#).unwrap();
    // Killed before the rename.
    fs::create_dir_all(wooo.join("temporary")).unwrap();
    fs::write(wooo.join("temporary/.tmpA"), "{\"number\": 1, \"sta").unwrap();
    assert_eq!(forge.open(&proposal("wooo/a")).await, Err(Error::Exists { number: made.number }));
    assert_eq!(forge.find_latest(&branch("wooo/a"), &branch("main")).await.unwrap().unwrap().number, made.number);
    for filter in [Filter::default(), open_only()] {
        assert_eq!(forge.list(&filter, PageRequest::first()).await.unwrap().items.len(), 1);
    }
    assert!(!wooo.join("temporary/.tmpA").exists());
    forge.merge(made.number, head).await.unwrap();
    // Killed after it was written as merged, before its mark was taken away.
    fs::write(wooo.join("open").join(made.number.to_string()), "").unwrap();
    assert!(forge.list(&open_only(), PageRequest::first()).await.unwrap().items.is_empty());
    clone.switch("wooo/b");
    clone.write("b");
    assert!(clone.push(&["wooo/b"]).status.success());
    assert_eq!(forge.open(&proposal("wooo/b")).await.unwrap().number.0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_was_not_recorded_is_a_merge() {
    let served = Served::new();
    let clone = served.clone_of("human");
    clone.switch("wooo/a");
    let head = clone.write("a");
    assert!(clone.push(&["wooo/a"]).status.success());
    let forge = served.forge();
    let made = forge.open(&proposal("wooo/a")).await.unwrap();
    let record = served.bare().join("wooo/merge-requests/1/merge-request.json");
    let before = fs::read(&record).unwrap();
    forge.merge(made.number, head).await.unwrap();
    // As if the process had died between the two.
    fs::write(&record, before).unwrap();
    assert_eq!(forge.merge(made.number, head).await, Ok(head));
    assert_eq!(forge.get(made.number).await.unwrap().state, MergeRequestState::Merged);
}

/// Writes until it is killed; nothing to do on its own.
#[tokio::test]
async fn one_who_writes_for_ever() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let forges = LocalForges::new(folder, "http://127.0.0.1", Arc::new(Timestamp::now));
    let forge = forges.open(&fleet(), user("wooo")).unwrap();
    let (source, target) = (branch("wooo/a"), branch("main"));
    loop {
        let there = forge.find_open(&source, &target).await.unwrap();
        let made = match there {
            Some(there) => there,
            None => forge.open(&proposal("wooo/a")).await.unwrap(),
        };
        forge.comment(made.number, &"x".into()).await.unwrap();
        forge.set_status(made.head, &status("wooo/render", StatusState::Success)).await.unwrap();
        forge.close(made.number).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_leaves_everything_whole() {
    let served = Served::new();
    let clone = served.clone_of("human");
    clone.switch("wooo/a");
    let head = clone.write("a");
    assert!(clone.push(&["wooo/a"]).status.success());
    let forge = served.forge();
    for round in 0..12 {
        let mut command = Command::new("/proc/self/exe");
        command.args(["--exact", "forge::crashes::one_who_writes_for_ever"]).env(FOLDER, served.forges.root());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(150 + 13 * round));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        // The lock is free, every file can be read, and what is open is open once.
        let all = forge.list(&Filter::default(), PageRequest::first()).await.unwrap().items;
        let open = forge.list(&open_only(), PageRequest::first()).await.unwrap().items;
        assert_eq!(all.iter().filter(|one| one.state == MergeRequestState::Open).count(), open.len());
        assert!(open.len() <= 1);
        assert_eq!(forge.find_open(&branch("wooo/a"), &branch("main")).await.unwrap(), open.first().cloned());
        for one in &all {
            forge.comments(one.number, PageRequest::first()).await.unwrap();
        }
        forge.statuses(head).await.unwrap();
        let made = match open.first() {
            Some(open) => open.clone(),
            None => forge.open(&proposal("wooo/a")).await.unwrap(),
        };
        forge.close(made.number).await.unwrap();
    }
    // They did get to write.
    let all = forge.list(&Filter::default(), PageRequest::first()).await.unwrap().items;
    assert!(all.len() > 12, "{}", all.len());
}
