//! A fleet on a forge that is reached over HTTP: `wooo serve` as a process of its own, a real clone and push, merge
//! requests on the forge, and its webhooks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use wooo::domain::fleet::{Delivery, Provider, SecretBackend};
use wooo::forge::{Comments as _, Filter, MergeRequest, MergeRequestState, MergeRequests as _, PageRequest};
use wooo::operations::init;

use super::process::{PATIENCE, Served, Setting};
use crate::forge::conformance::Harness as _;
use crate::forge::fake::gitea::GiteaDialect;
use crate::forge::fake::github::GitHubDialect;
use crate::forge::fake::gitlab::GitLabDialect;
use crate::forge::fake::{Dialect, Remote, TOKEN};
use crate::git::output;

const SECRET: &str = "a secret of webhooks";

/// Puts an empty fleet into the repository, as a platform team pushes it.
fn push_fleet<D: Dialect>(remote: &Remote<D>) {
    let start = init::Start {
        url: "https://forge.example/acme/fleet.git".to_owned(),
        branch: "main".parse().unwrap(),
        bare: false,
        delivery: Delivery::Flux,
        provider: Provider::K3s,
        secrets: SecretBackend::default(),
        alert_webhook: None,
    };
    let clone = remote.world.served.clone_of("human");
    clone.switch("main");
    for (path, content) in init::first_files(&start).unwrap().iter() {
        let file = clone.path.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    output(&clone.path, ["add", "--all"]);
    output(&clone.path, ["commit", "--quiet", "--message", "Start a fleet"]);
    assert!(clone.push(&["main"]).status.success());
}

fn setting<D: Dialect>(remote: &Remote<D>, kind: &str, folder: &std::path::Path) -> Setting {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let more = json!({
        "forges": {"hub": {
            "kind": kind, "url": remote.url(), "token_file": file("token", TOKEN),
            "webhook_secret_files": [file("secret", SECRET)],
        }},
        "fleets": {"main": {"forge": "hub", "repository": "acme/fleet", "id": 4711}},
        "trusted_origins": [remote.world.served.origin()],
        // What happens is told by webhooks alone.
        "refresh_seconds": 3600,
    });
    let more = more.as_object().unwrap().iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
    Setting { data: folder.join("data"), more, ..Setting::default() }
}

fn merge_requests<D: Dialect>(remote: &Remote<D>) -> Vec<MergeRequest> {
    let model = remote.world.model();
    Handle::current().block_on(model.list(&Filter::default(), PageRequest::first())).unwrap().items
}

fn post_app(served: &Served, name: &str, environment: &str) -> String {
    let body = json!({
        "name": name, "framework": "flask", "image": format!("registry.example/{name}:1.0.0"),
        "environment": environment,
    });
    let (status, answer) = served.post("/api/apps", name, &body).unwrap();
    assert_eq!(status, 202, "{answer}");
    answer["change_id"].as_str().unwrap().to_owned()
}

fn until(served: &Served, id: &str, state: &str) -> Value {
    let began = Instant::now();
    loop {
        let change = served.get(&format!("/api/changes/{id}"));
        if change["state"] == state {
            return change;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come to {state}: {change}\n{}", served.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn hmac_hex(body: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body.as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A webhook about a merge request that was merged, as that forge sends it.
fn hook(kind: &str, number: u64) -> (String, Vec<(&'static str, String)>) {
    match kind {
        "gitlab" => {
            let body = json!({
                "object_kind": "merge_request", "event_type": "merge_request", "project": {"id": 4711},
                "object_attributes": {"iid": number, "action": "merge", "state": "merged"},
            });
            let headers = vec![
                ("x-gitlab-event", "Merge Request Hook".to_owned()),
                ("x-gitlab-event-uuid", "9f3c9a3e-0000-4000-8000-000000000001".to_owned()),
                ("x-gitlab-token", SECRET.to_owned()),
            ];
            (body.to_string(), headers)
        }
        _ => {
            let body = json!({
                "action": "closed", "number": number, "pull_request": {"number": number, "merged": true},
                "repository": {"id": 4711, "full_name": "acme/fleet"},
            });
            let (event, delivery, signature, prefix) = match kind {
                "github" => ("x-github-event", "x-github-delivery", "x-hub-signature-256", "sha256="),
                _ => ("x-gitea-event", "x-gitea-delivery", "x-gitea-signature", ""),
            };
            let body = body.to_string();
            let signed = format!("{prefix}{}", hmac_hex(&body));
            let delivery = (delivery, "9f3c9a3e-0000-4000-8000-000000000001".to_owned());
            (body, vec![(event, "pull_request".to_owned()), delivery, (signature, signed)])
        }
    }
}

async fn walk<D: Dialect>(kind: &'static str) {
    let remote = Arc::new(Remote::<D>::new().await);
    let walking = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        push_fleet(&remote);
        let served = Served::start(&setting(&remote, kind, folder.path()), "");
        let doctor = std::process::Command::new(env!("CARGO_BIN_EXE_wooo"))
            .args(["doctor", "--config"])
            .arg(folder.path().join("data/service.yaml"))
            .output()
            .unwrap();
        let found = String::from_utf8_lossy(&doctor.stdout).into_owned();
        assert!(found.contains("fleet main: acme/fleet is reached as wooo"), "{found}");
        assert!(found.contains("`main` asks for no check and no approval before a merge"), "{found}");
        // Staging is merged by wooo, through the forge, and synced.
        let first = served.settled(&post_app(&served, "shop", "staging"));
        assert_eq!(first["outcome"], "healthy", "{first}\n{}", served.log());
        let all = merge_requests(&remote);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].state, MergeRequestState::Merged);
        assert!(all[0].title.contains("shop") && all[0].body.contains("Deployment shop"), "{}", all[0].body);
        let comments = Handle::current().block_on(remote.world.model().comments(all[0].number, PageRequest::first()));
        let told = comments.unwrap().items;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].body.contains("| staging | healthy |"), "{}", told[0].body);
        // Production is merged by a person, and the forge says so.
        let second = post_app(&served, "blog", "production");
        let proposed = until(&served, &second, "proposed");
        Handle::current().block_on(remote.push_to_base(proposed["branch"].as_str().unwrap()));
        let (body, headers) = hook(kind, proposed["merge_request"].as_u64().unwrap());
        let mut request = Served::client().post(format!("{}/webhooks/{kind}", served.url));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.header("content-type", "application/json").body(body).send().unwrap();
        assert_eq!(answer.status().as_u16(), 202, "{}", served.log());
        let settled = served.settled(&second);
        assert_eq!(settled["outcome"], "healthy", "{settled}\n{}", served.log());
        assert!(!served.log().contains(TOKEN) && !served.log().contains(SECRET));
    });
    walking.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_on_github_is_served() {
    walk::<GitHubDialect>("github").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_on_gitlab_is_served() {
    walk::<GitLabDialect>("gitlab").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_on_gitea_is_served() {
    walk::<GiteaDialect>("gitea").await;
}
