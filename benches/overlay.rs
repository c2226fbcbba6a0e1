//! What a kustomization costs, next to kustomize.
//!
//! A root includes a number of apps, each an overlay (namespace, prefix, labels, image, patch) over a base of four objects.
//! `cargo bench --bench overlay` prints a table; `cargo bench --bench overlay -- 10 300` measures those sizes only. The
//! column of kustomize is empty where there is none, or where it would take minutes: `--patient` waits for it.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up has no result to print"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wooo::files::DirectoryTree;
use wooo::overlay::{self, BuildOptions};

/// How often a build is measured; the median counts.
const RUNS: usize = 9;

/// From how many apps on kustomize takes minutes.
const PATIENCE: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_patient = arguments.iter().any(|argument| argument == "--patient");
    let sizes: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1, 10, 100, 300, 1000, 10_000] } else { sizes };
    println!("|   apps | objects | in process: ms | ms/app | whole process: ms | kustomize: ms | times |");
    println!("|-------:|--------:|---------------:|-------:|------------------:|--------------:|------:|");
    for apps in sizes {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), apps);
        let inside = median(RUNS, || build(folder.path()));
        let mut wooo = Command::new(env!("CARGO_BIN_EXE_wooo"));
        wooo.arg("build").arg(folder.path());
        let whole = median(RUNS, || run(&mut wooo).expect("wooo builds it"));
        let mut kustomize = Command::new("kustomize");
        kustomize.arg("build").arg(folder.path());
        let is_asked = apps < PATIENCE || (apps == PATIENCE && is_patient);
        let runs = if apps <= 100 { 3 } else { 1 };
        let theirs = is_asked.then(|| run(&mut kustomize)).flatten().map(|_| median(runs, || run(&mut kustomize)));
        let (theirs, times) = match theirs {
            Some(theirs) => {
                (format!("{:.1}", milliseconds(theirs)), format!("{:.0}", milliseconds(theirs) / milliseconds(whole)))
            }
            None => (String::new(), String::new()),
        };
        println!(
            "| {apps:6} | {:7} | {:14.2} | {:6.3} | {:17.2} | {theirs:>13} | {times:>5} |",
            4 * apps,
            milliseconds(inside),
            milliseconds(inside) / apps as f64,
            milliseconds(whole),
        );
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn median<T>(runs: usize, mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[runs / 2]
}

fn build(folder: &Path) -> usize {
    let objects = overlay::build(&DirectoryTree::new(folder), "", &BuildOptions::default()).expect("it builds");
    overlay::write(&objects).expect("it is written").len()
}

/// Runs a program to its end, or `None` if that fails.
fn run(command: &mut Command) -> Option<()> {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    status.success().then_some(())
}

fn write(folder: &Path, apps: usize) {
    let put = |path: String, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let root: String = (0..apps).map(|app| format!("- apps/a{app:05}/overlay\n")).collect();
    put("kustomization.yaml".to_owned(), &format!("resources:\n{root}"));
    for app in 0..apps {
        let name = format!("a{app:05}");
        put(format!("apps/{name}/base/all.yaml"), &base(&name));
        put(format!("apps/{name}/base/kustomization.yaml"), "resources: [all.yaml]\n");
        put(
            format!("apps/{name}/overlay/kustomization.yaml"),
            &format!(
                "namespace: app-{name}\nnamePrefix: prod-\nresources: [../base]\nlabels: [{{pairs: {{env: prod}}, includeSelectors: true}}]\nimages: [{{name: registry.example/{name}, newTag: 2.0.0}}]\npatches: [{{path: patch.yaml}}]\n"
            ),
        );
        put(
            format!("apps/{name}/overlay/patch.yaml"),
            &format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: 3\n  template:\n    spec:\n      containers:\n      - name: app\n        env: [{{name: LEVEL, value: info}}]\n        resources: {{limits: {{memory: 512Mi}}}}\n"
            ),
        );
    }
}

/// A Deployment that reads its ConfigMap, a Service and an Ingress.
fn base(name: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app: {name}}}
spec:
  replicas: 1
  selector:
    matchLabels: {{app: {name}}}
  template:
    metadata:
      labels: {{app: {name}}}
    spec:
      containers:
      - name: app
        image: registry.example/{name}:1.0.0
        ports:
        - containerPort: 8000
          name: http
        env:
        - name: TZ
          value: Asia/Taipei
        envFrom:
        - configMapRef: {{name: {name}}}
        readinessProbe:
          httpGet: {{path: /health, port: http}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
data:
  MODE: production
  WORKERS: \"4\"
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  selector: {{app: {name}}}
  ports:
  - name: http
    port: 80
    targetPort: http
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
spec:
  rules:
  - host: {name}.example.com
    http:
      paths:
      - path: /
        pathType: Prefix
        backend:
          service:
            name: {name}
            port: {{name: http}}
"
    )
}
