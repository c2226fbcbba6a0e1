//! How many merge requests are open at once, which of them end by themselves, and which are made anew.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wooo::files::FileTree as _;
use wooo::git::{PreparedBlob, Repository, Signature, Trailers, TreeEdits, message};

use super::api_world::World;

const PERSON: &str = "deployer@growth";
const PIPELINE: &str = "ci/deployer@growth";

fn notes(change: &Value) -> Vec<&str> {
    change["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect()
}

/// The change as soon as it says that it waits.
async fn waits(world: &World, id: &str) -> Value {
    for _ in 0..200 {
        let heard = world.get("admin", &format!("/api/changes/{id}")).await.expect(200);
        assert_eq!(heard.body["state"], "accepted", "it does not wait: {}", heard.text);
        if notes(&heard.body).iter().any(|note| note.starts_with("waits: ")) {
            return heard.body;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{id} does not say that it waits");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_so_many_open_merge_requests_and_the_next_one_waits_its_turn() {
    let world = World::with("{merge_requests: {open: 1}}", Arc::new(Timestamp::now)).await;
    let (_, first) = world.onboard(PERSON, "shop").await;
    world.until(&first, "proposed").await;
    let (_, second) = world.onboard(PERSON, "event-system").await;
    let waiting = waits(&world, &second).await;
    assert_eq!(
        notes(&waiting).last(),
        Some(&"waits: 1 of at most 1 merge requests of tenant growth are open; merge or close one")
    );
    // Another tenant is not held up.
    let (_, other) = world.onboard("deployer@core", "blog").await;
    world.until(&other, "proposed").await;
    world.post(PERSON, &format!("/api/changes/{first}/close"), json!({})).await.expect(200);
    let proposed = world.until(&second, "proposed").await;
    assert!(notes(&proposed).iter().all(|note| !note.starts_with("waits: ")), "{proposed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_open_so_many_an_hour_and_people_as_many_as_they_like() {
    let world = World::with("{merge_requests: {per_hour: 1}}", Arc::new(Timestamp::now)).await;
    let (_, first) = world.onboard(PIPELINE, "shop").await;
    world.until(&first, "proposed").await;
    let (_, second) = world.onboard(PIPELINE, "event-system").await;
    let waiting = waits(&world, &second).await;
    assert_eq!(
        notes(&waiting).last(),
        Some(&"waits: pipelines have opened 1 of at most 1 merge requests of tenant growth within the hour")
    );
    for app in ["app-0", "app-1"] {
        let (_, change) = world.onboard(PERSON, app).await;
        world.until(&change, "proposed").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_means_no_to_a_pipeline_until_a_person_asks() {
    let world = World::start().await;
    let (_, first) = world.onboard(PIPELINE, "shop").await;
    let url = world.until(&first, "proposed").await["merge_request_url"].as_str().unwrap().to_owned();
    world.post(PERSON, &format!("/api/changes/{first}/close"), json!({"reason": "not now"})).await.expect(200);
    let (_, again) = world.onboard(PIPELINE, "shop").await;
    assert_ne!(again, first);
    let ended = world.until(&again, "closed").await;
    let expected = format!("{url} with the same content was closed, which means no; a person can ask again");
    assert_eq!(notes(&ended).last(), Some(&expected.as_str()));
    let (_, asked) = world.onboard(PERSON, "shop").await;
    world.until(&asked, "proposed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_looks_at_is_closed_with_the_reason() {
    // On this forge everything happened forty days ago.
    let clock = Arc::new(|| Timestamp::now() - SignedDuration::from_hours(40 * 24));
    let world = World::with("{merge_requests: {stale_days: 30}}", clock).await;
    let (_, change) = world.onboard(PERSON, "shop").await;
    let ended = world.until(&change, "closed").await;
    assert_eq!(
        notes(&ended).last(),
        Some(&"nothing has happened here for 30 days; ask for it again if it is still wanted")
    );
    // wooo has closed it, and nobody has said no.
    let (_, again) = world.onboard(PIPELINE, "shop").await;
    let ended = world.until(&again, "closed").await;
    assert!(notes(&ended).last().unwrap().starts_with("nothing has happened"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_made_anew_when_somebody_edits_the_same_file() {
    let world = World::start().await;
    let (app, first) = world.onboard(PERSON, "shop").await;
    world.until(&first, "proposed").await;
    world.post(PERSON, &format!("/api/changes/{first}/merge"), json!({})).await.expect(202);
    world.until(&first, "merged").await;
    let patch = json!({"environment": "production", "env": {"TZ": "Asia/Taipei"}});
    let asked = world.ask(PERSON, "PATCH", &format!("/api/apps/{app}"), &[], Some(patch)).await.expect(202);
    let id = asked.body["id"].as_str().unwrap();
    let before = world.until(id, "proposed").await;
    let file = before["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap());
    let file = file.into_iter().find(|file| file.starts_with("apps/")).unwrap().to_owned();
    // Something else that goes on does not concern it.
    edit(&world, "README.md", "nothing\n");
    refresh(&world).await;
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(world.until(id, "proposed").await["commit"], before["commit"]);
    edit(&world, &file, "replicas: 3\n");
    refresh(&world).await;
    let mut after = before.clone();
    for _ in 0..100 {
        after = world.get(PERSON, &format!("/api/changes/{id}")).await.expect(200).body;
        if after["commit"] != before["commit"] {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_ne!(after["commit"], before["commit"], "{after}");
    assert_eq!((&after["merge_request"], &after["state"]), (&before["merge_request"], &json!("proposed")));
    let repository = Repository::open(world.repository()).unwrap();
    let commit = after["commit"].as_str().unwrap().parse().unwrap();
    assert_eq!(repository.commit_info(commit).unwrap().parents, [repository.tip(&"main".parse().unwrap()).unwrap()]);
    let text = repository.tree(commit).unwrap().read_text(&file, 1 << 20).unwrap();
    assert!(text.contains("replicas: 3") && text.contains("Asia/Taipei"), "{text}");
}

async fn refresh(world: &World) {
    world.post("admin", "/api/fleets/main/refresh", json!({})).await.expect(202);
}

/// A person's commit on the synced branch: a line at the end of a file.
fn edit(world: &World, file: &str, line: &str) {
    let repository = Repository::open(world.repository()).unwrap();
    let base = "main".parse().unwrap();
    let tip = repository.tip(&base).unwrap();
    let tree = repository.tree(tip).unwrap();
    let text = tree.read_text_if_present(file, 1 << 20).unwrap().unwrap_or_default();
    let mut writer = repository.writer();
    let blob = writer.add(PreparedBlob::new(format!("{text}{line}").as_bytes())).unwrap();
    let mut edits = TreeEdits::new();
    edits.put(file, blob).unwrap();
    let written = writer.finish(Some(tree.id()), &edits).unwrap();
    let who = Signature { name: "t".to_owned(), email: "t@localhost".to_owned(), when: Timestamp::now() };
    let commit = repository.commit(written, &[tip], &who, &message("Edit by hand", "", &Trailers::new())).unwrap();
    repository.fast_forward(&base, commit, Some(tip)).unwrap();
}
