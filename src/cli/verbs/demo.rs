//! `wooo demo`: the whole loop on embedded parts, told in the terminal.
//!
//! Nothing here is played: the fleet is a Git repository, the merge requests are on the embedded forge, the clusters are
//! embedded API servers that a controller syncs, and each step is told only once the service has seen it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::JoinHandle;

use crate::cli::args::DemoArgs;
use crate::cli::output::Printer;
use crate::cli::service::{Assembled, ServiceSettings, assemble};
use crate::domain::{Action, AppName, ChangeId, ChangeState, EnvironmentName, Intent, Outcome, Problem, Problems};
use crate::operations::audit;
use crate::operations::lifecycle::{self, Wish};
use crate::store::{Change, FleetName};

/// How long a step may take before the demo says that it was not seen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a change.
const LOOK: Duration = Duration::from_millis(50);

/// The app of the demo. Its image's name is all that the embedded cluster needs to know how it behaves.
const SPEC: &str = "name: event-system
display_name: 活動報名網站
domain: event.wooo.work
framework: flask
plan: standard
image: registry.example/event-system:1.4.2
replicas: 2
env: {TZ: Asia/Taipei}
metrics_path: /metrics
";
const GOOD: &str = "registry.example/event-system:1.4.2";
/// A tag that ends like this crashes in the embedded cluster.
const BAD: &str = "registry.example/event-system:1.5.0-crash";

pub(in crate::cli) fn run(args: &DemoArgs, printer: &Printer) -> Result<bool, Problems> {
    let folder = tempfile::tempdir()
        .map_err(|error| Problem::new("files.unwritable", format!("no temporary folder can be made: {error}")))?;
    let settings = ServiceSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: args.data.clone().unwrap_or_else(|| folder.path().join("wooo-data")),
        refresh_seconds: 2,
        ..ServiceSettings::default()
    };
    let runtime = super::serve::runtime()?;
    runtime.block_on(async {
        let assembled = assemble(&settings, settings.listen).await?;
        let workers = tokio::spawn(assembled.workers(&settings).run(assembled.stop.clone()));
        let told = Demo::new(&assembled, printer)?.tell().await;
        let told = match told {
            Ok(()) if !args.once => stay(&assembled, printer).await,
            told => told,
        };
        end(assembled, workers).await;
        told.map(|()| true)
    })
}

async fn end(assembled: Assembled, workers: JoinHandle<()>) {
    assembled.stop.cancel();
    let _ended = tokio::time::timeout(Duration::from_secs(5), workers).await;
    assembled.shut_down().await;
}

/// Keeps the parts running for whoever wants to look around.
async fn stay(assembled: &Assembled, printer: &Printer) -> Result<(), Problems> {
    let path = assembled.forges.root().join("fleet.git");
    printer.raw(&format!("\nEverything keeps running until Ctrl-C. Look around:\n  git clone {}\n", path.display()));
    if let Some(sandbox) = &assembled.sandbox {
        printer.raw(&format!("  kubectl --server {} get pods --all-namespaces\n", sandbox.url()));
    }
    tokio::signal::ctrl_c().await.map_err(|error| Problem::new("service.interrupted", error.to_string()).into())
}

struct Demo<'a> {
    assembled: &'a Assembled,
    printer: &'a Printer,
    fleet: FleetName,
    app: AppName,
    began: Instant,
}

/// What a step is expected to come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expected {
    Outcome(Outcome),
    Waiting,
}

impl<'a> Demo<'a> {
    fn new(assembled: &'a Assembled, printer: &'a Printer) -> Result<Self, Problem> {
        let name = |error: &dyn std::fmt::Display| Problem::new("demo.failed", error.to_string());
        let fleet = "main".parse().map_err(|error| name(&error))?;
        let app = "event-system".parse().map_err(|error| name(&error))?;
        Ok(Self { assembled, printer, fleet, app, began: Instant::now() })
    }

    async fn tell(&self) -> Result<(), Problems> {
        self.line(
            "A fleet repository, a forge with merge requests, and two clusters, all in this process (a sandbox).",
        );
        let onboard = Action::Onboard { spec: SPEC.to_owned(), file: "wooo.yaml".to_owned() };
        self.heading("1. An app comes on board: ten lines of wooo.yaml");
        self.line(SPEC.trim_end());
        self.change("staging", onboard, "the demo begins", Expected::Outcome(Outcome::Healthy)).await?;
        self.heading("2. It is promoted: production waits for a person");
        let id = self.change("production", Action::Promote, "ready for everybody", Expected::Waiting).await?;
        self.line("a person merges it");
        lifecycle::merge(&self.assembled.service, &id, "local:you", None).await?;
        self.follow(&id, Expected::Outcome(Outcome::Healthy)).await?;
        self.heading("3. A bad image is deployed");
        let deploy = Action::Deploy { image: BAD.parse().map_err(|error| failed(&error))? };
        self.change("staging", deploy, "the new checkout", Expected::Outcome(Outcome::Degraded)).await?;
        self.heading("4. It is rolled back, by Git");
        let back = Action::Rollback { to: None };
        self.change("staging", back, "pods crash", Expected::Outcome(Outcome::Healthy)).await?;
        self.check_image().await?;
        self.heading("What was done, from Git alone");
        self.history().await?;
        self.line(&format!("\nThe whole loop took {:.1} s.", self.began.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Asks for a change and tells its life until it comes to what is expected.
    async fn change(
        &self,
        environment: &str,
        action: Action,
        reason: &str,
        expected: Expected,
    ) -> Result<ChangeId, Problems> {
        let environment: EnvironmentName = environment.parse().map_err(|error| failed(&error))?;
        let wish = Wish {
            fleet: self.fleet.clone(),
            intent: Intent { app: self.app.clone(), environment: Some(environment), action },
            actor: "local:you".to_owned(),
            reason: Some(reason.to_owned()),
            notes: Vec::new(),
        };
        let accepted = lifecycle::accept(&self.assembled.service, &wish).await?;
        self.step(&format!("accepted: {}", accepted.change.subject.as_deref().unwrap_or_default()));
        self.follow(&accepted.change.id, expected).await?;
        Ok(accepted.change.id)
    }

    async fn follow(&self, id: &ChangeId, expected: Expected) -> Result<(), Problems> {
        let deadline = Instant::now() + PATIENCE;
        let mut last: Option<Change> = None;
        let mut waits_for = String::new();
        loop {
            let store = &self.assembled.service.store;
            let change = store.change(id).await?;
            let change = change.ok_or_else(|| Problem::new("demo.failed", "the change is gone"))?;
            // A change may be merged before anybody has seen it open.
            if let (Some(number), true) =
                (change.merge_request, last.as_ref().is_none_or(|last| last.merge_request.is_none()))
            {
                self.tell_merge_request(number, &change);
            }
            if last.as_ref().map(|last| last.state) != Some(change.state) {
                self.tell_state(&change);
            }
            for row in store.deployments_of(id).await? {
                let now = row.told("waits_for").unwrap_or_default();
                if !now.is_empty() && now != waits_for {
                    self.step(&format!("{}: waiting: {now}", row.environment));
                    waits_for = now.to_owned();
                }
                if let (Some(outcome), true) = (row.outcome, change.state == ChangeState::Settled) {
                    let reason = row.told("reason").unwrap_or_default();
                    self.step(&format!("{}: {outcome}: {reason}", row.environment));
                }
            }
            let is_there = match expected {
                Expected::Outcome(outcome) => change.state == ChangeState::Settled && change.outcome == Some(outcome),
                Expected::Waiting => change.state == ChangeState::Proposed,
            };
            if is_there {
                return Ok(());
            }
            if change.state.is_final() || Instant::now() > deadline {
                let detail =
                    format!("expected {expected:?}, and the change is {} ({:?})", change.state, change.outcome);
                return Err(Problem::new("demo.not_seen", detail).into());
            }
            last = Some(change);
            tokio::time::sleep(LOOK).await;
        }
    }

    fn tell_merge_request(&self, number: i64, change: &Change) {
        let branch = change.branch.as_deref().unwrap_or_default();
        self.step(&format!("merge request {number}: commit {} on {branch}", short(change.commit_sha.as_deref())));
    }

    fn tell_state(&self, change: &Change) {
        match change.state {
            ChangeState::Accepted | ChangeState::Proposed | ChangeState::Settled => {}
            ChangeState::Merged => self.step(&format!("merged as {}", short(change.merged_sha.as_deref()))),
            other => self.step(&format!("{other}")),
        }
    }

    /// What the cluster runs in the end, asked of the cluster itself.
    async fn check_image(&self) -> Result<(), Problems> {
        let service = &self.assembled.service;
        let app = service.store.app_named(&self.fleet, &self.app).await?;
        let app = app.ok_or_else(|| Problem::new("demo.failed", "the app is not in the index"))?;
        let placements = service.store.placements(&app.id).await?;
        let staging = placements.iter().find(|placement| placement.environment.as_str() == "staging");
        match staging.and_then(|placement| placement.seen.detail.as_ref()) {
            Some(detail) if detail.to_string().contains(GOOD) => {
                self.step(&format!("staging runs {GOOD} again, and is held there until `wooo unhold`"));
                Ok(())
            }
            _ => Err(Problem::new("demo.not_seen", format!("the cluster does not run {GOOD}")).into()),
        }
    }

    async fn history(&self) -> Result<(), Problems> {
        let fleet = self.assembled.service.fleet(&self.fleet)?;
        let acts = fleet.with_place(|place| audit::run(place, None, 10)).await?;
        for act in acts.iter().rev() {
            let commit = act.commit.get(..10).unwrap_or_default();
            self.line(&format!("  {commit}  {:<10}  {:<10}  {}", act.actor, act.action, act.subject));
        }
        Ok(())
    }

    fn heading(&self, text: &str) {
        self.printer.answer(&serde_json::json!({ "chapter": text }), |page| {
            page.line("");
            page.heading(text);
        });
    }

    fn line(&self, text: &str) {
        self.printer.answer(&serde_json::json!({ "text": text }), |page| page.line(text));
    }

    fn step(&self, text: &str) {
        let after = self.began.elapsed().as_secs_f64();
        let at = Timestamp::now();
        self.printer.answer(&serde_json::json!({ "at": at, "step": text }), |page| {
            page.line(format!("  {after:>5.1}s  {text}"));
        });
    }
}

fn short(commit: Option<&str>) -> &str {
    commit.and_then(|id| id.get(..10)).unwrap_or("-")
}

fn failed(error: &dyn std::fmt::Display) -> Problem {
    Problem::new("demo.failed", error.to_string())
}
