//! Every query of a dashboard, asked of a real Prometheus that holds an hour of recorded series: those that the cluster
//! has, and those of the framework's exporter. A query that finds nothing uses a metric that is not there.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;

use super::{program, rendered, run, said};

/// The end of the recording, in seconds since 1970.
const END: i64 = 1_767_225_600;
/// How long it is.
const LENGTH: i64 = 3600;
const STEP: i64 = 15;

/// How a series goes.
#[derive(Clone, Copy)]
enum Course {
    /// One value.
    Steady(f64),
    /// Grows by so much each second.
    Rising(f64),
    /// Two values, the second from so many seconds before the end.
    Changing(f64, f64, i64),
    /// One value between two times before the end.
    Between(f64, i64, i64),
}

impl Course {
    fn at(self, time: i64) -> Option<f64> {
        match self {
            Self::Steady(value) => Some(value),
            Self::Rising(slope) => Some((time - (END - LENGTH)) as f64 * slope),
            Self::Changing(before, after, when) => Some(if time < END - when { before } else { after }),
            Self::Between(value, from, to) => (END - from..END - to).contains(&time).then_some(value),
        }
    }
}

/// What a cluster with kube-state-metrics, cAdvisor and a blackbox exporter has of the app `shop`.
fn cluster_series() -> Vec<(String, Course)> {
    let container = |name: &str| format!("namespace=\"app-shop\",pod=\"shop-7d9f-x2x4\",container=\"{name}\"");
    let cadvisor = |name: &str| format!("{},image=\"x/shop:1\",job=\"kubelet\"", container(name));
    let deployment = "namespace=\"app-shop\",deployment=\"shop\",job=\"kube-state-metrics\"";
    let mut series = vec![
        (format!("kube_deployment_metadata_generation{{{deployment}}}"), Course::Changing(3.0, 4.0, 2400)),
        (
            "kube_deployment_metadata_generation{namespace=\"app-shop\",deployment=\"shop-mail\"}".to_owned(),
            Course::Changing(1.0, 2.0, 300),
        ),
        (
            "ALERTS{namespace=\"app-shop\",wooo_app=\"shop\",alertname=\"AppDown\",alertstate=\"firing\",auto_repair=\"restart\"}"
                .to_owned(),
            Course::Between(1.0, 600, 300),
        ),
        ("probe_success{namespace=\"app-shop\",job=\"shop-probe\"}".to_owned(), Course::Steady(1.0)),
    ];
    for name in ["shop", "mail"] {
        series.extend([
            (format!("container_memory_working_set_bytes{{{}}}", cadvisor(name)), Course::Steady(4e8)),
            (format!("container_cpu_usage_seconds_total{{{}}}", cadvisor(name)), Course::Rising(0.2)),
            (
                format!("kube_pod_container_resource_limits{{{},resource=\"memory\",unit=\"byte\"}}", container(name)),
                Course::Steady(1e9),
            ),
            (
                format!("kube_pod_container_resource_limits{{{},resource=\"cpu\",unit=\"core\"}}", container(name)),
                Course::Steady(1.0),
            ),
            (
                format!("kube_pod_container_status_restarts_total{{{}}}", container(name)),
                Course::Changing(0.0, 1.0, 60),
            ),
        ]);
    }
    series
}

/// What the exporter of a framework has: a counter of requests with the status, and a histogram.
fn app_series(framework: &str) -> Vec<(String, Course)> {
    let target = "namespace=\"app-shop\",job=\"shop\",service=\"shop\",endpoint=\"http\",pod=\"shop-7d9f-x2x4\"";
    let (counter, bad, good, histogram) = match framework {
        "flask" => {
            ("flask_http_request_total", "status=\"500\"", "status=\"200\"", "flask_http_request_duration_seconds")
        }
        "django" => (
            "django_http_responses_total_by_status_total",
            "status=\"500\"",
            "status=\"200\"",
            "django_http_requests_latency_seconds_by_view_method",
        ),
        "fastapi" => ("http_requests_total", "status=\"5xx\"", "status=\"2xx\"", "http_request_duration_highr_seconds"),
        "go" => ("http_requests_total", "code=\"500\"", "code=\"200\"", "http_request_duration_seconds"),
        _ => (
            "http_request_duration_seconds_count",
            "status_code=\"500\"",
            "status_code=\"200\"",
            "http_request_duration_seconds",
        ),
    };
    let mut series = vec![
        (format!("up{{{target}}}"), Course::Steady(1.0)),
        (format!("{counter}{{{target},{bad}}}"), Course::Rising(0.1)),
        (format!("{counter}{{{target},{good}}}"), Course::Rising(9.9)),
    ];
    for (bound, slope) in [("0.1", 8.0), ("0.5", 9.8), ("+Inf", 10.0)] {
        series.push((format!("{histogram}_bucket{{{target},le=\"{bound}\"}}"), Course::Rising(slope)));
    }
    series
}

/// A Prometheus with the series, which ends with its owner.
struct Prometheus {
    process: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn new(series: &[(String, Course)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut text = String::new();
        // Samples of one metric must stand together.
        let mut series: Vec<_> = series.to_vec();
        series.sort_by_key(|(name, _)| name.split('{').next().unwrap_or_default().to_owned());
        for (name, course) in &series {
            for time in (END - LENGTH..=END).step_by(STEP as usize) {
                if let Some(value) = course.at(time) {
                    writeln!(text, "{name} {value} {time}").unwrap();
                }
            }
        }
        text.push_str("# EOF\n");
        let (recording, data) = (folder.path().join("series.txt"), folder.path().join("data"));
        fs::write(&recording, text).unwrap();
        let mut promtool = Command::new(program("WOOO_TEST_PROMTOOL", "promtool"));
        let output = run(promtool.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(&recording).arg(&data));
        assert!(output.status.success(), "{}", said(&output));
        fs::write(folder.path().join("prometheus.yml"), "scrape_configs: []\n").unwrap();
        let (process, address) = start(folder.path());
        Self { process, address, _folder: folder }
    }

    /// The values of a query at so many seconds before the end.
    #[track_caller]
    fn ask(&self, query: &str, before: i64) -> Vec<f64> {
        let url = format!("http://{}/api/v1/query", self.address);
        let time = (END - before).to_string();
        let url = url::Url::parse_with_params(&url, [("query", query), ("time", time.as_str())]).unwrap();
        let answer: Value =
            serde_json::from_str(&reqwest::blocking::get(url).unwrap().text().unwrap()).expect("an answer is JSON");
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let result = answer["data"]["result"].as_array().unwrap();
        result.iter().map(|series| series["value"][1].as_str().unwrap().parse().unwrap()).collect()
    }
}

fn start(folder: &Path) -> (Child, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let process = Command::new(program("WOOO_TEST_PROMETHEUS", "prometheus"))
        .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
        .arg("--storage.tsdb.retention.time=100y")
        .arg(format!("--web.listen-address={address}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus is needed for this test; .ci/run installs it");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !reqwest::blocking::get(format!("http://{address}/-/ready")).is_ok_and(|answer| answer.status().is_success())
    {
        assert!(Instant::now() < deadline, "Prometheus does not get ready");
        std::thread::sleep(Duration::from_millis(100));
    }
    (process, address)
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

fn dashboard(framework: &str) -> Value {
    let metrics = if framework == "static" { "" } else { "metrics_path: /metrics\n" };
    let spec = format!(
        "name: shop\ndisplay_name: Shop\ndomain: shop.example.com\nimage: x/shop:1\nframework: {framework}\n{metrics}workers: [{{name: mail, command: [mail]}}]\n"
    );
    let objects = rendered(&spec, "production");
    let dashboards = crate::render::dashboards(&objects);
    assert_eq!(dashboards.len(), 1);
    dashboards.into_iter().next().unwrap()
}

/// A query as Grafana sends it.
fn filled_in(query: &str) -> String {
    query.replace("$environment", "app-shop").replace("$__rate_interval", "1m")
}

/// The titles of panels with their queries.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap() {
            queries.push((title.to_owned(), filled_in(target["expr"].as_str().unwrap())));
        }
    }
    queries
}

#[test]
fn every_query_finds_what_the_app_and_the_cluster_have() {
    let selector = Regex::new(r"[a-zA-Z_:][a-zA-Z0-9_:]*\{[^}]*\}").unwrap();
    for framework in ["flask", "django", "fastapi", "nodejs", "nextjs", "static", "go"] {
        let mut series = cluster_series();
        if framework != "static" {
            series.extend(app_series(framework));
        }
        let prometheus = Prometheus::new(&series);
        let dashboard = dashboard(framework);
        let queries = queries(&dashboard);
        assert_eq!(queries.len(), if framework == "static" { 5 } else { 8 }, "{framework}");
        for (title, query) in &queries {
            for found in selector.find_iter(query) {
                assert!(!prometheus.ask(found.as_str(), 0).is_empty(), "{framework}: {title}: {}", found.as_str());
            }
            let values = prometheus.ask(query, 0);
            assert!(!values.is_empty() && values.iter().all(|value| value.is_finite()), "{framework}: {query}");
        }
        let value = |title: &str| {
            let (_, query) = queries.iter().find(|(known, _)| known == title).unwrap();
            prometheus.ask(query, 0)[0]
        };
        let near = |left: f64, right: f64| (left - right).abs() <= right.abs() * 0.02;
        assert!(near(value("Availability"), 100.0), "{framework}");
        assert!(near(value("Memory in use"), 40.0), "{framework}");
        if framework != "static" {
            assert!(near(value("Requests per second"), 10.0), "{framework}");
            assert!(near(value("5xx errors"), 1.0), "{framework}");
            assert!(near(value("Response time (p95)"), 433.3), "{framework}: {}", value("Response time (p95)"));
        }
        let annotation = |index: usize, before| {
            let query = dashboard["annotations"]["list"][index]["expr"].as_str().unwrap();
            !prometheus.ask(&filled_in(query), before).is_empty()
        };
        // A rollout in peace, and one while an alert called for a repair.
        assert_eq!([annotation(0, 2370), annotation(1, 2370)], [true, false], "{framework}");
        assert_eq!([annotation(0, 270), annotation(1, 270)], [false, true], "{framework}");
        assert_eq!([annotation(0, 1800), annotation(1, 1800)], [false, false], "{framework}");
    }
}

#[test]
fn a_dashboard_has_what_grafana_needs() {
    let dashboard = dashboard("go");
    assert!(dashboard["uid"].as_str().unwrap().len() <= 40);
    assert_eq!(dashboard["uid"], super::dashboards::dashboard("flask")["uid"], "it outlives a change of framework");
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{panel}");
    }
    let variables: Vec<_> =
        dashboard["templating"]["list"].as_array().unwrap().iter().map(|variable| &variable["name"]).collect();
    assert_eq!(variables, ["datasource", "environment"]);
    assert_eq!(dashboard["templating"]["list"][1]["query"], "production : app-shop,staging : app-shop-staging");
}
