//! People at work on a forge whose webhooks are lost, doubled, late and out of order: after quiet and one refresh, what
//! the database says is what the forge says.
//!
//! `WOOO_TEST_HOOK_RUNS=2000` does it that often; `WOOO_TEST_HOOK_SEED=17` begins with that seed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use wooo::cluster::{Clusters, Timing as ClusterTiming};
use wooo::domain::fleet::{Delivery, Provider, SecretBackend};
use wooo::domain::{Action, ChangeState, Intent};
use wooo::forge::hooks::ForgeKind;
use wooo::forge::{
    Body, Comments as _, Filter, LocalForge, LocalForges, MergeRequest, MergeRequestNumber, MergeRequestState,
    MergeRequests as _, PageRequest, User,
};
use wooo::operations::lifecycle::{
    self, Failure, FleetSource, Kind, Next, ServedFleet, Service, Timing, Wish, accept, hear_soon, refresh_soon,
};
use wooo::operations::{Request, init};
use wooo::store::{Change, FleetName, JobCount, JobState, NewDelivery, Store};
use wooo::web::webhooks::HookSource;

use crate::git::git;
use crate::web::hook_world::{SECRET, repository, router, signed, sources};

/// How many things people do in one run.
const ACTS: usize = 10;
/// The apps whose changes they are about. The last one is merged by wooo itself.
const APPS: [(&str, &str); 4] =
    [("shop", "production"), ("blog", "production"), ("wiki", "production"), ("chat", "staging")];
/// Longer than any run: what would be looked at again after this long is not.
const NEVER: Duration = Duration::from_secs(3600);

/// A fleet on a local forge in a folder, and the service with it.
struct World {
    service: Arc<Service>,
    forge: LocalForge,
    router: axum::Router,
}

fn name() -> FleetName {
    "main".parse().unwrap()
}

impl World {
    /// The one in this folder, as it was left, or a new one.
    async fn open(folder: &Path) -> Self {
        let forges = LocalForges::new(folder.join("git"), "http://localhost", Arc::new(jiff::Timestamp::now));
        let me = User { id: "wooo".parse().unwrap(), login: "wooo".to_owned() };
        let repository = "fleet".parse().unwrap();
        let forge = if forges.path(&repository).exists() {
            forges.open(&repository, me).unwrap()
        } else {
            let forge = forges.create(&repository, &"main".parse().unwrap(), "1".parse().unwrap(), me).unwrap();
            start_fleet(forge.path());
            forge
        };
        let fleet = ServedFleet::new(name(), Arc::new(forge.clone()), FleetSource::Folder(forge.path().to_owned()));
        let service = Arc::new(Service {
            store: Store::open(&folder.join("wooo.db").display().to_string()).await.unwrap(),
            fleets: BTreeMap::from([(name(), fleet)]),
            links: Vec::new(),
            clusters: Clusters::start([], ClusterTiming::default(), &CancellationToken::new()),
            committer: ("wooo".to_owned(), "wooo@localhost".to_owned()),
            timing: Timing { observe: NEVER, follow: NEVER, refresh: NEVER, ..Timing::default() },
        });
        let sources: Vec<HookSource> = sources();
        Self { router: router(Arc::clone(&service), sources), service, forge }
    }

    /// The wishes of which the changes come that people then merge, close and open again.
    async fn propose(&self) {
        for (app, environment) in APPS {
            let spec = format!("name: {app}\nframework: flask\nimage: registry.example/{app}:1.0.0\n");
            let action = Action::Onboard { spec, file: "wooo.yaml".to_owned() };
            let intent = Intent { app: app.parse().unwrap(), environment: environment.parse().ok(), action };
            let wish = Wish { fleet: name(), intent, actor: "local:alice".to_owned(), reason: None, notes: Vec::new() };
            accept(&self.service, &wish).await.unwrap();
        }
        // Only as far as the open merge requests: what is queued then is part of what happens at random.
        while let Some(job) = self.service.store.claim("test", &["propose"], NEVER).await.unwrap() {
            lifecycle::propose(&self.service, &job.fence(), &job.payload.parse().unwrap()).await.unwrap();
        }
        refresh_soon(&self.service, &name()).await.unwrap();
        while let Some(job) = self.service.store.claim("test", &["refresh"], NEVER).await.unwrap() {
            lifecycle::refresh(&self.service, &job.fence(), &name()).await.unwrap();
        }
    }

    async fn requests(&self) -> Vec<MergeRequest> {
        let page = self.forge.list(&Filter::default(), PageRequest::first()).await.unwrap();
        page.items
    }

    /// Runs one job, if one is due.
    async fn work(&self) -> bool {
        let store = &self.service.store;
        let kinds = ["hear", "follow", "refresh", "propose", "converse", "observe"];
        let Some(job) = store.claim("test", &kinds, NEVER).await.unwrap() else { return false };
        let fence = job.fence();
        let done = match job.kind.parse::<Kind>().unwrap() {
            Kind::Hear => lifecycle::hear(&self.service, &fence, &job.payload).await,
            Kind::Follow => lifecycle::follow(&self.service, &fence, &job.payload.parse().unwrap()).await,
            Kind::Propose => lifecycle::propose(&self.service, &fence, &job.payload.parse().unwrap()).await,
            Kind::Refresh => lifecycle::refresh(&self.service, &fence, &name()).await,
            // What the cluster says, and what comments ask for, is no matter here.
            Kind::Observe | Kind::Converse | Kind::Prune => Ok(Next::Done),
        };
        match done {
            Ok(Next::Done) => store.complete(&fence).await.unwrap(),
            Ok(Next::Ended) => {}
            Ok(Next::Again(after)) => store.reschedule(&fence, after).await.unwrap(),
            Err(Failure::Lost) => panic!("the lease of {} was lost", job.kind),
            Err(Failure::Problem { problem, is_temporary }) => {
                assert!(is_temporary, "{} fails: {problem}", job.kind);
                store.fail(&fence, &problem.to_string(), Some(Duration::ZERO)).await.map(drop).unwrap();
            }
        }
        true
    }

    async fn work_until_quiet(&self) {
        for _ in 0..1000 {
            if !self.work().await {
                return;
            }
        }
        panic!("the jobs do not come to an end");
    }

    async fn deliver(&self, hook: &Hook) {
        let body = hook.body.to_string();
        let request = signed(ForgeKind::Github, SECRET, hook.event, &hook.delivery, body.as_bytes());
        let answer = self.router.clone().oneshot(request).await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// What differs between the forge and the database.
    async fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        let store = &self.service.store;
        for request in self.requests().await {
            let number = i64::try_from(request.number.0).unwrap();
            let changes = store.changes_of_merge_request(&name(), number).await.unwrap();
            let Some(change) = changes.first() else {
                differences.push(format!("nothing is known of merge request {number}"));
                continue;
            };
            let is_same = match request.state {
                MergeRequestState::Open => change.state == ChangeState::Proposed && change.settled_at.is_none(),
                MergeRequestState::Closed => change.state == ChangeState::Closed && change.settled_at.is_some(),
                MergeRequestState::Merged => {
                    let merged = request.merged.map(|commit| commit.to_string());
                    change.state == ChangeState::Merged && change.merged_sha == merged
                }
            };
            if !is_same {
                let state = change.state;
                differences.push(format!("merge request {number} is {}, and its change {state}", request.state));
            }
        }
        let record = store.fleets().await.unwrap().remove(0);
        let tip = commit(self.forge.path(), "main");
        if record.tip.as_deref() != Some(tip.as_str()) {
            differences.push(format!("main is at {tip}, and the index at {:?}", record.tip));
        }
        let (pending, _) = store.delivery_counts().await.unwrap();
        if pending > 0 {
            differences.push(format!("{pending} deliveries were not read"));
        }
        differences
    }
}

fn start_fleet(folder: &Path) {
    let start = init::Start {
        url: "https://git.example.com/fleet.git".to_owned(),
        branch: "main".parse().unwrap(),
        bare: true,
        delivery: Delivery::Flux,
        provider: Provider::K3s,
        secrets: SecretBackend::default(),
        alert_webhook: None,
    };
    let committer = ("wooo".to_owned(), "wooo@localhost".to_owned());
    let now = jiff::Timestamp::now();
    let request = Request { actor: "local:test".to_owned(), reason: None, now, committer, change_id: None };
    init::run(folder, &start, &request).unwrap();
}

/// What a forge sends.
#[derive(Clone, Debug)]
struct Hook {
    event: &'static str,
    delivery: String,
    body: Value,
}

fn say(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = git(folder, arguments).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

fn commit(folder: &Path, branch: &str) -> String {
    say(folder, &["rev-parse", &format!("refs/heads/{branch}")]).unwrap()
}

/// People, chance, and the wire between the forge and the service.
struct Play<'w> {
    world: &'w World,
    random: StdRng,
    alice: LocalForge,
    wire: Vec<Hook>,
    sent: u64,
    log: Vec<String>,
}

impl Play<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    /// The forge sends something, which is lost, or comes once or several times.
    fn send(&mut self, event: &'static str, body: Value) {
        self.sent += 1;
        if self.chance(30) {
            self.log.push(format!("  {event} is lost"));
            return;
        }
        let mut body = body;
        body["repository"] = json!({"id": repository(ForgeKind::Github).0});
        let hook = Hook { event, delivery: format!("d-{}", self.sent), body };
        for _ in 0..if self.chance(30) { 3 } else { 1 } {
            self.wire.push(hook.clone());
        }
        if self.chance(10) {
            // Sent again by hand it is another delivery.
            self.wire.push(Hook { delivery: format!("{}-again", hook.delivery), ..hook });
        }
    }

    fn pull_request(&mut self, action: &str, request: &MergeRequest) {
        let number = request.number.0;
        self.send("pull_request", json!({"action": action, "number": number, "pull_request": {"number": number}}));
    }

    fn push(&mut self, branch: &str) {
        self.send("push", json!({"ref": format!("refs/heads/{branch}")}));
    }

    /// Somebody does something to one of the merge requests, or to the synced branch.
    async fn act(&mut self) {
        let requests = self.world.requests().await;
        let request = &requests[self.random.random_range(0..requests.len())];
        let folder = self.world.forge.path().to_owned();
        let act = self.random.random_range(0..8);
        let (number, source) = (request.number, request.source.as_str().to_owned());
        let done = match act {
            0 | 1 => {
                let is_done = self.alice.close(number).await.is_ok() && request.state == MergeRequestState::Open;
                if is_done {
                    self.pull_request("closed", request);
                }
                format!("close {number}: {is_done}")
            }
            2 | 3 => {
                let is_done = self.alice.reopen(number).await.is_ok() && request.state == MergeRequestState::Closed;
                if is_done {
                    self.pull_request("reopened", request);
                }
                format!("reopen {number}: {is_done}")
            }
            4 | 5 => {
                let is_done = request.state == MergeRequestState::Open && merge(&folder, &source);
                if is_done {
                    self.push("main");
                    self.pull_request("closed", request);
                }
                format!("merge {number}: {is_done}")
            }
            6 => {
                let branch = if self.chance(50) { "main".to_owned() } else { source };
                let is_done = push(&folder, &branch, self.sent);
                if is_done {
                    self.push(&branch);
                    if branch != "main" {
                        self.pull_request("synchronize", request);
                    }
                }
                format!("push to {branch}: {is_done}")
            }
            _ => {
                self.alice.comment(number, &Body::new("/wooo status")).await.unwrap();
                let issue = json!({"number": number.0, "pull_request": {}});
                self.send("issue_comment", json!({"action": "created", "issue": issue}));
                format!("comment on {number}")
            }
        };
        self.log.push(done);
    }

    /// A delivery comes through, any of those that are on their way.
    async fn receive(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let hook = self.wire.swap_remove(self.random.random_range(0..self.wire.len()));
        self.log.push(format!("  {} {} comes through", hook.event, hook.delivery));
        self.world.deliver(&hook).await;
    }

    async fn run(&mut self) {
        for _ in 0..ACTS {
            self.act().await;
            for _ in 0..self.random.random_range(0..3) {
                self.receive().await;
            }
            for _ in 0..self.random.random_range(0..4) {
                self.world.work().await;
            }
        }
        while !self.wire.is_empty() {
            self.receive().await;
            if self.chance(30) {
                self.world.work().await;
            }
        }
        self.world.work_until_quiet().await;
        refresh_soon(&self.world.service, &name()).await.unwrap();
        self.world.work_until_quiet().await;
    }
}

/// Merges a branch as a forge's button does: a merge commit, or no merge if there is a conflict.
fn merge(folder: &Path, source: &str) -> bool {
    let (Some(main), Some(head)) = (
        say(folder, &["rev-parse", "refs/heads/main"]),
        say(folder, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{source}")]),
    ) else {
        return false;
    };
    let Some(tree) = say(folder, &["merge-tree", "--write-tree", &main, &head]) else { return false };
    let merged = say(folder, &["commit-tree", &tree, "-p", &main, "-p", &head, "-m", "Merge"]).unwrap();
    say(folder, &["update-ref", "refs/heads/main", &merged, &main]).is_some()
}

/// A commit of a person's on a branch.
fn push(folder: &Path, branch: &str, number: u64) -> bool {
    let Some(tip) = say(folder, &["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")]) else {
        return false;
    };
    let tree = format!("{tip}^{{tree}}");
    let next = say(folder, &["commit-tree", &tree, "-p", &tip, "-m", &format!("Note {number}")]).unwrap();
    say(folder, &["update-ref", &format!("refs/heads/{branch}"), &next, &tip]).is_some()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Folders that are gone when the test is, in memory where the system has room for that.
fn folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    let builder = tempfile::Builder::new();
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        builder.tempdir_in(std::env::temp_dir()).unwrap()
    }
}

async fn one(template: &Path, seed: u64) -> Result<(), String> {
    let folder = folder();
    copy(template, folder.path());
    let world = World::open(folder.path()).await;
    let alice = world.forge.acting_as(User { id: "7".parse().unwrap(), login: "alice".to_owned() });
    let mut play =
        Play { world: &world, random: StdRng::seed_from_u64(seed), alice, wire: Vec::new(), sent: 0, log: Vec::new() };
    play.run().await;
    let differences = world.differences().await;
    let log = play.log.join("\n");
    world.service.store.close().await;
    if differences.is_empty() { Ok(()) } else { Err(format!("seed {seed}:\n{log}\n{}", differences.join("\n"))) }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_the_hooks_the_database_ends_as_the_forge_is() {
    let template = folder();
    let first = World::open(template.path()).await;
    first.propose().await;
    assert_eq!(first.requests().await.len(), APPS.len());
    assert_eq!(first.differences().await, Vec::<String>::new());
    first.service.store.close().await;
    let (runs, seed) = (number("WOOO_TEST_HOOK_RUNS", 50), number("WOOO_TEST_HOOK_SEED", 1));
    let mut running = tokio::task::JoinSet::new();
    let mut failures = Vec::new();
    for seed in seed..seed + runs {
        let template = template.path().to_owned();
        running.spawn(async move { one(&template, seed).await });
        if running.len() >= 4 {
            failures.extend(running.join_next().await.unwrap().unwrap().err());
        }
    }
    while let Some(done) = running.join_next().await {
        failures.extend(done.unwrap().err());
    }
    assert!(failures.is_empty(), "{} of {runs} runs differ\n{}", failures.len(), failures[0]);
}

/// A world with open merge requests in which nothing is left to do.
async fn settled(folder: &Path) -> World {
    let world = World::open(folder).await;
    world.propose().await;
    world.work_until_quiet().await;
    world
}

impl World {
    async fn refresh(&self) {
        refresh_soon(&self.service, &name()).await.unwrap();
        self.work_until_quiet().await;
    }

    /// How many jobs of a kind wait.
    async fn queued(&self, kind: &str) -> i64 {
        let counts = self.service.store.job_counts().await.unwrap();
        let is_wanted = |count: &&JobCount| count.kind == kind && count.state == JobState::Queued;
        counts.iter().filter(is_wanted).map(|count| count.count).sum()
    }

    async fn change(&self, number: i64) -> Change {
        self.service.store.changes_of_merge_request(&name(), number).await.unwrap().remove(0)
    }

    async fn push_all(&self, hooks: &[(&'static str, Value)]) {
        for (index, (event, body)) in hooks.iter().enumerate() {
            let mut body = body.clone();
            body["repository"] = json!({"id": repository(ForgeKind::Github).0});
            self.deliver(&Hook { event, delivery: format!("burst-{index}"), body }).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_opened_again_is_followed_again() {
    let folder = folder();
    let world = settled(folder.path()).await;
    let alice = world.forge.acting_as(User { id: "7".parse().unwrap(), login: "alice".to_owned() });
    let number = MergeRequestNumber(1);
    for _ in 0..2 {
        alice.close(number).await.unwrap();
        world.refresh().await;
        let closed = world.change(1).await;
        assert_eq!(closed.state, ChangeState::Closed);
        assert!(closed.settled_at.is_some() && closed.notes.to_string().contains("closed by alice"), "{closed:?}");
        alice.reopen(number).await.unwrap();
        world.refresh().await;
        let open = world.change(1).await;
        assert_eq!((open.state, open.settled_at), (ChangeState::Proposed, None));
        assert!(open.notes.to_string().contains("opened again"), "{}", open.notes);
    }
    // Closed, opened and merged before anybody looked.
    alice.close(number).await.unwrap();
    world.refresh().await;
    alice.reopen(number).await.unwrap();
    let head = alice.get(number).await.unwrap().head;
    assert!(merge(world.forge.path(), alice.get(number).await.unwrap().source.as_str()));
    // No open merge request tells of it, but the synced branch does.
    world.refresh().await;
    let merged = world.change(1).await;
    assert_eq!((merged.state, merged.commit_sha), (ChangeState::Merged, Some(head.to_string())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_about_one_merge_request_is_one_look() {
    let folder = folder();
    let world = settled(folder.path()).await;
    let source = world.forge.get(MergeRequestNumber(2)).await.unwrap().source;
    let mut hooks = Vec::new();
    for _ in 0..30 {
        hooks.push(("pull_request", json!({"action": "edited", "pull_request": {"number": 2}})));
        hooks.push(("push", json!({"ref": format!("refs/heads/{source}")})));
        hooks.push(("push", json!({"ref": "refs/heads/main"})));
        hooks.push(("issue_comment", json!({"action": "created", "issue": {"number": 2, "pull_request": {}}})));
        hooks.push(("pull_request", json!({"action": "edited", "pull_request": {"number": 999}})));
        hooks.push(("push", json!({"ref": "refs/heads/somebody/elses"})));
    }
    world.push_all(&hooks).await;
    assert_eq!(world.service.store.delivery_counts().await.unwrap(), (180, 0));
    assert_eq!(world.queued("hear").await, 1);
    let job = world.service.store.claim("test", &["hear"], NEVER).await.unwrap().unwrap();
    assert_eq!(job.payload, "our-github");
    assert_eq!(lifecycle::hear(&world.service, &job.fence(), &job.payload).await.unwrap(), Next::Ended);
    assert_eq!(world.service.store.delivery_counts().await.unwrap(), (0, 180));
    // The periodic refresh waits for its time anyway; now it comes at once.
    let jobs = [world.queued("follow").await, world.queued("refresh").await, world.queued("converse").await];
    assert_eq!(jobs, [1, 1, 1]);
    let next = world.service.store.claim("test", &["converse"], NEVER).await.unwrap().unwrap();
    assert_eq!(next.payload, "main/2");
    let next = world.service.store.claim("test", &["refresh"], NEVER).await.unwrap();
    assert!(next.is_some(), "the refresh is due");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_delivery_ends_with_its_reason_and_holds_up_nothing() {
    let folder = folder();
    let world = settled(folder.path()).await;
    let store = &world.service.store;
    let bodies = [
        ("garbage", "canary"),
        ("another-fleet", "{\"fleet\": \"gone\", \"merge_requests\": [1]}"),
        ("wrong", "{\"fleet\": \"main\", \"merge_requests\": [\"canary\"]}"),
        ("huge", "{\"fleet\": \"main\", \"merge_requests\": [18446744073709551615]}"),
        ("good", "{\"fleet\": \"main\", \"merge_requests\": [1]}"),
    ];
    let deliveries = bodies.map(|(delivery, body)| NewDelivery {
        source: "our-github".to_owned(),
        delivery: delivery.to_owned(),
        kind: "push".to_owned(),
        body: body.to_owned(),
    });
    let mut tx = store.begin().await.unwrap();
    let ids = tx.insert_deliveries(&deliveries).await.unwrap();
    assert!(tx.insert_deliveries(&deliveries).await.unwrap().iter().all(Option::is_none), "they are there already");
    hear_soon(&mut tx, "our-github").await.unwrap();
    tx.commit().await.unwrap();
    assert!(world.work().await);
    assert_eq!(world.queued("follow").await, 1);
    let mut errors = Vec::new();
    for id in ids {
        let delivery = store.delivery(&id.unwrap()).await.unwrap().unwrap();
        assert!(delivery.processed_at.is_some());
        errors.push(delivery.error);
    }
    let unreadable = Some("it cannot be read".to_owned());
    let gone = Some("this service has no fleet `gone`".to_owned());
    assert_eq!(errors, [unreadable.clone(), gone, unreadable, None, None]);
}
