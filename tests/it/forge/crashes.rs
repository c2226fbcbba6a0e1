//! What a process leaves behind that is killed while it writes, at each point where that can happen.

use std::fs;

use wooo::forge::{Error, Filter, MergeRequestState, MergeRequests, PageRequest};

use super::conformance::{branch, proposal};
use super::server::Served;

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
