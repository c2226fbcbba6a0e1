//! What every forge does, whichever it is. A forge is tested by giving its [`Harness`] to [`conformance!`].

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use wooo::forge::{
    Body, Comment, CommentId, Edit, Error, Filter, Forge, Label, MergeRequest, MergeRequestNumber, MergeRequestState,
    NewMergeRequest, NewStatus, PageRequest, Permission, Protection, Reaction, StatusState, User,
};
use wooo::git::{BranchName, CommitId};

/// What happens around a forge: people, pushes, settings. The repository has a base branch `main` with a commit.
#[async_trait]
pub(crate) trait Harness: Send + Sync {
    /// The forge as wooo uses it, which may merge.
    fn forge(&self) -> Arc<dyn Forge>;
    /// The forge as somebody else uses it.
    fn forge_as(&self, user: &User) -> Arc<dyn Forge>;
    /// A person with that right.
    async fn person(&self, login: &str, permission: Permission) -> User;
    /// A person's commit of one file, with a content that it never had, on top of a branch, which begins at `main` if it is new.
    async fn push(&self, branch: &str, file: &str) -> CommitId;
    /// A branch made anew: one commit of that file on `main`, pushed by force.
    async fn rewrite(&self, branch: &str, file: &str) -> CommitId;
    /// A branch moved to where `main` is, by force.
    async fn reset(&self, branch: &str);
    /// A branch that is gone.
    async fn delete(&self, branch: &str);
    /// A person's merge by hand: `main` is fast-forwarded to the branch, with a push.
    async fn push_to_base(&self, branch: &str);
    /// What `main` asks for.
    async fn protect(&self, protection: Protection);
    /// Somebody's approval.
    async fn approve(&self, user: &User, number: MergeRequestNumber, head: CommitId);
}

pub(crate) fn branch(name: &str) -> BranchName {
    name.parse().unwrap()
}

pub(crate) fn proposal(source: &str) -> NewMergeRequest {
    NewMergeRequest {
        source: branch(source),
        target: branch("main"),
        title: source.into(),
        body: "why".into(),
        labels: labels(&["wooo"]),
        reviewers: BTreeSet::new(),
        draft: false,
    }
}

fn labels(names: &[&str]) -> BTreeSet<Label> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

pub(crate) fn status(context: &str, state: StatusState) -> NewStatus {
    NewStatus { context: context.parse().unwrap(), state, description: "said".into(), url: None }
}

fn checks(names: &[&str]) -> Protection {
    Protection { required_checks: names.iter().map(|name| name.parse().unwrap()).collect(), ..Protection::default() }
}

async fn opened(harness: &dyn Harness, source: &str) -> MergeRequest {
    harness.push(source, &source.replace('/', "-")).await;
    harness.forge().open(&proposal(source)).await.unwrap()
}

/// Makes a test of each case for one forge.
macro_rules! conformance {
    ($make:expr) => {
        conformance!(@each $make;
            what_is_opened_is_found, nothing_is_opened_twice, nothing_is_opened_for_nothing, what_is_said_can_be_changed,
            a_push_moves_the_head, a_rewritten_branch_stays_open, a_stale_head_is_not_merged, missing_checks_stop_a_merge,
            missing_approvals_stop_a_merge, a_push_voids_an_approval, only_writers_approve, closed_means_no,
            closed_can_be_opened_again, a_merge_moves_the_base, an_old_base_is_a_conflict, a_push_to_the_base_merges,
            a_branch_that_went_on_is_merged_by_a_push, a_branch_moved_back_is_not_merged,
            a_deleted_branch_closes_nothing, comments_are_ones_own, reactions_are_given_once,
            a_status_replaces_the_one_before, rights_belong_to_ids, a_repository_is_known_by_its_id,
            lists_come_in_pages, filters_let_through_what_is_asked_for, what_is_absent_is_not_found, a_draft_waits,
        );
    };
    (@each $make:expr; $($case:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let harness = $make;
                $crate::forge::conformance::$case(&harness).await;
            }
        )+
    };
}
pub(crate) use conformance;

pub(crate) async fn what_is_opened_is_found(harness: &dyn Harness) {
    let forge = harness.forge();
    let (source, target) = (branch("wooo/shop/production/deploy-1"), branch("main"));
    assert_eq!(forge.find_open(&source, &target).await.unwrap(), None);
    assert_eq!(forge.find_latest(&source, &target).await.unwrap(), None);
    let head = harness.push(source.as_str(), "one").await;
    let made = forge.open(&proposal(source.as_str())).await.unwrap();
    assert_eq!((made.state, made.head, made.source_exists), (MergeRequestState::Open, head, true));
    assert_eq!((&made.source, &made.target, made.from_fork), (&source, &target, false));
    assert_eq!((made.title.as_str(), made.body.as_str()), (source.as_str(), "why"));
    assert_eq!(made.labels, BTreeSet::from(["wooo".to_owned()]));
    assert_eq!(made.author, forge.myself().await.unwrap());
    assert_eq!((made.merged, &made.closed_by, made.draft), (None, &None, false));
    assert!(made.url.starts_with("http"), "{}", made.url);
    assert_eq!(forge.get(made.number).await.unwrap(), made);
    assert_eq!(forge.find_open(&source, &target).await.unwrap().as_ref(), Some(&made));
    assert_eq!(forge.find_latest(&source, &target).await.unwrap().as_ref(), Some(&made));
    assert_eq!(forge.find_open(&branch("wooo/shop"), &target).await.unwrap(), None);
    assert_eq!(forge.find_open(&source, &branch("other")).await.unwrap(), None);
}

pub(crate) async fn nothing_is_opened_twice(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let again = harness.forge().open(&proposal("wooo/a")).await;
    assert_eq!(again, Err(Error::Exists { number: made.number }));
    let other = opened(harness, "wooo/b").await;
    assert!(other.number > made.number);
}

pub(crate) async fn nothing_is_opened_for_nothing(harness: &dyn Harness) {
    let absent = harness.forge().open(&proposal("wooo/absent")).await;
    assert!(matches!(absent, Err(Error::Invalid { .. })), "{absent:?}");
    harness.push("wooo/a", "a").await;
    harness.reset("wooo/a").await;
    let empty = harness.forge().open(&proposal("wooo/a")).await;
    assert!(matches!(empty, Err(Error::Invalid { .. })), "{empty:?}");
}

pub(crate) async fn what_is_said_can_be_changed(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let edit = Edit {
        title: Some("another\ntitle".into()),
        body: Some("another\nbody".into()),
        labels: Some(labels(&["two", "one"])),
        reviewers: None,
    };
    let changed = harness.forge().update(made.number, &edit).await.unwrap();
    assert_eq!((changed.title.as_str(), changed.body.as_str()), ("another title", "another\nbody"));
    assert_eq!(changed.labels.iter().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!((changed.head, changed.state), (made.head, made.state));
    assert_eq!(harness.forge().get(made.number).await.unwrap(), changed);
    // Nothing to change is no change.
    assert_eq!(harness.forge().update(made.number, &edit).await.unwrap(), changed);
    let part = Edit { body: Some("".into()), ..Edit::default() };
    let changed = harness.forge().update(made.number, &part).await.unwrap();
    assert_eq!((changed.title.as_str(), changed.body.as_str()), ("another title", ""));
}

pub(crate) async fn a_push_moves_the_head(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let head = harness.push("wooo/a", "by-hand").await;
    assert_ne!(head, made.head);
    let seen = harness.forge().get(made.number).await.unwrap();
    assert_eq!((seen.head, seen.state), (head, MergeRequestState::Open));
    assert!(seen.updated >= made.updated);
}

pub(crate) async fn a_rewritten_branch_stays_open(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let head = harness.rewrite("wooo/a", "anew").await;
    let seen = harness.forge().get(made.number).await.unwrap();
    assert_eq!((seen.head, seen.state), (head, MergeRequestState::Open));
    harness.forge().merge(made.number, head).await.unwrap();
}

pub(crate) async fn a_stale_head_is_not_merged(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let head = harness.push("wooo/a", "by-hand").await;
    let stale = harness.forge().merge(made.number, made.head).await;
    assert_eq!(stale, Err(Error::HeadMoved { expected: made.head, found: head }));
    assert_eq!(harness.forge().get(made.number).await.unwrap().state, MergeRequestState::Open);
    harness.forge().merge(made.number, head).await.unwrap();
}

pub(crate) async fn missing_checks_stop_a_merge(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    harness.protect(checks(&["wooo/render", "wooo/policy"])).await;
    let forge = harness.forge();
    let protection = forge.protection(&branch("main")).await.unwrap();
    assert_eq!(protection, checks(&["wooo/policy", "wooo/render"]));
    assert_eq!(forge.protection(&branch("wooo/a")).await.unwrap(), Protection::default());
    let missing =
        |names: &[&str]| Err(Error::ChecksMissing { checks: names.iter().map(|name| (*name).to_owned()).collect() });
    assert_eq!(forge.merge(made.number, made.head).await, missing(&["wooo/policy", "wooo/render"]));
    forge.set_status(made.head, &status("wooo/policy", StatusState::Success)).await.unwrap();
    for state in [StatusState::Pending, StatusState::Failure, StatusState::Error] {
        forge.set_status(made.head, &status("wooo/render", state)).await.unwrap();
        assert_eq!(forge.merge(made.number, made.head).await, missing(&["wooo/render"]), "{state}");
    }
    forge.set_status(made.head, &status("wooo/render", StatusState::Success)).await.unwrap();
    // What was said about an older head does not count.
    let head = harness.push("wooo/a", "more").await;
    assert_eq!(forge.merge(made.number, head).await, missing(&["wooo/policy", "wooo/render"]));
    for context in ["wooo/render", "wooo/policy"] {
        forge.set_status(head, &status(context, StatusState::Success)).await.unwrap();
    }
    forge.merge(made.number, head).await.unwrap();
}

pub(crate) async fn missing_approvals_stop_a_merge(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    harness.protect(Protection { required_approvals: 2, ..Protection::default() }).await;
    let forge = harness.forge();
    for (given, login) in [(0, "ann"), (1, "bob")] {
        let refused = forge.merge(made.number, made.head).await;
        assert_eq!(refused, Err(Error::NotApproved { needed: 2, given }));
        let person = harness.person(login, Permission::Write).await;
        harness.approve(&person, made.number, made.head).await;
        // Saying it twice is saying it once.
        harness.approve(&person, made.number, made.head).await;
    }
    let approvals = forge.approvals(made.number).await.unwrap();
    assert_eq!(approvals.iter().filter(|approval| approval.covers(made.head)).count(), 2);
    forge.merge(made.number, made.head).await.unwrap();
}

pub(crate) async fn a_push_voids_an_approval(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    harness.protect(Protection { required_approvals: 1, ..Protection::default() }).await;
    let ann = harness.person("ann", Permission::Write).await;
    harness.approve(&ann, made.number, made.head).await;
    let head = harness.push("wooo/a", "more").await;
    let forge = harness.forge();
    assert!(forge.approvals(made.number).await.unwrap().iter().all(|approval| !approval.covers(head)));
    assert_eq!(forge.merge(made.number, head).await, Err(Error::NotApproved { needed: 1, given: 0 }));
    harness.approve(&ann, made.number, head).await;
    forge.merge(made.number, head).await.unwrap();
}

pub(crate) async fn only_writers_approve(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    harness.protect(Protection { required_approvals: 1, ..Protection::default() }).await;
    let reader = harness.person("reader", Permission::Read).await;
    harness.approve(&reader, made.number, made.head).await;
    let refused = harness.forge().merge(made.number, made.head).await;
    assert_eq!(refused, Err(Error::NotApproved { needed: 1, given: 0 }));
}

pub(crate) async fn closed_means_no(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let forge = harness.forge();
    let closed = forge.close(made.number).await.unwrap();
    assert_eq!(closed.state, MergeRequestState::Closed);
    assert_eq!(closed.closed_by, Some(forge.myself().await.unwrap()));
    assert_eq!(forge.close(made.number).await.unwrap().state, MergeRequestState::Closed);
    let refused = forge.merge(made.number, made.head).await;
    assert_eq!(refused, Err(Error::NotOpen { number: made.number, state: MergeRequestState::Closed }));
    let (source, target) = (branch("wooo/a"), branch("main"));
    assert_eq!(forge.find_open(&source, &target).await.unwrap(), None);
    assert_eq!(forge.find_latest(&source, &target).await.unwrap().unwrap().number, made.number);
    // The branch may be proposed again; the newest is what counts.
    let second = forge.open(&proposal("wooo/a")).await.unwrap();
    assert_eq!(forge.find_latest(&source, &target).await.unwrap().unwrap().number, second.number);
    assert_eq!(forge.reopen(made.number).await, Err(Error::Exists { number: second.number }));
}

pub(crate) async fn closed_can_be_opened_again(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let forge = harness.forge();
    forge.close(made.number).await.unwrap();
    let open = forge.reopen(made.number).await.unwrap();
    assert_eq!((open.state, open.head, &open.closed_by), (MergeRequestState::Open, made.head, &None));
    assert_eq!(forge.reopen(made.number).await.unwrap().state, MergeRequestState::Open);
    forge.close(made.number).await.unwrap();
    harness.delete("wooo/a").await;
    let refused = forge.reopen(made.number).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
}

pub(crate) async fn a_merge_moves_the_base(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let forge = harness.forge();
    let commit = forge.merge(made.number, made.head).await.unwrap();
    let merged = forge.get(made.number).await.unwrap();
    assert_eq!((merged.state, merged.merged, merged.head), (MergeRequestState::Merged, Some(commit), made.head));
    assert_eq!(merged.closed_by, Some(forge.myself().await.unwrap()));
    // Again, as after an answer that was lost.
    assert_eq!(forge.merge(made.number, made.head).await, Ok(commit));
    let done = Err(Error::NotOpen { number: made.number, state: MergeRequestState::Merged });
    assert_eq!(forge.close(made.number).await, done);
    assert_eq!(forge.reopen(made.number).await, done);
    assert_eq!(forge.find_open(&branch("wooo/a"), &branch("main")).await.unwrap(), None);
    // What comes next builds on it.
    let next = opened(harness, "wooo/b").await;
    forge.merge(next.number, next.head).await.unwrap();
    // A branch that goes on afterwards does not change what was merged.
    harness.push("wooo/a", "later").await;
    assert_eq!(forge.get(made.number).await.unwrap().head, made.head);
    let other = forge.merge(made.number, next.head).await;
    assert_eq!(other, Err(Error::HeadMoved { expected: next.head, found: made.head }));
}

pub(crate) async fn an_old_base_is_a_conflict(harness: &dyn Harness) {
    // The same file in two ways, so that no forge can merge both by itself.
    harness.push("wooo/a", "same").await;
    harness.push("wooo/b", "same").await;
    let forge = harness.forge();
    let one = forge.open(&proposal("wooo/a")).await.unwrap();
    let two = forge.open(&proposal("wooo/b")).await.unwrap();
    forge.merge(one.number, one.head).await.unwrap();
    assert_eq!(forge.merge(two.number, two.head).await, Err(Error::Conflict));
    assert_eq!(forge.get(two.number).await.unwrap().state, MergeRequestState::Open);
    let head = harness.rewrite("wooo/b", "anew").await;
    forge.merge(two.number, head).await.unwrap();
}

pub(crate) async fn a_push_to_the_base_merges(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    harness.push_to_base("wooo/a").await;
    let forge = harness.forge();
    assert_eq!(forge.find_open(&branch("wooo/a"), &branch("main")).await.unwrap(), None);
    let merged = forge.get(made.number).await.unwrap();
    assert_eq!((merged.state, merged.head, merged.merged), (MergeRequestState::Merged, made.head, Some(made.head)));
    assert_eq!(forge.merge(made.number, made.head).await, Ok(made.head));
    let open = Filter { state: Some(MergeRequestState::Open), ..Filter::default() };
    assert!(forge.list(&open, PageRequest::first()).await.unwrap().items.is_empty());
}

pub(crate) async fn a_branch_that_went_on_is_merged_by_a_push(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let head = harness.push("wooo/a", "more").await;
    harness.push_to_base("wooo/a").await;
    let merged = harness.forge().get(made.number).await.unwrap();
    assert_eq!((merged.state, merged.head), (MergeRequestState::Merged, head));
    // It stays so when the branch is cleared away, as people do then.
    harness.delete("wooo/a").await;
    let merged = harness.forge().get(made.number).await.unwrap();
    assert_eq!((merged.state, merged.head, merged.source_exists), (MergeRequestState::Merged, head, false));
}

pub(crate) async fn a_branch_moved_back_is_not_merged(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    harness.reset("wooo/a").await;
    let forge = harness.forge();
    for _ in 0..2 {
        assert_ne!(forge.get(made.number).await.unwrap().state, MergeRequestState::Merged);
    }
    assert!(forge.merge(made.number, made.head).await.is_err());
}

pub(crate) async fn a_deleted_branch_closes_nothing(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    harness.delete("wooo/a").await;
    let seen = harness.forge().get(made.number).await.unwrap();
    assert_eq!((seen.head, seen.source_exists), (made.head, false));
    assert_ne!(seen.state, MergeRequestState::Merged);
    let refused = harness.forge().merge(made.number, made.head).await;
    assert!(matches!(refused, Err(Error::Invalid { .. } | Error::NotOpen { .. })), "{refused:?}");
}

async fn all_comments(forge: &dyn Forge, number: MergeRequestNumber) -> Vec<Comment> {
    forge.comments(number, PageRequest::first()).await.unwrap().items
}

pub(crate) async fn comments_are_ones_own(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let forge = harness.forge();
    let ann = harness.person("ann", Permission::Read).await;
    let ours = forge.comment(made.number, &"<!-- wooo --> rendered".into()).await.unwrap();
    assert_eq!((ours.body.as_str(), ours.edited), ("<!-- wooo --> rendered", false));
    let theirs = harness.forge_as(&ann).comment(made.number, &"/wooo diff".into()).await.unwrap();
    assert_eq!(theirs.author.id, ann.id);
    let edited = forge.edit_comment(made.number, ours.id, &"synced".into()).await.unwrap();
    assert_eq!((edited.id, edited.body.as_str(), edited.edited), (ours.id, "synced", true));
    let refused = forge.edit_comment(made.number, theirs.id, &"mine".into()).await;
    assert!(matches!(refused, Err(Error::Forbidden { .. })), "{refused:?}");
    assert_eq!(all_comments(&*forge, made.number).await, [edited, theirs]);
    let empty = forge.comment(made.number, &Body::new(" ")).await;
    assert!(matches!(empty, Err(Error::Invalid { .. })), "{empty:?}");
    let long = forge.comment(made.number, &Body::new(&"網".repeat(70_000))).await.unwrap();
    assert_eq!(long.body.chars().count(), Body::MAX);
    assert!(forge.get(made.number).await.unwrap().updated >= long.created);
}

pub(crate) async fn reactions_are_given_once(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let forge = harness.forge();
    let comment = forge.comment(made.number, &"/wooo status".into()).await.unwrap();
    for reaction in [Reaction::Eyes, Reaction::Eyes, Reaction::ThumbsUp] {
        forge.react(made.number, comment.id, reaction).await.unwrap();
    }
    let ann = harness.person("ann", Permission::Read).await;
    harness.forge_as(&ann).react(made.number, comment.id, Reaction::Eyes).await.unwrap();
    let me = forge.myself().await.unwrap();
    let mut found: Vec<_> = forge.reactions(made.number, comment.id).await.unwrap();
    found.sort_by_key(|a| (a.0, a.1.id == ann.id));
    let ids: Vec<_> = found.into_iter().map(|(reaction, user)| (reaction, user.id)).collect();
    assert_eq!(ids, [(Reaction::Eyes, me.id.clone()), (Reaction::Eyes, ann.id), (Reaction::ThumbsUp, me.id)]);
}

pub(crate) async fn a_status_replaces_the_one_before(harness: &dyn Harness) {
    let made = opened(harness, "wooo/a").await;
    let forge = harness.forge();
    assert!(forge.statuses(made.head).await.unwrap().is_empty());
    let mut new = status("wooo/deploy: shop/production", StatusState::Pending);
    forge.set_status(made.head, &new).await.unwrap();
    forge.set_status(made.head, &status("a/first", StatusState::Success)).await.unwrap();
    new.state = StatusState::Failure;
    new.description = "it\ncrashes".into();
    new.url = Some("https://wooo.example/changes/1".to_owned());
    forge.set_status(made.head, &new).await.unwrap();
    let statuses = forge.statuses(made.head).await.unwrap();
    let [first, second] = &statuses[..] else { panic!("{statuses:?}") };
    assert_eq!((first.context.as_str(), first.state), ("a/first", StatusState::Success));
    assert_eq!((&second.context, second.state), (&new.context, StatusState::Failure));
    assert_eq!((second.description.as_str(), &second.url), ("it crashes", &new.url));
    new.url = Some("javascript:alert(1)".to_owned());
    let refused = forge.set_status(made.head, &new).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    let nowhere = "1".repeat(40).parse().unwrap();
    let refused = forge.set_status(nowhere, &status("x", StatusState::Success)).await;
    assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
}

pub(crate) async fn rights_belong_to_ids(harness: &dyn Harness) {
    let forge = harness.forge();
    for permission in [Permission::Read, Permission::Write, Permission::Admin] {
        let person = harness.person(&format!("person-{permission}"), permission).await;
        assert_eq!(forge.permission(&person.id).await.unwrap(), permission);
    }
    assert_eq!(forge.permission(&"9999999".parse().unwrap()).await.unwrap(), Permission::None);
    assert!(Permission::None < Permission::Read && Permission::Write < Permission::Admin);
}

pub(crate) async fn a_repository_is_known_by_its_id(harness: &dyn Harness) {
    let forge = harness.forge();
    let identity = forge.identity().await.unwrap();
    assert!(!identity.id.as_str().is_empty() && !identity.name.is_empty());
    assert!(identity.clone_url.starts_with("http") && identity.clone_url.ends_with(".git"), "{identity:?}");
    assert_eq!(forge.identity().await.unwrap(), identity);
    assert_eq!(forge.default_branch().await.unwrap(), branch("main"));
}

pub(crate) async fn lists_come_in_pages(harness: &dyn Harness) {
    let mut made = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        made.push(opened(harness, name).await.number);
    }
    made.reverse();
    let forge = harness.forge();
    let (mut seen, mut sizes, mut page) = (Vec::new(), Vec::new(), Some(PageRequest::new(1, 2).unwrap()));
    while let Some(request) = page {
        let found = forge.list(&Filter::default(), request).await.unwrap();
        sizes.push(found.items.len());
        seen.extend(found.items.iter().map(|item| item.number));
        page = found.next;
    }
    assert_eq!((seen, sizes), (made.clone(), vec![2, 2, 1]));
    let mut comments = Vec::new();
    for text in ["1", "2", "3", "4", "5", "6"] {
        comments.push(forge.comment(made[0], &text.into()).await.unwrap());
    }
    let (mut seen, mut pages, mut page) = (Vec::new(), 0, Some(PageRequest::new(1, 2).unwrap()));
    while let Some(request) = page {
        let found = forge.comments(made[0], request).await.unwrap();
        seen.extend(found.items);
        pages += 1;
        page = found.next;
    }
    assert_eq!((seen, pages), (comments, 3));
}

pub(crate) async fn filters_let_through_what_is_asked_for(harness: &dyn Harness) {
    let forge = harness.forge();
    let (a, b) = (opened(harness, "a").await, opened(harness, "b").await);
    forge.close(b.number).await.unwrap();
    let c = opened(harness, "c").await;
    forge.merge(a.number, a.head).await.unwrap();
    let numbers = async |filter: Filter| {
        let found = forge.list(&filter, PageRequest::first()).await.unwrap();
        found.items.iter().map(|item| item.number).collect::<Vec<_>>()
    };
    let state = |state| Filter { state: Some(state), ..Filter::default() };
    assert_eq!(numbers(state(MergeRequestState::Open)).await, [c.number]);
    assert_eq!(numbers(state(MergeRequestState::Closed)).await, [b.number]);
    assert_eq!(numbers(state(MergeRequestState::Merged)).await, [a.number]);
    assert_eq!(numbers(Filter::default()).await, [c.number, b.number, a.number]);
    assert!(numbers(Filter { target: Some(branch("other")), ..Filter::default() }).await.is_empty());
    let since = forge.get(a.number).await.unwrap().updated;
    assert_eq!(numbers(Filter { updated_since: Some(since), ..Filter::default() }).await, [a.number]);
}

pub(crate) async fn what_is_absent_is_not_found(harness: &dyn Harness) {
    let forge = harness.forge();
    let made = opened(harness, "wooo/a").await;
    let (absent, no_comment) = (MergeRequestNumber(4711), CommentId(4711));
    let is_absent = |error: Error| assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    is_absent(forge.get(absent).await.unwrap_err());
    is_absent(forge.update(absent, &Edit::default()).await.unwrap_err());
    is_absent(forge.close(absent).await.unwrap_err());
    is_absent(forge.reopen(absent).await.unwrap_err());
    is_absent(forge.merge(absent, made.head).await.unwrap_err());
    is_absent(forge.approvals(absent).await.unwrap_err());
    is_absent(forge.comments(absent, PageRequest::first()).await.unwrap_err());
    is_absent(forge.comment(absent, &"x".into()).await.unwrap_err());
    is_absent(forge.edit_comment(made.number, no_comment, &"x".into()).await.unwrap_err());
    is_absent(forge.react(made.number, no_comment, Reaction::Eyes).await.unwrap_err());
}

pub(crate) async fn a_draft_waits(harness: &dyn Harness) {
    harness.push("wooo/a", "a").await;
    let made = harness.forge().open(&NewMergeRequest { draft: true, ..proposal("wooo/a") }).await.unwrap();
    assert!(made.draft);
    let refused = harness.forge().merge(made.number, made.head).await;
    assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
}
