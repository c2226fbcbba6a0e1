//! GitLab passes the suite of all forges, and of those that are reached over HTTP; and what only it does.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use wooo::forge::{
    Edit, Error, GitLab, MergeRequest, MergeRequestState, NewMergeRequest, PageRequest, Permission, Protection,
    Reaction, RepositoryPath, StatusState,
};
use wooo::git::CommitId;

use super::conformance::{Harness, branch, conformance, proposal, status};
use super::fake::gitlab::GitLabDialect;
use super::fake::{Failure, Remote, TOKEN};
use super::remote::remote;

conformance!(Remote::<GitLabDialect>::new().await);
remote!(GitLabDialect);

async fn gitlab() -> Remote<GitLabDialect> {
    Remote::new().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_line_of_ours_is_an_action_of_gitlab() {
    let remote = gitlab().await;
    remote.push("wooo/a", "a").await;
    let new = NewMergeRequest { body: "why\n/merge".into(), ..proposal("wooo/a") };
    let made = remote.forge().open(&new).await.unwrap();
    assert_eq!(made.body, "why\n\\/merge");
    let comment = remote.forge().comment(made.number, &"/approve\n/wooo status".into()).await.unwrap();
    assert_eq!(comment.body, "\\/approve\n/wooo status");
    let comment = remote.forge().edit_comment(made.number, comment.id, &"/close".into()).await.unwrap();
    assert_eq!(comment.body, "\\/close");
    // What was written so is so already.
    remote.world.requests();
    let edit = Edit { body: Some("why\n/merge".into()), ..Edit::default() };
    remote.forge().update(made.number, &edit).await.unwrap();
    assert!(remote.world.requests().iter().all(|request| request.method == Method::GET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_stays_one_under_another_title() {
    let remote = gitlab().await;
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&NewMergeRequest { draft: true, ..proposal("wooo/a") }).await.unwrap();
    assert_eq!((made.title.as_str(), made.draft), ("wooo/a", true));
    let edit = Edit { title: Some("another".into()), ..Edit::default() };
    let changed = remote.forge().update(made.number, &edit).await.unwrap();
    assert_eq!((changed.title.as_str(), changed.draft), ("another", true));
    let sent = remote.world.requests().into_iter().rfind(|request| request.method == Method::PUT).unwrap();
    assert_eq!(&sent.body[..], b"title=Draft%3A+another");
}

#[tokio::test(flavor = "multi_thread")]
async fn reviewers_are_those_whom_gitlab_knows() {
    let remote = gitlab().await;
    remote.push("wooo/a", "a").await;
    for login in ["ann", "bob"] {
        remote.person(login, Permission::Write).await;
    }
    let reviewers = ["ann", "nobody"].map(str::to_owned).into();
    let made = remote.forge().open(&NewMergeRequest { reviewers, ..proposal("wooo/a") }).await.unwrap();
    assert_eq!(made.reviewers, BTreeSet::from(["ann".to_owned()]));
    let edit = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Edit { reviewers: Some(names), labels: Some(BTreeSet::new()), ..Edit::default() }
    };
    let changed = remote.forge().update(made.number, &edit(&["bob"])).await.unwrap();
    assert_eq!((changed.reviewers, changed.labels), (BTreeSet::from(["bob".to_owned()]), BTreeSet::new()));
    assert!(remote.forge().update(made.number, &edit(&[])).await.unwrap().reviewers.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_waits_may_be_told_of_again() {
    let remote = gitlab().await;
    let head = remote.push("wooo/a", "a").await;
    let mut new = status("wooo/deploy: shop/production", StatusState::Pending);
    for text in ["waits", "runs", "still runs"] {
        new.description = text.into();
        remote.forge().set_status(head, &new).await.unwrap();
    }
    let statuses = remote.forge().statuses(head).await.unwrap();
    assert_eq!((statuses[0].state, statuses[0].description.as_str()), (StatusState::Pending, "runs"));
    new.description = "網".repeat(140).as_str().into();
    new.state = StatusState::Success;
    remote.forge().set_status(head, &new).await.unwrap();
    let statuses = remote.forge().statuses(head).await.unwrap();
    assert_eq!((statuses[0].state, &statuses[0].description), (StatusState::Success, &"網".repeat(140)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_gitlab_is_not_ready_for_is_tried_again() {
    let remote = gitlab().await;
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    remote.world.fail(Method::PUT, "/merge", 2, Failure::Status(405));
    let merged = remote.forge().merge(made.number, made.head).await.unwrap();
    assert_eq!(merged, made.head);
    assert_eq!(remote.world.unmet(), 0);
}

/// Merges a new merge request, and does something between the last look and the merge itself: GitLab takes no more
/// requests for two seconds then.
async fn merging_while(
    remote: &Remote<GitLabDialect>,
    source: &str,
    happens: impl AsyncFnOnce(&MergeRequest),
) -> Result<CommitId, Error> {
    remote.push(source, source).await;
    let made = remote.forge().open(&proposal(source)).await.unwrap();
    remote.world.fail(Method::PUT, "/merge", 1, Failure::Limited(2));
    let (forge, number, head) = (remote.forge(), made.number, made.head);
    let merging = tokio::spawn(async move { forge.merge(number, head).await });
    while remote.world.unmet() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    happens(&made).await;
    merging.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_the_last_moment_is_told_by_what_gitlab_says() {
    let remote = gitlab().await;
    let (mut before, mut after) = (None, None);
    let moved = merging_while(&remote, "a", async |made| {
        (before, after) = (Some(made.head), Some(remote.push("a", "more").await));
    });
    assert_eq!(moved.await, Err(Error::HeadMoved { expected: before.unwrap(), found: after.unwrap() }));
    let overtaken = merging_while(&remote, "b", async |_| {
        remote.push("other", "other").await;
        remote.push_to_base("other").await;
    });
    assert_eq!(overtaken.await, Err(Error::Conflict));
    let mut closed = None;
    let refused = merging_while(&remote, "c", async |made| {
        closed = Some(made.number);
        // Not through a client of ours, which would wait, too.
        wooo::forge::MergeRequests::close(&remote.world.model(), made.number).await.unwrap();
    });
    let state = MergeRequestState::Closed;
    assert_eq!(refused.await, Err(Error::NotOpen { number: closed.unwrap(), state }));
    let unapproved = merging_while(&remote, "d", async |_| {
        remote.protect(Protection { required_approvals: 1, ..Protection::default() }).await;
    });
    assert_eq!(unapproved.await, Err(Error::NotApproved { needed: 1, given: 0 }));
    remote.protect(Protection::default()).await;
    let unchecked = merging_while(&remote, "e", async |_| {
        let required_checks = BTreeSet::from(["wooo/render".parse().unwrap()]);
        remote.protect(Protection { required_checks, ..Protection::default() }).await;
    });
    assert_eq!(unchecked.await, Err(Error::ChecksMissing { checks: vec!["pipeline".to_owned()] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_goes_to_one_address_in_one_header() {
    let remote = gitlab().await;
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    remote.forge().merge(made.number, made.head).await.unwrap();
    for request in remote.world.requests() {
        assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
        assert!(!request.path.contains(TOKEN) && !String::from_utf8_lossy(&request.body).contains(TOKEN));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_is_not_followed() {
    wooo::cluster::install_crypto_provider();
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("http://{}/api/v4/projects/4711", other.local_addr().unwrap());
    let answer = (StatusCode::MOVED_PERMANENTLY, [("location", location)]);
    let app = axum::Router::new().fallback(move || std::future::ready(answer.clone()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let gitlab = GitLab::new(&address, TOKEN.to_owned().into(), BTreeSet::new()).unwrap();
    let path: RepositoryPath = "acme/fleet".parse().unwrap();
    let asked = gitlab.repository(&path, None);
    // It is asked again for a while, as after any failure; nobody waits for the end of that here.
    let came = tokio::select! {
        found = asked => panic!("{:?}", found.err()),
        () = tokio::time::sleep(Duration::from_secs(2)) => false,
        _ = other.accept() => true,
    };
    server.abort();
    assert!(!came, "a request went to another host");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_whose_answer_was_lost_is_there() {
    let remote = gitlab().await;
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    let comment = remote.forge().comment(made.number, &"x".into()).await.unwrap();
    remote.world.fail(Method::POST, "award_emoji", 1, Failure::AnswerLost);
    remote.forge().react(made.number, comment.id, Reaction::Rocket).await.unwrap();
    let found = remote.forge().reactions(made.number, comment.id).await.unwrap();
    assert_eq!(found.iter().map(|(reaction, _)| *reaction).collect::<Vec<_>>(), [Reaction::Rocket]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_name_and_a_new_owner_of_it_are_told_apart() {
    let remote = gitlab().await;
    // By its name alone, and by an id that cannot be.
    assert_eq!(remote.connect(TOKEN, None).await.unwrap().identity().await.unwrap().id.as_str(), "4711");
    let other = remote.connect(TOKEN, Some(1)).await;
    assert!(matches!(other, Err(Error::NotFound { .. })), "{:?}", other.err());
    remote.world.rename("acme/ships");
    assert_eq!(remote.connect(TOKEN, None).await.unwrap().identity().await.unwrap().name, "acme/ships");
    let nobody = remote.connect("token-of-nobody", Some(4711)).await;
    assert!(matches!(nobody, Err(Error::Forbidden { .. })), "{:?}", nobody.err());
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_asked_for_where_a_pipeline_has_to_succeed() {
    let remote = gitlab().await;
    let main = branch("main");
    assert_eq!(remote.forge().protection(&main).await.unwrap(), Protection::default());
    remote.protect(Protection { required_approvals: 1, ..Protection::default() }).await;
    let asked = remote.forge().protection(&main).await.unwrap();
    assert!(asked.required_checks.is_empty() && asked.required_approvals == 1, "{asked:?}");
    // Without a licence there are no rules.
    remote.world.fail(Method::GET, "approval_rules", 1, Failure::Status(404));
    assert_eq!(remote.forge().protection(&main).await.unwrap(), Protection::default());
    assert_eq!(remote.forge().protection(&branch("absent")).await.unwrap(), Protection::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gitlab_writes_itself_is_no_comment() {
    let remote = gitlab().await;
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    remote.forge().comment(made.number, &"said".into()).await.unwrap();
    let said = remote.forge().comments(made.number, PageRequest::first()).await.unwrap();
    assert_eq!(said.items.iter().map(|comment| comment.body.as_str()).collect::<Vec<_>>(), ["said"]);
}

#[tokio::test]
async fn a_token_leaves_this_machine_only_encrypted() {
    let path: RepositoryPath = "acme/fleet".parse().unwrap();
    let refused = GitLab::new("http://gitlab.example", TOKEN.to_owned().into(), BTreeSet::new()).unwrap_err();
    assert!(matches!(refused, Error::Invalid { .. }), "{refused:?}");
    wooo::cluster::install_crypto_provider();
    let gitlab = GitLab::new("http://127.0.0.1:1", TOKEN.to_owned().into(), BTreeSet::new()).unwrap();
    assert!(!format!("{gitlab:?}").contains(TOKEN));
    let refused = gitlab.repository(&path, Some(&"not-a-number".parse().unwrap())).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{:?}", refused.err());
}
