//! What the service costs: 10,000 apps in the index, a list of them at 200 requests a second, a new app until its merge
//! request is open, and a cluster with 20,000 Deployments.
//!
//! `cargo bench --bench service` prints a table; `cargo bench --bench service -- 100 500` does it with 100 apps and 500
//! Deployments. The service and the watching of the cluster are processes of their own, so that their memory is theirs.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up has no result to print"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use wooo::cluster::{ClusterSettings, Clusters, Timing, install_crypto_provider};
use wooo::domain::ClusterName;
use wooo::forge::{LocalForges, User};
use wooo::git::{PreparedBlob, Signature, TreeEdits};
use wooo::operations::batch::Selection;
use wooo::operations::change::Options;
use wooo::operations::place::Place;
use wooo::operations::{Request, init, rerender};
use wooo::sandbox::{ClusterOptions, Sandbox, SandboxOptions, Timings};

/// Requests a second, and for how long.
const RATE: u32 = 200;
const SECONDS: u32 = 20;
/// How many new apps are posted, one after the other.
const NEW_APPS: usize = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    install_crypto_provider();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["observe", url, count] => observe(url, count.parse().expect("a count")),
        [apps, deployments] => {
            table(apps.parse().expect("a count"), deployments.parse().expect("a count"));
        }
        _ => table(10_000, 20_000),
    }
}

fn table(apps: usize, deployments: usize) {
    println!("| what | figure |\n|---|---:|");
    let runtime = Runtime::new().expect("threads");
    service(&runtime, apps);
    cluster(&runtime, deployments);
}

fn row(what: &str, figure: &str) {
    println!("| {what} | {figure} |");
}

fn service(runtime: &Runtime, apps: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    new_fleet(apps, &data);
    let began = Instant::now();
    let first = Process::start(&data);
    first.wait_for_index(apps);
    row(&format!("{apps} apps indexed from Git, at the first start"), &seconds(began.elapsed()));
    drop(first);
    let began = Instant::now();
    let served = Process::start(&data);
    row("start with that index to ready", &seconds(began.elapsed()));
    let mut latencies = runtime.block_on(load(&served.url, &served.token));
    latencies.sort_unstable();
    let at = |share: f64| milliseconds(latencies[((latencies.len() - 1) as f64 * share) as usize]);
    row(&format!("GET /api/apps at {RATE} requests a second for {SECONDS} s: median"), &at(0.5));
    row("the same: p99", &at(0.99));
    row("the same: slowest", &at(1.0));
    row("memory (RSS) of the service after that", &format!("{} MB", served.megabytes("VmRSS:")));
    let mut times: Vec<Duration> = (0..NEW_APPS).map(|number| served.new_app(number)).collect();
    times.sort_unstable();
    row("POST /api/apps to its open merge request: median", &milliseconds(times[NEW_APPS / 2]));
    row("the same: slowest of 20", &milliseconds(times[NEW_APPS - 1]));
    row("memory (RSS) of the service at its peak", &format!("{} MB", served.megabytes("VmHWM:")));
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// `wooo serve` on a data folder, with clusters that do not answer: what they would say is measured apart.
struct Process {
    child: Child,
    url: String,
    token: String,
}

impl Process {
    fn start(data: &Path) -> Self {
        let config = data.join("service.yaml");
        let nowhere = "{url: 'http://127.0.0.1:9'}";
        let text = format!(
            "listen: 127.0.0.1:0\ndata: {}\nclusters: {{staging: {nowhere}, production: {nowhere}}}\n\
             requests_per_minute: {{known: {}}}\n",
            data.display(),
            RATE * 120
        );
        std::fs::write(&config, text).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_wooo"))
            .args(["serve", "--config"])
            .arg(&config)
            .env("WOOO_LOG", "off")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let url = line.split_whitespace().nth(2).expect("a URL").to_owned();
        let client = client();
        while !client.get(format!("{url}/readyz")).send().is_ok_and(|answer| answer.status().is_success()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let token = std::fs::read_to_string(data.join("admin.token")).expect("a token").trim().to_owned();
        Self { child, url, token }
    }

    fn get(&self, path: &str) -> Value {
        let answer = client().get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().expect("JSON")
    }

    fn wait_for_index(&self, apps: usize) {
        let last = format!("app-{:05}", apps - 1);
        while self.get(&format!("/api/apps?q={last}"))["items"].as_array().is_none_or(Vec::is_empty) {
            std::thread::sleep(Duration::from_millis(100));
        }
        while self.get("/api/fleets")["items"][0]["tip"].is_null() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn new_app(&self, number: usize) -> Duration {
        let spec = json!({
            "name": format!("new-{number}"), "framework": "flask", "environment": "staging",
            "image": format!("registry.example/new-{number}:1.0.0"),
        });
        let began = Instant::now();
        let request = client().post(format!("{}/api/apps", self.url)).bearer_auth(&self.token).json(&spec);
        let answer: Value = request.send().expect("an answer").json().expect("JSON");
        let id = answer["change_id"].as_str().unwrap_or_else(|| panic!("it is refused: {answer}")).to_owned();
        loop {
            let change = self.get(&format!("/api/changes/{id}"));
            if !change["merge_request"].is_null() {
                return began.elapsed();
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{change}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn megabytes(&self, field: &str) -> u64 {
        megabytes(&format!("/proc/{}/status", self.child.id()), field)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = Command::new("kill").arg(self.child.id().to_string()).status();
        let _gone = self.child.wait();
    }
}

fn client() -> reqwest::blocking::Client {
    static CLIENT: std::sync::LazyLock<reqwest::blocking::Client> = std::sync::LazyLock::new(|| {
        reqwest::blocking::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a client")
    });
    CLIENT.clone()
}

fn megabytes(status: &str, field: &str) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Asks for pages at a fixed rate, whatever the answers take: a slow answer does not lower the load.
async fn load(url: &str, token: &str) -> Vec<Duration> {
    let client = Arc::new(reqwest::Client::builder().no_proxy().build().expect("a client"));
    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    let mut running = tokio::task::JoinSet::new();
    let mut cursor = String::new();
    for number in 0..RATE * SECONDS {
        tick.tick().await;
        let page = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
        let request = client.get(format!("{url}/api/apps?limit=50{page}")).bearer_auth(token);
        if number % 50 == 0 {
            // Now and then the position in the list changes, as it does for people who page through it.
            let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
            cursor = answer["next"].as_str().unwrap_or_default().to_owned();
            continue;
        }
        running.spawn(async move {
            let began = Instant::now();
            let answer = request.send().await.expect("an answer");
            assert!(answer.status().is_success(), "{}", answer.status());
            let _body = answer.bytes().await.expect("a body");
            began.elapsed()
        });
    }
    running.join_all().await
}

/// A fleet of that many apps on the embedded forge of a data folder, rendered and merged.
fn new_fleet(apps: usize, data: &Path) {
    let forges = LocalForges::new(data.join("repositories"), "http://localhost", Arc::new(jiff::Timestamp::now));
    let name = "fleet".parse().expect("a name");
    let me = User { id: "wooo".parse().expect("an id"), login: "wooo".to_owned() };
    let branch: wooo::git::BranchName = "main".parse().expect("a name");
    let _forge = forges.create(&name, &branch, "1".parse().expect("an id"), me).expect("a repository");
    let start = init::Start {
        url: "http://localhost/git/fleet.git".to_owned(),
        branch,
        bare: true,
        delivery: wooo::domain::fleet::Delivery::Flux,
        provider: wooo::domain::fleet::Provider::K3s,
        secrets: wooo::domain::fleet::SecretBackend::default(),
        alert_webhook: None,
    };
    let path = forges.path(&name);
    init::run(&path, &start, &request()).expect("a fleet");
    let place = Place::open(&path).expect("the fleet");
    let tip = place.tip().expect("a tip");
    let base = place.repository.tree(tip).expect("a tree").id();
    let mut writer = place.repository.writer();
    let mut edits = TreeEdits::new();
    for number in 0..apps {
        let name = format!("app-{number:05}");
        let framework = ["flask", "django", "fastapi", "nodejs", "nextjs", "static", "go"][number % 7];
        let spec = format!("name: {name}\nframework: {framework}\nenv: {{NUMBER: '{number}'}}\n");
        let release = format!("image: registry.example/{name}:1.0.0\n");
        for (file, text) in [("app.yaml", spec), ("staging.yaml", release)] {
            let blob = writer.add(PreparedBlob::new(text.as_bytes())).expect("a blob");
            edits.put(&format!("apps/{name}/{file}"), blob).expect("a path");
        }
    }
    let tree = writer.finish(Some(base), &edits).expect("a tree");
    let (name, email) = request().committer;
    let signature = Signature { name, email, when: request().now };
    let commit = place.repository.commit(tree, &[tip], &signature, "Specs").expect("a commit");
    place.repository.fast_forward(&place.base, commit, Some(tip)).expect("the branch");
    let merge = Options { merge: true, dry_run: false };
    rerender::run(&place, &Selection::default(), &request(), merge, |_| {}).expect("the fleet renders");
}

fn request() -> Request {
    Request {
        actor: "local:bench".to_owned(),
        reason: None,
        now: jiff::Timestamp::from_second(1_800_000_000).expect("a time"),
        committer: ("wooo".to_owned(), "wooo@localhost".to_owned()),
        change_id: None,
    }
}

/// A cluster with that many Deployments, each with its ReplicaSet and pod, watched by a process of its own.
fn cluster(runtime: &Runtime, deployments: usize) {
    let (sandbox, url) = runtime.block_on(async {
        let options = SandboxOptions {
            clusters: vec![ClusterOptions::new("main", [])],
            history: deployments * 20,
            timings: Timings { pod_start: Duration::from_millis(10), ..Timings::default() },
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await.expect("a sandbox");
        let url = sandbox.cluster_url("main").expect("its URL");
        fill(&url, deployments).await;
        (sandbox, url)
    });
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).args(["observe", &url, &deployments.to_string()]).output().expect("it runs");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    runtime.block_on(sandbox.stop());
}

async fn fill(url: &str, deployments: usize) {
    let client = Arc::new(reqwest::Client::builder().no_proxy().build().expect("a client"));
    let mut running = tokio::task::JoinSet::new();
    for number in 0..deployments {
        let name = format!("app-{number:05}");
        let labels = json!({
            "app.kubernetes.io/name": name, "app.kubernetes.io/instance": format!("{name}-staging"),
            "app.kubernetes.io/managed-by": "wooo",
        });
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": format!("app-{name}"), "labels": labels},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": name, "image": format!("registry.example/{name}:1.0.0")}]},
                },
            },
        });
        let request = client.post(format!("{url}/apis/apps/v1/namespaces/app-{name}/deployments")).json(&object);
        running.spawn(async move {
            let answer = request.send().await.expect("an answer");
            assert!(answer.status().is_success(), "{}", answer.status());
        });
        while running.len() >= 32 {
            let _one = running.join_next().await;
        }
    }
    running.join_all().await;
    // Pods come by themselves.
    tokio::time::sleep(Duration::from_secs(10)).await;
}

/// Watches a cluster until all of it is known, and says what that took.
fn observe(url: &str, deployments: usize) {
    let runtime = Runtime::new().expect("threads");
    runtime.block_on(async {
        let name: ClusterName = "main".parse().expect("a name");
        let stop = CancellationToken::new();
        let began = Instant::now();
        let clusters = Clusters::start([(name.clone(), ClusterSettings::at(url, None))], Timing::default(), &stop);
        loop {
            let status = clusters.status(&name).expect("the cluster");
            if status.is_synced && status.deployments >= deployments && status.pods >= deployments {
                row(
                    &format!(
                        "a cluster with {} Deployments, {} ReplicaSets and {} pods: time until it is known",
                        status.deployments, status.replica_sets, status.pods
                    ),
                    &seconds(began.elapsed()),
                );
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(300), "it does not become known: {status:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        row("memory (RSS) of the process that watches it", &format!("{} MB", megabytes("/proc/self/status", "VmRSS:")));
        row("the same at its peak", &format!("{} MB", megabytes("/proc/self/status", "VmHWM:")));
    });
}
