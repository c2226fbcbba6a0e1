//! The program as a client of a service that runs: a real `wooo serve` with its sandbox, asked over HTTP.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use wooo::store::{AppFilter, AuditFilter, AuditSource, ChangeFilter, DeploymentFilter, Paging, Store};

use super::{Ended, Lab};

/// A service on a data folder of its own.
struct Served {
    lab: Lab,
    process: Option<Child>,
    url: String,
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future)
}

impl Served {
    /// Starts it. It leaves a token for its administrator in `data/admin.token`.
    fn start() -> Self {
        let lab = Lab::new();
        lab.write("wooo.yaml", super::SHOP);
        lab.write("service.yaml", "refresh_seconds: 1\n");
        let mut command = lab.command("serve --config service.yaml --listen 127.0.0.1:0 --data data --output json");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = String::new();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            said.push_str(&line.unwrap());
            if serde_json::from_str::<Value>(&said).is_ok() {
                break;
            }
        }
        let facts: Value = serde_json::from_str(&said).unwrap();
        Self { lab, process: Some(process), url: format!("http://{}", facts["address"].as_str().unwrap()) }
    }

    /// A verb, asked of the service.
    fn ask(&self, words: &str) -> Ended {
        self.lab.run(&format!("{words} --server {} --data data", self.url))
    }

    fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.ask(&format!("{words} --output json")).ok()).unwrap()
    }

    fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let pid = process.id().to_string();
        std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        process.wait().unwrap();
    }

    /// What the database says that Git says too.
    fn dump(&self) -> Value {
        block(async {
            let store = Store::open(&self.lab.path("data/wooo.db").display().to_string()).await.unwrap();
            let paging = Paging::default();
            let apps = store.apps(&AppFilter::default(), &paging).await.unwrap().items;
            let changes = store.changes(&ChangeFilter::default(), &paging).await.unwrap().items;
            let deployments = store.deployments(&DeploymentFilter::default(), &paging).await.unwrap().items;
            let acts = store.audit(&AuditFilter::default(), &paging).await.unwrap().items;
            let mut apps: Vec<Value> = apps
                .iter()
                .map(|app| json!([app.id.to_string(), app.name, app.domain, app.plan, app.tenant, app.framework]))
                .collect();
            let mut changes: Vec<Value> = changes
                .iter()
                .map(|change| {
                    json!({
                        "id": change.id, "app": change.app, "environment": change.environment, "action": change.action,
                        "actor": change.actor, "reason": change.reason, "subject": change.subject,
                        "state": change.state, "outcome": change.outcome, "branch": change.branch,
                        "commit": change.commit_sha, "digest": change.digest, "merge_request": change.merge_request,
                        "merged": change.merged_sha, "intent": change.intent, "tenant": change.tenant,
                        "created_at": change.created_at.as_millisecond(),
                    })
                })
                .collect();
            let mut deployments: Vec<Value> = deployments
                .iter()
                .map(|row| {
                    json!([
                        row.id(),
                        row.version,
                        row.image,
                        row.status.to_string(),
                        row.outcome,
                        row.deployed_by,
                        row.rollback_version,
                        row.deployed_at.as_millisecond(),
                        row.completed_at.map(jiff::Timestamp::as_millisecond)
                    ])
                })
                .collect();
            let mut acts: Vec<Value> = acts
                .iter()
                .filter(|act| act.source == AuditSource::Git)
                .map(|act| json!([act.id.to_string(), act.actor, act.action, act.commit_sha, act.at.as_millisecond()]))
                .collect();
            for rows in [&mut apps, &mut changes, &mut deployments, &mut acts] {
                rows.sort_by_key(Value::to_string);
            }
            store.close().await;
            json!({"apps": apps, "changes": changes, "deployments": deployments, "acts": acts})
        })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

#[test]
fn a_change_is_followed_to_its_end_and_the_index_is_rebuilt_from_git() {
    let mut served = Served::start();
    let change = served.json("onboard wooo.yaml --env staging --reason 'the first' --wait");
    assert_eq!((change["state"].as_str(), change["outcome"].as_str()), (Some("settled"), Some("healthy")));
    // What the fleet says already is no change, and as good as done.
    served.ask("deploy shop registry.example/shop:1.0.0 --env staging --wait").ok();
    let bad = served.ask("deploy shop registry.example/shop:1.1.0-crash --env staging --wait");
    assert_eq!(bad.code, Some(1), "{}{}", bad.stdout, bad.stderr);
    assert!(bad.stdout.contains("degraded"), "{}", bad.stdout);
    served.ask("rollback shop --env staging --reason 'pods crash' --wait").ok();
    served.ask("unhold shop --env staging --wait=merged").ok();
    // Production waits for a person.
    let plan = served.ask("promote shop --env production --dry-run").ok();
    assert!(plan.contains("nothing was written"), "{plan}");
    let late = served.ask("promote shop --env production --wait --timeout 2s");
    assert_eq!(late.code, Some(3), "{}{}", late.stdout, late.stderr);
    let late = late.stderr;
    assert!(late.contains("client.timeout") && late.contains("waits for a person"), "{late}");
    let open = served.json("changes --state proposed");
    let id = open[0]["id"].as_str().unwrap().to_owned();
    served.ask(&format!("close {id} --reason 'not today'")).ok();
    served.ask("promote shop --env production --merge --wait").ok();
    served.ask("configure shop --env staging --set env.DEBUG=no --wait").ok();
    let status = served.ask("status shop").ok();
    assert!(status.contains("registry.example/shop:1.0.0") && status.contains("create_namespace done"), "{status}");
    // A refusal of the service is one of the command line's own.
    let refused = served.ask("deploy blog registry.example/blog:1.0.0 --env staging").refused();
    assert!(refused.contains("error[app.not_found]"), "{refused}");
    let refused = served.ask("scale shop 2 --env nowhere").refused();
    assert!(refused.contains("error[fleet.unknown_environment]"), "{refused}");
    let stranger = served.lab.run(&format!("status --server {}", served.url)).refused();
    assert!(stranger.contains("error[auth.required]") && stranger.contains("WOOO_TOKEN"), "{stranger}");
    served.ask("doctor").ok();
    let acts = served.json("audit shop");
    assert!(acts.as_array().unwrap().iter().any(|act| act["action"] == "rollback"), "{acts}");
    // The next pass over the fleet indexes what Git says of the last change.
    std::thread::sleep(std::time::Duration::from_secs(3));
    served.stop();
    let before = served.dump();
    assert!(before["changes"].as_array().unwrap().len() >= 6, "{before}");
    for name in ["wooo.db", "wooo.db-wal", "wooo.db-shm"] {
        let _gone = std::fs::remove_file(served.lab.path(format!("data/{name}")));
    }
    served.lab.run("reindex --data data").ok();
    let mut before = before;
    // A wish that changed nothing left nothing in Git.
    before["changes"].as_array_mut().unwrap().retain(|change| change["state"] != "unchanged");
    let after = served.dump();
    for part in ["apps", "changes", "deployments", "acts"] {
        let text = |value: &Value| serde_json::to_string_pretty(&value[part]).unwrap();
        let diff = similar::TextDiff::from_lines(text(&before), text(&after)).unified_diff().to_string();
        assert!(diff.is_empty(), "{part}:\n{diff}");
    }
}
