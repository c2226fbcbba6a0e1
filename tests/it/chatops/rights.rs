//! Who is obeyed: both the forge and the role in the tenant must allow it, at the moment when the command runs.

use wooo::forge::{Comments as _, Permission};

use super::world::{World, edit, user};

#[tokio::test(flavor = "multi_thread")]
async fn both_the_forge_and_the_role_must_allow_it() {
    let world = World::start().await;
    let before = world.count().await;
    let mut said = String::new();
    for (login, body) in [
        // Looks after the app, and may not write to the repository.
        ("rita", "/wooo restart env=staging"),
        ("rita", "/wooo status env=staging"),
        // May write, and only look at the app.
        ("vera", "/wooo restart env=staging"),
        // Looks after another app.
        ("bob", "/wooo restart env=staging"),
        ("bob", "/wooo status shop"),
        ("bob", "/wooo approve"),
        // An app of others is like one that is not there.
        ("alice", "/wooo restart blog env=staging"),
        ("alice", "/wooo restart absent env=staging"),
    ] {
        said.push_str(&format!("{login}: {}\n", world.say(login, body).await.line()));
    }
    insta::assert_snapshot!(said, @r#"
    rita: eyes down | `restart` needs the right to write to this repository (`auth.forbidden`).
    rita: eyes up | | environment | image | pods | health | hold | / |---|---|---|---|---| / | staging | registry.example/shop:1.0.0 | 1 | not seen |  | / - Onboard shop to staging by local:test: merged
    vera: eyes down | `restart` needs the role deployer for `shop`; yours is viewer (`auth.forbidden`).
    bob: eyes down | There is no app `shop` here that you may see (`app.not_found`).
    bob: eyes down | There is no app `shop` here that you may see (`app.not_found`).
    bob: eyes down | There is no app `shop` here that you may see (`app.not_found`).
    alice: eyes down | There is no app `blog` here that you may see (`app.not_found`).
    alice: eyes down | There is no app `absent` here that you may see (`app.not_found`).
    "#);
    assert_eq!(world.count().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn outsiders_are_answered_once_and_told_nothing() {
    let world = World::start().await;
    let before = world.count().await;
    let mut said = String::new();
    for (login, body) in
        [("mallory", "/wooo restart shop env=staging"), ("mallory", "/wooo help"), ("trudy", "/wooo approve")]
    {
        said.push_str(&format!("{login}: {}\n", world.say(login, body).await.line()));
    }
    insta::assert_snapshot!(said, @r#"
    mallory: down | Thank you. wooo takes commands here only from people who look after this fleet; one of them may do this for you.
    mallory: down
    trudy: down
    "#);
    assert_eq!(world.count().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_was_taken_away_counts_at_once() {
    let world = World::start().await;
    let before = world.count().await;
    let alice = world.forge.acting_as(user("alice"));
    let comment = alice.comment(world.number, &"/wooo restart env=staging".into()).await.unwrap();
    world.forge.set_permission(user("alice").id, Permission::Read).await.unwrap();
    world.read("main", world.number).await;
    insta::assert_snapshot!(world.answered(&world.forge, world.number, comment.id).await.line(), @r#"eyes down | `restart` needs the right to write to this repository (`auth.forbidden`)."#);
    // And so does a role, once it is merged.
    world.forge.set_permission(user("alice").id, Permission::Write).await.unwrap();
    let folder = world.forge.path().to_owned();
    tokio::task::spawn_blocking(move || edit(&folder, |text| text.replace("'gitea:alice', ", ""))).await.unwrap();
    insta::assert_snapshot!(world.say("alice", "/wooo restart env=staging").await.line(), @r#"down | Thank you. wooo takes commands here only from people who look after this fleet; one of them may do this for you."#);
    assert_eq!(world.count().await, before);
}

/// Without tenants, the right in the repository is the role.
#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_without_tenants_goes_by_the_forge() {
    let world = World::start().await;
    let folder = world.forge.path().to_owned();
    let without = |text: &str| {
        let (before, _) = text.split_once("tenants:").unwrap();
        before.to_owned()
    };
    tokio::task::spawn_blocking(move || edit(&folder, without)).await.unwrap();
    let mut said = String::new();
    for (login, body) in [
        ("vera", "/wooo restart env=staging"),
        ("vera", "/wooo status env=staging"),
        ("mallory", "/wooo status"),
        ("bob", "/wooo restart env=staging"),
    ] {
        said.push_str(&format!("{login}: {}\n", world.say(login, body).await.line()));
    }
    insta::assert_snapshot!(said, @r#"
    vera: eyes down | `restart` needs the role deployer for `shop`; yours is viewer (`auth.forbidden`).
    vera: eyes up | | environment | image | pods | health | hold | / |---|---|---|---|---| / | staging | registry.example/shop:1.0.0 | 1 | not seen |  | / - Onboard shop to staging by local:test: merged
    mallory: down | Thank you. wooo takes commands here only from people who look after this fleet; one of them may do this for you.
    bob: eyes up | Restart shop in staging: accepted as change `{id}`, its merge request will be opened.
    "#);
}
