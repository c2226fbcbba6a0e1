//! The series of a cluster at a moment: what its pods would measure.
//!
//! Every value is a function of the time and of the pod's life, so that rates over any range make sense.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use super::super::behaviour::Behaviour;
use super::super::cluster::{Cluster, NODE};
use super::super::pods::{Container, Run, Step};
use super::syntax::Matcher;
use crate::domain::Framework;
use crate::domain::alerts::Metrics;

/// The labels of a series.
pub(super) type Labels = BTreeMap<String, String>;

/// A series at a moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// Its labels, with its name as `__name__`.
    pub(super) labels: Labels,
    /// Its value.
    pub(super) value: f64,
}

/// Requests per second to a pod that is ready.
const REQUESTS: f64 = 10.0;
/// The upper bounds of answer times in seconds, and which part of the answers stays below.
const BUCKETS: [(&str, f64); 7] =
    [("0.01", 0.2), ("0.05", 0.6), ("0.1", 0.85), ("0.25", 0.96), ("0.5", 0.99), ("1", 1.0), ("+Inf", 1.0)];

/// The metrics that do not depend on a framework.
const NAMES: [&str; 17] = [
    "up",
    "probe_success",
    "container_memory_working_set_bytes",
    "container_cpu_usage_seconds_total",
    "kube_pod_container_resource_limits",
    "kube_pod_container_resource_requests",
    "kube_pod_container_status_restarts_total",
    "kube_pod_container_status_last_terminated_reason",
    "kube_pod_container_status_waiting_reason",
    "kube_pod_container_status_ready",
    "kube_pod_status_ready",
    "kube_pod_status_phase",
    "kube_deployment_status_replicas_available",
    "kube_deployment_spec_replicas",
    "kube_deployment_metadata_generation",
    "kube_node_info",
    "wooo_sandbox_info",
];

/// The names that frameworks give to requests, and to how long they take.
fn framework_names() -> (Vec<String>, Vec<String>) {
    use strum::IntoEnumIterator;
    let (mut requests, mut durations) = (Vec::new(), Vec::new());
    for framework in Framework::iter() {
        let metrics = Metrics::default().resolve(framework);
        requests.extend(metrics.requests);
        durations.extend(metrics.duration);
    }
    (requests, durations)
}

/// Every name that has series.
pub(super) fn names() -> Vec<String> {
    let (requests, durations) = framework_names();
    let suffixed = durations.iter().flat_map(|name| ["_bucket", "_count", "_sum"].map(|end| format!("{name}{end}")));
    let mut all: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).chain(requests).chain(suffixed).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The series that fit, at a time in milliseconds.
pub(super) fn at(cluster: &Cluster, matchers: &[Matcher], time: i64) -> Vec<Sample> {
    let equal = |label: &str| {
        let found = matchers.iter().find(|matcher| matcher.label == label && matcher.operator == "=");
        found.map(|matcher| matcher.value.as_str())
    };
    let names = match equal("__name__") {
        Some(name) => vec![name.to_owned()],
        None => names(),
    };
    let mut found = Vec::new();
    for name in names {
        let mut add = |labels: &[(&str, &str)], value: f64| {
            let mut all: Labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            all.insert("__name__".to_owned(), name.clone());
            if matchers.iter().all(|matcher| fits(matcher, &all)) {
                found.push(Sample { labels: all, value });
            }
        };
        if name.starts_with("kube_deployment_") {
            deployments(cluster, &name, equal("namespace"), &mut add);
        } else if name == "wooo_sandbox_info" || name == "kube_node_info" {
            add(&[("node", NODE), ("cluster", &cluster.options.name)], 1.0);
        } else {
            let namespace = equal("namespace");
            let runs = cluster.runs();
            let mut probed = BTreeMap::new();
            for run in runs.at(time).filter(|run| namespace.is_none_or(|wanted| wanted == &*run.key.namespace)) {
                if name == "probe_success" {
                    *probed.entry((run.key.namespace.clone(), run.app.clone())).or_insert(false) |= is_up(run, time);
                } else {
                    of_pod(cluster, run, &name, time, &mut add);
                }
            }
            for ((namespace, app), is_up) in probed {
                let job = format!("{app}-probe");
                add(&[("namespace", &namespace), ("job", &job)], f64::from(u8::from(is_up)));
            }
        }
    }
    found
}

/// Whether a label is what it must be. An absent label is an empty one.
pub(super) fn fits(matcher: &Matcher, labels: &Labels) -> bool {
    let value = labels.get(&matcher.label).map(String::as_str).unwrap_or_default();
    let is = match &matcher.pattern {
        Some(pattern) => pattern.is_match(value),
        None => matcher.value == value,
    };
    is != matcher.operator.starts_with('!')
}

fn deployments(cluster: &Cluster, name: &str, namespace: Option<&str>, add: &mut impl FnMut(&[(&str, &str)], f64)) {
    let Some(kind) = cluster.kinds.named("apps", "Deployment") else { return };
    let store = cluster.store();
    let pointer = match name {
        "kube_deployment_status_replicas_available" => "/status/availableReplicas",
        "kube_deployment_spec_replicas" => "/spec/replicas",
        "kube_deployment_metadata_generation" => "/metadata/generation",
        _ => return,
    };
    for object in store.list(kind, namespace, None) {
        let value = object.value().pointer(pointer).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        add(&[("namespace", &object.key.namespace), ("deployment", &object.key.name)], value);
    }
}

fn is_up(run: &Run, time: i64) -> bool {
    run.ready.is_some_and(|ready| ready <= time)
}

/// Seconds from one time to another, none if it is the other way round.
fn seconds(from: i64, to: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no sandbox runs for 2^53 milliseconds")]
    let milliseconds = (to - from).max(0) as f64;
    milliseconds / 1000.0
}

fn of_pod(cluster: &Cluster, run: &Run, name: &str, time: i64, add: &mut impl FnMut(&[(&str, &str)], f64)) {
    let pod: [(&str, &str); 2] = [("namespace", &run.key.namespace), ("pod", &run.key.name)];
    let one = |is: bool| f64::from(u8::from(is));
    match name {
        "kube_pod_status_ready" => {
            for (condition, is) in [("true", is_up(run, time)), ("false", !is_up(run, time))] {
                add(&[pod[0], pod[1], ("condition", condition)], one(is));
            }
        }
        "kube_pod_status_phase" => {
            let is_pending = matches!(run.step, Step::Creating | Step::Pulling(_));
            for (phase, is) in [("Running", !is_pending), ("Pending", is_pending), ("Failed", false)] {
                add(&[pod[0], pod[1], ("phase", phase)], one(is));
            }
        }
        name if name.starts_with("kube_") || name.starts_with("container_") => {
            for (at, container) in run.containers.iter().enumerate() {
                of_container(cluster, run, container, at == run.failing, name, time, add);
            }
        }
        _ => of_app(run, name, time, add),
    }
}

fn of_container(
    cluster: &Cluster,
    run: &Run,
    container: &Container,
    fails: bool,
    name: &str,
    time: i64,
    add: &mut impl FnMut(&[(&str, &str)], f64),
) {
    let labels = [("namespace", &*run.key.namespace), ("pod", &*run.key.name), ("container", container.name.as_str())];
    let [namespace, pod, own] = labels;
    let restarts = if fails { run.restarts.iter().filter(|restart| **restart <= time).count() } else { 0 };
    let started = run.started.filter(|started| *started <= time);
    match name {
        "container_memory_working_set_bytes" => {
            let Some(started) = started else { return };
            let limit = container.memory.1.unwrap_or(256.0 * 1024.0 * 1024.0);
            let usual = 0.45 + 0.03 * (seconds(0, time) / 300.0 * TAU).sin();
            let leaked = seconds(started, time) / cluster.timings.leak.as_secs_f64().max(0.001) * 0.55;
            let part = if fails && run.behaviour == Behaviour::MemoryLeak { (0.45 + leaked).min(1.0) } else { usual };
            add(&[namespace, pod, own, ("node", NODE)], limit * part);
        }
        "container_cpu_usage_seconds_total" => {
            let Some(started) = started else { return };
            let cores = container.cpu.0.unwrap_or(0.1) * 0.4;
            add(&[namespace, pod, own, ("cpu", "total"), ("node", NODE)], cores * seconds(started, time));
        }
        "kube_pod_container_resource_limits" | "kube_pod_container_resource_requests" => {
            let pick = |both: (Option<f64>, Option<f64>)| if name.ends_with("limits") { both.1 } else { both.0 };
            for (resource, unit, amount) in
                [("memory", "byte", pick(container.memory)), ("cpu", "core", pick(container.cpu))]
            {
                if let Some(amount) = amount {
                    add(&[namespace, pod, own, ("resource", resource), ("unit", unit), ("node", NODE)], amount);
                }
            }
        }
        "kube_pod_container_status_restarts_total" => {
            add(&labels, f64::from(u32::try_from(restarts).unwrap_or(u32::MAX)));
        }
        "kube_pod_container_status_last_terminated_reason" => {
            if let Some((_, reason)) = run.exit.filter(|_| restarts > 0) {
                add(&[namespace, pod, own, ("reason", reason)], 1.0);
            }
        }
        "kube_pod_container_status_waiting_reason" => {
            if let Some(reason) = run.waiting().filter(|_| fails) {
                add(&[namespace, pod, own, ("reason", reason)], 1.0);
            }
        }
        "kube_pod_container_status_ready" => add(&labels, f64::from(u8::from(is_up(run, time) || !fails))),
        _ => {}
    }
}

fn of_app(run: &Run, name: &str, time: i64, add: &mut impl FnMut(&[(&str, &str)], f64)) {
    let instance = format!("{}:8000", run.key.name);
    let container = run.containers.first().map(|container| container.name.as_str()).unwrap_or_default();
    let base: [(&str, &str); 5] = [
        ("namespace", &run.key.namespace),
        ("pod", &run.key.name),
        ("container", container),
        ("job", &run.app),
        ("instance", &instance),
    ];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
        base.iter().copied().chain(more.iter().copied()).collect()
    };
    if name == "up" {
        if run.started.is_some_and(|started| started <= time) {
            add(&base, f64::from(u8::from(is_up(run, time))));
        }
        return;
    }
    let Some(ready) = run.ready.filter(|ready| *ready <= time) else { return };
    let total = REQUESTS * seconds(ready, time);
    let (requests, durations) = framework_names();
    let errors = if run.behaviour == Behaviour::Errors5xx { total / 3.0 } else { 0.0 };
    if requests.iter().any(|known| known == name) {
        for (status, count) in [("200", total - errors), ("500", errors)] {
            add(&with(&[("status", status), ("status_code", status), ("code", status), ("method", "GET")]), count);
        }
        // Of some frameworks the counter is the histogram's own.
        return;
    }
    let Some((_, end)) = durations.iter().find_map(|known| name.strip_prefix(known.as_str()).map(|end| (known, end)))
    else {
        return;
    };
    match end {
        "_bucket" => {
            for (le, part) in BUCKETS {
                add(&with(&[("le", le)]), total * part);
            }
        }
        "_count" => add(&base, total),
        "_sum" => add(&base, total * 0.06),
        _ => {}
    }
}
