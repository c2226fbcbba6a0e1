//! What taking webhooks costs: how long a forge waits for its answer at 500 deliveries a second, and whether any is lost at
//! 1,000 a second for a minute, on SQLite and on PostgreSQL, with workers that read them meanwhile.
//!
//! `cargo bench --bench webhook` prints a table; `cargo bench --bench webhook -- 100 5` sends 100 a second for 5 seconds.
//! PostgreSQL is the one of `DATABASE_URL`, whose database has to be empty, or one that is started for this and writes
//! nothing through to the disk. Senders and service share the cores of this machine.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up has no result to print"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wooo::cluster::{Clusters, Timing as ClusterTiming, install_crypto_provider};
use wooo::forge::hooks::ForgeKind;
use wooo::forge::{LocalForges, User};
use wooo::git::NetworkPolicy;
use wooo::jobs::{Workers, WorkersOptions};
use wooo::operations::dns::Resolver;
use wooo::operations::lifecycle::{FleetSource, ServedFleet, Service, Timing};
use wooo::store::{FleetName, Store};
use wooo::web::auth::Routes;
use wooo::web::scout::Scout;
use wooo::web::server::assemble;
use wooo::web::state::{AppState, StateParts};
use wooo::web::webhooks::{HookSource, Hooks};

#[path = "../tests/it/postgres.rs"]
#[expect(dead_code, reason = "the tests stop and start it too")]
mod postgres;

const SECRET: &str = "the secret of a benchmark";
/// As long as what GitHub sends about a pull request.
const BODY: usize = 20 << 10;
/// How long the work on what was sent may take after the last answer.
const BACKLOG: Duration = Duration::from_secs(120);

fn main() {
    let arguments: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let loads = match arguments.as_slice() {
        [rate, seconds] => vec![(*rate, *seconds)],
        _ => vec![(500, 20), (1000, 60)],
    };
    install_crypto_provider();
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    println!(
        "| database | deliveries | median | p99 | slowest | kept | all read after |\n|---|---|---:|---:|---:|---:|---:|"
    );
    for &(rate, seconds) in &loads {
        let folder = tempfile::tempdir().expect("a folder");
        let address = folder.path().join("wooo.db").display().to_string();
        runtime.block_on(run("SQLite", &address, folder.path(), rate, seconds));
    }
    for &(rate, seconds) in &loads {
        let folder = tempfile::tempdir().expect("a folder");
        let address = std::env::var("DATABASE_URL").unwrap_or_else(|_| postgres::Postgres::shared().database());
        runtime.block_on(run("PostgreSQL", &address, folder.path(), rate, seconds));
    }
}

/// A service with one fleet, on a port of its own, with workers.
async fn serve(address: &str, folder: &Path, stop: &CancellationToken) -> (Store, String) {
    let store = Store::open(address).await.expect("a database");
    let forges = LocalForges::new(folder.join("git"), "http://localhost", Arc::new(jiff::Timestamp::now));
    let me = User { id: "wooo".parse().expect("an id"), login: "wooo".to_owned() };
    let names = ("fleet".parse().expect("a name"), "main".parse().expect("a name"));
    let forge = forges.create(&names.0, &names.1, "1".parse().expect("an id"), me).expect("a repository");
    let fleet: FleetName = "main".parse().expect("a name");
    let source = FleetSource::Folder(forge.path().to_owned());
    let service = Arc::new(Service {
        store: store.clone(),
        fleets: BTreeMap::from([(fleet.clone(), ServedFleet::new(fleet.clone(), Arc::new(forge), source))]),
        links: Vec::new(),
        clusters: Clusters::start([], ClusterTiming::default(), stop),
        committer: ("wooo".to_owned(), "wooo@localhost".to_owned()),
        timing: Timing::default(),
    });
    tokio::spawn(Workers::new(Arc::clone(&service), WorkersOptions::new("bench")).run(stop.clone()));
    let hook = HookSource {
        kind: ForgeKind::Github,
        source: "github".to_owned(),
        repository: "424242".parse().expect("an id"),
        fleet,
        secrets: vec![SECRET.into()],
    };
    let parts = StateParts {
        service,
        resolver: Resolver::new(None).expect("name servers"),
        scout: Scout::new(NetworkPolicy::default(), 1),
        prometheus: BTreeMap::new(),
        public_url: "http://localhost".to_owned(),
        is_sandbox: true,
        runs_workers: true,
    };
    let state = AppState::with_hooks(parts, Hooks::new([hook]).expect("a secret"));
    let router = assemble(&state, Routes::new(), |router| router, None).router;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/webhooks/github", listener.local_addr().expect("its number"));
    let stop = stop.clone();
    tokio::spawn(async move {
        let ended = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        ended.expect("it serves");
    });
    (store, url)
}

/// The bodies of deliveries about a hundred merge requests, signed.
fn bodies() -> Vec<(Bytes, String)> {
    let key = hmac::Key::new(HMAC_SHA256, SECRET.as_bytes());
    let text = include_str!("../fixtures/payloads/github/pull_request_closed.json");
    let bodies = (1..=100).map(|number| {
        let mut text = text.replace("\"number\": 7", &format!("\"number\": {number}"));
        text.extend(std::iter::repeat_n(' ', BODY.saturating_sub(text.len())));
        let mac = hmac::sign(&key, text.as_bytes());
        let hex: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        (Bytes::from(text), format!("sha256={hex}"))
    });
    bodies.collect()
}

async fn run(name: &str, address: &str, folder: &Path, rate: u32, seconds: u32) {
    let stop = CancellationToken::new();
    let (store, url) = serve(address, folder, &stop).await;
    let before = kept(&store).await;
    let mut latencies = load(&url, rate, seconds).await;
    let ended = Instant::now();
    let sent = latencies.len();
    latencies.sort_unstable();
    let at = |share: f64| format!("{:.1} ms", latencies[((sent - 1) as f64 * share) as usize].as_secs_f64() * 1000.0);
    let kept = kept(&store).await - before;
    assert_eq!(usize::try_from(kept).expect("a count"), sent, "deliveries that were answered are lost");
    while store.delivery_counts().await.expect("a count").0 > 0 {
        assert!(ended.elapsed() < BACKLOG, "the deliveries are not read");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let read = format!("{:.1} s", ended.elapsed().as_secs_f64());
    let what = format!("{rate} a second for {seconds} s");
    println!("| {name} | {what} | {} | {} | {} | {kept} of {sent} | {read} |", at(0.5), at(0.99), at(1.0));
    stop.cancel();
    store.close().await;
}

async fn kept(store: &Store) -> i64 {
    let (pending, processed) = store.delivery_counts().await.expect("a count");
    pending + processed
}

/// Sends at a fixed rate, whatever the answers take: a slow answer does not lower the load, and each is measured from
/// the moment at which it was to be sent.
async fn load(url: &str, rate: u32, seconds: u32) -> Vec<Duration> {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let bodies = bodies();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..rate * seconds {
        let due = tick.tick().await;
        let (body, signature) = &bodies[number as usize % bodies.len()];
        let request = client
            .post(url)
            .header("content-type", "application/json")
            .header("x-github-event", "pull_request")
            .header("x-github-delivery", uuid::Uuid::new_v4().to_string())
            .header("x-hub-signature-256", signature)
            .body(body.clone());
        running.spawn(async move {
            let answer = request.send().await.expect("an answer");
            let time = due.elapsed();
            let status = answer.status().as_u16();
            assert_eq!(status, 202, "{}", answer.text().await.unwrap_or_default());
            time
        });
    }
    running.join_all().await
}
