//! What a fleet costs: all of its apps from specs to one commit, and one change in it, at several sizes.
//!
//! `cargo bench --bench fleet` prints a table; `cargo bench --bench fleet -- 10 1000` measures those sizes only. Each
//! measurement runs in a process of its own, so that its peak memory is its own. With `--profile` each says besides how
//! long the stages of *all* took.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up has no result to print"
)]

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::format::FmtSpan;
use wooo::domain::{Action, Intent};
use wooo::files::FileTree as _;
use wooo::git::{BranchName, PreparedBlob, Repository, Signature, TreeEdits};
use wooo::operations::Request;
use wooo::operations::batch::Selection;
use wooo::operations::change::{self, Options, Stage};
use wooo::operations::place::Place;
use wooo::operations::rerender;

const SETTINGS: &str = "\
repository: {url: https://git.example.com/platform/fleet.git}
environments:
  production: {cluster: main, provider: eks}
clusters:
  main:
    delivery: argocd
    ingress: {class: nginx}
    issuer: letsencrypt-prod
    dns: {prefix: alpha}
    secrets: external-secrets
    monitoring:
      labels: {release: kube-prometheus-stack}
      webhook: {url: https://wooo.example.com/webhooks/alertmanager}
      channels: {slack: {channel: '#alerts', url: {name: alerting, key: slack}}}
";

/// How often one change is measured; the median counts.
const CHANGES: usize = 21;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_profile = std::env::args().any(|argument| argument == "--profile");
    match arguments.as_slice() {
        [mode, count, folder] if mode == "measure" => {
            measure(count.parse().expect("a count"), Path::new(folder), is_profile)
        }
        _ => table(&arguments, is_profile),
    }
}

/// Runs one process per size and prints what each says.
fn table(sizes: &[String], is_profile: bool) -> ExitCode {
    let sizes: Vec<usize> = match sizes {
        [] => vec![10, 100, 1000, 10_000],
        sizes => sizes.iter().map(|size| size.parse().expect("a number of apps")).collect(),
    };
    println!(
        "|   apps | objects | all: wall s | all: ms/app | objects/s | peak MB | one change: median ms | min ms | max ms |"
    );
    println!(
        "|-------:|--------:|------------:|------------:|----------:|--------:|----------------------:|-------:|-------:|"
    );
    for size in sizes {
        let folder = tempfile::tempdir().expect("a folder");
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.args(["measure", &size.to_string()]).arg(folder.path()).args(is_profile.then_some("--profile"));
        let status = command.status().expect("it runs");
        if !status.success() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(apps: usize, folder: &Path, is_profile: bool) -> ExitCode {
    let place = new_fleet(apps, folder);
    let merge = Options { merge: true, dry_run: false };
    let run = || rerender::run(&place, &Selection::default(), &request(0), merge, |_| {}).expect("the fleet renders");
    let start = Instant::now();
    let result = if is_profile { tracing::subscriber::with_default(stages(), run) } else { run() };
    let all = start.elapsed();
    assert_eq!((result.rendered, result.stage), (apps, Stage::Merged));
    let peak = peak_megabytes();
    let mut changes: Vec<Duration> = (0..CHANGES).map(|round| one_change(folder, apps, round)).collect();
    changes.sort_unstable();
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
    let objects = objects(&place, apps);
    println!(
        "| {apps:6} | {objects:7} | {:11.2} | {:11.3} | {:9.0} | {peak:7} | {:21.2} | {:6.2} | {:6.2} |",
        all.as_secs_f64(),
        milliseconds(all) / apps as f64,
        objects as f64 / all.as_secs_f64(),
        milliseconds(changes[CHANGES / 2]),
        milliseconds(changes[0]),
        milliseconds(changes[CHANGES - 1]),
    );
    ExitCode::SUCCESS
}

/// How many objects were rendered: the manifests of each app without the list and the record of them, and its delivery.
fn objects(place: &Place, apps: usize) -> usize {
    let tree = place.repository.tree(place.tip().expect("a tip")).expect("a tree");
    let of_app = |number| {
        let entries = tree.list(&format!("rendered/production/app-{number:05}")).expect("it is rendered");
        entries.len() - 2 + 1
    };
    (0..apps).map(of_app).sum()
}

/// Prints each stage as it ends, with the time that it took.
fn stages() -> impl tracing::Subscriber + Send + Sync {
    let format = tracing_subscriber::fmt::format().without_time().with_level(false).with_target(false).with_ansi(false);
    let level = tracing::Level::DEBUG;
    tracing_subscriber::fmt().with_max_level(level).with_span_events(FmtSpan::CLOSE).event_format(format).finish()
}

/// One deploy, merged, through a handle of its own: as a command does it, without the start of the process.
fn one_change(folder: &Path, apps: usize, round: usize) -> Duration {
    let app = format!("app-{:05}", round * 7919 % apps);
    let intent = Intent {
        app: app.parse().expect("a name"),
        environment: Some("production".parse().expect("a name")),
        action: Action::Deploy { image: format!("registry.example/{app}:2.0.{round}").parse().expect("an image") },
    };
    let start = Instant::now();
    let place = Place::open(folder).expect("the fleet");
    let change =
        change::run(&place, &intent, &request(round + 1), Options { merge: true, dry_run: false }).expect("it deploys");
    assert_eq!(change.stage, Stage::Merged);
    start.elapsed()
}

/// A bare repository whose one commit holds the specs of `apps` apps and nothing rendered.
fn new_fleet(apps: usize, folder: &Path) -> Place {
    let branch: BranchName = "main".parse().expect("a name");
    let repository = Repository::init(folder, &branch, true).expect("a repository");
    let mut writer = repository.writer();
    let mut edits = TreeEdits::new();
    let mut put = |path: String, text: String| {
        let blob = writer.add(PreparedBlob::new(text.as_bytes())).expect("a blob");
        edits.put(&path, blob).expect("a path");
    };
    put("fleet.yaml".to_owned(), SETTINGS.to_owned());
    for number in 0..apps {
        let name = format!("app-{number:05}");
        let framework = ["flask", "django", "fastapi", "nodejs", "nextjs", "static", "go"][number % 7];
        put(
            format!("apps/{name}/app.yaml"),
            format!(
                "name: {name}\ndomain: {name}.example.com\nframework: {framework}\nreplicas: 2\nenv: {{TZ: Asia/Taipei, NUMBER: '{number}'}}\nsecrets: [SECRET_KEY, STRIPE_KEY]\nmetrics_path: /metrics\naddons: {{postgresql: {{}}, redis: {{}}}}\nnotification_channels: [slack]\n"
            ),
        );
        put(format!("apps/{name}/production.yaml"), format!("image: registry.example/{name}:1.0.0\n"));
    }
    let tree = writer.finish(None, &edits).expect("a tree");
    let (name, email) = request(0).committer;
    let signature = Signature { name, email, when: request(0).now };
    let commit = repository.commit(tree, &[], &signature, "Specs").expect("a commit");
    repository.update_branch(&branch, commit, None).expect("the branch");
    Place::local(repository, branch)
}

fn request(second: usize) -> Request {
    let now = jiff::Timestamp::from_second(1_800_000_000 + i64::try_from(second).expect("small")).expect("a time");
    Request {
        actor: "local:bench".to_owned(),
        reason: None,
        now,
        committer: ("wooo".to_owned(), "wooo@localhost".to_owned()),
        change_id: None,
    }
}

/// The most memory that this process has had, as Linux counts it.
fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) / 1024
}
