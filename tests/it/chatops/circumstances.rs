//! Comments that are not listened to because of when, where and by whom they were written.

use jiff::{SignedDuration, Timestamp};
use std::sync::atomic::Ordering;
use wooo::chatops::{Judgement, judge};
use wooo::forge::{Comment, CommentId, Comments as _, MergeRequest, MergeRequests as _, User};

use super::world::{World, user};

fn comment(author: User, body: &str, edited: bool) -> Comment {
    let now = Timestamp::now();
    Comment { id: CommentId(1), author, body: body.to_owned(), created: now, updated: now, edited }
}

async fn merge_request(world: &World) -> MergeRequest {
    world.forge.get(world.number).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_judged_by_its_circumstances() {
    let world = World::start().await;
    let open = merge_request(&world).await;
    let fork = MergeRequest { from_fork: true, ..open.clone() };
    let now = Timestamp::now();
    let judged = |found: &MergeRequest, comment: Comment| judge(found, &comment, &user("wooo"), now);
    assert_eq!(judged(&open, comment(user("alice"), "/wooo restart", false)), Judgement::Hear);
    assert_eq!(judged(&open, comment(user("alice"), "/wooo restart", true)), Judgement::Edited);
    assert_eq!(judged(&fork, comment(user("alice"), "/wooo restart", false)), Judgement::Fork);
    assert_eq!(judged(&open, comment(user("wooo"), "/wooo restart", false)), Judgement::Ignore);
    assert_eq!(judged(&open, comment(user("renovate[bot]"), "/wooo restart", false)), Judgement::Ignore);
    // A person and wooo may share an account's token: the marker tells wooo's texts.
    let own = comment(user("alice"), "<!-- wooo reply 7 done -->\n/wooo restart", false);
    assert_eq!(judged(&open, own), Judgement::Ignore);
    let mut old = comment(user("alice"), "/wooo restart", false);
    old.created = now - SignedDuration::from_hours(25);
    assert_eq!(judged(&open, old), Judgement::Ignore);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_not_lived_again() {
    let world = World::start().await;
    let before = world.count().await;
    world.offset.store(-25 * 3600, Ordering::SeqCst);
    let alice = world.forge.acting_as(user("alice"));
    let old = alice.comment(world.number, &"/wooo restart env=staging".into()).await.unwrap();
    world.offset.store(0, Ordering::SeqCst);
    world.read("main", world.number).await;
    assert_eq!(world.answered(&world.forge, world.number, old.id).await.line(), "nothing");
    assert_eq!(world.count().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_comment_is_hinted_at_once() {
    let world = World::start().await;
    let before = world.count().await;
    let alice = world.forge.acting_as(user("alice"));
    let mut said = Vec::new();
    for _ in 0..2 {
        let made = alice.comment(world.number, &"nothing of note".into()).await.unwrap();
        alice.edit_comment(world.number, made.id, &"/wooo restart env=staging".into()).await.unwrap();
        world.read("main", world.number).await;
        said.push(world.answered(&world.forge, world.number, made.id).await.line());
    }
    assert_eq!(
        said,
        [
            "down | A comment that was edited is not obeyed, because somebody else may have edited it. Write a new one.",
            "down"
        ]
    );
    assert_eq!(world.count().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_merge_request_takes_no_orders() {
    let world = World::start().await;
    world.forge.close(world.number).await.unwrap();
    let before = world.count().await;
    let answered = world.say("alice", "/wooo restart env=staging").await;
    assert_eq!(
        answered.line(),
        "eyes down | This merge request is closed, and `restart` is for open ones (`comment.closed`)."
    );
    assert!(world.say("alice", "/wooo help").await.line().starts_with("eyes up"));
    assert_eq!(world.count().await, before);
}

/// Polling alone hears what is said: no webhook, nobody who enqueues.
#[tokio::test(flavor = "multi_thread")]
async fn a_pass_over_the_fleet_hears_what_is_said() {
    let world = World::start().await;
    let alice = world.forge.acting_as(user("alice"));
    let said = alice.comment(world.number, &"/wooo restart env=staging".into()).await.unwrap();
    wooo::operations::lifecycle::refresh_soon(&world.service, &"main".parse().unwrap()).await.unwrap();
    for _ in 0..400 {
        if world.answered(&world.forge, world.number, said.id).await.reactions.len() == 2 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("nobody heard it");
}
