//! The local forge passes the suite of all forges, with real clones over HTTP; and what only it does.

use std::sync::Arc;

use async_trait::async_trait;
use wooo::forge::{
    Comments, Error, Forge, MergeRequestNumber, MergeRequests, Permission, Protection, RepositoryInfo, User,
};
use wooo::git::CommitId;

use super::conformance::{Harness, conformance, proposal};
use super::server::{Served, fleet, user};
use crate::git::output;

struct Local(Served);

impl Local {
    fn new() -> Self {
        let served = Served::new();
        served.clone_of("human");
        Self(served)
    }
}

#[async_trait]
impl Harness for Local {
    fn forge(&self) -> Arc<dyn Forge> {
        Arc::new(self.0.forge())
    }

    fn forge_as(&self, user: &User) -> Arc<dyn Forge> {
        Arc::new(self.0.forge().acting_as(user.clone()))
    }

    async fn person(&self, login: &str, permission: Permission) -> User {
        let person = user(login);
        self.0.forge().set_permission(person.id.clone(), permission).await.unwrap();
        person
    }

    async fn push(&self, branch: &str, file: &str) -> CommitId {
        let clone = self.0.clone_of("human");
        clone.switch(branch);
        let commit = clone.write(file);
        assert!(clone.push(&[branch]).status.success());
        commit
    }

    async fn rewrite(&self, branch: &str, file: &str) -> CommitId {
        let clone = self.0.clone_of("human");
        output(&clone.path, ["checkout", "--quiet", "-B", branch, "origin/main"]);
        let commit = clone.write(file);
        assert!(clone.push(&["--force", branch]).status.success());
        commit
    }

    async fn reset(&self, branch: &str) {
        let clone = self.0.clone_of("human");
        assert!(clone.push(&["--force", &format!("origin/main:refs/heads/{branch}")]).status.success());
    }

    async fn delete(&self, branch: &str) {
        assert!(self.0.clone_of("human").push(&["--delete", branch]).status.success());
    }

    async fn push_to_base(&self, branch: &str) {
        let clone = self.0.clone_of("human");
        assert!(clone.push(&[&format!("origin/{branch}:refs/heads/main")]).status.success());
    }

    async fn protect(&self, protection: Protection) {
        self.0.forge().set_protection("main".parse().unwrap(), protection).await.unwrap();
    }

    async fn approve(&self, user: &User, number: MergeRequestNumber, head: CommitId) {
        self.0.forge().acting_as(user.clone()).approve(number, head).await.unwrap();
    }
}

conformance!(Local::new());

#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_made_once_and_found_by_name() {
    let served = Served::new();
    let (main, id) = ("main".parse().unwrap(), "9".parse().unwrap());
    let again = served.forges.create(&fleet(), &main, id, user("wooo"));
    assert!(matches!(again, Err(Error::Invalid { .. })), "{again:?}");
    let absent = served.forges.open(&"absent".parse().unwrap(), user("wooo"));
    assert!(matches!(absent, Err(Error::NotFound { .. })), "{absent:?}");
    assert_eq!(served.forges.names().unwrap(), [fleet()]);
    let identity = served.forge().identity().await.unwrap();
    assert_eq!((identity.id.as_str(), identity.name.as_str()), ("4711", "fleet"));
    assert_eq!(identity.clone_url, format!("{}/git/fleet.git", served.origin()));
    // What was made aside is gone.
    let left = std::fs::read_dir(served.forges.root()).unwrap().count();
    assert_eq!(left, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_keeps_the_id_and_the_merge_requests() {
    let harness = Local::new();
    harness.push("wooo/a", "a").await;
    let made = harness.forge().open(&proposal("wooo/a")).await.unwrap();
    let forges = &harness.0.forges;
    let new = "another".parse().unwrap();
    std::fs::rename(forges.path(&fleet()), forges.path(&new)).unwrap();
    let gone = harness.0.forges.open(&fleet(), user("wooo"));
    assert!(matches!(gone, Err(Error::NotFound { .. })));
    let forge = forges.open(&new, user("wooo")).unwrap();
    let identity = forge.identity().await.unwrap();
    assert_eq!((identity.id.as_str(), identity.name.as_str()), ("4711", "another"));
    assert_eq!(forge.get(made.number).await.unwrap().head, made.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_of_what_was_seen_and_of_others_only() {
    let harness = Local::new();
    let head = harness.push("wooo/a", "a").await;
    let forge = harness.0.forge();
    let made = forge.open(&proposal("wooo/a")).await.unwrap();
    assert!(matches!(forge.approve(made.number, head).await, Err(Error::Forbidden { .. })));
    let ann = forge.acting_as(user("ann"));
    let newer = harness.push("wooo/a", "b").await;
    assert_eq!(ann.approve(made.number, head).await, Err(Error::HeadMoved { expected: head, found: newer }));
    ann.approve(made.number, newer).await.unwrap();
    ann.withdraw_approval(made.number).await.unwrap();
    ann.withdraw_approval(made.number).await.unwrap();
    let dyn_forge: Arc<dyn Forge> = Arc::new(forge.clone());
    assert!(dyn_forge.approvals(made.number).await.unwrap().is_empty());
    forge.comment(made.number, &"x".into()).await.unwrap();
    forge.close(made.number).await.unwrap();
    assert!(matches!(ann.approve(made.number, newer).await, Err(Error::NotOpen { .. })));
}
