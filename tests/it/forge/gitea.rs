//! Gitea and Forgejo pass the suite of all forges and that of those behind HTTP; and what only they do.

use std::collections::BTreeSet;

use axum::http::{Method, header};
use secrecy::SecretString;
use serde_json::Value;
use wooo::forge::{
    Edit, Error, Filter, Gitea, MergeRequestNumber, MergeRequestState, MergeRequests, NewMergeRequest, PageRequest,
    Permission, Protection, StatusState, User,
};

use super::conformance::{Harness, branch, conformance, proposal, status};
use super::fake::gitea::{GiteaDialect, SLOW};
use super::fake::{Failure, Remote, TOKEN};
use super::remote::remote;

conformance!(Remote::<GiteaDialect>::new().await);
remote!(GiteaDialect);

async fn gitea() -> Remote<GiteaDialect> {
    Remote::new().await
}

fn merges(remote: &Remote<GiteaDialect>) -> usize {
    let requests = remote.world.requests();
    requests.iter().filter(|request| request.method == Method::POST && request.path.ends_with("/merge")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ready_is_not_even_asked_to_merge() {
    let remote = gitea().await;
    remote.push("wooo/a", "same").await;
    remote.push("wooo/b", "same").await;
    let forge = remote.forge();
    let (one, two) = (forge.open(&proposal("wooo/a")).await.unwrap(), forge.open(&proposal("wooo/b")).await.unwrap());
    let required_checks = ["ci/*".parse().unwrap(), "wooo/render".parse().unwrap()].into();
    remote.protect(Protection { required_checks, required_approvals: 1 }).await;
    let checks = vec!["ci/*".to_owned(), "wooo/render".to_owned()];
    assert_eq!(forge.merge(one.number, one.head).await, Err(Error::ChecksMissing { checks }));
    forge.set_status(one.head, &status("wooo/render", StatusState::Success)).await.unwrap();
    forge.set_status(one.head, &status("ci/build", StatusState::Success)).await.unwrap();
    forge.set_status(one.head, &status("ci/test", StatusState::Pending)).await.unwrap();
    let checks = vec!["ci/*".to_owned()];
    assert_eq!(forge.merge(one.number, one.head).await, Err(Error::ChecksMissing { checks }));
    forge.set_status(one.head, &status("ci/test", StatusState::Success)).await.unwrap();
    assert_eq!(forge.merge(one.number, one.head).await, Err(Error::NotApproved { needed: 1, given: 0 }));
    remote.protect(Protection::default()).await;
    assert_eq!(merges(&remote), 0);
    forge.merge(one.number, one.head).await.unwrap();
    assert_eq!(merges(&remote), 1);
    // The forge might put the two together; this does not build on the target.
    assert_eq!(forge.merge(two.number, two.head).await, Err(Error::Conflict));
    assert_eq!(merges(&remote), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forge_that_is_still_looking_is_asked_again() {
    let remote = gitea().await;
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&NewMergeRequest { title: SLOW.into(), ..proposal("wooo/a") }).await.unwrap();
    // A refusal that says nothing of trying again is meant.
    remote.world.fail(Method::POST, "/merge", 1, Failure::Status(405));
    let refused = remote.forge().merge(made.number, made.head).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
    assert_eq!((remote.world.unmet(), merges(&remote)), (0, 1));
    remote.forge().merge(made.number, made.head).await.unwrap();
    assert_eq!(merges(&remote), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn reviewers_are_those_whom_the_forge_knows() {
    let remote = gitea().await;
    let (ann, bob): (User, User) =
        (remote.person("ann", Permission::Write).await, remote.person("bob", Permission::Write).await);
    remote.push("wooo/a", "a").await;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let reviewers = names(&["ann", "nobody", "other/team", "wooo"]);
    let made = remote.forge().open(&NewMergeRequest { reviewers, ..proposal("wooo/a") }).await.unwrap();
    assert_eq!(made.reviewers, names(&[&ann.login]));
    let edit = Edit { reviewers: Some(names(&["bob"])), ..Edit::default() };
    let changed = remote.forge().update(made.number, &edit).await.unwrap();
    assert_eq!(changed.reviewers, names(&[&bob.login]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_opened_unheard_has_its_labels_and_reviewers() {
    let remote = gitea().await;
    remote.person("ann", Permission::Write).await;
    remote.push("wooo/a", "a").await;
    remote.world.fail(Method::POST, "/labels", 1, Failure::AnswerLost);
    remote.world.fail(Method::POST, "/pulls", 1, Failure::AnswerLost);
    let reviewers = ["ann".to_owned()].into();
    let made = remote.forge().open(&NewMergeRequest { reviewers, ..proposal("wooo/a") }).await.unwrap();
    assert_eq!((made.labels.len(), made.reviewers.len()), (1, 1));
    assert_eq!(remote.world.unmet(), 0);
    // Somebody else's is not ours.
    remote.push("wooo/b", "b").await;
    let ann = remote.world.user_called("ann").unwrap();
    let theirs = remote.forge_as(&ann).open(&proposal("wooo/b")).await.unwrap();
    remote.world.fail(Method::POST, "/pulls", 1, Failure::Status(502));
    let exists = remote.forge().open(&proposal("wooo/b")).await;
    assert_eq!(exists, Err(Error::Exists { number: theirs.number }));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_as_long_as_they_were_meant() {
    let remote = gitea().await;
    let model = remote.world.model();
    for number in 0..60 {
        let name = format!("wooo/{number:03}");
        let clone = remote.world.served.clone_of("human");
        crate::git::output(&clone.path, ["checkout", "--quiet", "-B", &name, "origin/main"]);
        clone.write("file");
        assert!(clone.push(&[&name]).status.success());
        MergeRequests::open(&model, &proposal(&name)).await.unwrap();
    }
    let forge = remote.forge();
    let numbers = async |size: u32, page: u32| {
        let page = forge.list(&Filter::default(), PageRequest::new(page, size).unwrap()).await.unwrap();
        (page.items.iter().map(|one| one.number.0).collect::<Vec<_>>(), page.next.is_some())
    };
    // The forge gives fifty at most.
    assert_eq!(numbers(100, 1).await, ((1..=60).rev().collect(), false));
    assert_eq!(numbers(55, 1).await, ((6..=60).rev().collect(), true));
    assert_eq!(numbers(55, 2).await, ((1..=5).rev().collect(), false));
    let oldest = forge.find_latest(&branch("wooo/000"), &branch("main")).await.unwrap().unwrap();
    assert_eq!(oldest.number, MergeRequestNumber(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_may_not_be_asked_for_is_none() {
    let remote = gitea().await;
    let ann = remote.person("ann", Permission::Write).await;
    remote.world.fail(Method::GET, "/permission", 1, Failure::Status(403));
    let refused = remote.forge().permission(&ann.id).await;
    let Err(Error::Forbidden { reason }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("administrator"), "{reason}");
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    remote.protect(Protection { required_approvals: 1, ..Protection::default() }).await;
    remote.approve(&ann, made.number, made.head).await;
    remote.world.fail(Method::GET, "/permission", 1, Failure::Status(403));
    let refused = remote.forge().merge(made.number, made.head).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_name_leads_on_while_there_is_no_id() {
    let remote = gitea().await;
    remote.world.rename("acme/ships");
    let started = remote.connect(TOKEN, None).await.unwrap();
    assert_eq!(started.identity().await.unwrap().name, "acme/ships");
    let wrong = remote.connect(TOKEN, Some(4712)).await;
    assert!(matches!(wrong, Err(Error::NotFound { .. })), "{:?}", wrong.err());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_into_the_page_of_a_proxy() {
    let remote = gitea().await;
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    // One that says that there is nothing is not believed either: it would be opened twice.
    remote.world.fail(Method::GET, "/pulls/main/wooo/a", 1, Failure::Page(404));
    let found = remote.forge().find_open(&branch("wooo/a"), &branch("main")).await.unwrap();
    assert_eq!(found.map(|found| found.number), Some(made.number));
    assert_eq!(remote.world.unmet(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_what_the_forge_understands() {
    let remote = gitea().await;
    remote.push("wooo/a", "a").await;
    remote.world.requests();
    let made = remote.forge().open(&NewMergeRequest { draft: true, ..proposal("wooo/a") }).await.unwrap();
    assert_eq!((made.title.as_str(), made.draft), ("wooo/a", true));
    let changed =
        remote.forge().update(made.number, &Edit { title: Some("b".into()), ..Edit::default() }).await.unwrap();
    assert_eq!((changed.title.as_str(), changed.draft, changed.state), ("b", true, MergeRequestState::Open));
    let requests = remote.world.requests();
    let expected = format!("token {TOKEN}");
    for request in &requests {
        let token = request.headers.get(header::AUTHORIZATION).unwrap();
        assert_eq!(token.to_str().unwrap(), expected);
        assert!(!request.path.contains(TOKEN), "{}", request.path);
    }
    let open = requests.iter().find(|one| one.method == Method::POST && one.path.ends_with("/pulls")).unwrap();
    let body: Value = serde_json::from_slice(&open.body).unwrap();
    assert_eq!(
        (&body["title"], &body["head"], &body["base"]),
        (&"WIP: wooo/a".into(), &"wooo/a".into(), &"main".into())
    );
}

#[test]
fn a_connection_does_not_show_its_token() {
    wooo::cluster::install_crypto_provider();
    let gitea = Gitea::new("https://git.example/sub", SecretString::from(TOKEN)).unwrap();
    let shown = format!("{gitea:?}");
    assert!(shown.contains("git.example") && !shown.contains(TOKEN), "{shown}");
}
