//! Many at once: threads, and processes of their own.

use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use wooo::forge::{Comments, Error, LocalForges, MergeRequestNumber, MergeRequests, PageRequest};

use super::conformance::{branch, proposal};
use super::server::{Served, fleet, user};

const CROWD: usize = 20;
const FOLDER: &str = "WOOO_TEST_RACE_FOLDER";

fn with_branch() -> Served {
    let served = Served::new();
    let clone = served.clone_of("human");
    clone.switch("wooo/a");
    clone.write("a");
    assert!(clone.push(&["wooo/a"]).status.success());
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_threads_one_opens() {
    let served = with_branch();
    let tries: Vec<_> = (0..CROWD)
        .map(|_| {
            let forge = served.forge();
            tokio::spawn(async move { forge.open(&proposal("wooo/a")).await })
        })
        .collect();
    let mut won = 0;
    for attempt in tries {
        match attempt.await.unwrap() {
            Ok(made) => {
                assert_eq!(made.number, MergeRequestNumber(1));
                won += 1;
            }
            Err(error) => assert_eq!(error, Error::Exists { number: MergeRequestNumber(1) }),
        }
    }
    assert_eq!(won, 1);
}

/// One of the crowd below; nothing to do on its own.
#[tokio::test]
async fn one_of_many() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let forges = LocalForges::new(folder, "http://127.0.0.1", Arc::new(Timestamp::now));
    let forge = forges.open(&fleet(), user("wooo")).unwrap();
    match forge.open(&proposal("wooo/a")).await {
        Ok(_) => println!("verdict: opened"),
        Err(Error::Exists { number: MergeRequestNumber(1) }) => println!("verdict: exists"),
        Err(error) => panic!("{error}"),
    }
    forge.comment(MergeRequestNumber(1), &"here".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_processes_one_opens_and_no_comment_is_lost() {
    let served = with_branch();
    // By this name it is still found when it is built anew while it runs.
    let program = "/proc/self/exe";
    let children: Vec<_> = (0..CROWD)
        .map(|_| {
            let mut command = Command::new(program);
            command.args(["--exact", "forge::races::one_of_many", "--nocapture"]);
            command.env(FOLDER, served.forges.root()).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let said: Vec<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    assert_eq!(said.iter().filter(|said| said.contains("verdict: opened")).count(), 1);
    assert_eq!(said.iter().filter(|said| said.contains("verdict: exists")).count(), CROWD - 1);
    let comments = served.forge().comments(MergeRequestNumber(1), PageRequest::first()).await.unwrap().items;
    let mut ids: Vec<_> = comments.iter().map(|comment| comment.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), CROWD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_merges_one_moves_the_base_and_all_hear_the_same() {
    let served = with_branch();
    let made = served.forge().open(&proposal("wooo/a")).await.unwrap();
    let tries: Vec<_> = (0..CROWD)
        .map(|_| {
            let forge = served.forge();
            tokio::spawn(async move { forge.merge(made.number, made.head).await })
        })
        .collect();
    for attempt in tries {
        assert_eq!(attempt.await.unwrap(), Ok(made.head));
    }
    assert_eq!(served.forge().find_open(&branch("wooo/a"), &branch("main")).await.unwrap(), None);
}
