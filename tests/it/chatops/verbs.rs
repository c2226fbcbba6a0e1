//! Every command, as a person who may use it says it.

use std::fmt::Write as _;

use wooo::chatops::{Heard, Verb, parse, usages};
use wooo::domain::ChangeState;
use wooo::forge::{Comments as _, MergeRequests as _};
use wooo::store::{ChangeUpdate, CommentAnswer};

use super::world::World;

/// What came of comments, one after the other.
async fn talk(world: &World, login: &str, bodies: &[&str]) -> String {
    let mut text = String::new();
    for body in bodies {
        let answered = world.say(login, body).await;
        let _ = writeln!(text, "{}\n", answered.line());
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_is_shown() {
    let world = World::start().await;
    let text = world.say("vera", "/wooo help").await.text();
    for (verb, usage, _) in usages() {
        assert!(text.contains(&usage.replace('|', "\\|")), "{verb} is not in the help");
    }
    let said = talk(&world, "vera", &["/wooo status", "/wooo status env=staging", "/wooo explain"]).await;
    insta::assert_snapshot!(said, @r#"
    eyes up | | environment | image | pods | health | hold | / |---|---|---|---|---| / | production | registry.example/shop:1.0.0 | 1 | not seen |  | / | staging | registry.example/shop:1.0.0 | 1 | not seen |  | / - Deploy shop 1.1.0 to production by gitea:alice: proposed, http://localhost/merge-requests/fleet/1 / - Onboard shop to production by local:test: merged / - Onboard shop to staging by local:test: merged

    eyes up | | environment | image | pods | health | hold | / |---|---|---|---|---| / | staging | registry.example/shop:1.0.0 | 1 | not seen |  | / - Onboard shop to staging by local:test: merged

    eyes up | Change `{id}` (Deploy shop 1.1.0 to production) is proposed: / - changes to production are merged by a person / - nobody has approved it with `/wooo approve` as it is now
    "#);
    insta::assert_snapshot!(world.say("vera", "/wooo diff").await.text(), @r#"
    > `/wooo diff`

    <details><summary>production: 1 difference</summary>

    | risk | object | change |
    |---|---|---|
    | medium | Deployment shop | image registry.example/shop:1.0.0 -> registry.example/shop:1.1.0 |

    ```diff
    --- a/rendered/production/shop
    +++ b/rendered/production/shop
    @@ -131,7 +131,7 @@
         app.kubernetes.io/managed-by: wooo
         app.kubernetes.io/name: shop
         app.kubernetes.io/part-of: shop
    -    app.kubernetes.io/version: "1.0.0"
    +    app.kubernetes.io/version: "1.1.0"
       annotations:
         wooo.work/framework: flask
         wooo.work/plan: standard
    @@ -156,7 +156,7 @@
             app.kubernetes.io/managed-by: wooo
             app.kubernetes.io/name: shop
             app.kubernetes.io/part-of: shop
    -        app.kubernetes.io/version: "1.0.0"
    +        app.kubernetes.io/version: "1.1.0"
           annotations:
             wooo.work/config-hash: af5570f5a1810b7a
         spec:
    @@ -192,7 +192,7 @@
                 app.kubernetes.io/name: shop
           containers:
           - name: shop
    -        image: registry.example/shop:1.0.0
    +        image: registry.example/shop:1.1.0
             imagePullPolicy: IfNotPresent
             ports:
             - name: http
    ```

    </details>
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_acts_makes_changes_like_those_of_the_api() {
    let world = World::start().await;
    let deploy = "/wooo deploy image=registry.example/shop:2.0.0 env=staging -- the new cart";
    let deployed = world.say("alice", deploy).await.line();
    world.until(&world.newest().await.id, ChangeState::Merged).await;
    let said = talk(
        &world,
        "alice",
        &[
            deploy,
            "/wooo restart shop",
            "/wooo scale replicas=3 env=production -- sale",
            "/wooo resize memory=768Mi",
            "/wooo promote env=production",
            "/wooo hold until=2100-01-01T00:00:00Z -- \"sale\" until Monday",
            "/wooo rollback to=0.9",
        ],
    )
    .await;
    insta::assert_snapshot!(said, @r#"
    eyes up | Deploy shop 2.0.0 to staging: nothing to do, change `{id}` has seen to it.

    eyes up | Restart shop in production: accepted as change `{id}`, its merge request will be opened.

    eyes up | Scale shop to 3 in production: accepted as change `{id}`, its merge request will be opened.

    eyes up | Resize shop to memory 768Mi, cpu 1 in production: accepted as change `{id}`, its merge request will be opened.

    eyes up | Promote shop 2.0.0 from staging to production: accepted as change `{id}`, its merge request will be opened.

    eyes up | Hold shop in production: accepted as change `{id}`, its merge request will be opened.

    eyes down | `0.9` is no earlier release of `shop` (`rollback.no_release`).
    "#);
    let done = "eyes up | Deploy shop 2.0.0 to staging: accepted as change `{id}`, its merge request will be opened.";
    assert_eq!(deployed, done);
    let first = world.newest().await;
    assert_eq!((first.action.as_str(), first.actor.as_str()), ("hold", "gitea:alice"));
    assert_eq!(first.reason.as_deref(), Some("\"sale\" until Monday"));
    assert_eq!(first.environment, Some(world.production()), "the merge request is about production");
    world.until(&first.id, ChangeState::Proposed).await;
    let again = world.say("alice", "/wooo hold until=2100-01-01T00:00:00Z -- \"sale\" until Monday").await.line();
    assert!(
        again.starts_with("eyes up | Hold shop in production: on its way already as change `{id}`, see http"),
        "{again}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_merged_once_somebody_else_approves_it() {
    let world = World::start().await;
    let own = world.say("alice", "/wooo approve").await;
    assert_eq!(world.state().await, wooo::forge::MergeRequestState::Open);
    let other = world.say("dora", "/wooo approve").await;
    insta::assert_snapshot!(format!("{}\n{}", own.line(), other.line()), @r#"
    eyes down | Whoever asks for a change does not approve it where changes are merged by a person (`change.own`). / - ask somebody else to look at it
    eyes up | Approved as it is rendered now ({commit}): wooo merges it as soon as every check is green. If it is rendered anew and differs, it has to be approved anew.
    "#);
    let merged = world.until(&world.change, ChangeState::Merged).await;
    assert!(merged.merged_sha.is_some());
    let late = talk(&world, "dora", &["/wooo approve", "/wooo restart", "/wooo diff"]).await;
    insta::assert_snapshot!(late, @r#"
    eyes down | This merge request is merged, and `approve` is for open ones (`comment.closed`).

    eyes down | This merge request is merged, and `restart` is for open ones (`comment.closed`).

    eyes down | This merge request is merged, and `diff` is for open ones (`comment.closed`).
    "#);
    let explained = world.say("dora", "/wooo explain").await.line();
    assert!(explained.contains("is merged: / - in production the cluster is being watched"), "{explained}");
    assert!(world.say("dora", "/wooo status").await.line().starts_with("eyes up | | environment |"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_void_when_something_else_is_rendered() {
    let world = World::start().await;
    let service = &world.service;
    let fleet = service.fleets.values().next().unwrap();
    // A check that has not ended keeps wooo from merging.
    let change = service.store.change(&world.change).await.unwrap().unwrap();
    let head = change.commit_sha.as_deref().unwrap().parse().unwrap();
    let pending = wooo::forge::NewStatus {
        context: "ci".parse().unwrap(),
        state: wooo::forge::StatusState::Pending,
        description: "runs".into(),
        url: None,
    };
    wooo::forge::Statuses::set_status(&world.forge, head, &pending).await.unwrap();
    world.say("dora", "/wooo approve").await;
    let approved = wooo::operations::lifecycle::approved(service, fleet, &change).await.unwrap();
    assert_eq!(approved.iter().map(|approval| approval.login.as_str()).collect::<Vec<_>>(), ["dora"]);
    insta::assert_snapshot!(world.say("vera", "/wooo explain").await.line(), @r#"eyes up | Change `{id}` (Deploy shop 1.1.0 to production) is proposed: / - changes to production are merged by a person / - approved by dora / - the check ci is pending: runs"#);
    let mut tx = service.store.begin().await.unwrap();
    let now = tx.change(&world.change).await.unwrap().unwrap();
    let update = ChangeUpdate { digest: Some("sha256:other".to_owned()), ..ChangeUpdate::default() };
    tx.update_change(&now.id, now.version, &update).await.unwrap();
    tx.commit().await.unwrap();
    let change = service.store.change(&world.change).await.unwrap().unwrap();
    assert!(wooo::operations::lifecycle::approved(service, fleet, &change).await.unwrap().is_empty());
    // And one whose right is gone counts no more.
    world.say("dora", "/wooo approve").await;
    assert_eq!(wooo::operations::lifecycle::approved(service, fleet, &change).await.unwrap().len(), 1);
    world.forge.set_permission(super::world::user("dora").id, wooo::forge::Permission::Read).await.unwrap();
    assert!(wooo::operations::lifecycle::approved(service, fleet, &change).await.unwrap().is_empty());
    assert_eq!(world.state().await, wooo::forge::MergeRequestState::Open);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_a_pin_in_every_environment() {
    let world = World::start().await;
    let before = world.count().await;
    let paused = world.say("alice", "/wooo pause -- incident 42").await;
    assert_eq!(world.count().await, before + 2);
    let staging = world.newest_in("staging").await;
    let production = world.newest_in("production").await;
    world.until(&staging.id, ChangeState::Merged).await;
    world.until(&production.id, ChangeState::Proposed).await;
    wooo::operations::lifecycle::merge(&world.service, &production.id, "local:test", None).await.unwrap();
    world.until(&production.id, ChangeState::Merged).await;
    let said = talk(&world, "alice", &["/wooo restart env=staging", "/wooo pause", "/wooo resume"]).await;
    insta::assert_snapshot!(format!("{}\n\n{said}", paused.line()), @r#"
    eyes up | - Hold shop in staging: accepted as change `{id}`, its merge request will be opened. / - Hold shop in production: accepted as change `{id}`, its merge request will be opened.

    eyes down | `shop` is held in `staging` by gitea:alice: paused: incident 42 (until someone lifts it) (`hold.active`). / - `wooo unhold shop --env staging` lifts the hold

    eyes up | - staging: held already by gitea:alice / - production: held already by gitea:alice

    eyes up | - Lift the hold on shop in staging: accepted as change `{id}`, its merge request will be opened. / - Lift the hold on shop in production: accepted as change `{id}`, its merge request will be opened.
    "#);
    world.until(&world.newest_in("staging").await.id, ChangeState::Merged).await;
    let again = world.say("alice", "/wooo unhold env=staging").await.line();
    assert!(again.contains("nothing to do"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_change_is_taken_up_anew() {
    let world = World::start().await;
    let fine = world.say("alice", "/wooo retry").await;
    let change = world.service.store.change(&world.change).await.unwrap().unwrap();
    let mut tx = world.service.store.begin().await.unwrap();
    let problem = serde_json::json!({"code": "git.io", "detail": "the disk is full"});
    let update =
        ChangeUpdate { state: Some(ChangeState::Failed), problem: Some(Some(problem)), ..ChangeUpdate::default() };
    tx.update_change(&change.id, change.version, &update).await.unwrap();
    tx.commit().await.unwrap();
    let said = talk(&world, "alice", &["/wooo explain", "/wooo retry -- there is room again"]).await;
    insta::assert_snapshot!(format!("{}\n\n{said}", fine.line()), @r#"
    eyes down | The change is proposed and has not failed (`change.not_failed`).

    eyes up | Change `{id}` (Deploy shop 1.1.0 to production) is failed: / - it failed: the disk is full

    eyes up | Deploy shop 1.1.0 to production: accepted as change `{id}`, its merge request will be opened.
    "#);
    let again = world.newest().await;
    assert_ne!(again.id, world.change);
    assert_eq!(again.intent, change.intent);
    world.until(&again.id, ChangeState::Proposed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_commands_stop_at_the_first_that_is_refused() {
    let world = World::start().await;
    let before = world.count().await;
    let body = "/wooo restart env=staging\n/wooo rollback to=0.1\n/wooo scale replicas=2";
    let answered = world.say("alice", body).await;
    insta::assert_snapshot!(answered.text(), @r#"
    > `/wooo restart env=staging`

    Restart shop in staging: accepted as change `{id}`, its merge request will be opened.

    > `/wooo rollback to=0.1`

    `0.1` is no earlier release of `shop` (`rollback.no_release`).

    > `/wooo scale replicas=2`

    Not done, because the command before it was refused.
    "#);
    assert_eq!(world.count().await, before + 1);
    // One that is not understood keeps all of them from being done.
    let answered = world.say("alice", "/wooo restart env=production\n\nand\n\n/wooo rollbak").await;
    insta::assert_snapshot!(answered.text(), @r#"
    > `/wooo rollbak`

    There is no command `rollbak` (`comment.unknown_command`).
    - did you mean `/wooo rollback`?

    Nothing of this comment was done.
    "#);
    assert_eq!(world.count().await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_repository_is_about_its_app() {
    let world = World::start().await;
    let new = wooo::forge::NewMergeRequest {
        source: "wooo/feature".parse().unwrap(),
        target: "main".parse().unwrap(),
        title: "A feature".into(),
        body: "".into(),
        labels: Default::default(),
        reviewers: Default::default(),
        draft: false,
    };
    let opened = world.code.acting_as(super::world::user("alice")).open(&new).await.unwrap();
    let mut said = String::new();
    for body in ["/wooo restart env=staging", "/wooo restart", "/wooo restart blog env=staging", "/wooo approve"] {
        let answered = world.say_on(&world.code, "shop-code", opened.number, "alice", body).await;
        let _ = writeln!(said, "{}\n", answered.line());
    }
    insta::assert_snapshot!(said, @r#"
    eyes up | Restart shop in staging: accepted as change `{id}`, its merge request will be opened.

    eyes down | `shop` is in several environments (`comment.no_environment`). / - say which: `env=staging`, `env=production`

    eyes down | There is no app `blog` here that you may see (`app.not_found`).

    eyes down | Only a merge request of the fleet that wooo opened can be approved (`comment.no_change`).
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_before_a_crash_is_not_done_again() {
    let world = World::start().await;
    let before = world.count().await;
    let answered = world.say("alice", "/wooo restart env=staging").await;
    assert_eq!(world.count().await, before + 1);
    // The row was not written, as if the process had died right before: the reply says that it was done.
    let age = std::time::Duration::ZERO;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(world.service.store.prune_comments(age).await.unwrap(), 1);
    world.read("main", world.number).await;
    let number = i64::try_from(world.number.0).unwrap();
    let handled = world.service.store.handled_comments("main", number).await.unwrap();
    assert_eq!(handled.values().copied().collect::<Vec<_>>(), [CommentAnswer::Done]);
    // Nor was the reply: what the command made is found by its name.
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    world.service.store.prune_comments(age).await.unwrap();
    let comments = world.forge.comments(world.number, wooo::forge::PageRequest::first()).await.unwrap().items;
    let (comment, reply) = (&comments[0], &comments[1]);
    world.forge.edit_comment(world.number, reply.id, &"lost".into()).await.unwrap();
    world.read("main", world.number).await;
    let again = world.answered(&world.forge, world.number, comment.id).await;
    assert_eq!(world.count().await, before + 1);
    let named = |text: String| text.split("accepted as change").next().map(str::to_owned);
    assert_eq!(named(again.text()), named(answered.text()));
    assert_eq!(again.reactions.len(), 2, "{again:?}");
}

#[test]
fn every_example_is_understood() {
    for (verb, _, _) in usages() {
        let page = wooo::chatops::page();
        let (_, own) = page.split_once(&format!("### `{verb}`\n")).unwrap();
        let example = own.split_once("For example `").unwrap().1.split('`').next().unwrap();
        match parse(example) {
            Heard::Commands(commands) => assert_eq!(commands.iter().map(|c| c.verb).collect::<Vec<Verb>>(), [verb]),
            other => panic!("{example}: {other:?}"),
        }
    }
}
