//! What forges send, event by event: what is made of it, what is kept of it, and that nothing of it is ever an error.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wooo::forge::hooks::ForgeKind;
use wooo::store::Store;
use wooo::web::webhooks::HookSource;

use super::hook_world::{Inbox, SECRET, hex_mac, repository, signed, sources, unsigned, with};

const BRANCH: &str = "wooo/shop/production/deploy-3f2a91c4";
/// What the fixtures hide in comments and variables.
const CANARY: &str = "canary-9f3e";

/// The header of a fixture, and what it says has changed.
fn expected(kind: ForgeKind, name: &str) -> (&'static str, Value) {
    let (request, comment) = (json!({"merge_requests": [7]}), json!({"comments": [7]}));
    let (branch, base, nothing) = (json!({"branches": [BRANCH]}), json!({"branches": ["main"]}), json!({}));
    match (kind, name) {
        (ForgeKind::Github, "ping") => ("ping", nothing),
        (ForgeKind::Github, "star_created") => ("star", nothing),
        (ForgeKind::Github, "installation_created") => ("installation", nothing),
        (ForgeKind::Github, "status") => ("status", branch),
        (ForgeKind::Github, "check_run_completed") => ("check_run", request),
        (ForgeKind::Github, "check_suite_completed") => ("check_suite", request),
        (ForgeKind::Github, "pull_request_review_submitted") => ("pull_request_review", request),
        (ForgeKind::Gitea, "pull_request_approved") => ("pull_request_approved", request),
        (ForgeKind::Gitea, "pull_request_review_comment") => ("pull_request_comment", request),
        (ForgeKind::Gitea, "fork") => ("fork", nothing),
        (ForgeKind::Gitlab, "note_created") => ("Note Hook", comment),
        (ForgeKind::Gitlab, "pipeline_of_merge_request") => ("Pipeline Hook", request),
        (ForgeKind::Gitlab, "pipeline_of_branch") => ("Pipeline Hook", branch),
        (ForgeKind::Gitlab, "build") => ("Job Hook", branch),
        (ForgeKind::Gitlab, "push_branch_deleted") => ("Push Hook", branch),
        (ForgeKind::Gitlab, name) if name.starts_with("merge_request_") => ("Merge Request Hook", request),
        (ForgeKind::Gitlab, "push_base") => ("Push Hook", base),
        (ForgeKind::Gitlab, "push_branch") => ("Push Hook", branch),
        (ForgeKind::Gitlab, _) => ("System Hook", nothing),
        (_, name) if name.starts_with("pull_request_") => ("pull_request", request),
        (_, "push_base") => ("push", base),
        (_, "push_branch") => ("push", branch),
        (_, "push_tag") => ("push", nothing),
        (_, "create_branch") => ("create", branch),
        (_, "create_tag") => ("create", nothing),
        (_, "delete_branch") => ("delete", branch),
        (_, "issue_comment_created") => ("issue_comment", comment),
        (_, name) if name.starts_with("issue_comment_") => ("issue_comment", nothing),
        (_, name) => panic!("nothing is expected of {kind}/{name}.json"),
    }
}

fn fixtures(kind: ForgeKind) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/payloads").join(kind.to_string());
    json_files(&folder).into_iter().map(|path| (stem(&path), std::fs::read(&path).unwrap())).collect()
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_event_is_reduced_to_what_changed_and_nothing_else_is_kept() {
    let inbox = Inbox::new(Store::open("sqlite::memory:").await.unwrap());
    for kind in [ForgeKind::Github, ForgeKind::Gitlab, ForgeKind::Gitea] {
        let fixtures = fixtures(kind);
        assert!(fixtures.len() >= 15, "{kind}");
        for (name, body) in fixtures {
            let (event, changed) = expected(kind, &name);
            let heard = inbox.send(signed(kind, SECRET, event, &name, &body)).await;
            let (status, word) = if changed == json!({}) { (200, "ignored") } else { (202, "queued") };
            assert_eq!((heard.status, &heard.body["status"]), (status, &json!(word)), "{kind}/{name}: {}", heard.text);
            let named = format!("{}:{name}", repository(kind).0);
            let kept = inbox.store.delivery_named(&format!("our-{kind}"), &named).await.unwrap().unwrap();
            let mut hint: Value = serde_json::from_str(&kept.content.body).unwrap();
            assert_eq!(hint.as_object_mut().unwrap().remove("fleet"), Some(json!("main")), "{kind}/{name}");
            assert_eq!(hint, changed, "{kind}/{name}");
            assert_eq!(kept.processed_at.is_some(), changed == json!({}), "{kind}/{name}");
            assert_eq!(kept.error, None, "{kind}/{name}");
            assert!(!kept.content.body.contains(CANARY), "{kind}/{name}: {}", kept.content.body);
        }
    }
}

/// What Forgejo sends is what Gitea sends, under names of its own besides those of Gitea.
#[tokio::test]
async fn forgejo_is_understood() {
    let inbox = Inbox::new(Store::open("sqlite::memory:").await.unwrap());
    let body = std::fs::read("fixtures/payloads/gitea/pull_request_closed.json").unwrap();
    let mac = hex_mac(SECRET, &body);
    let forgejo = || {
        let mut request = unsigned(ForgeKind::Gitea, "other", "other", &body);
        for name in ["x-gitea-event", "x-gitea-delivery"] {
            request.headers_mut().remove(name);
        }
        let own = [("x-forgejo-event", "pull_request"), ("x-forgejo-delivery", "f-1"), ("x-forgejo-signature", &mac)];
        with(request, &own)
    };
    assert_eq!(inbox.send(forgejo()).await.status, 202);
    assert_eq!(inbox.send(with(forgejo(), &[("x-gitea-signature", &mac)])).await.body["status"], "duplicate");
    let both = with(forgejo(), &[("x-gitea-signature", &hex_mac("another secret than that", &body))]);
    assert_eq!(inbox.send(both).await.status, 403);
}

/// All examples of GitHub's own collection, which `.ci/run` brings, through the whole service: each is written down, and
/// is read or counted as unknown.
#[tokio::test]
async fn githubs_own_examples_are_taken() {
    let folder = std::env::var("WOOO_TEST_WEBHOOK_EXAMPLES")
        .expect("WOOO_TEST_WEBHOOK_EXAMPLES names the folder of GitHub's examples, which .ci/run brings");
    let mut examples: Vec<(String, Value)> = Vec::new();
    for index in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path().join("index.json")) {
        let Ok(text) = std::fs::read_to_string(index) else { continue };
        for kind in serde_json::from_str::<Vec<Value>>(&text).unwrap() {
            let name = kind["name"].as_str().unwrap();
            examples.extend(kind["examples"].as_array().unwrap().iter().map(|one| (name.to_owned(), one.clone())));
        }
    }
    assert!(examples.len() > 500, "{} examples", examples.len());
    let ids: BTreeSet<u64> = examples.iter().filter_map(|(_, one)| one["repository"]["id"].as_u64()).collect();
    let source = |id: &u64| HookSource { repository: id.to_string().parse().unwrap(), ..sources().remove(0) };
    let inbox = Inbox::with(Store::open("sqlite::memory:").await.unwrap(), ids.iter().map(source).collect());
    let (mut queued, mut words) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    for (number, (event, example)) in examples.iter().enumerate() {
        let request = signed(ForgeKind::Github, SECRET, event, &number.to_string(), example.to_string().as_bytes());
        let heard = inbox.send(request).await;
        assert!((200..300).contains(&heard.status), "{event}: {}\n{example:#}", heard.text);
        let word = heard.body["status"].as_str().unwrap().to_owned();
        assert!(word == "queued" || word == "ignored", "{event} is {word}: {example:#}");
        if word == "queued" {
            queued.insert(event.as_str());
        }
        *words.entry(word).or_default() += 1;
    }
    let (pending, processed) = inbox.store.delivery_counts().await.unwrap();
    assert_eq!(pending + processed, i64::try_from(examples.len()).unwrap(), "{words:?}");
    // All comments of the collection are on issues, and all made refs are tags.
    for event in ["check_run", "check_suite", "pull_request", "pull_request_review", "push", "status"] {
        assert!(queued.contains(event), "no example of {event} is understood: {queued:?}");
    }
}
