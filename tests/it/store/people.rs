//! People: addresses, accounts, roles, sessions, tokens, locks, requests that come twice.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use wooo::domain::Role;
use wooo::store::{
    Answer, Attempt, Error, IdempotencyKey, Identity, Limit, Membership, MembershipSource, NewToken, NewUser, Paging,
    Profile, Store, TenantKey, UserId,
};

use super::{Database, on_both};

on_both! {
    an_address_belongs_to_one_person,
    a_new_password_ends_all_sessions,
    an_account_belongs_to_one_person,
    roles_come_from_two_places,
    sessions_end,
    tokens_are_found_by_their_hash_while_they_are_good,
    failures_lock_for_a_while,
    a_request_is_answered_once,
    twins_wait_for_the_first_answer,
    people_are_removed_with_what_is_theirs,
}

const MINUTE: Duration = Duration::from_secs(60);

async fn person(store: &Store, email: &str) -> UserId {
    let user = NewUser { email: Some(email.to_owned()), ..NewUser::default() };
    let mut tx = store.begin().await.unwrap();
    let id = tx.insert_user(&user).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn an_address_belongs_to_one_person(db: Database) {
    let store = db.open().await;
    let id = person(&store, " Alice@Example.com ").await;
    let found = store.user_by_email("ALICE@example.COM").await.unwrap().unwrap();
    assert_eq!((found.id, found.email.as_deref(), found.plan.as_str()), (id, Some("alice@example.com"), "free"));
    let twin = NewUser { email: Some("alice@EXAMPLE.com".to_owned()), ..NewUser::default() };
    let refused = store.begin().await.unwrap().insert_user(&twin).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    // People from a forge may have none, all of them.
    let mut tx = store.begin().await.unwrap();
    for _ in 0..2 {
        tx.insert_user(&NewUser::default()).await.unwrap();
    }
    assert_eq!(tx.count_users().await.unwrap(), 3);
    tx.commit().await.unwrap();
    let first = Paging { limit: Limit::new(2), after: None };
    let page = store.users(&first).await.unwrap();
    let rest = store.users(&Paging { after: page.next, ..first }).await.unwrap();
    assert_eq!((page.items.len(), rest.items.len(), rest.next), (2, 1, None));
    assert_eq!(store.user_by_email("bob@example.com").await.unwrap(), None);
}

async fn a_new_password_ends_all_sessions(db: Database) {
    let store = db.open().await;
    let id = person(&store, "a@example.com").await;
    assert!(store.password_hash(&id).await.unwrap().is_none());
    let mut tx = store.begin().await.unwrap();
    tx.set_password_hash(&id, Some(&SecretString::from("$argon2id$canary"))).await.unwrap();
    tx.set_admin(&id, true).await.unwrap();
    let profile = Profile { name: Some("Alice \0".to_owned()), ..Profile::default() };
    tx.set_profile(&id, &profile).await.unwrap();
    tx.end_sessions(&id).await.unwrap();
    let absent = tx.end_sessions(&UserId::random()).await;
    assert!(matches!(absent, Err(Error::NotFound { .. })), "{absent:?}");
    tx.commit().await.unwrap();
    let user = store.user(&id).await.unwrap().unwrap();
    assert_eq!((user.session_epoch, user.is_admin), (2, true));
    assert_eq!(user.profile.name.as_deref(), Some("Alice \u{fffd}"), "a NUL is text in neither database");
    let hash = store.password_hash(&id).await.unwrap().unwrap();
    assert_eq!(hash.expose_secret(), "$argon2id$canary");
    assert!(!format!("{hash:?} {user:?}").contains("canary"));
}

async fn an_account_belongs_to_one_person(db: Database) {
    let store = db.open().await;
    let (alice, bob) = (person(&store, "a@example.com").await, person(&store, "b@example.com").await);
    let account = |user: &UserId, username: &str| Identity {
        provider: "github".to_owned(),
        subject: "42".to_owned(),
        user_id: user.clone(),
        username: Some(username.to_owned()),
    };
    let mut tx = store.begin().await.unwrap();
    tx.link_identity(&account(&alice, "alice")).await.unwrap();
    tx.link_identity(&account(&alice, "alice2")).await.unwrap();
    let refused = tx.link_identity(&account(&bob, "bob")).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    tx.commit().await.unwrap();
    assert_eq!(store.user_by_identity("github", "42").await.unwrap().unwrap().id, alice);
    assert_eq!(store.identities(&alice).await.unwrap(), [account(&alice, "alice2")]);
    let mut tx = store.begin().await.unwrap();
    tx.unlink_identity(&alice, "github", "42").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.user_by_identity("github", "42").await.unwrap(), None);
}

async fn roles_come_from_two_places(db: Database) {
    let store = db.open().await;
    let alice = person(&store, "a@example.com").await;
    let tenant = TenantKey { fleet: "main".parse().unwrap(), tenant: "growth".parse().unwrap() };
    let membership = |role, source| Membership { tenant: tenant.clone(), user_id: alice.clone(), role, source };
    let local = membership(Role::Viewer, MembershipSource::Local);
    let fleet = membership(Role::Owner, MembershipSource::Fleet);
    let mut tx = store.begin().await.unwrap();
    tx.put_membership(&membership(Role::Deployer, MembershipSource::Local)).await.unwrap();
    tx.put_membership(&local).await.unwrap();
    tx.replace_fleet_memberships(&tenant.fleet, std::slice::from_ref(&fleet)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.memberships_of(&alice).await.unwrap(), [fleet, local.clone()]);
    let mut tx = store.begin().await.unwrap();
    tx.replace_fleet_memberships(&tenant.fleet, &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.members(&tenant).await.unwrap(), [local]);
    let mut tx = store.begin().await.unwrap();
    tx.remove_membership(&tenant, &alice).await.unwrap();
    assert!(matches!(tx.remove_membership(&tenant, &alice).await, Err(Error::NotFound { .. })));
}

async fn sessions_end(db: Database) {
    let store = db.open().await;
    let alice = person(&store, "a@example.com").await;
    let refused = store.begin().await.unwrap().insert_session(&UserId::random(), MINUTE).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
    let mut tx = store.begin().await.unwrap();
    let over = tx.insert_session(&alice, Duration::ZERO).await.unwrap();
    let ended = tx.insert_session(&alice, MINUTE).await.unwrap();
    let lasting = tx.insert_session(&alice, MINUTE).await.unwrap();
    tx.revoke_session(&ended.id).await.unwrap();
    tx.commit().await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(store.session(&over.id).await.unwrap(), None);
    assert_eq!(store.session(&ended.id).await.unwrap(), None);
    assert_eq!(store.session(&lasting.id).await.unwrap().as_ref(), Some(&lasting));
    assert_eq!(store.sessions_of(&alice).await.unwrap(), [lasting]);
    assert_eq!(store.prune_sessions(Duration::ZERO).await.unwrap(), 1);
}

async fn tokens_are_found_by_their_hash_while_they_are_good(db: Database) {
    let store = db.open().await;
    let alice = person(&store, "a@example.com").await;
    let token = |hash: &str, lifetime| NewToken {
        user_id: alice.clone(),
        name: "ci".to_owned(),
        hash: hash.to_owned(),
        prefix: "wooo_ab".to_owned(),
        scopes: vec!["deploy".to_owned()],
        fleet: Some("main".parse().unwrap()),
        tenant: None,
        role: Role::Deployer,
        lifetime,
    };
    let mut tx = store.begin().await.unwrap();
    let good = tx.insert_token(&token("h1", None)).await.unwrap();
    tx.insert_token(&token("h2", Some(Duration::ZERO))).await.unwrap();
    let revoked = tx.insert_token(&token("h3", Some(MINUTE))).await.unwrap();
    tx.revoke_token(&alice, &revoked.id).await.unwrap();
    let not_mine = tx.revoke_token(&UserId::random(), &good.id).await;
    assert!(matches!(not_mine, Err(Error::NotFound { .. })), "{not_mine:?}");
    tx.commit().await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(store.token_by_hash("h1").await.unwrap().as_ref(), Some(&good));
    assert_eq!(store.token_by_hash("h2").await.unwrap(), None);
    assert_eq!(store.token_by_hash("h3").await.unwrap(), None);
    assert_eq!(store.tokens_of(&alice).await.unwrap().len(), 3);
    store.touch_token(&good.id).await.unwrap();
    let used = store.token_by_hash("h1").await.unwrap().unwrap().last_used_at;
    assert!(used.is_some());
    store.touch_token(&good.id).await.unwrap();
    assert_eq!(store.token_by_hash("h1").await.unwrap().unwrap().last_used_at, used);
    let refused = store.begin().await.unwrap().insert_token(&token("h1", None)).await;
    assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
}

async fn failures_lock_for_a_while(db: Database) {
    let store = db.open().await;
    let lock = Duration::from_millis(400);
    let third = |failures: u32| (failures >= 3).then_some(lock);
    let attempt = async |key: &'static str, forget| store.admit_login(key, forget, third).await.unwrap();
    for _ in 1..=3 {
        assert_eq!(attempt("a", MINUTE).await, None);
    }
    let rest = attempt("a", MINUTE).await.unwrap();
    assert!(rest <= lock, "{rest:?}");
    assert_eq!(attempt("b", MINUTE).await, None, "another key");
    tokio::time::sleep(lock).await;
    assert_eq!(attempt("a", MINUTE).await, None, "one more attempt");
    assert!(attempt("a", MINUTE).await.is_some(), "and locked again");
    store.reset_login_failures("a").await.unwrap();
    for _ in 1..=2 {
        assert_eq!(attempt("a", MINUTE).await, None);
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    for _ in 1..=4 {
        assert_eq!(attempt("a", Duration::ZERO).await, None, "what is old no longer counts");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(store.prune_login_failures(Duration::ZERO).await.unwrap(), 2);
}

fn key() -> IdempotencyKey {
    IdempotencyKey { key: "k".to_owned(), user_id: "u".parse().unwrap(), route: "POST /api/apps".to_owned() }
}

async fn a_request_is_answered_once(db: Database) {
    let store = db.open().await;
    let answer = Answer { status: 202, response: "{}".to_owned() };
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.begin_request(&key(), "body").await.unwrap(), Attempt::First);
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.begin_request(&key(), "body").await.unwrap(), Attempt::First, "the first was undone");
    assert_eq!(tx.begin_request(&key(), "body").await.unwrap(), Attempt::Unanswered);
    tx.finish_request(&key(), &answer).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.begin_request(&key(), "body").await.unwrap(), Attempt::Answered(answer.clone()));
    assert_eq!(tx.begin_request(&key(), "other").await.unwrap(), Attempt::Different);
    let other = IdempotencyKey { user_id: "v".parse().unwrap(), ..key() };
    assert!(matches!(tx.finish_request(&other, &answer).await, Err(Error::NotFound { .. })));
    assert_eq!(tx.begin_request(&other, "body").await.unwrap(), Attempt::First);
    tx.rollback().await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(store.prune_idempotency_keys(Duration::ZERO).await.unwrap(), 1);
}

async fn twins_wait_for_the_first_answer(db: Database) {
    let store = db.open().await;
    let twins: Vec<_> = (0..8)
        .map(|number: u32| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut tx = store.begin().await.unwrap();
                let attempt = tx.begin_request(&key(), "body").await.unwrap();
                if attempt == Attempt::First {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    let answer = Answer { status: 200 + number, response: "{}".to_owned() };
                    tx.finish_request(&key(), &answer).await.unwrap();
                    tx.commit().await.unwrap();
                    return answer;
                }
                let Attempt::Answered(answer) = attempt else { panic!("{attempt:?}") };
                answer
            })
        })
        .collect();
    let mut answers = Vec::new();
    for twin in twins {
        answers.push(twin.await.unwrap());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

async fn people_are_removed_with_what_is_theirs(db: Database) {
    let store = db.open().await;
    let alice = person(&store, "a@example.com").await;
    let mut tx = store.begin().await.unwrap();
    let session = tx.insert_session(&alice, MINUTE).await.unwrap();
    tx.delete_user(&alice).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.user(&alice).await.unwrap(), None);
    assert_eq!(store.session(&session.id).await.unwrap(), None);
}
