//! What every forge that is reached over HTTP does when something happens on the way. A dialect is tested by giving it to
//! [`remote!`].

use std::time::Instant;

use axum::http::Method;
use wooo::forge::{Error, Filter, MergeRequestState, PageRequest, StatusState};

use super::conformance::{Harness, branch, proposal, status};
use super::fake::{Dialect, Failure, PATIENCE, Remote, TOKEN};

/// Makes a test of each case for one dialect.
macro_rules! remote {
    ($dialect:ty) => {
        remote!(@each $dialect;
            a_rename_is_followed, another_repository_under_the_name_is_refused, a_short_limit_is_waited_for,
            a_long_limit_is_told, a_forge_that_fails_once_is_asked_again, a_page_is_no_answer,
            what_was_opened_is_found_again, what_was_merged_is_found_again, a_lost_comment_is_not_written_twice,
            everything_is_read_over_many_pages, a_refused_token_is_named_as_such, nothing_shows_the_token,
        );
    };
    (@each $dialect:ty; $($case:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let remote = $crate::forge::fake::Remote::<$dialect>::new().await;
                $crate::forge::remote::$case(&remote).await;
                assert_eq!(remote.world.unmet(), 0, "a failure was prepared that nobody met");
            }
        )+
    };
}
pub(crate) use remote;

pub(crate) async fn a_rename_is_followed<D: Dialect>(remote: &Remote<D>) {
    let before = remote.forge().identity().await.unwrap();
    assert_eq!((before.id.as_str(), before.name.as_str()), ("4711", "acme/fleet"));
    remote.world.rename("acme/ships");
    let after = remote.forge().identity().await.unwrap();
    assert_eq!((after.id, after.name.as_str()), (before.id, "acme/ships"));
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    assert_eq!(remote.forge().get(made.number).await.unwrap(), made);
    // A client that starts now knows the old name from its settings.
    let started = remote.connect(TOKEN, Some(4711)).await.unwrap();
    assert_eq!(started.identity().await.unwrap().name, "acme/ships");
}

pub(crate) async fn another_repository_under_the_name_is_refused<D: Dialect>(remote: &Remote<D>) {
    remote.push("wooo/a", "a").await;
    remote.world.replace();
    let started = remote.connect(TOKEN, Some(4711)).await;
    assert!(matches!(started, Err(Error::NotFound { .. })), "{:?}", started.err());
    let identity = remote.forge().identity().await;
    assert!(matches!(identity, Err(Error::NotFound { .. })), "{identity:?}");
    let opened = remote.forge().open(&proposal("wooo/a")).await;
    assert!(matches!(opened, Err(Error::NotFound { .. })), "{opened:?}");
    let all = wooo::forge::MergeRequests::list(&remote.world.model(), &Filter::default(), PageRequest::first()).await;
    assert!(all.unwrap().items.is_empty());
}

pub(crate) async fn a_short_limit_is_waited_for<D: Dialect>(remote: &Remote<D>) {
    remote.push("wooo/a", "a").await;
    remote.world.fail(Method::GET, "/", 1, Failure::Limited(1));
    let began = Instant::now();
    let branch = remote.forge().default_branch().await.unwrap();
    assert_eq!(branch.as_str(), "main");
    assert!(began.elapsed().as_millis() >= 500 && began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    // A write that was refused was not done, so it may be made again.
    remote.world.fail(Method::POST, "/", 1, Failure::Limited(1));
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    assert_eq!(made.state, MergeRequestState::Open);
}

pub(crate) async fn a_long_limit_is_told<D: Dialect>(remote: &Remote<D>) {
    remote.world.fail(Method::GET, "/", 1, Failure::Limited(3600));
    let began = Instant::now();
    let told = remote.forge().default_branch().await.unwrap_err();
    let Error::RateLimited { until } = told else { panic!("{told:?}") };
    let wait = until.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((3500..=3700).contains(&wait), "{wait}");
    assert!(began.elapsed().as_secs() < 5, "nobody waits for an hour");
    remote.world.requests();
    assert!(matches!(remote.forge().default_branch().await, Err(Error::RateLimited { .. })));
    assert!(remote.world.requests().is_empty(), "the forge is left alone until then");
}

pub(crate) async fn a_forge_that_fails_once_is_asked_again<D: Dialect>(remote: &Remote<D>) {
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    for status in [500, 502, 503, 504] {
        remote.world.fail(Method::GET, "/", 1, Failure::Status(status));
        assert_eq!(remote.forge().get(made.number).await.unwrap(), made, "{status}");
    }
    remote.world.fail(Method::POST, "status", 1, Failure::Status(502));
    remote.forge().set_status(made.head, &status("wooo/render", StatusState::Success)).await.unwrap();
    let statuses = remote.forge().statuses(made.head).await.unwrap();
    assert_eq!(statuses.iter().map(|one| one.context.as_str()).collect::<Vec<_>>(), ["wooo/render"]);
}

pub(crate) async fn a_page_is_no_answer<D: Dialect>(remote: &Remote<D>) {
    for status in [200, 502] {
        remote.world.fail(Method::GET, "/", 100, Failure::Page(status));
        let began = Instant::now();
        let told = remote.forge().default_branch().await.unwrap_err();
        assert!(matches!(told, Error::Unavailable { .. }), "{told:?}");
        assert!(!told.to_string().contains("unicorn") && !told.to_string().contains('<'), "{told}");
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        remote.world.mend();
    }
    assert_eq!(remote.forge().default_branch().await.unwrap().as_str(), "main");
}

pub(crate) async fn what_was_opened_is_found_again<D: Dialect>(remote: &Remote<D>) {
    remote.push("wooo/a", "a").await;
    remote.world.fail(Method::POST, D::OPEN, 1, Failure::AnswerLost);
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    assert_eq!((made.source, made.title.as_str()), (branch("wooo/a"), "wooo/a"));
    assert_eq!(made.labels.iter().collect::<Vec<_>>(), ["wooo"]);
    let all = remote.forge().list(&Filter::default(), PageRequest::first()).await.unwrap();
    assert_eq!(all.items.iter().map(|one| one.number).collect::<Vec<_>>(), [made.number]);
}

pub(crate) async fn what_was_merged_is_found_again<D: Dialect>(remote: &Remote<D>) {
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    remote.world.fail(D::MERGE, "/merge", 1, Failure::AnswerLost);
    let merged = remote.forge().merge(made.number, made.head).await.unwrap();
    let seen = remote.forge().get(made.number).await.unwrap();
    assert_eq!((seen.state, seen.merged), (MergeRequestState::Merged, Some(merged)));
}

pub(crate) async fn a_lost_comment_is_not_written_twice<D: Dialect>(remote: &Remote<D>) {
    remote.push("wooo/a", "a").await;
    let made = remote.forge().open(&proposal("wooo/a")).await.unwrap();
    remote.world.fail(Method::POST, D::COMMENT, 1, Failure::AnswerLost);
    let lost = remote.forge().comment(made.number, &"said".into()).await;
    assert!(matches!(lost, Err(Error::Unavailable { .. })), "{lost:?}");
    let comments = remote.forge().comments(made.number, PageRequest::first()).await.unwrap();
    assert_eq!(comments.items.iter().map(|one| one.body.as_str()).collect::<Vec<_>>(), ["said"]);
}

/// Lists that a forge gives in pages of at most a hundred (GitHub's largest).
pub(crate) async fn everything_is_read_over_many_pages<D: Dialect>(remote: &Remote<D>) {
    let head = remote.push("wooo/a", "a").await;
    let model = remote.world.model();
    let names: Vec<String> = (0..230).map(|number| format!("check-{number:03}")).collect();
    for name in &names {
        wooo::forge::Statuses::set_status(&model, head, &status(name, StatusState::Success)).await.unwrap();
    }
    let statuses = remote.forge().statuses(head).await.unwrap();
    assert_eq!(statuses.iter().map(|one| one.context.as_str()).collect::<Vec<_>>(), names);
}

pub(crate) async fn a_refused_token_is_named_as_such<D: Dialect>(remote: &Remote<D>) {
    remote.world.fail(Method::GET, "/", 1, Failure::Status(401));
    let told = remote.forge().default_branch().await.unwrap_err();
    assert!(matches!(told, Error::Forbidden { .. }), "{told:?}");
    assert!(told.to_string().contains("token"), "{told}");
}

pub(crate) async fn nothing_shows_the_token<D: Dialect>(remote: &Remote<D>) {
    remote.world.fail(Method::GET, "/", 100, Failure::Page(500));
    let told = remote.forge().default_branch().await.unwrap_err();
    assert!(!format!("{told} {told:?}").contains(TOKEN));
    remote.world.mend();
}
